"""What a reviewer asks of labels and adjudications beyond who said what, as parts of the review list's query.

judging.review.disagreement puts them together. Each part carries the bounds of the page and is merged in the order of
ids.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from psycopg.sql import SQL, Composable, Identifier, Literal

from annotation.models import Adjudication, Choice, Flag, Guideline, User
from annotation.skips import KEPT_BACK
from judging.decisions import Bounds, decided_by
from judging.models import JudgeRun
from judging.scores.policies import Invalid, Policy


@dataclass(frozen=True)
class Part:
    """Something to join: a FROM item, its column with the pair's id, and a condition that begins with AND."""

    relation: Composable
    key: Composable
    condition: Composable = field(default_factory=lambda: SQL(""))


@dataclass(frozen=True)
class Range:
    """From low on, up to high without it; None is open."""

    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """As addresses have it."""
        return "-".join("" if end is None else f"{end:.10g}" for end in (self.low, self.high))

    @property
    def words(self) -> str:
        if self.low is None:
            return f"under {self.high:.10g}"
        return f"{self.low:.10g} or more" if self.high is None else f"{self.low:.10g} to under {self.high:.10g}"

    def on(self, value: Composable) -> Composable:
        """A condition that begins with AND, or nothing."""
        low = SQL("") if self.low is None else SQL(" AND {} >= {}").format(value, Literal(self.low))
        high = SQL("") if self.high is None else SQL(" AND {} < {}").format(value, Literal(self.high))
        return low + high


@dataclass(frozen=True)
class Counts(Range):
    """Whole numbers from low up to high, both in it."""

    @property
    def words(self) -> str:
        if self.low is None:
            return f"up to {self.high:.10g}"
        if self.high is None:
            return f"{self.low:.10g} or more"
        return f"{self.low:.10g}" if self.low == self.high else f"{self.low:.10g} to {self.high:.10g}"

    def on(self, value: Composable) -> Composable:
        high = None if self.high is None else self.high + 1
        return Range(self.low, high).on(value)


class Rest(StrEnum):
    """What the majority of the other labels of a pair is, beside a choice: the annotator's own, another, or either."""

    SAME = "same"
    OTHER = "other"
    ANY = "any"


class Side(StrEnum):
    LEFT = "left"
    RIGHT = "right"
    EITHER = "either"


@dataclass(frozen=True)
class Revision:
    """Of the guidelines: made by this one, or by none where guideline is None."""

    guideline: Guideline | None


@dataclass(frozen=True)
class Flagged:
    """With this kind of flag, or with any where kind is None."""

    kind: Flag | None


@dataclass(frozen=True)
class PassedOn:
    """Passed on by this person, or by anybody where by is None."""

    by: User | None


class AfterReveal(StrEnum):
    """What became of a label when its annotator had seen what others said."""

    SEEN = "seen"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class OwnLabel:
    """What the first annotator's label must be like; None is not asked for.

    The revision and the flag may also be asked for without an annotator, of any label of the pair.
    """

    rest: Choice | Rest | None = None
    side: Side | None = None
    seconds: Range | None = None
    since: datetime | None = None
    until: datetime | None = None
    after_reveal: AfterReveal | None = None
    revision: Revision | None = None
    flag: Flagged | None = None


@dataclass(frozen=True, kw_only=True)
class Adjudicated:
    """done: adjudicated or not yet. cause: with this cause."""

    done: bool | None = None
    cause: Adjudication.Cause | None = None


class Fall(StrEnum):
    """How people's labels of a pair fall, where it has two or more (annotation.agreement.splits)."""

    UNANIMOUS = "unanimous"
    MAJORITY = "majority"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Votes:
    """labels: how many a labelled pair has of people, where each of the runs that has decided it counts as one more."""

    labels: Range | None = None
    runs: tuple[JudgeRun, ...] = ()
    fall: Fall | None = None

    @property
    def differ(self) -> bool | None:
        """Whether people differ on these pairs; None where some do and some don't."""
        return None if self.fall is None else self.fall is not Fall.UNANIMOUS


ANY_LABEL, ANY_ADJUDICATION, ANY_VOTES = OwnLabel(), Adjudicated(), Votes()


def label_conditions(name: str, own: OwnLabel) -> Composable:
    """Conditions on a row of annotation_label that the query calls by this name; each begins with AND."""

    def column(of: str) -> Composable:
        return Identifier(name, of)

    conditions: list[Composable] = []
    if own.side:
        left = SQL("CASE {} WHEN 1 THEN NOT {swapped} WHEN 2 THEN {swapped} END").format(
            column("choice"), swapped=column("shown_swapped")
        )
        chosen = {Side.LEFT: "true", Side.RIGHT: "false", Side.EITHER: "NOT NULL"}[own.side]
        conditions.append(SQL(" AND ({}) IS {}").format(left, SQL(chosen)))
    if own.seconds:
        conditions.append(own.seconds.on(column("seconds")))
    if own.since:
        conditions.append(SQL(" AND {} >= {}").format(column("changed_at"), Literal(own.since)))
    if own.until:
        conditions.append(SQL(" AND {} < {}").format(column("changed_at"), Literal(own.until)))
    if own.after_reveal is AfterReveal.SEEN:
        conditions.append(SQL(" AND {} IS NOT NULL").format(column("revealed_at")))
    if own.after_reveal is AfterReveal.CHANGED:
        conditions.append(
            SQL(
                " AND EXISTS (SELECT FROM annotation_reconsideration AS later"
                " WHERE later.label_id = {} AND later.choice <> {})"
            ).format(column("id"), column("choice"))
        )
    if own.revision:
        conditions.append(_of_revision(own.revision, column("guideline_id")))
    if own.flag:
        conditions.append(_with_flag(own.flag, column("flag")))
    return SQL("").join(conditions)


def _of_revision(revision: Revision, column: Composable) -> Composable:
    if revision.guideline is None:
        return SQL(" AND {} IS NULL").format(column)
    return SQL(" AND {} = {}").format(column, Literal(revision.guideline.pk))


def revision_part(revision: Revision, bounds: Bounds) -> Part:
    """Pairs with a label that was made by this revision of the guidelines, each once."""
    relation = SQL("(SELECT DISTINCT pair_id FROM annotation_label AS made WHERE true{}{}) AS made_by").format(
        _of_revision(revision, SQL("made.guideline_id")), bounds.on(SQL("made.pair_id"))
    )
    return Part(relation, Identifier("made_by", "pair_id"))


def _with_flag(flag: Flagged, column: Composable) -> Composable:
    """That there is one is said even where the kind is: the index has just the labels with a flag."""
    kind = SQL(" AND {} = {}").format(column, Literal(flag.kind.value)) if flag.kind else SQL("")
    return SQL(" AND {} <> ''").format(column) + kind


def flag_part(flag: Flagged, bounds: Bounds) -> Part:
    """Pairs with a label that has such a flag, each once."""
    relation = SQL("(SELECT DISTINCT pair_id FROM annotation_label AS made WHERE true{}{}) AS flagged").format(
        _with_flag(flag, SQL("made.flag")), bounds.on(SQL("made.pair_id"))
    )
    return Part(relation, Identifier("flagged", "pair_id"))


def _was_passed_on(passed_on: PassedOn, skip: str) -> Composable:
    condition = SQL(" AND {} <> ALL({})").format(Identifier(skip, "reason"), Literal(KEPT_BACK))
    if passed_on.by:
        condition += SQL(" AND {} = {}").format(Identifier(skip, "annotator_id"), Literal(passed_on.by.pk))
    return condition


def passed_on_part(passed_on: PassedOn, bounds: Bounds) -> Part:
    """Pairs that somebody did not want to decide, each once."""
    relation = SQL("(SELECT DISTINCT pair_id FROM annotation_skip AS skip WHERE true{}{}) AS passed_on").format(
        _was_passed_on(passed_on, "skip"), bounds.on(SQL("skip.pair_id"))
    )
    return Part(relation, Identifier("passed_on", "pair_id"))


def looked_up(own: OwnLabel, passed_on: PassedOn | None, key: Composable) -> Composable | None:
    """Of what is asked for, what few pairs may have: a condition on a pair's id that begins with AND, or None.

    For rows that are read in an order of their own. Scalar look-ups, which the planner cannot turn into a join over
    all labels of a revision.
    """
    look = SQL(" AND (SELECT made.pair_id FROM {} AS made WHERE made.pair_id = {}{} LIMIT 1) IS NOT NULL")
    label, skip = Identifier("annotation_label"), Identifier("annotation_skip")
    conditions = []
    if own.revision:
        conditions.append(look.format(label, key, _of_revision(own.revision, SQL("made.guideline_id"))))
    if own.flag:
        conditions.append(look.format(label, key, _with_flag(own.flag, SQL("made.flag"))))
    if passed_on:
        conditions.append(look.format(skip, key, _was_passed_on(passed_on, "made")))
    return SQL("").join(conditions) if conditions else None


def rest_part(person: User, rest: Choice | Rest, bounds: Bounds) -> Part:
    """Pairs that a person labelled, by the strict majority of their other labels (gold.majority_of_others)."""
    rules = SQL(" ").join(
        SQL("WHEN 2 * count(*) FILTER (WHERE other.choice = {choice}) > count(*) THEN {choice}").format(
            choice=Literal(choice)
        )
        for choice in Choice.values
    )
    relation = SQL(
        "(SELECT own.pair_id, own.choice AS own, CASE {} END AS rest FROM annotation_label AS own"
        " JOIN annotation_label AS other ON other.pair_id = own.pair_id AND other.annotator_id <> own.annotator_id"
        " WHERE own.annotator_id = {}{}{} GROUP BY own.pair_id, own.choice) AS others"
    ).format(rules, Literal(person.pk), bounds.on(SQL("own.pair_id")), bounds.on(SQL("other.pair_id")))
    wanted = {
        Rest.SAME: SQL(" AND others.rest = others.own"),
        Rest.OTHER: SQL(" AND others.rest <> others.own"),
        Rest.ANY: SQL(" AND others.rest IS NOT NULL"),
    }
    condition: Composable = (
        wanted[rest] if isinstance(rest, Rest) else SQL(" AND others.rest = {}").format(Literal(rest.value))
    )
    return Part(relation, Identifier("others", "pair_id"), condition)


def votes_part(votes: Votes, policy: Policy, bounds: Bounds) -> Part | None:
    """Labelled pairs by how many labels they have and how people's fall, where that is asked for."""
    if votes.labels is None and votes.fall is None:
        return None
    said: list[Composable] = [
        SQL("SELECT pair_id, choice FROM annotation_label WHERE true{}").format(bounds.on(SQL("pair_id")))
    ]
    # A judge's invalid verdict is no label.
    policy = replace(policy, invalid=Invalid.OUT)
    said += [
        SQL("SELECT pair_id, NULL FROM ({}) AS by_run").format(decided_by(run, policy, bounds)) for run in votes.runs
    ]
    most = SQL("2 * greatest({}) > count(choice)").format(
        SQL(", ").join(SQL("count(*) FILTER (WHERE choice = {})").format(Literal(choice)) for choice in Choice.values)
    )
    falls = {
        None: SQL("count(choice) > 0"),
        Fall.UNANIMOUS: SQL("count(choice) > 1 AND min(choice) = max(choice)"),
        Fall.MAJORITY: SQL("min(choice) < max(choice) AND {}").format(most),
        Fall.NONE: SQL("min(choice) < max(choice) AND NOT {}").format(most),
    }
    relation = SQL("(SELECT pair_id FROM ({}) AS one GROUP BY pair_id HAVING {}{}) AS voted").format(
        SQL(" UNION ALL ").join(said),
        falls[votes.fall],
        votes.labels.on(SQL("count(*)")) if votes.labels else SQL(""),
    )
    return Part(relation, Identifier("voted", "pair_id"))


def adjudication_part(adjudicated: Adjudicated, bounds: Bounds) -> Part | None:
    """Pairs that are adjudicated, where that is asked for; that a pair is not yet, `unadjudicated` says."""
    if not adjudicated.done and not adjudicated.cause:
        return None
    key = Identifier("final_word", "pair_id")
    condition: Composable = SQL(" AND final_word.current")
    if adjudicated.cause:
        condition += SQL(" AND final_word.cause = {}").format(Literal(adjudicated.cause.value))
    return Part(SQL("annotation_adjudication AS final_word"), key, condition + bounds.on(key))


def unadjudicated(key: Composable) -> Composable:
    return SQL(
        " AND NOT EXISTS (SELECT FROM annotation_adjudication AS word WHERE word.pair_id = {} AND word.current)"
    ).format(key)


def length_condition(length: Range) -> Composable:
    """On a row of annotation_pair that the query calls pair: the characters of both responses together."""
    one = SQL("(SELECT char_length(text) FROM annotation_response AS r WHERE r.id = pair.response_{}_id)")
    return SQL("true") + length.on(SQL("({} + {})").format(one.format(SQL("1")), one.format(SQL("2"))))
