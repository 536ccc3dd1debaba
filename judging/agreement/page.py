"""The agreement of a dataset's raters, arranged in rows whose every number leads to its pairs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import numpy as np

from annotation import clusters, gold, raters
from annotation.agreement import (
    OVERALL,
    Measure,
    compositions_of,
    counted_pairs,
    measured,
    sides,
    splits,
    why_undefined,
)
from annotation.bootstrap import Integers, PromptBootstrap
from annotation.left_out import ids_left_out
from annotation.models import Dataset, Label, User
from annotation.raters import Ratings
from judging.agreement.charts import Figures, figures_of
from judging.agreement.evidence import (
    JudgeAsRater,
    Labels,
    PairFacts,
    annotators_of,
    judge_as_rater,
    of_source,
    read_labels,
    read_pairs,
)
from judging.agreement.rows import (
    NAMES,
    AgreementNumbers,
    By,
    Cell,
    DriftRow,
    ModelRow,
    Rater,
    RestRow,
    RevealRow,
    SideRow,
    SliceRow,
    TimeRow,
    TwoRow,
    labelled,
)
from judging.models import JudgeRun
from judging.scores.keeping import kept
from judging.scores.length import quarters
from judging.scores.scoring import least_labels

# More labels than this are counted in a request of their own, while the page already stands and says so.
AT_ONCE = 100_000
# Everybody's labels are cut into so many stretches at most, to be seen on a chart and read in a table: together, and
# one person's.
STRETCHES_TOGETHER, STRETCHES = 240, 24
SOURCES_SHOWN = 40
ORDER = [1, 0, 2]
# The majority of people's labels alone, and Dawid and Skene's most probable choice, for links.
MAJORITY, DAWID_SKENE = "majority.out.out.tie", "dawid-skene.out.out.tie"


def has_many(dataset: Dataset) -> bool:
    return Label.objects.filter(pair__dataset=dataset)[AT_ONCE : AT_ONCE + 1].exists()


@dataclass(frozen=True)
class Agreement:
    numbers: AgreementNumbers
    figures: Figures


def agreement_of(*, dataset: Dataset, runs: Sequence[JudgeRun], by: By, wait: bool) -> Agreement | None:
    """The numbers and their charts. None where nobody has labelled, or so many have that the caller would not wait.

    Labels are read anew each time; what is made of them is kept under a name of their content.
    """
    if not wait and has_many(dataset):
        return None
    labels = read_labels(dataset)
    if not len(labels.rows):
        return None
    pairs = read_pairs(labels)
    judges = [judge_as_rater(run, pairs.ids) for run in runs]
    people, of_label = annotators_of(labels)
    left_out = ids_left_out(dataset)

    def make() -> Agreement:
        numbers = arrange(labels, pairs, people, of_label, judges, by, left_out)
        return Agreement(numbers, figures_of(numbers))

    name = f"agreement:{dataset.pk}:{by}:{'.'.join(str(run.pk) for run in runs)}"
    return kept(name, _content(labels, people, judges, left_out), make)


def _content(labels: Labels, people: list[User], judges: list[JudgeAsRater], left_out: list[int]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for judge in judges:
        digest.update(f"{judge.run.pk} {judge.run.judge.name}\n".encode())
        digest.update(judge.choices.tobytes())
    names = " ".join(person.get_username() for person in people)
    digest.update(f"{names} {least_labels(labels.dataset)} {labels.content} {sorted(left_out)}".encode())
    return digest.hexdigest()


def arrange(
    labels: Labels,
    pairs: PairFacts,
    people: list[User],
    of_label: Integers,
    judges: list[JudgeAsRater],
    by: By,
    left_out: Sequence[int] = (),
) -> AgreementNumbers:
    """left_out: ids of the people whose labels gold leaves out; they are left out of what judges are held against."""
    # A label of a pair that came after the pairs were read is left for the next time.
    known = np.isin(labels.rows["pair"], pairs.ids)
    rows, of_label = labels.rows[known], of_label[known]
    everybody = [Rater(user.get_username(), "annotator", user=user.pk) for user in people]
    everybody += [Rater(judge.run.judge.name, "run", run=judge.run.pk) for judge in judges]
    ratings = _ratings(rows, of_label, pairs, len(people), judges)
    ratings = replace(
        ratings,
        enough=least_labels(labels.dataset),
        left_out=tuple(number for number, user in enumerate(people) if user.pk in left_out),
    )
    rest = raters.what_the_rest_says(ratings)
    votes = gold.votes(pairs=ratings.pairs, choices=ratings.choices, n_pairs=ratings.n_pairs)
    model, prior, converged = _model(ratings, everybody)
    slices = _Slices(votes, ratings.bootstrap, labelled(2, everybody))
    sources, unshown = _sources(slices, pairs)
    prompts = ratings.bootstrap.prompt_of(ratings.pairs[: len(rows)])
    return AgreementNumbers(
        raters=everybody,
        pairs=ratings.n_pairs,
        labels=len(rows),
        most_labels=int(votes.sum(axis=1).max()),
        prompts=ratings.bootstrap.n_prompts,
        bootstrapped=ratings.bootstrap.shares_weights,
        overall=slices.measures(np.arange(ratings.n_pairs)),
        splits=splits(
            gold.votes(pairs=ratings.pairs[: len(rows)], choices=ratings.choices[: len(rows)], n_pairs=ratings.n_pairs)
        ),
        two=_two(ratings, everybody),
        rest=_rest(ratings, rest, everybody),
        model=model,
        model_prior=prior,
        model_converged=converged,
        times=_times(rows["seconds"], of_label, everybody),
        drift=_drift(rows["at"], of_label, rest[: len(rows)], rows["choice"], prompts, everybody, by),
        by=by,
        sources=sources,
        sources_left_out=unshown,
        lengths=_lengths(slices, pairs),
        sides=_sides(rows, of_label, prompts, everybody[: len(people)]),
        reveals=_reveals(rows, of_label, prompts, everybody[: len(people)]),
    )


def _ratings(
    rows: np.ndarray, of_label: Integers, pairs: PairFacts, n_people: int, judges: list[JudgeAsRater]
) -> Ratings:
    """People's labels first, in their order, then what each judge says."""
    parts = [(np.searchsorted(pairs.ids, rows["pair"]), of_label, rows["choice"].astype(np.int8))]
    for number, judge in enumerate(judges, start=n_people):
        said = np.flatnonzero(judge.choices >= 0)
        parts.append((said, np.full(len(said), number), judge.choices[said]))
    at, who, what = (np.concatenate(part) for part in zip(*parts, strict=True))
    n_raters = n_people + len(judges)
    return Ratings(at, who, what, len(pairs.ids), n_raters, n_people, PromptBootstrap(pairs.prompts))


class _Slices:
    """Raw agreement, Fleiss' kappa and alpha of any pairs, with intervals."""

    def __init__(self, votes: Integers, bootstrap: PromptBootstrap, query: str) -> None:
        """query: what the review list is asked for the pairs with two labels or more."""
        self.query = query
        self._counted = counted_pairs(votes)
        self.several = self._counted["raw_agreement"]
        self._bootstrap = bootstrap
        self._compositions, self._index = compositions_of(votes)

    def measures(self, items: Integers, names: Sequence[str] = tuple(OVERALL)) -> dict[str, Measure]:
        codes = self._index[items]
        weights = np.bincount(codes, minlength=len(self._compositions))
        return {name: self._measure(name, items, codes, weights) for name in names}

    def _measure(self, name: str, items: Integers, codes: Integers, weights: Integers) -> Measure:
        def measure(counts):
            return OVERALL[name](self._compositions, counts)

        n = int(self._counted[name][items].sum())
        found = measured(measure(weights), undefined=why_undefined(name), n=n)
        if found.value is None:
            return found
        asked = {"bootstrap": self._bootstrap, "items": items, "codes": codes, "n_codes": len(self._compositions)}
        return Measure(found.value, clusters.interval(measure, **asked), "", n)


def _two(ratings: Ratings, everybody: list[Rater]) -> list[TwoRow]:
    kappas = raters.two_by_two(ratings)
    return [
        TwoRow(
            one,
            [
                None if a == b else (kappas[min(a, b), max(a, b)], _both(one, other), other.name)
                for b, other in enumerate(everybody)
            ],
        )
        for a, one in enumerate(everybody)
    ]


def _both(one: Rater, other: Rater) -> str:
    """The pairs that people labelled and two raters both have a choice on."""
    if one.user and other.user:
        return urlencode({"annotator": one.user, "annotator2": other.user})
    if one.run and other.run:
        return f"{one.rated}&{urlencode({'other': other.run, 'verdict2': 'any'})}"
    return urlencode({"run": one.run or other.run, "verdict": "any", "annotator": one.user or other.user})


def _rest(ratings: Ratings, rest: Integers, everybody: list[Rater]) -> list[RestRow]:
    found = raters.against_rest(ratings, rest)
    return [
        RestRow(
            rater,
            row.agreement,
            row.kappa,
            _compared(rater),
            _differing(rater),
            _nine(rater, row.table.tolist(), _rest_query),
        )
        for rater, row in zip(everybody, found, strict=True)
    ]


def _compared(rater: Rater) -> str:
    if rater.user:
        return urlencode({"annotator": rater.user, "rest": "any"})
    return urlencode({"run": rater.run, "verdict": "any", "policy": MAJORITY, "gold": "any"})


def _differing(rater: Rater) -> str:
    if rater.user:
        return urlencode({"annotator": rater.user, "rest": "other"})
    return urlencode({"kind": "human_judge", "run": rater.run, "policy": MAJORITY})


def _rest_query(rater: Rater, true: int, said: int) -> str:
    more = {"rest": NAMES[true]} if rater.user else {"policy": MAJORITY, "gold": NAMES[true]}
    return rater.says(said, **more)


def _model_query(rater: Rater, true: int, said: int) -> str:
    return rater.says(said, policy=DAWID_SKENE, gold=NAMES[true])


def _nine(rater: Rater, table: list[list[float]], query) -> list[Cell]:
    return [
        Cell(table[true][said], query(rater, true, said), f"{rater.name} {NAMES[said]} where it is {NAMES[true]}")
        for true in ORDER
        for said in ORDER
    ]


def _model(ratings: Ratings, everybody: list[Rater]) -> tuple[list[ModelRow], list[Cell], bool]:
    found = gold.dawid_skene(**ratings.flat)
    rows = [
        ModelRow(rater, float(found.prior @ np.diag(rates)), _nine(rater, rates.tolist(), _model_query))
        for rater, rates in zip(everybody, found.error_rates, strict=True)
    ]
    prior = [
        Cell(float(found.prior[choice]), urlencode({"policy": DAWID_SKENE, "gold": NAMES[choice]}), NAMES[choice])
        for choice in ORDER
    ]
    return rows, prior, found.converged


def _times(seconds: np.ndarray, of_label: Integers, everybody: list[Rater]) -> list[TimeRow]:
    rows = []
    for number, rater in enumerate(everybody):
        own = seconds[of_label == number]
        own = own[~np.isnan(own)]
        if len(own):
            lower, median, upper = (float(value) for value in np.quantile(own, [0.25, 0.5, 0.75]))
            rows.append(TimeRow(rater, len(own), lower, median, upper))
    return rows


def _drift(
    at: np.ndarray,
    of_label: Integers,
    rest: Integers,
    choices: Integers,
    prompts: Integers,
    everybody: list[Rater],
    by: By,
) -> list[DriftRow]:
    """Nothing of a person whose labels all came in one stretch: that is no course of time."""
    if by is By.WEEKS:
        stretches = raters.by_week(at)
        stretches = stretches - (stretches.min() if len(stretches) else 0)
    else:
        most = min(max(STRETCHES_TOGETHER // max(len(everybody), 1), 4), STRETCHES)
        stretches = raters.by_hundreds(of_label, at, most=most)
    right = np.where(rest == gold.NONE, -1, rest == choices)
    found = raters.drift(raters=of_label, stretches=stretches, at=at, right=right, prompts=prompts)
    several = {number for number, n in enumerate(np.bincount([s.rater for s in found])) if n > 1} if found else set()
    return [DriftRow(everybody[stretch.rater], stretch) for stretch in found if stretch.rater in several]


def _sources(slices: _Slices, pairs: PairFacts) -> tuple[list[SliceRow], int]:
    """The sources with most pairs, and how many are left out."""
    counts = np.bincount(pairs.sources[slices.several], minlength=len(pairs.source_names))
    most = [int(source) for source in np.argsort(-counts, kind="stable") if counts[source]]
    rows = []
    for source in most[:SOURCES_SHOWN]:
        name = pairs.source_names[source]
        query = urlencode(of_source(name))
        rows.append(_slice(slices, np.flatnonzero(pairs.sources == source), name or "No source", query))
    return rows, max(len(most) - SOURCES_SHOWN, 0)


def _lengths(slices: _Slices, pairs: PairFacts) -> list[SliceRow]:
    """By quarters of the pairs, the shortest responses first; fewer where many are of one length."""
    if not slices.several.any():
        return []
    quarter, named = quarters(pairs.lengths, slices.several)
    found = [(np.flatnonzero(quarter == number), *words) for number, words in enumerate(named)]
    return [_slice(slices, items, name, query) for items, name, query in found if slices.several[items].any()]


def _slice(slices: _Slices, items: Integers, name: str, query: str) -> SliceRow:
    found = slices.measures(items, ("raw_agreement", "krippendorff_alpha"))
    raw, alpha = found["raw_agreement"], found["krippendorff_alpha"]
    whole = f"{query}&{slices.query}" if query else slices.query
    return SliceRow(name, int(slices.several[items].sum()), raw, alpha, whole)


def _sides(rows: np.ndarray, of_label: Integers, prompts: Integers, people: list[Rater]) -> list[SideRow]:
    chosen = sides(rows["choice"], rows["swapped"])
    left = np.where(chosen < 0, -1, chosen == 0)
    found = raters.shares_of(
        hits=left, raters=of_label, prompts=prompts, n_raters=len(people), undefined=why_undefined("first_share")
    )
    counts = np.bincount(of_label[left == 1], minlength=len(people))
    return [
        SideRow(rater, int(n), share.n - int(n), share) for rater, n, share in zip(people, counts, found, strict=True)
    ]


def _reveals(rows: np.ndarray, of_label: Integers, prompts: Integers, people: list[Rater]) -> list[RevealRow]:
    """Of those who have been shown what others said."""
    hits = np.where(rows["seen"] == 1, rows["changed"], -1)
    found = raters.shares_of(hits=hits, raters=of_label, prompts=prompts, n_raters=len(people), undefined="")
    changed = np.bincount(of_label[hits == 1], minlength=len(people))
    return [
        RevealRow(rater, share.n, int(n), share)
        for rater, n, share in zip(people, changed, found, strict=True)
        if share.n
    ]
