"""A whole study on PandaLM's released pairs, played by people in browsers: label, adjudicate, audit.

What comes out is held against the released file, by the libraries that define the measures and not by our own code.
"""

from collections import Counter
from difflib import SequenceMatcher
from itertools import combinations, islice

import krippendorff
import numpy as np
import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from annotation.models import Label, Pair, Role
from judging.models import Audit, AuditItem
from tests import factories
from tests.annotation.importing import problems_of, run_import
from tests.browser.labelling import expect_next, pair_in_view
from tests.pandalm import GPT, TEST_SET, needs_pandalm, rows

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_pandalm, pytest.mark.django_db(transaction=True)]

PEOPLE = ("annotator1", "annotator2", "annotator3")
PAIRS, SPLIT = 60, 20
AUDITED, DISTILLED = 50, 120
TEXTS = ("instruction", "input", "response1", "response2")
WORDS = {1: "1", 2: "2", 0: "tie"}


def said(row: dict) -> list[int]:
    return [row[name] for name in PEOPLE]


def majority(row: dict) -> int:
    return Counter(said(row)).most_common(1)[0][0]


@pytest.fixture
def chosen() -> dict[str, dict]:
    """The first rows of the file on which all agree, and, because it begins with 87 of those, the first split ones."""
    split = list(islice((row for row in rows(TEST_SET) if len(set(said(row))) > 1), SPLIT))
    unanimous = list(islice((row for row in rows(TEST_SET) if len(set(said(row))) == 1), PAIRS - SPLIT))
    return {str(row["idx"]): row for row in unanimous + split}


def shown_swapped(page: Page, row: dict) -> bool:
    """Told from the texts on the page alone, as a person would."""
    left, right = page.locator("section.response").all_inner_texts()
    kept = _likeness(left, row["response1"]) + _likeness(right, row["response2"])
    changed = _likeness(left, row["response2"]) + _likeness(right, row["response1"])
    assert kept != changed
    return changed > kept


def _likeness(shown: str, text: object) -> float:
    shown = shown.split("\n", 1)[-1].strip().replace("(empty response)", "")
    return SequenceMatcher(None, shown, str(text).strip(), autojunk=False).ratio()


def in_view(page: Page, choice: int, row: dict) -> int:
    return 3 - choice if choice and shown_swapped(page, row) else choice


def test_three_people_label_at_once_and_their_numbers_are_those_of_the_file(open_page, chosen):
    unlabelled = [{key: value for key, value in row.items() if key not in PEOPLE} for row in chosen.values()]
    run_import(unlabelled, dataset="trial", format="pandalm-testset", labels_per_pair=3)
    external = dict(Pair.objects.values_list("pk", "external_id"))
    assert set(external.values()) == set(chosen)
    assert not Label.objects.exists()

    pages = {name: open_page("/label/trial/", user=factories.make_user(username=name)) for name in PEOPLE}
    for _ in range(PAIRS):
        before = {}
        for name, page in pages.items():
            pair = before[name] = pair_in_view(page)
            row = chosen[external[pair]]
            page.keyboard.press(str(in_view(page, row[name], row)))
        for name, page in pages.items():
            expect_next(page, before[name])
    for page in pages.values():
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing left to label here")

    labels = Label.objects.values_list("pair__external_id", "annotator__username", "choice")
    assert len(labels) == PAIRS * len(PEOPLE)
    assert {(idx, name): choice for idx, name, choice in labels} == {
        (idx, name): row[name] for idx, row in chosen.items() for name in PEOPLE
    }
    assert {label.shown_swapped for label in Label.objects.all()} == {True, False}

    reviewer = factories.make_user(role=Role.REVIEWER)
    _agreement_is_that_of_the_file(open_page("/datasets/trial/agreement/", user=reviewer), list(chosen.values()))
    _adjudicate(open_page("/datasets/trial/adjudication/", user=reviewer), chosen)


def _agreement_is_that_of_the_file(page: Page, chosen: list[dict]) -> None:
    table = np.array([said(row) for row in chosen])
    raw = np.mean([np.mean(table[:, a] == table[:, b]) for a, b in combinations(range(3), 2)])
    expected = {
        "Raw agreement": raw,
        "Fleiss' kappa": fleiss_kappa(aggregate_raters(table)[0]),
        "Krippendorff's alpha": krippendorff.alpha(table.T, level_of_measurement="nominal"),
    }
    for name, value in expected.items():
        expect(page.locator(".headline .card", has_text=name).locator("dd")).to_contain_text(f"{value:.3f}")
    for a, b in combinations(range(3), 2):
        kappa = cohen_kappa_score(table[:, a], table[:, b])
        link = page.get_by_role("link", name=f"{PEOPLE[a]} and {PEOPLE[b]}: {kappa:.3f}, {PAIRS} pairs")
        expect(link).to_have_text(f"{kappa:.3f}")
    expect(page.locator("#splits")).to_contain_text(f"{PAIRS - SPLIT} pairs")


def _adjudicate(page: Page, chosen: dict[str, dict]) -> None:
    """Every split pair by keyboard, as the majority has it."""
    page.get_by_role("link", name="Begin, names hidden").click()
    page.wait_for_url("**/pairs/**")
    done = []
    for _ in range(SPLIT):
        here = page.url
        idx = page.get_by_role("heading", level=1).inner_text().removeprefix("Pair ")
        assert not [name for name in PEOPLE if name in page.content()]
        done.append(idx)
        for key in (str(majority(chosen[idx])), "m", "Enter"):
            page.keyboard.press(key)
        # Loaded whole: before that a page does not know its keys.
        page.wait_for_url(lambda url, here=here: url != here)
    expect(page.get_by_text("All of them are adjudicated.")).to_be_visible()
    assert len({*done}) == SPLIT
    assert all(len(set(said(chosen[idx]))) > 1 for idx in done)
    expect(page.get_by_role("link", name=f"{SPLIT} pairs, A rater's mistake", exact=True)).to_be_visible()


def test_fifty_distilled_labels_are_audited_blind_and_their_error_rate_is_right(open_page):
    verdicts = {str(row["idx"]): row for row in rows(GPT)}
    given = _distinct_with_a_verdict(verdicts)
    distilled = [
        {
            "idx": row["idx"],
            "inputs": {key: row[key] for key in TEXTS},
            "outputs": {
                "evaluation_result": verdicts[idx]["gpt_result"],
                "evaluation_reason": verdicts[idx]["gpt_reason"],
                "reference_response": verdicts[idx]["gpt_reference"],
            },
        }
        for idx, row in given.items()
    ]
    assert problems_of(run_import(distilled, dataset="distilled", format="pandalm-train")) == []

    page = open_page(reverse("audit_new", args=["distilled"]), user=factories.make_user(role=Role.REVIEWER))
    page.get_by_label("How many labels", exact=True).fill(str(AUDITED))
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="Draw the labels").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Audit")
    audit = Audit.objects.get()

    auditor = open_page(reverse("audit_blind", args=[audit.pk]), user=factories.make_user())
    for _ in range(AUDITED):
        _audit_one(auditor, given, verdicts)
    expect(auditor.get_by_role("heading", level=1)).to_have_text("Nothing left to audit here")

    wrong, drawn, population = Counter(), Counter(), Counter()
    for idx in given:
        population[_verdict(verdicts[idx])] += 1
    for item in AuditItem.objects.select_related("pair"):
        idx = item.pair.external_id
        label = _verdict(verdicts[idx])
        drawn[label] += 1
        wrong[label] += label != majority(given[idx])
        assert (item.distilled, item.outcome) == (label, "right" if label == majority(given[idx]) else "wrong")
    assert drawn.total() == AUDITED
    rate = sum(population[label] * wrong[label] / drawn[label] for label in drawn) / population.total()
    page.reload()
    expect(page.locator(".error-rate .figure")).to_have_text(f"{rate:.1%}")


def _distinct_with_a_verdict(verdicts: dict[str, dict]) -> dict[str, dict]:
    """Some generators gave the same answers, which are one pair where nobody is named."""
    distinct = {tuple(row[key] for key in TEXTS): row for row in rows(TEST_SET)}.values()
    valid = (row for row in distinct if verdicts[str(row["idx"])]["gpt_result"] != "garbage")
    return {str(row["idx"]): row for row in islice(valid, DISTILLED)}


def _verdict(row: dict) -> int:
    return {"1": 1, "2": 2, "tie": 0}[row["gpt_result"].lower()]


def _audit_one(page: Page, given: dict[str, dict], verdicts: dict[str, dict]) -> None:
    """Choose as the people of the file do, then say the same of the label."""
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Which response is better?")
    item = AuditItem.objects.select_related("pair").exclude(state__in=["decided", "free"]).get()
    idx = item.pair.external_id
    row, reason = given[idx], verdicts[idx]["gpt_reason"].strip()
    seen = page.locator("body").inner_text()
    assert reason not in seen
    assert "The label" not in seen
    blind = in_view(page, majority(row), row)
    page.locator(f"button[value='{WORDS[blind]}']").click()
    expect(heading).to_have_text("Is the label right?")
    if reason:
        expect(page.get_by_role("heading", name="The judge's reason")).to_be_visible()
    page.locator(f"#right-{WORDS[majority(row)]}").check()
    if majority(row) != _verdict(verdicts[idx]):
        page.get_by_label("Missed a factual error").check()
    page.get_by_role("button", name="Save and go on").click()
