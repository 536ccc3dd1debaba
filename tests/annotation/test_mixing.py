"""Control pairs mixed in: nobody can tell them from others, and no answer to one is a label."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotation import mixing
from annotation.models import Choice, Control, ControlAnswer, Dataset, Label, Role, Slot, Standing
from annotation.progress import own_progress
from judging.scores.evidence import read_people
from tests import factories
from tests.annotation.label_page import HTMX, fields, in_view, signed_in
from tests.annotation.mixed import make_mixed

pytestmark = pytest.mark.django_db

PAIRS, CONTROLS = 16, 12


@pytest.fixture
def dataset():
    """Sixteen pairs to label and twelve control pairs, of which one comes with each four (20 in 100)."""
    return make_mixed(pairs=PAIRS, controls=CONTROLS, percent=20)


PAGE = "/label/mix/"


def walk(browser, *, choice="1", headers=None):
    """Label to the end: (is it a control pair, progress as told, the page) of each pair."""
    mixed = set(Control.objects.values_list("pair", flat=True))
    while form := fields(page := browser.get(PAGE)):
        pair = int(form["pair"])
        yield pair in mixed, told(page), page
        assert browser.post(PAGE, {**form, "choice": choice}, headers=headers or {}).status_code in {200, 302}


def told(page) -> tuple[int, int]:
    done, of = re.search(r"<strong>(\d+)</strong> of (\d+) done", page.text).groups()
    return int(done), int(of)


@pytest.mark.parametrize("percent", [1, 10, 20, 33, 50])
def test_one_control_pair_stands_in_each_stretch_and_as_many_as_are_asked_for(percent):
    user, dataset = factories.make_user(), factories.make_dataset(control_percent=percent)
    places = [n for n in range(1, 1001) if mixing.due(user=user, dataset=dataset, number=n)]
    assert [mixing.due_up_to(user=user, dataset=dataset, number=n) for n in (0, 7, 500, 1000)] == [
        sum(place <= n for place in places) for n in (0, 7, 500, 1000)
    ]
    assert abs(100 * len(places) / (1000 + len(places)) - percent) < 0.2


def test_two_people_meet_them_at_different_places():
    dataset = factories.make_dataset(control_percent=10)
    one, two = factories.make_user(), factories.make_user()
    places = [[mixing.due(user=user, dataset=dataset, number=n) for n in range(1, 200)] for user in (one, two)]
    assert places[0] != places[1]


def test_labels_and_control_answers_go_apart_and_each_decision_counts_alike(browser, dataset):
    met = [(control, progress) for control, progress, _ in walk(browser)]
    assert [control for control, _ in met].count(False) == PAIRS == Label.objects.count()
    assert [control for control, _ in met].count(True) == PAIRS // 4 == ControlAnswer.objects.count()
    # Whatever kind it was: one more of the same whole.
    assert [progress for _, progress in met] == [(n, PAIRS + PAIRS // 4) for n in range(PAIRS + PAIRS // 4)]
    assert not Label.objects.filter(pair__in=Control.objects.values("pair")).exists()


def differing(pages: set) -> list[str]:
    """Lines that are not in all of them: what to read when this fails."""
    lines = [set(text.splitlines()) for text, _ in pages]
    return sorted(set.union(*lines) - set.intersection(*lines))


def without_texts(page) -> str:
    """The page with what must differ from pair to pair taken out: numbers, texts and tokens."""
    text = re.sub(r'(name="showing" value=|name="csrfmiddlewaretoken" value=)"[^"]*"', r"\1", page.text)
    text = re.sub(r'"x-csrftoken": "[^"]*"', "", text)
    text = re.sub(r'nonce="[^"]*"|"X-CSRFToken": ?"[^"]*"', "", text)
    return re.sub(r"\d+", "0", text)


def test_the_page_of_a_control_pair_is_the_page_of_any_pair(browser, dataset):
    kinds = {True: set(), False: set()}
    for number, (control, _, page) in enumerate(walk(browser)):
        if number:  # The first page has nothing to undo.
            kinds[control].add((without_texts(page), tuple(sorted(set(page.headers) - {"Content-Length"}))))
    assert not differing(kinds[True] | kinds[False])
    assert kinds[True] == kinds[False]


def test_what_is_sent_is_answered_alike_and_costs_alike(browser, dataset):
    mixed = set(Control.objects.values_list("pair", flat=True))
    answers, queries = {True: set(), False: set()}, {True: [], False: []}
    page = browser.get(PAGE)
    while form := fields(page):
        with CaptureQueriesContext(connection) as asked:
            page = browser.post(PAGE, {**form, "choice": "2"}, headers=HTMX)
        kind = int(form["pair"]) in mixed
        answers[kind].add((page.status_code, tuple(sorted(set(page.headers) - {"Content-Length"}))))
        queries[kind].append(len(asked))
    assert answers[True] == answers[False]
    assert abs(sorted(queries[True])[len(queries[True]) // 2] - sorted(queries[False])[len(queries[False]) // 2]) <= 8


def first_control(browser) -> int:
    """Go on until a control pair is in view."""
    mixed = set(Control.objects.values_list("pair", flat=True))
    while (pair := in_view(page := browser.get(PAGE))) not in mixed:
        browser.post(PAGE, {**fields(page), "choice": "1"})
    return pair


def test_asked_again_it_is_the_same_pair_on_the_same_sides(browser, dataset):
    first_control(browser)
    shown = {(in_view(page), page.context["task"].shown.left) for page in (browser.get(PAGE) for _ in range(3))}
    assert len(shown) == 1


def test_undo_opens_a_control_pair_as_any_other_and_keeps_what_was_said_before(browser, dataset):
    pair = first_control(browser)
    form = fields(browser.get(PAGE))
    browser.post(PAGE, {**form, "choice": "1", "rationale": "First thought", "flag": "expert"})
    back = reverse("label_pair", args=["mix", pair])
    assert f'href="{back}"' in browser.get(PAGE).text
    text = browser.get(back).text
    assert "response 1 is better" in text
    assert "First thought" in text
    response = browser.post(back, {**fields(browser.get(back)), "choice": "tie"}, follow=True)
    assert "new decision is saved" in response.text
    assert [answer.choice for answer in ControlAnswer.objects.order_by("attempt")][-1] == Choice.TIE
    assert ControlAnswer.objects.count() == 2
    assert in_view(response) != pair


def test_the_way_back_leads_through_pairs_of_both_kinds_in_the_order_they_were_taken(browser, dataset):
    order = [in_view(page) for _, _, page in walk(browser)]
    listed = browser.get(reverse("label_decisions", args=["mix"])).context["decisions"]
    assert [each.pair_id for each in listed] == order[::-1][:10]
    behind, at = [], order[-1]
    while at:
        behind.append(at)
        at = browser.get(reverse("label_pair", args=["mix", at])).context["task"].before
    assert behind == order[::-1]


def test_the_address_of_a_pair_tells_nothing(browser, dataset):
    """Of all pairs only the one in view leads on: neither other control pairs nor the one behind it answer."""
    pair = first_control(browser)
    decided = set(Label.objects.values_list("pair", flat=True))
    for other in set(dataset.pairs.values_list("pk", flat=True)) - decided:
        status = browser.get(reverse("label_pair", args=["mix", other])).status_code
        assert status == (302 if other == pair else 404)


def test_a_control_pair_is_passed_on_as_any_other(browser, dataset):
    pair = first_control(browser)
    before = told(browser.get(PAGE))
    sent = {"pair": pair, "reason": "language", "note": ""}
    response = browser.post(reverse("label_skip", args=["mix"]), sent, follow=True)
    assert in_view(response) != pair
    assert told(response) == before
    assert not ControlAnswer.objects.exists()


def test_what_is_written_at_a_control_pair_is_kept_as_a_draft(browser, dataset):
    pair = first_control(browser)
    sent = {"pair": pair, "rationale": "Half a thought", "flag": ""}
    assert browser.post(reverse("label_draft", args=["mix"]), sent).status_code == 204
    assert "Half a thought" in browser.get(PAGE).text


def test_a_double_click_is_one_answer(browser, dataset):
    first_control(browser)
    form = fields(browser.get(PAGE)) | {"choice": "1"}
    for _ in range(2):
        browser.post(PAGE, form)
    assert ControlAnswer.objects.count() == 1
    assert not Label.objects.filter(pair=form["pair"]).exists()


def test_whoever_has_labelled_a_pair_never_meets_it_as_a_control(browser, annotator, dataset):
    Control.objects.exclude(pk=Control.objects.first().pk).delete()
    pair = Control.objects.get().pair
    Slot.objects.create(pair=pair, dataset=dataset, number=1, swapped=False, state="done", annotator=annotator)
    Label.objects.create(pair=pair, annotator=annotator, choice=Choice.FIRST)
    assert not any(control for control, _, _ in walk(browser))


def test_whoever_has_met_a_control_pair_is_never_given_it_to_label(browser, dataset):
    """Even where it has slots."""
    for control in Control.objects.all():
        Slot.objects.create(pair=control.pair, dataset=dataset, number=1, swapped=False, state="free")
    pairs = [in_view(page) for _, _, page in walk(browser)]
    assert len(pairs) == len(set(pairs))
    answered = set(ControlAnswer.objects.values_list("control__pair", flat=True))
    assert answered
    assert not answered & set(Label.objects.values_list("pair", flat=True))


def test_a_dataset_without_control_pairs_pays_no_query(annotator, django_assert_num_queries):
    plain = factories.make_dataset(pairs=1)
    slot, progress = Slot.objects.first(), own_progress(user=annotator, dataset=plain)
    with django_assert_num_queries(0):
        assert mixing.in_front_of(user=annotator, dataset=plain, slot=slot, progress=progress) is slot
        assert mixing.seen_progress(user=annotator, dataset=plain, progress=progress) is progress


# ---- what follows


def failing(dataset, browser, on_failing: str, *, right=0):
    """Six control answers of which so many are right, settled; then one more decision."""
    Dataset.objects.filter(pk=dataset.pk).update(pass_percent=80, on_failing=on_failing, control_percent=50)
    for number in range(6):
        form = {}
        while not form or not Control.objects.filter(pair=form["pair"]).exists():
            form = fields(page := browser.get(PAGE))
            control = Control.objects.filter(pair=form["pair"]).first()
            left = control and page.context["task"].shown.left == control.pair.response_1.text
            good = "1" if left else "2"
            bad = "2" if left else "1"
            browser.post(PAGE, {**form, "choice": good if number < right else bad})
    ControlAnswer.objects.update(created_at=timezone.now() - timedelta(minutes=6))
    if form := fields(browser.get(PAGE)):
        browser.post(PAGE, {**form, "choice": "1"})


def test_who_fails_is_paused_and_a_reviewer_lets_them_go_on(browser, annotator, dataset):
    failing(dataset, browser, "pause")
    assert Standing.objects.get().state == Standing.State.PAUSED
    assert "paused" in browser.get(PAGE).text
    assert not Slot.objects.filter(state="claimed").exists()
    reviewer = signed_in(factories.make_user(role=Role.REVIEWER))
    reviewer.post(reverse("standing_change", args=["mix", annotator.pk]), {"action": "go_on"})
    form = fields(browser.get(PAGE))
    browser.post(PAGE, {**form, "choice": "1"})
    assert fields(browser.get(PAGE))


def test_who_is_told_labels_on(browser, annotator, dataset):
    failing(dataset, browser, "tell")
    assert Standing.objects.get().state == Standing.State.QUALIFIED
    assert "control pairs were right" in annotator.notifications.get().text
    assert fields(browser.get(PAGE))


def test_who_does_well_hears_nothing(browser, annotator, dataset):
    failing(dataset, browser, "pause", right=6)
    assert not Standing.objects.exists()
    assert not annotator.notifications.exists()


def test_answers_that_are_still_fresh_have_no_consequence_that_would_tell_which_they_were(browser, dataset):
    Dataset.objects.filter(pk=dataset.pk).update(pass_percent=100, on_failing="pause")
    for _ in walk(browser, choice="tie"):
        pass
    assert not Standing.objects.exists()


def test_labels_are_left_out_of_gold_and_the_pages_say_so(browser, annotator, dataset):
    failing(dataset, browser, "exclude")
    labels = Label.objects.filter(annotator=annotator).count()
    assert labels
    assert annotator not in read_people(dataset).annotators
    team = signed_in(factories.make_user(role=Role.REVIEWER))
    for name in ("dataset", "leaderboard", "agreement"):
        text = team.get(reverse(name, args=["mix"])).text
        assert f"{labels} label" in text, name
        assert "Left out of gold" in text, name
    reviewer = signed_in(factories.make_user(role=Role.REVIEWER))
    reviewer.post(reverse("standing_change", args=["mix", annotator.pk]), {"action": "count_again"})
    assert annotator in read_people(dataset).annotators


def test_who_is_too_fast_again_and_again_is_told_kindly(browser, dataset):
    Dataset.objects.filter(pk=dataset.pk).update(least_seconds=60)
    heard = [page for _, _, page in walk(browser) if "you have been very quick" in page.text.lower()]
    assert len(heard) == 1
