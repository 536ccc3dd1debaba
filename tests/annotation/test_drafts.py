"""What is written and not yet sent, over HTTP."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.models import Draft, Flag, Label, Slot
from tests import factories
from tests.annotation.label_page import fields, in_view, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(dataset):
    return reverse("label_draft", args=[dataset.slug])


def test_a_draft_stands_in_the_page_until_it_is_sent(browser, page, draft):
    form = fields(browser.get(page))
    assert browser.post(draft, {"pair": form["pair"], "rationale": "Half", "flag": "unsafe"}).status_code == 204
    text = browser.get(page).text
    assert ">Half</textarea>" in text
    assert 'value="unsafe" data-keys="2" checked' in text
    browser.post(page, {**form, "choice": "1", "rationale": "Whole"})
    assert not Draft.objects.exists()
    assert Label.objects.get().rationale == "Whole"


def test_aspects_of_a_draft_are_of_the_responses_and_not_of_the_sides(browser, page, draft, dataset):
    dataset.aspects = ["clarity"]
    dataset.save()
    pair = in_view(browser.get(page))
    browser.post(draft, {"pair": pair, "aspect-clarity": "1"})
    assert 'name="aspect-clarity" value="1" data-keys="1a" checked' in browser.get(page).text
    slot = Slot.objects.get(state=Slot.State.CLAIMED)
    slot.swapped = not slot.swapped
    slot.save()
    assert 'name="aspect-clarity" value="2" data-keys="2b" checked' in browser.get(page).text


def test_who_writes_keeps_the_pair(browser, page, draft):
    pair = in_view(browser.get(page))
    Slot.objects.filter(pair=pair, state=Slot.State.CLAIMED).update(expires_at=timezone.now() + timedelta(minutes=1))
    browser.post(draft, {"pair": pair, "rationale": "Still at it"})
    assert Slot.objects.get(state=Slot.State.CLAIMED).expires_at > timezone.now() + timedelta(minutes=20)


def test_a_draft_that_is_emptied_is_gone(browser, page, draft):
    pair = in_view(browser.get(page))
    browser.post(draft, {"pair": pair, "rationale": "Half"})
    browser.post(draft, {"pair": pair, "rationale": " "})
    assert not Draft.objects.exists()


def test_nobody_writes_about_a_pair_that_is_not_theirs(browser, draft, page):
    pair = in_view(signed_in(factories.make_user()).get(page))
    assert browser.post(draft, {"pair": pair, "rationale": "Mine?"}).status_code == 409
    assert not Draft.objects.exists()


@pytest.mark.parametrize(("wanted", "sent", "said"), [
    ({"rationale": "required"}, "  ", "Say in a few words why"),
    ({"rationale": "required", "rationale_characters": 10}, "Too short", "10 characters at least, 9 so far"),
    ({"rationale": "optional", "rationale_characters": 10}, "Short", "10 characters at least, 5 so far"),
])  # fmt: skip
def test_a_rationale_is_as_long_as_the_dataset_wants_it(browser, page, dataset, wanted, sent, said):
    for name, value in wanted.items():
        setattr(dataset, name, value)
    dataset.save()
    form = fields(browser.get(page))
    response = browser.post(page, {**form, "choice": "1", "rationale": sent})
    assert response.status_code == 422
    assert said in response.text
    assert not Label.objects.exists()
    browser.post(page, {**form, "choice": "1", "rationale": "Long enough now."})
    assert Label.objects.count() == 1


def test_where_no_rationale_is_asked_for_there_is_none(browser, page, dataset):
    dataset.rationale = "off"
    dataset.save()
    response = browser.get(page)
    assert 'id="rationale"' not in response.text
    browser.post(page, {**fields(response), "choice": "1", "rationale": "Unasked"})
    assert Label.objects.get().rationale == ""


def test_scripts_and_html_are_text(browser, page, dataset):
    dataset.pairs.all().delete()
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> </textarea><b>bold</b>"
    factories.make_pair(dataset=dataset, texts=(evil, "مرحبا 👋"))
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": "1", "rationale": evil})
    assert Label.objects.get().rationale == evil
    text = browser.get(reverse("label_pair", args=[dataset.slug, form["pair"]])).text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "مرحبا 👋" in text


def test_a_response_of_a_megabyte_is_shown_at_once(browser, page, dataset):
    dataset.pairs.all().delete()
    long = "A line with *stars* and more.\n" * 35_000
    factories.make_pair(dataset=dataset, texts=(long, long + "end"))
    began = timezone.now()
    response = browser.get(page)
    assert (timezone.now() - began).total_seconds() < 3
    assert response.text.count("A line with") == 70_000
    assert "too long to be compared" in browser.get(page + "?differences").text


def test_differences_are_marked_on_demand(browser, page, dataset):
    dataset.pairs.all().delete()
    factories.make_pair(dataset=dataset, texts=("The cat sat down.", "The elephant sat down."))
    assert "marked" not in browser.get(page).text
    text = browser.get(page + "?differences").text
    assert text.count("<del>") == text.count("<ins>") == 1
    assert {word for word in ("cat", "elephant") if f"</span>{word} <span" in text} == {"cat", "elephant"}


def test_each_kind_of_flag_shows_the_key_that_picks_it(browser, page):
    text = browser.get(page).text
    for number, kind in enumerate(Flag, 1):
        assert f'<kbd aria-hidden="true">{number}</kbd> {kind.label}' in text


def test_decisions_on_one_prompt_are_told_apart_by_what_was_seen_of_them(browser, page, dataset):
    dataset.pairs.all().delete()
    prompt = factories.make_prompt(instruction="Same", given="GIVEN")
    factories.make_pair(dataset=dataset, prompt=prompt, texts=("ONE", "TWO"))
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": "1"})
    Label.objects.update(shown_swapped=True)
    text = browser.get(reverse("label_decisions", args=[dataset.slug])).text
    assert text.index("Same") < text.index("GIVEN") < text.index("1: TWO") < text.index("2: ONE")


def test_the_last_ten_decisions_each_lead_back(browser, page, dataset):
    for _ in range(10):
        factories.make_pair(dataset=dataset)
    pairs = []
    for value in ["1", "2", "tie"] * 4:
        form = fields(browser.get(page))
        browser.post(page, {**form, "choice": value})
        pairs.append(int(form["pair"]))
    text = browser.get(reverse("label_decisions", args=[dataset.slug])).text
    links = [reverse("label_pair", args=[dataset.slug, pair]) for pair in reversed(pairs)]
    places = [text.find(link) for link in links]
    assert places[:10] == sorted(places[:10])
    assert -1 not in places[:10]
    assert places[10:] == [-1, -1]
    assert text.count("badge choice-tie") == 4
