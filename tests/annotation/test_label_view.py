"""The label page over HTTP: as plain forms, as htmx asks for it, and with everything that goes wrong."""

from datetime import timedelta

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.labeling import in_other_terms
from annotation.models import Choice, Label, LabelRevision, LateDecision, Role, Skip, Slot
from annotation.showing import Showing
from tests import factories
from tests.annotation.label_page import HTMX, fields, in_view, signed_in

pytestmark = pytest.mark.django_db

# ---- looking


def test_the_page_shows_the_prompt_and_both_responses_on_their_sides(browser, page, dataset):
    prompt = factories.make_prompt(instruction="Which is *bigger*?", given="Sun or Moon")
    dataset.pairs.all().delete()
    pair = factories.make_pair(dataset=dataset, prompt=prompt, texts=("The Sun.", "The Moon."))
    text = browser.get(page).text
    assert "Which is <em>bigger</em>?" in text
    assert "Sun or Moon" in text
    order = (
        ["The Moon.", "The Sun."] if Slot.objects.get(pair=pair, state="claimed").swapped else ["The Sun.", "The Moon."]
    )
    assert text.index(order[0]) < text.index(order[1])


def test_the_two_annotators_of_a_pair_see_its_sides_the_other_way_round(page, dataset):
    dataset.pairs.exclude(pk=dataset.pairs.first().pk).delete()
    swapped = set()
    for _ in range(2):
        user = factories.make_user()
        signed_in(user).get(page)
        swapped.add(Slot.objects.get(annotator=user).swapped)
    assert swapped == {True, False}


def test_an_empty_response_is_said_to_be_empty(browser, page, dataset):
    dataset.pairs.all().delete()
    factories.make_pair(dataset=dataset, texts=("", " \n"))
    assert browser.get(page).text.count("(empty response)") == 2


def test_nothing_tells_who_wrote_what_or_what_others_said(browser, page, dataset):
    dataset.pairs.all().delete()
    pair = factories.make_pair(
        dataset=dataset, generators=("secret-llama", "secret-opt"), external_id="secret-llama-vs-secret-opt"
    )
    factories.make_label(pair=pair, annotator=factories.make_user(username="peer"), rationale="peers-rationale")
    response = browser.get(page)
    everything = response.text + str(response.headers)
    assert in_view(response) == pair.pk
    for word in ("secret", "peer"):
        assert word not in everything


def test_what_the_page_sends_along_does_not_tell_which_side_is_which(browser, page):
    """What is signed can be read by whoever looks at the page: the same side comes out as true and as false."""
    said = set()
    for _ in range(30):
        token = fields(browser.get(page))["showing"]
        said.add(signing.Signer(salt="annotation.showing").unsign_object(token)[2])
        assert Showing.of(token).swapped == Slot.objects.get(state=Slot.State.CLAIMED).swapped
    assert said == {True, False}


def test_guidelines_and_ones_own_progress_stand_beside_the_pair(browser, page, dataset):
    factories.make_guideline(dataset=dataset, text="Old")
    factories.make_guideline(dataset=dataset, text="Prefer **truth**.")
    text = browser.get(page).text
    assert "Prefer <strong>truth</strong>." in text
    assert "revision 2" in text
    assert "<strong>0</strong> of 3 done" in text


def test_looking_again_gives_the_same_pair(browser, page):
    assert in_view(browser.get(page)) == in_view(browser.get(page))
    assert Slot.objects.filter(state=Slot.State.CLAIMED).count() == 1


@pytest.mark.parametrize("headers", [{"Sec-Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}])
def test_looking_ahead_claims_nothing(browser, page, headers):
    assert browser.get(page, headers=headers).status_code == 204
    assert browser.head(page).status_code == 204
    assert not Slot.objects.filter(state=Slot.State.CLAIMED).exists()


def test_the_page_is_not_kept_by_any_cache(browser, page):
    assert "no-store" in browser.get(page)["Cache-Control"]


def test_the_short_address_leads_to_the_dataset_with_work(browser, page):
    assert browser.get(reverse("label_any")).url == page


def test_the_short_address_leads_home_when_nothing_is_left(browser):
    assert browser.get(reverse("label_any")).url == reverse("home")


def test_when_all_is_labelled_the_page_says_so(browser, page, dataset):
    dataset.pairs.all().delete()
    text = browser.get(page).text
    assert "Nothing left to label here" in text
    assert 'id="back"' not in text


def test_the_last_decision_opens_again_where_nothing_is_left(browser, page, dataset):
    while form := fields(browser.get(page)):
        browser.post(page, {**form, "choice": "1"})
    last = Label.objects.latest("pk").pair_id
    assert f'id="back" href="{reverse("label_pair", args=[dataset.slug, last])}"' in browser.get(page).text


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.RESEARCHER, Role.ADMINISTRATOR])
def test_those_who_review_do_not_label(page, role):
    client = signed_in(factories.make_user(role=role))
    assert client.get(page).status_code == 403
    assert client.post(page, {"choice": "1"}).status_code == 403


def test_a_dataset_of_others_is_not_there_until_one_is_asked_to_label_it(browser, annotator):
    other = factories.make_dataset(pairs=1, everyone_labels=False)
    page = reverse("label", args=[other.slug])
    assert browser.get(page).status_code == 404
    assert browser.post(page, {"choice": "1"}).status_code == 404
    other.annotators.add(annotator)
    assert browser.get(page).status_code == 200


def test_a_dataset_that_wants_no_labels_is_not_there(browser):
    other = factories.make_dataset(pairs=1, labels_per_pair=0)
    assert browser.get(reverse("label", args=[other.slug])).status_code == 404


# ---- deciding


@pytest.mark.parametrize(("value", "choice"), [("1", Choice.FIRST), ("2", Choice.SECOND), ("tie", Choice.TIE)])
def test_a_plain_form_saves_the_label_in_the_pairs_terms_and_leads_to_the_next(browser, page, value, choice):
    form = fields(browser.get(page))
    response = browser.post(page, {**form, "choice": value, "rationale": "Better.", "flag": "broken"})
    assert (response.status_code, response.url) == (302, page)
    label = Label.objects.get()
    slot = Slot.objects.get(state=Slot.State.DONE)
    assert label.choice == in_other_terms(choice, swapped=slot.swapped)
    assert (label.shown_swapped, label.rationale, label.flag) == (slot.swapped, "Better.", "broken")
    assert in_view(browser.get(page)) != label.pair_id


def test_htmx_gets_the_next_pair_at_once(browser, page):
    form = fields(browser.get(page))
    response = browser.post(page, {**form, "choice": "1"}, headers=HTMX)
    assert response.status_code == 200
    assert "<html" not in response.text
    assert in_view(response) != int(form["pair"])
    assert "<strong>1</strong> of 3 done" in response.text
    assert Label.objects.get().pair_id == int(form["pair"])


def test_the_time_from_page_to_decision_is_kept_the_browsers_where_it_can_be_true(browser, page):
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": "1", "seconds": "0.001"})
    assert Label.objects.get().seconds == 0.001
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": "1", "seconds": "86400"})
    assert 0 <= Label.objects.latest("pk").seconds < 60


def test_a_label_knows_the_guidelines_that_were_shown_and_new_ones_are_sent_along(browser, page, dataset):
    shown = factories.make_guideline(dataset=dataset, text="Old")
    form = fields(browser.get(page))
    newer = factories.make_guideline(dataset=dataset, text="New words")
    response = browser.post(page, {**form, "choice": "1"}, headers=HTMX)
    assert Label.objects.get().guideline == shown
    assert "New words" in response.text
    assert "guidelines have changed" in response.text
    response = browser.post(page, {**fields(response), "choice": "1"}, headers=HTMX)
    assert Label.objects.latest("pk").guideline == newer
    assert "New words" not in response.text


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_double_click_is_one_label(browser, page, headers):
    form = fields(browser.get(page)) | {"choice": "1"}
    browser.post(page, form, headers=headers)
    browser.get(page)
    browser.post(page, form, headers=headers)
    assert Label.objects.count() == 1
    assert not LabelRevision.objects.exists()
    assert Slot.objects.filter(state=Slot.State.CLAIMED).count() == 1


def test_the_second_decision_of_a_double_click_is_told_that_the_first_stands(browser, page):
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": "tie"})
    response = browser.post(page, {**form, "choice": "1"}, follow=True)
    assert "the first decision stands" in response.text
    assert Label.objects.get().choice == Choice.TIE


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_two_people_submitting_the_same_slot_the_one_who_holds_it_labels_and_the_other_is_kept(browser, headers):
    """One was away for so long that the other has it now: a clear word, the next pair, and nothing is lost."""
    page = reverse("label", args=[factories.make_dataset(pairs=3, labels_per_pair=1).slug])
    late = fields(browser.get(page))
    Slot.objects.filter(state=Slot.State.CLAIMED).update(expires_at=timezone.now() - timedelta(minutes=1))
    other = signed_in(factories.make_user())
    now = fields(other.get(page))
    assert now["pair"] == late["pair"]
    sent = {**late, "choice": "1", "rationale": "Long thoughts", "flag": "expert"}
    response = browser.post(page, sent, headers=headers, follow=True)
    assert "no longer yours" in response.text
    assert in_view(response) != int(late["pair"])
    assert "Long thoughts" not in response.text
    assert not Label.objects.exists()
    kept = LateDecision.objects.get()
    assert (kept.pair_id, kept.rationale, kept.flag) == (int(late["pair"]), "Long thoughts", "expert")
    assert kept.choice == in_other_terms(Choice.FIRST, swapped=kept.shown_swapped)
    browser.post(page, sent | {"choice": "tie"}, headers=headers)
    assert LateDecision.objects.get().choice == Choice.TIE
    assert other.post(page, {**now, "choice": "2"}, headers=headers).status_code in {200, 302}
    assert Label.objects.count() == 1


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_who_comes_too_late_is_saved_as_usual_where_a_slot_of_the_pair_is_free(browser, annotator, page, headers):
    late = fields(browser.get(page))
    Slot.objects.filter(state=Slot.State.CLAIMED).update(expires_at=timezone.now() - timedelta(minutes=1))
    signed_in(factories.make_user()).get(page)
    sent = {**late, "choice": "1", "rationale": "Long thoughts"}
    response = browser.post(page, sent, headers=headers, follow=True)
    assert "saved as usual" in response.text
    assert in_view(response) != int(late["pair"])
    label = Label.objects.get()
    assert (label.pair_id, label.annotator, label.rationale) == (int(late["pair"]), annotator, "Long thoughts")
    assert not LateDecision.objects.exists()
    browser.post(page, sent, headers=headers)
    assert Label.objects.count() == 1
    assert Slot.objects.filter(state=Slot.State.DONE).count() == 1


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_who_was_taken_off_the_dataset_with_a_pair_before_them_is_told_and_nothing_is_lost(
    browser, page, dataset, headers
):
    held = fields(browser.get(page))
    dataset.everyone_labels = False
    dataset.save()
    response = browser.post(page, {**held, "choice": "2", "rationale": "Late"}, headers=headers)
    assert (response.headers.get("HX-Redirect") or response.url) == reverse("home")
    assert "no longer label that dataset" in browser.get(reverse("home")).text
    assert LateDecision.objects.get().rationale == "Late"
    assert not Label.objects.exists()
    assert browser.get(page).status_code == 404
    assert browser.post(page, {**held, "showing": "made:up", "choice": "2"}, headers=headers).status_code == 404


def test_a_label_posted_for_anothers_slot_is_refused_and_nothing_is_stored(browser, page):
    theirs = fields(signed_in(factories.make_user()).get(page))
    assert browser.post(page, {**theirs, "choice": "1"}).status_code == 404
    own = fields(browser.get(page))
    assert browser.post(page, {**own, "pair": theirs["pair"], "showing": "made:up", "choice": "1"}).status_code == 404
    other = Slot.objects.filter(state=Slot.State.FREE).exclude(pair=own["pair"]).first().pair_id
    assert browser.post(page, {**own, "pair": other, "choice": "1"}).status_code == 404
    assert not Label.objects.exists()
    assert Slot.objects.filter(state=Slot.State.CLAIMED).count() == 2


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "Choose 1, 2 or tie."),
        ({"choice": "3"}, "“3” is no decision"),
        ({"choice": "0"}, "“0” is no decision"),
        ({"choice": "1", "rationale": "x" * 10_001}, "at most 10000 characters"),
    ],
)
def test_what_is_not_understood_is_said_and_nothing_is_lost(browser, page, headers, sent, said):
    form = fields(browser.get(page))
    response = browser.post(page, {"rationale": "My words", **form, **sent}, headers=headers)
    assert response.status_code == 422
    assert said in response.text
    assert sent.get("rationale", "My words") in response.text
    assert in_view(response) == int(form["pair"])
    assert not Label.objects.exists()


def test_a_form_without_its_token_is_refused(annotator, page):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(annotator)
    assert strict.post(page, {**fields(strict.get(page)), "choice": "1"}).status_code == 403


# ---- undoing


def decide(browser, page, value="1", **more) -> int:
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": value, **more})
    return int(form["pair"])


def test_undo_opens_the_last_decision_which_stands_until_there_is_another(browser, page, dataset):
    pair = decide(browser, page, "1", rationale="First thought", flag="expert")
    back = reverse("label_pair", args=[dataset.slug, pair])
    assert f'href="{back}"' in browser.get(page).text
    text = browser.get(back).text
    assert "response 1 is better" in text
    assert "First thought" in text
    assert 'name="flag" value="expert" data-keys="3" checked' in text
    assert text.count('aria-pressed="true"') == 1
    assert Label.objects.count() == 1
    assert not LabelRevision.objects.exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_new_decision_takes_the_place_of_the_old_one_which_is_kept(browser, page, dataset, headers):
    pair = decide(browser, page, "1", rationale="First thought")
    first = Label.objects.get()
    waiting = in_view(browser.get(page))
    back = reverse("label_pair", args=[dataset.slug, pair])
    form = fields(browser.get(back))
    response = browser.post(back, {**form, "choice": "tie", "rationale": "Second"}, headers=headers, follow=True)
    label = Label.objects.get()
    assert (label.choice, label.rationale) == (Choice.TIE, "Second")
    assert (revision := LabelRevision.objects.get()).choice == first.choice
    assert revision.rationale == "First thought"
    assert in_view(response) == waiting
    assert "new decision is saved" in response.text
    if headers:
        assert response["HX-Replace-Url"] == page


def test_the_same_words_from_a_plain_form_and_from_htmx_are_the_same(browser, page, dataset):
    """The one sends line ends as CRLF, the other as LF: nobody has changed anything, and none of them counts twice."""
    pair = decide(browser, page, "1", rationale="One.\r\nTwo.")
    assert Label.objects.get().rationale == "One.\nTwo."
    back = reverse("label_pair", args=[dataset.slug, pair])
    form = fields(browser.get(back))
    browser.post(back, {**form, "choice": "1", "rationale": "One.\nTwo."}, headers=HTMX)
    browser.post(back, {**form, "choice": "1", "rationale": "One.\r\nTwo."})
    assert not LabelRevision.objects.exists()
    decide(browser, page, "1", rationale="x\r\n" * 4_999 + "xx")
    assert Label.objects.count() == 2


def test_the_pair_in_hand_cannot_be_opened_as_a_decision(browser, page, dataset):
    pair = in_view(browser.get(page))
    assert browser.get(reverse("label_pair", args=[dataset.slug, pair])).url == page


def test_nobody_opens_or_changes_a_decision_of_somebody_else(browser, page, dataset):
    pair = decide(signed_in(factories.make_user()), page)
    back = reverse("label_pair", args=[dataset.slug, pair])
    assert browser.get(back).status_code == 404
    assert browser.post(back, {"choice": "2"}).status_code == 404
    assert not LabelRevision.objects.exists()


# ---- passing on


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_pair_is_passed_on_with_a_reason(browser, page, dataset, headers):
    pair = in_view(browser.get(page))
    skip = reverse("label_skip", args=[dataset.slug])
    sent = {"pair": pair, "reason": "language", "note": "Finnish"}
    response = browser.post(skip, sent, headers=headers, follow=True)
    assert in_view(response) != pair
    assert Skip.objects.get().reason == "I don't read this language: Finnish"
    assert not Label.objects.exists()


@pytest.mark.parametrize(
    ("sent", "said"),
    [({}, "Say why you pass this pair on."), ({"reason": "other"}, "Say in a few words what it is.")],
)
def test_no_pair_is_passed_on_without_a_reason(browser, page, dataset, sent, said):
    pair = in_view(browser.get(page))
    response = browser.post(reverse("label_skip", args=[dataset.slug]), {"pair": pair, **sent})
    assert response.status_code == 422
    assert said in response.text
    assert not Skip.objects.exists()


def test_nobody_passes_on_anothers_pair(browser, page, dataset):
    pair = in_view(signed_in(factories.make_user()).get(page))
    response = browser.post(reverse("label_skip", args=[dataset.slug]), {"pair": pair, "reason": "broken"})
    assert response.status_code == 409
    assert "not open for you" in response.text
    assert not Skip.objects.exists()
