"""Gold and what judges say under a policy, as SQL over the pairs between two ids.

The rules of a policy stand here a second time, because a list of 300,000 pairs can't be read into arrays for every
page. judging.scores.scoring and judging.scores.comparison are the originals; a test compares the two, cell by cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Identifier, Literal

from annotation.left_out import ids_left_out
from annotation.models import Choice, Dataset
from judging.models import JudgeRun, Verdict
from judging.scores import scoring
from judging.scores.comparison import ABSENT, INVALID
from judging.scores.evidence import read_people
from judging.scores.policies import Conflict, Gold, Invalid, NoGold, Policy


@dataclass(frozen=True)
class Bounds:
    """Pair ids between two, both exclusive, or some that are listed."""

    after: int | None = None
    before: int | None = None
    ids: Sequence[int] | None = None

    def on(self, column: Composable) -> Composable:
        """A condition that begins with AND, or nothing."""
        limits = [
            SQL(" AND {} > {}").format(column, Literal(self.after)) if self.after is not None else SQL(""),
            SQL(" AND {} < {}").format(column, Literal(self.before)) if self.before is not None else SQL(""),
            SQL(" AND {} = ANY({})").format(column, Literal(list(self.ids))) if self.ids is not None else SQL(""),
        ]
        return SQL("").join(limits)


def gold_of(dataset: Dataset, policy: Policy, bounds: Bounds) -> Composable:
    """A query for (pair_id, choice) of the pairs that have gold under a policy, of any dataset where SQL can tell.

    Dawid and Skene's model can't be asked in SQL: its answer is computed for the whole dataset and listed.
    """
    if policy.gold is Gold.DAWID_SKENE:
        return _listed_gold(dataset, policy, bounds)
    majority = SQL(
        "SELECT pair_id, choice FROM (SELECT pair_id, {} AS choice FROM annotation_label WHERE true{}{}"
        " GROUP BY pair_id) AS voted WHERE choice IS NOT NULL"
    ).format(_gold_rule(dataset, policy), bounds.on(SQL("pair_id")), _but_left_out(dataset))
    if policy.gold is not Gold.ADJUDICATED:
        return majority
    return SQL(
        "{} AND NOT EXISTS"
        " (SELECT FROM annotation_adjudication AS final WHERE final.pair_id = voted.pair_id AND current)"
        " UNION ALL SELECT pair_id, choice FROM annotation_adjudication WHERE current{}"
    ).format(majority, bounds.on(SQL("pair_id")))


def _but_left_out(dataset: Dataset) -> Composable:
    """A condition that begins with AND, or nothing where nobody's labels are left out of gold."""
    people = ids_left_out(dataset)
    return SQL(" AND annotator_id <> ALL({})").format(Literal(people)) if people else SQL("")


def _gold_rule(dataset: Dataset, policy: Policy) -> Composable:
    enough = SQL("count(*) >= {}").format(Literal(scoring.least_labels(dataset)))
    if policy.gold is Gold.UNANIMOUS:
        rules: list[Composable] = [SQL("WHEN min(choice) = max(choice) AND {} THEN min(choice)").format(enough)]
    else:
        rules = [
            SQL("WHEN 2 * count(*) FILTER (WHERE choice = {choice}) > count(*) AND {enough} THEN {choice}").format(
                choice=Literal(choice), enough=enough
            )
            for choice in Choice.values
        ]
    if policy.no_gold is NoGold.TIE:
        rules.append(SQL("ELSE 0"))
    return SQL("(CASE {} END)::smallint").format(SQL(" ").join(rules))


def _listed_gold(dataset: Dataset, policy: Policy, bounds: Bounds) -> Composable:
    people = read_people(dataset)
    gold = scoring.gold_of(people, policy)
    known = gold != ABSENT
    return SQL(
        "SELECT pair_id, choice FROM unnest({}::bigint[], {}::smallint[]) AS listed (pair_id, choice) WHERE true{}"
    ).format(
        Literal(people.pair_ids[known].tolist()),
        Literal(gold[known].tolist()),
        bounds.on(SQL("pair_id")),
    )


def decided_by(run: JudgeRun, policy: Policy, bounds: Bounds) -> Composable:
    """A query for (pair_id, choice) of the pairs that a run has decided under a policy; choice may be INVALID."""
    both_asked = run.order == JudgeRun.Order.BOTH
    given = _order(run, policy, bounds, swapped=False)
    turned = _order(run, policy, bounds, swapped=True)
    if policy.conflict is Conflict.GIVEN and both_asked:
        decided = given
    elif both_asked:
        decided = _both(given, turned, policy)
    elif not Verdict.objects.filter(run=run, swapped=True).exists():
        decided = given
    else:
        decided = _either(given, turned, policy)
    decided = SQL("SELECT pair_id, choice FROM ({}) AS decided").format(decided)
    if policy.invalid is Invalid.OUT:
        decided += SQL(" WHERE choice <> {}").format(Literal(INVALID))
    return decided


def _order(run: JudgeRun, policy: Policy, bounds: Bounds, *, swapped: bool) -> Composable:
    """A run's verdicts in one order, where INVALID or, if the policy says so, a tie stands for those without choice."""
    invalid = Literal(Choice.TIE.value if policy.invalid is Invalid.TIE else INVALID)
    p = SQL(", p_tie, p_1, p_2" if policy.conflict is Conflict.AVERAGE else "")
    return SQL(
        "SELECT pair_id, coalesce(choice, {}) AS choice{} FROM judging_verdict WHERE run_id = {} AND swapped = {}{}"
    ).format(invalid, p, Literal(run.pk), Literal(swapped), bounds.on(SQL("pair_id")))


def _both(given: Composable, turned: Composable, policy: Policy) -> Composable:
    return SQL("SELECT g.pair_id, {} AS choice FROM ({}) AS g JOIN ({}) AS t ON t.pair_id = g.pair_id").format(
        _order_rule(policy), given, turned
    )


def _either(given: Composable, turned: Composable, policy: Policy) -> Composable:
    """Where only one order has a verdict, that is what the judge says."""
    rule = SQL("g.choice") if policy.conflict is Conflict.GIVEN else _order_rule(policy)
    return SQL(
        "SELECT g.pair_id, CASE WHEN t.pair_id IS NULL THEN g.choice ELSE {rule} END AS choice"
        " FROM ({given}) AS g LEFT JOIN ({turned}) AS t ON t.pair_id = g.pair_id"
        " UNION ALL SELECT t.pair_id, t.choice FROM ({turned}) AS t"
        " WHERE NOT EXISTS (SELECT FROM ({given}) AS g WHERE g.pair_id = t.pair_id)"
    ).format(rule=rule, given=given, turned=turned)


def _order_rule(policy: Policy) -> Composable:
    """What two verdicts, g in the given order and t in the other, come to."""
    agreed: Composable = SQL("WHEN g.choice = t.choice THEN g.choice ELSE 0")
    if policy.conflict is Conflict.AVERAGE:
        agreed = _averaged()
    return SQL("CASE WHEN g.choice = {invalid} OR t.choice = {invalid} THEN {invalid} {agreed} END").format(
        invalid=Literal(INVALID), agreed=agreed
    )


def _averaged() -> Composable:
    """The choice that is above both others, where a verdict without probabilities is certain of its choice."""
    columns = {Choice.TIE: "p_tie", Choice.FIRST: "p_1", Choice.SECOND: "p_2"}
    total = {
        choice: SQL(
            "(coalesce(g.{p}, (g.choice = {choice})::int) + coalesce(t.{p}, (t.choice = {choice})::int))"
        ).format(p=Identifier(column), choice=Literal(choice.value))
        for choice, column in columns.items()
    }
    return SQL(
        "WHEN {one} - greatest({two}, {tie}) >= 1e-9 THEN 1 WHEN {two} - greatest({one}, {tie}) >= 1e-9 THEN 2 ELSE 0"
    ).format(one=total[Choice.FIRST], two=total[Choice.SECOND], tie=total[Choice.TIE])
