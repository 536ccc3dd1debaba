"""What a reason says outright, on sentences as judges write them and on GPT-3.5's own."""

import pytest

from annotation.models import Choice
from judging.audits.reasons import claims, contradiction
from tests.pandalm import GPT, PANDALM, TEST_SET, needs_pandalm, rows

ONE, TWO, TIE = Choice.FIRST, Choice.SECOND, Choice.TIE


@pytest.mark.parametrize(
    ("reason", "choice"),
    [
        ("Response 1 is better because it is true.", ONE),
        ("The second response is more accurate.", TWO),
        ('Response 2 is incorrect because "bonjour" means good day.', ONE),
        ("Response (1) is clearly the better.", ONE),
        ("I would prefer response 2.", TWO),
        ("The better response is Response B.", TWO),
        ("Both responses are equally good.", TIE),
        ("While Response 1 is better at rhyme, Response 2 is superior overall.", TWO),
        ("The former is worse.", TWO),
    ],
)
def test_what_is_said_outright(reason: str, choice: Choice):
    assert {claim.choice for claim in claims(reason)} == {choice}


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "Response 1 provides a list, while Response 2 is more concise.",
        "Response 1 is not better than the other.",
        "Response 2 is more of a summary.",
        "Both responses are the same, but Response 2 has a comma more.",
        "The question is more difficult than response time.",
        "Response 12 is better.",
    ],
)
def test_what_is_not_said_outright(reason: str):
    assert claims(reason) == []


def test_a_reason_contradicts_only_where_nothing_in_it_speaks_for_the_label():
    reason = "Response 1 is incorrect. Response 2 is incomplete."
    assert contradiction(reason=reason, choice=ONE) is None
    assert contradiction(reason=reason, choice=TWO) is None
    assert contradiction(reason="Response 2 is better.", choice=ONE).choice == TWO


def test_a_judge_that_saw_the_other_order_speaks_in_it():
    assert contradiction(reason="Response 2 is better.", choice=ONE, swapped=True) is None
    assert contradiction(reason="Response 2 is better.", choice=TWO, swapped=True).choice == ONE


def test_a_tie_with_a_word_about_both_is_left_alone():
    assert contradiction(reason="Both are right, Response 2 is better worded.", choice=TIE) is None
    assert contradiction(reason="Response 2 is better.", choice=TIE).choice == TWO


@needs_pandalm
def test_gpt35s_reasons_that_contradict_its_labels_are_few_and_people_side_with_the_reason():
    said = {row["idx"]: row for row in rows(GPT)}
    choices = {"1": ONE, "2": TWO, "Tie": TIE}
    found, labelled = {}, {}
    for row in rows(TEST_SET):
        verdict = said[row["idx"]]
        if (choice := choices.get(str(verdict["gpt_result"]))) is None:
            continue
        votes = [row[f"annotator{n}"] for n in (1, 2, 3)]
        labelled[row["idx"]] = (choice, max(votes, key=votes.count))
        if claim := contradiction(reason=verdict["gpt_reason"], choice=choice):
            found[row["idx"]] = claim
    assert 15 <= len(found) <= 40
    # Read one by one: the reason says the other response, or that there is nothing between them.
    assert {83, 126, 169, 306, 726, 777, 925} <= set(found)
    assert not {12, 68, 132, 205, 503, 545, 657} & set(found)
    wrong = [labelled[idx][0] != labelled[idx][1] for idx in found]
    others = [said != gold for idx, (said, gold) in labelled.items() if idx not in found]
    assert sum(wrong) / len(wrong) > 1.3 * sum(others) / len(others)


@needs_pandalm
def test_pandalms_own_reasons_never_contradict_its_labels():
    said = rows(PANDALM)
    assert not [r["idx"] for r in said if contradiction(reason=r["pandalm_reason"], choice=Choice(r["pandalm_result"]))]
