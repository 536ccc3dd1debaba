"""Which pairs a reviewer asks for, as one SQL query.

Every part of the query carries the bounds of the page, and all are joined on the pair's id in its order: the database
merges covering indexes and stops at the page's last row, so a deep page costs what the first one does. What depends
on texts and generators is looked up only for pairs that are left after that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from django.db import connection, transaction
from psycopg.sql import SQL, Composable, Identifier, Literal

from annotation.models import Choice, Dataset, Generator, Pair, Prompt, User
from judging.decisions import Bounds, decided_by, gold_of
from judging.models import JudgeRun
from judging.review.label_filters import (
    ANY_ADJUDICATION,
    ANY_LABEL,
    ANY_VOTES,
    Adjudicated,
    OwnLabel,
    Part,
    PassedOn,
    Range,
    Votes,
    adjudication_part,
    flag_part,
    label_conditions,
    length_condition,
    passed_on_part,
    rest_part,
    revision_part,
    unadjudicated,
    votes_part,
)
from judging.scores.comparison import INVALID
from judging.scores.policies import Conflict, Invalid, Policy

# Fewer pairs of two generators than this are looked up one by one; more are met soon enough by going through all.
FEW = 500
# What gold or a verdict may be asked for beside a choice and INVALID: that there is one which is valid.
ANY_CHOICE = -2
# A verdict, valid or not.
GIVEN = -3


class Kind(StrEnum):
    """The sorts of disagreement that a reviewer reads."""

    HUMAN_JUDGE = "human_judge"
    HUMAN_SPLIT = "human_split"
    JUDGE_JUDGE = "judge_judge"
    ORDER_FLIP = "order_flip"
    INVALID = "invalid"


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """What the pairs of a dataset must be like; what is None or empty is not asked for.

    gold: a choice, or ANY_CHOICE. verdict, other_verdict: one of these, or INVALID, or GIVEN. below: the run gives its
    likeliest choice a probability below that. marked: the filter of distillation that has marked the pair in the run.
    people: annotators who labelled the pair, and as what; own: what else the first one's label is like. winner: which
    of the two generators gold prefers, or the run where winner_by_run, 1 for the first named, whichever way round the
    pair has them. length: characters of both responses. source: "" is none.
    """

    dataset: Dataset
    policy: Policy
    kind: Kind | None = None
    run: JudgeRun | None = None
    other: JudgeRun | None = None
    gold: int | None = None
    verdict: int | None = None
    other_verdict: int | None = None
    below: float | None = None
    marked: str = ""
    people: tuple[tuple[User, int | None], ...] = ()
    own: OwnLabel = ANY_LABEL
    passed_on: PassedOn | None = None
    votes: Votes = ANY_VOTES
    adjudicated: Adjudicated = ANY_ADJUDICATION
    length: Range | None = None
    source: str | None = None
    generators: tuple[Generator, Generator] | None = None
    winner: int | None = None
    winner_by_run: bool = False

    @property
    def people_differ(self) -> bool | None:
        """On all of these pairs, or on none; None where that is not asked for."""
        return True if self.kind == Kind.HUMAN_SPLIT else self.votes.differ


# How many match cannot be estimated, since how often two runs differ is what nobody knows before. A planner that
# guesses takes loops or hashes that are hundreds of times slower where it guesses wrong; merging in order never is.
PLANNED = "SELECT " + ", ".join(
    f"set_config('{setting}', '{value}', true)"
    for setting, value in {
        "enable_nestloop": "off",
        "enable_hashjoin": "off",
        "enable_hashagg": "off",
        "max_parallel_workers_per_gather": "0",
    }.items()
)


def numbers(query: Composable) -> list[int]:
    """The one column of a query made here, run under PLANNED, which holds until the transaction's end."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PLANNED)
        cursor.execute(query)
        return [number for (number,) in cursor.fetchall()]


def matching(
    criteria: Criteria, bounds: Bounds, *, limit: int, descending: bool = False, agreed: bool = False
) -> Composable:
    """The query for ids of matching pairs, in the order of their ids. agreed: only those on which no people differ."""
    bounds = _narrowed(bounds, _few(criteria))
    order = SQL("DESC" if descending else "ASC")
    said = _said(criteria, bounds)
    if said:
        query = _joined(said, _comparisons(criteria))
    else:
        query = SQL("SELECT id AS pair_id FROM annotation_pair WHERE dataset_id = {}{}").format(
            Literal(criteria.dataset.pk), bounds.on(SQL("id"))
        )
    key = said[0].key if said else SQL("annotation_pair.id")
    if criteria.adjudicated.done is False:
        query += unadjudicated(key)
    if agreed:
        query += SQL(" AND NOT EXISTS (SELECT FROM annotation_split AS split WHERE split.pair_id = {})").format(key)
    if about_pair := _about_pair(criteria, said=bool(said)):
        # OFFSET 0 keeps the planner from looking pairs up before it has compared what was said.
        query = SQL("SELECT pair_id FROM ({} ORDER BY pair_id {} OFFSET 0) AS core WHERE {}").format(
            query, order, about_pair
        )
    return SQL("SELECT pair_id FROM ({} ORDER BY pair_id {} LIMIT {}) AS found").format(query, order, Literal(limit))


def _narrowed(bounds: Bounds, few: list[int] | None) -> Bounds:
    if few is None:
        return bounds
    return replace(bounds, ids=few if bounds.ids is None else sorted(set(few) & set(bounds.ids)))


def _joined(parts: Sequence[Part], comparisons: Composable) -> Composable:
    first, *others = parts
    keys = [part.key for part in parts]
    return SQL("SELECT {key} AS pair_id{gold}{said} FROM {first}{joins} WHERE true{conditions}").format(
        key=first.key,
        gold=SQL(", gold.choice AS gold") if _GOLD_KEY in keys else SQL(""),
        said=SQL(", said.choice AS said") if _SAID_KEY in keys else SQL(""),
        first=first.relation,
        joins=SQL("").join(SQL(" JOIN {} ON {} = {}").format(part.relation, part.key, first.key) for part in others),
        conditions=SQL("").join([*(part.condition for part in parts), comparisons]),
    )


def _said(criteria: Criteria, bounds: Bounds) -> list[Part]:
    """What people and judges said, as far as it is asked for."""
    own = [criteria.own, *[ANY_LABEL] * len(criteria.people)]
    parts = [_label(number, *person, own[number], bounds) for number, person in enumerate(criteria.people)]
    if criteria.people and criteria.own.rest is not None:
        parts.append(rest_part(criteria.people[0][0], criteria.own.rest, bounds))
    if not criteria.people and criteria.own.revision is not None:
        parts.append(revision_part(criteria.own.revision, bounds))
    if not criteria.people and criteria.own.flag is not None:
        parts.append(flag_part(criteria.own.flag, bounds))
    if criteria.passed_on:
        parts.append(passed_on_part(criteria.passed_on, bounds))
    if adjudication := adjudication_part(criteria.adjudicated, bounds):
        parts.append(adjudication)
    if votes := votes_part(criteria.votes, criteria.policy, bounds):
        parts.append(votes)
    if criteria.people_differ:
        parts.append(_split(criteria.dataset, bounds))
    if _asks_gold(criteria):
        parts.append(Part(SQL("({}) AS gold").format(gold_of(criteria.dataset, criteria.policy, bounds)), _GOLD_KEY))
    for run, name in _decisions(criteria):
        said = decided_by(run, criteria.policy, bounds)
        parts.append(Part(SQL("({}) AS {}").format(said, Identifier(name)), Identifier(name, "pair_id")))
    if criteria.kind == Kind.ORDER_FLIP and criteria.run:
        parts += _both_orders(criteria.run, bounds)
    if criteria.below is not None and criteria.run:
        parts.append(_less_sure(criteria.run, criteria.below, criteria.policy, bounds))
    if criteria.marked and criteria.run:
        parts.append(_marked(criteria.run, criteria.marked, bounds))
    if criteria.kind == Kind.INVALID or _asks_raw_invalid(criteria):
        parts.append(_without_choice(criteria, bounds))
    return parts


_GOLD_KEY = Identifier("gold", "pair_id")
_SAID_KEY = Identifier("said", "pair_id")


def _asks_gold(criteria: Criteria) -> bool:
    by_gold = criteria.winner is not None and not criteria.winner_by_run
    return criteria.kind == Kind.HUMAN_JUDGE or criteria.gold is not None or by_gold


def _asks_raw_invalid(criteria: Criteria) -> bool:
    """Where the policy turns invalid verdicts into something else, they are found as they came."""
    return criteria.verdict == INVALID and criteria.policy.invalid is not Invalid.WRONG


def _decisions(criteria: Criteria) -> list[tuple[JudgeRun, str]]:
    """The runs whose decision under the policy matters, and what the query calls them."""
    decisions = []
    compared = criteria.kind in {Kind.HUMAN_JUDGE, Kind.JUDGE_JUDGE} or criteria.winner_by_run
    if criteria.run and (compared or (criteria.verdict is not None and not _asks_raw_invalid(criteria))):
        decisions.append((criteria.run, "said"))
    if criteria.other and (criteria.kind == Kind.JUDGE_JUDGE or criteria.other_verdict is not None):
        decisions.append((criteria.other, "other"))
    return decisions


def _comparisons(criteria: Criteria) -> Composable:
    conditions: list[Composable] = []
    if criteria.kind == Kind.HUMAN_JUDGE:
        conditions.append(SQL(" AND said.choice <> gold.choice"))
    if criteria.kind == Kind.JUDGE_JUDGE:
        conditions.append(SQL(" AND said.choice <> other.choice"))
    if criteria.gold is not None:
        conditions.append(_is(criteria.gold, SQL("gold.choice")))
    if criteria.verdict is not None and not _asks_raw_invalid(criteria):
        conditions.append(_is(criteria.verdict, SQL("said.choice")))
    if criteria.other_verdict is not None:
        conditions.append(_is(criteria.other_verdict, SQL("other.choice")))
    return SQL("").join(conditions)


def _is(wanted: int, column: Composable) -> Composable:
    if wanted == GIVEN:
        return SQL("")
    if wanted == ANY_CHOICE:
        return SQL(" AND {} <> {}").format(column, Literal(INVALID))
    return SQL(" AND {} = {}").format(column, Literal(wanted))


def _label(number: int, person: User, choice: int | None, own: OwnLabel, bounds: Bounds) -> Part:
    name = f"label_{number}"
    key = Identifier(name, "pair_id")
    condition = SQL(" AND {} = {}").format(Identifier(name, "annotator_id"), Literal(person.pk))
    if choice is not None:
        condition += SQL(" AND {} = {}").format(Identifier(name, "choice"), Literal(choice))
    condition += label_conditions(name, own)
    return Part(SQL("annotation_label AS {}").format(Identifier(name)), key, condition + bounds.on(key))


def _split(dataset: Dataset, bounds: Bounds) -> Part:
    key = SQL("differ.pair_id")
    condition = SQL(" AND differ.dataset_id = {}").format(Literal(dataset.pk))
    return Part(SQL("annotation_split AS differ"), key, condition + bounds.on(key))


def _both_orders(run: JudgeRun, bounds: Bounds) -> list[Part]:
    """A valid verdict in each order, and they differ."""
    parts = []
    for name, swapped in (("given", False), ("turned", True)):
        key = Identifier(name, "pair_id")
        condition = SQL(" AND {name}.run_id = {run} AND {name}.swapped = {swapped}{bounds}").format(
            name=Identifier(name), run=Literal(run.pk), swapped=Literal(swapped), bounds=bounds.on(key)
        )
        parts.append(Part(SQL("judging_verdict AS {}").format(Identifier(name)), key, condition))
    # NULL, no choice, differs from nothing.
    differ = SQL(" AND given.choice <> turned.choice")
    return [parts[0], Part(parts[1].relation, parts[1].key, parts[1].condition + differ)]


def _less_sure(run: JudgeRun, below: float, policy: Policy, bounds: Bounds) -> Part:
    """Pairs whose likeliest choice the run gives less than that, as scores.calibration.probabilities has them."""
    given_only = policy.conflict is Conflict.GIVEN
    needed = 2 if run.order == JudgeRun.Order.BOTH and not given_only else 1
    query = SQL(
        "(SELECT pair_id FROM judging_verdict WHERE run_id = {run}{one} AND p_1 IS NOT NULL{bounds} GROUP BY pair_id"
        " HAVING count(*) >= {needed} AND greatest(avg(p_1), avg(p_2), avg(p_tie)) < {below}) AS unsure"
    ).format(
        run=Literal(run.pk),
        one=SQL(" AND NOT swapped" if given_only else ""),
        bounds=bounds.on(SQL("pair_id")),
        needed=Literal(needed),
        below=Literal(below),
    )
    return Part(query, Identifier("unsure", "pair_id"))


def _marked(run: JudgeRun, filter_: str, bounds: Bounds) -> Part:
    key = SQL("mark.pair_id")
    condition = SQL(" AND mark.run_id = {} AND mark.filter = {}").format(Literal(run.pk), Literal(filter_))
    return Part(SQL("judging_filtermark AS mark"), key, condition + bounds.on(key))


def _without_choice(criteria: Criteria, bounds: Bounds) -> Part:
    """Pairs with a verdict that is not OK, of the run that is asked for or of any."""
    runs = [criteria.run] if criteria.run else JudgeRun.objects.filter(dataset=criteria.dataset)
    of_run = SQL("SELECT pair_id FROM judging_verdict WHERE choice IS NULL AND run_id = {}{}")
    of_runs = [of_run.format(Literal(run.pk), bounds.on(SQL("pair_id"))) for run in runs]
    nothing = SQL("SELECT id AS pair_id FROM annotation_pair WHERE false")
    query = SQL("(SELECT DISTINCT pair_id FROM ({}) AS one) AS failed").format(
        SQL(" UNION ALL ").join(of_runs) if of_runs else nothing
    )
    return Part(query, Identifier("failed", "pair_id"))


def _about_pair(criteria: Criteria, *, said: bool) -> Composable | None:
    """A condition on core.pair_id that takes a look at the pair itself, its prompt and responses, by their ids."""
    conditions: list[Composable] = []
    # Verdicts of a run are all of its dataset, and splits are asked for by it; labels may be of any.
    of_dataset = {Kind.ORDER_FLIP, Kind.INVALID}
    known = _decisions(criteria) or criteria.kind in of_dataset or criteria.people_differ or _asks_raw_invalid(criteria)
    known = known or (criteria.run is not None and (criteria.below is not None or bool(criteria.marked)))
    if said and not known:
        conditions.append(SQL("dataset_id = {}").format(Literal(criteria.dataset.pk)))
    if criteria.source is not None:
        conditions.append(
            SQL("(SELECT source FROM annotation_prompt AS prompt WHERE prompt.id = pair.prompt_id) = {}").format(
                Literal(criteria.source)
            )
        )
    if criteria.length:
        conditions.append(length_condition(criteria.length))
    if criteria.generators:
        by = Identifier("core", "said" if criteria.winner_by_run else "gold")
        conditions.append(_generators(criteria.generators, criteria.winner, by))
    if not conditions:
        return None
    return SQL("(SELECT {} FROM annotation_pair AS pair WHERE pair.id = core.pair_id)").format(
        SQL(" AND ").join(conditions)
    )


def _generators(generators: tuple[Generator, Generator], winner: int | None, by: Identifier) -> Composable:
    """A condition on the pair's generators and, with a winner, on the choice that stands in the column `by`."""
    first, second = (
        SQL("(SELECT generator_id FROM annotation_response AS r WHERE r.id = pair.response_{}_id)").format(SQL(number))
        for number in ("1", "2")
    )
    a, b = (Literal(generator.pk) for generator in generators)
    either = SQL("CASE {} WHEN {a} THEN {second} = {b} WHEN {b} THEN {second} = {a} ELSE false END").format(
        first, second=second, a=a, b=b
    )
    if winner is None:
        return either
    if winner == Choice.TIE:
        return SQL("{} = 0 AND {}").format(by, either)
    # The winner stands first in pairs one way round, and second in those the other way round.
    best, other = (a, b) if winner == Choice.FIRST else (b, a)
    return SQL(
        "CASE {by} WHEN 1 THEN {first} = {best} AND {second} = {other}"
        " WHEN 2 THEN {second} = {best} AND {first} = {other} ELSE false END"
    ).format(by=by, first=first, second=second, best=best, other=other)


def _few(criteria: Criteria) -> list[int] | None:
    """Ids of the only pairs that come into question where a source or two generators are rare; None where not.

    The planner takes matches for evenly spread, and two generators for independent. Where that is wrong it would go
    through all pairs in vain.
    """
    known: list[list[int] | None] = []
    if criteria.source:
        of_source = Pair.objects.filter(dataset=criteria.dataset, prompt__in=Prompt.objects.of_source(criteria.source))
        known.append(list(of_source.values_list("pk", flat=True)[:FEW]))
    if criteria.generators:
        known.append(_few_of_generators(criteria.dataset, *criteria.generators))
    few = [ids for ids in known if ids is not None and len(ids) < FEW]
    return min(few, key=len, default=None)


def _few_of_generators(dataset: Dataset, a: Generator, b: Generator) -> list[int] | None:
    together = SQL(
        "SELECT x.id, y.id FROM annotation_response AS x JOIN annotation_response AS y ON y.prompt_id = x.prompt_id"
        " WHERE x.generator_id = {} AND y.generator_id = {} LIMIT {}"
    ).format(Literal(a.pk), Literal(b.pk), Literal(FEW))
    with connection.cursor() as cursor:
        cursor.execute(together)
        met = cursor.fetchall()
    if len(met) >= FEW:
        return None
    either = Pair.objects.filter(dataset=dataset, response_1__in={pk for both in met for pk in both})
    return list(either.values_list("pk", flat=True))
