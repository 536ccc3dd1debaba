"""Juries: how members' votes come to a choice, in both orders, and who may sit."""

import io

import pytest
from django.core.exceptions import ValidationError

from annotation.models import Choice
from jobs.running import run_here
from judging.judges import create_judge
from judging.models import JudgeRun, Verdict
from judging.runs.starting import RunError, start_run
from tests import factories
from tests.judging.scored import make_judge, make_verdict

pytestmark = pytest.mark.django_db
NAMES = ["anna", "ben", "cleo"]


def jury(rule: str, members: list[str] | None = None, **fields: object):
    given = {"members": NAMES if members is None else members}
    return create_judge(name=f"jury by {rule}", backend="jury", model=rule, parameters=given, **fields)


def members_say(*rows: tuple[int | None, ...], both: bool = False, p: list | None = None):
    """A dataset with a pair a row: what each member says of it."""
    dataset = factories.make_dataset(slug="sat-on")
    order = JudgeRun.Order.BOTH if both else JudgeRun.Order.GIVEN
    runs = [JudgeRun.objects.create(judge=make_judge(name), dataset=dataset, order=order) for name in NAMES]
    for number, row in enumerate(rows):
        pair = factories.make_pair(dataset=dataset, texts=(f"a{number}", f"b{number}"))
        for run, choice in zip(runs, row, strict=True):
            for swapped in [False, True][: 2 if both else 1]:
                make_verdict(run, pair, choice, swapped=swapped)
    return dataset, runs


def sat(dataset, rule: str = "majority", order: str = "given") -> list[Verdict]:
    run = start_run(judge=jury(rule), dataset=dataset, order=order, send=False)
    run_here(job=run.job, out=io.StringIO())
    return list(Verdict.objects.filter(run=run).order_by("pair", "swapped"))


def test_most_votes_win_equal_ones_are_a_tie_and_whoever_said_nothing_does_not_vote():
    dataset, _ = members_say((1, 1, 2), (0, 2, 2), (1, 2, 0), (None, 2, 1), (None, None, 1), (None, None, None))
    verdicts = sat(dataset)
    assert [verdict.choice for verdict in verdicts] == [1, 2, 0, 0, 1, None]
    assert [verdict.status for verdict in verdicts][-1] == "invalid"
    assert (verdicts[0].p_1, verdicts[0].p_2, verdicts[0].p_tie) == pytest.approx((2 / 3, 1 / 3, 0))
    assert verdicts[0].raw.count("run ") == 3


def test_both_orders_are_in_the_pairs_own_terms():
    dataset, _ = members_say((1, 1, 2), (2, 2, 2), both=True)
    verdicts = sat(dataset, order="both")
    assert [(verdict.swapped, verdict.choice) for verdict in verdicts] == [(False, 1), (True, 1), (False, 2), (True, 2)]
    assert verdicts[1].p_1 == pytest.approx(2 / 3)


def test_probabilities_are_averaged_and_one_without_any_is_sure():
    dataset, runs = members_say((1, 2, 2))
    for run, p in ((runs[1], (0.4, 0.5, 0.1)), (runs[2], (0.4, 0.5, 0.1))):
        Verdict.objects.filter(run=run).update(p_1=p[0], p_2=p[1], p_tie=p[2])
    (verdict,) = sat(dataset, "average")
    assert (verdict.p_1, verdict.p_2, verdict.p_tie) == pytest.approx((1.8 / 3, 1.0 / 3, 0.2 / 3))
    assert verdict.choice == 1


def test_a_vote_weighs_what_its_members_kappa_is():
    """Anna is always right; the others always say 2, which is no better than chance and weighs nothing."""
    truths = [1, 2, 0, 1, 2, 0]
    dataset, _ = members_say(*[(truth, 2, 2) for truth in truths])
    dataset.labels_per_pair = 1
    dataset.save()
    person = factories.make_user()
    for pair, truth in zip(dataset.pairs.order_by("pk"), truths, strict=True):
        factories.make_label(pair=pair, annotator=person, choice=Choice(truth))
    assert [verdict.choice for verdict in sat(dataset, "kappa")] == truths
    run = JudgeRun.objects.get(judge__backend="jury")
    assert run.frozen["facts"]["weights"] == pytest.approx([1, 0, 0])


def test_votes_that_weigh_nothing_are_no_jury():
    dataset, _ = members_say((2, 2, 2), (2, 2, 2))
    with pytest.raises(RunError, match="more than chance"):
        start_run(judge=jury("kappa"), dataset=dataset, send=False)


def test_all_members_must_have_been_run_and_in_the_orders_that_are_asked_for():
    dataset, runs = members_say((1, 1, 2))
    with pytest.raises(RunError, match="given order only"):
        start_run(judge=jury("majority"), dataset=dataset, order="both", send=False)
    runs[0].delete()
    runs[2].delete()
    with pytest.raises(RunError, match="anna and cleo have no verdicts"):
        start_run(judge=jury("average"), dataset=dataset, send=False)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (["anna"], "two or more"),
        (["anna", "anna"], "different names"),
        (["anna", 7], "names of judges"),
        (["anna", "nobody"], "no judge called 'nobody'"),
        (["anna", "jury by kappa"], "a jury itself"),
    ],
)
def test_who_may_sit(members, says):
    for name in NAMES:
        make_judge(name)
    jury("kappa")
    with pytest.raises(ValidationError, match=says):
        jury("majority", members)


def test_a_jury_needs_a_rule_and_gives_no_reasons():
    dataset, _ = members_say((1, 1, 2))
    with pytest.raises(ValidationError, match="majority, kappa, average"):
        jury("loudest")
    with pytest.raises(RunError, match="gives no reasons"):
        start_run(judge=jury("majority"), dataset=dataset, reasons="all", send=False)
