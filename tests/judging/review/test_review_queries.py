"""The review list finds exactly the pairs that the numbers count, whatever the policy, and pages through them."""

from collections.abc import Iterator
from io import StringIO
from itertools import combinations, product
from random import Random

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from annotation.models import Adjudication, Choice, Dataset, Generator, Label, Pair
from judging.decisions import Bounds, decided_by, gold_of
from judging.models import JudgeRun, Verdict
from judging.review import listing
from judging.review.disagreement import Criteria, Kind
from judging.review.label_filters import OwnLabel, Revision
from judging.review.order import AGREED, Order, Place, place_of
from judging.scores import scoring
from judging.scores.comparison import ABSENT, COLUMNS, INVALID, cells, confusion, decided, flips
from judging.scores.evidence import Evidence, read, runs_that_count
from judging.scores.policies import PRESETS, RULES, Conflict, Gold, Invalid, NoGold, Policy, policy_of
from tests import factories, pandalm
from tests.judging.scored import make_judge, make_scored_dataset, make_verdict
from tests.kept import kept

pytestmark = pytest.mark.django_db

POLICIES = [
    policy_of(**dict(zip(RULES, map(str, rules), strict=True))) for rules in product(Gold, NoGold, Invalid, Conflict)
]


def all_ids(criteria: Criteria) -> list[int]:
    return listing.page(criteria, Order.PAIR, size=5000).ids


def asked(query) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetchall()
    assert len(found) == len(dict(found)), "a pair comes twice"
    return dict(found)


def make_random_dataset(*, labels_per_pair: int = 3, seed: int = 7) -> Dataset:
    """60 pairs with all sorts of labels and adjudications, and a run of each kind: given, both, imported with gaps."""
    random = Random(seed)
    dataset = factories.make_dataset(slug=f"random-{labels_per_pair}-{seed}", labels_per_pair=labels_per_pair)
    people = [factories.make_user() for _ in range(labels_per_pair)]
    reviewer = factories.make_user(role="reviewer")
    orders = [JudgeRun.Order.GIVEN, JudgeRun.Order.BOTH, JudgeRun.Order.GIVEN]
    runs = [
        JudgeRun.objects.create(judge=make_judge(f"{name}-{dataset}"), dataset=dataset, order=order)
        for name, order in zip(("given", "both", "imported"), orders, strict=True)
    ]
    for _ in range(60):
        pair = factories.make_pair(dataset=dataset, generators=tuple(random.sample(["red", "blue", "green"], 2)))
        for person in people[: random.randint(0, labels_per_pair)]:
            factories.make_label(pair=pair, annotator=person, choice=random.choice(Choice.values))
        if random.random() < 0.2:
            choice = random.choice(Choice.values)
            Adjudication.objects.create(pair=pair, choice=choice, cause="taste", by=reviewer, current=False)
            Adjudication.objects.create(pair=pair, choice=random.choice(Choice.values), cause="taste", by=reviewer)
        for run, swaps in zip(runs, ([False], [False, True], [False, True]), strict=True):
            for swapped in swaps:
                if random.random() < 0.85:
                    _random_verdict(random, run, pair, swapped=swapped)
    return dataset


def _random_verdict(random: Random, run: JudgeRun, pair: Pair, *, swapped: bool) -> None:
    choice = random.choice([*Choice.values, *Choice.values, None])
    p = {}
    if choice is not None and random.random() < 0.5:
        # Eighths add up exactly, so that ties of two means are real ones in both implementations.
        p = dict(zip(("p_tie", "p_1", "p_2"), random.choice([(0.25, 0.5, 0.25), (0.125, 0.375, 0.5)]), strict=True))
    make_verdict(run, pair, choice, swapped=swapped, **p)


@pytest.fixture(scope="module")
def random_datasets(django_db_setup, django_db_blocker) -> Iterator[list[Dataset]]:
    with kept(django_db_blocker):
        yield [make_random_dataset(labels_per_pair=wanted) for wanted in (1, 3)]


def test_gold_and_verdicts_in_sql_are_those_of_the_numbers_under_every_policy(random_datasets):
    for dataset in random_datasets:
        evidence = read(dataset)
        assert len(evidence.runs) == 3
        for policy in POLICIES:
            gold = scoring.gold_of(evidence, policy)
            in_dataset = Bounds(ids=evidence.pair_ids.tolist())
            assert asked(gold_of(dataset, policy, in_dataset)) == known(evidence, gold), policy.name
            for run in evidence.runs:
                said = decided(run.passes, conflict=policy.conflict, invalid=policy.invalid)
                assert asked(decided_by(run.run, policy, Bounds())) == known(evidence, said), policy.name


def known(evidence: Evidence, choices: np.ndarray) -> dict[int, int]:
    there = choices != ABSENT
    return dict(zip(evidence.pair_ids[there].tolist(), choices[there].tolist(), strict=True))


def test_each_confusion_cell_lists_the_pairs_that_it_counts(random_datasets):
    for dataset, policy in product(random_datasets, POLICIES[::5]):
        assert_cells_match(dataset, policy)


def assert_cells_match(dataset: Dataset, policy: Policy) -> int:
    """Compare every cell of every run's table with the list; returns how many pairs all cells hold."""
    evidence = read(dataset)
    gold = scoring.gold_of(evidence, policy)
    total = 0
    for run in evidence.runs:
        said = decided(run.passes, conflict=policy.conflict, invalid=policy.invalid)
        table, codes = confusion(gold, said), cells(gold, said)
        for truth, verdict in product(range(3), range(COLUMNS)):
            if verdict == INVALID and policy.invalid is not Invalid.WRONG:
                assert table[truth, verdict] == 0
                continue
            found = all_ids(Criteria(dataset=dataset, policy=policy, run=run.run, gold=truth, verdict=verdict))
            assert found == evidence.pair_ids[codes == truth * COLUMNS + verdict].tolist(), policy.name
            total += len(found)
        differ = all_ids(Criteria(dataset=dataset, policy=policy, kind=Kind.HUMAN_JUDGE, run=run.run))
        assert len(differ) == table.sum() - np.trace(table)
        flipped = all_ids(Criteria(dataset=dataset, policy=policy, kind=Kind.ORDER_FLIP, run=run.run))
        assert flipped == evidence.pair_ids[flips(run.passes) == 1].tolist()
        invalid = Criteria(dataset=dataset, policy=policy, kind=Kind.INVALID, run=run.run)
        assert len(all_ids(invalid)) == run.invalid
    return total


@pandalm.needs_pandalm
@pytest.mark.parametrize("policy", PRESETS.values(), ids=lambda policy: policy.name)
def test_each_confusion_cell_of_pandalm_lists_as_many_pairs_as_it_counts(pandalm_dataset, policy):
    # 999 pairs with gold, two imported judges and one that flips; an invalid verdict is in some cell everywhere.
    assert assert_cells_match(pandalm_dataset, policy) == 3 * 999


@pandalm.needs_pandalm
def test_pandalms_golden_cells_are_lists(pandalm_dataset):
    policy = PRESETS["released-files"]
    runs = {run.judge.name: run for run in runs_that_count(pandalm_dataset)}
    tables = {
        "gpt-3.5-turbo": [[18, 42, 45], [19, 332, 71], [26, 86, 360]],
        "pandalm-7b": [[32, 35, 38], [40, 298, 84], [35, 100, 337]],
    }
    for judge, table in tables.items():
        found = [
            [
                listing.count(
                    Criteria(dataset=pandalm_dataset, policy=policy, run=runs[judge], gold=gold, verdict=verdict)
                ).number
                for verdict in range(3)
            ]
            for gold in range(3)
        ]
        assert found == table
    invalid = Criteria(dataset=pandalm_dataset, policy=policy, run=runs["gpt-3.5-turbo"], verdict=INVALID)
    assert listing.count(invalid).number == 25
    assert listing.count(Criteria(dataset=pandalm_dataset, policy=policy, kind=Kind.HUMAN_SPLIT)).number == 120


@pandalm.needs_pandalm
def test_pandalms_win_matrix_cells_are_lists(pandalm_dataset):
    generators = Generator.objects.in_bulk(["bloom-7b", "llama-7b"], field_name="name")
    for both, wins in ((("bloom-7b", "llama-7b"), (28, 72, 11)), (("llama-7b", "bloom-7b"), (72, 28, 11))):
        found = tuple(
            listing.count(
                Criteria(
                    dataset=pandalm_dataset,
                    policy=PRESETS["default"],
                    generators=tuple(generators[name] for name in both),
                    winner=winner,
                )
            ).number
            for winner in (Choice.FIRST, Choice.SECOND, Choice.TIE)
        )
        assert found == wins


@pytest.fixture(scope="module")
def pandalm_dataset(django_db_setup, django_db_blocker) -> Iterator[Dataset]:
    with kept(django_db_blocker):
        yield make_pandalm_dataset()


def make_pandalm_dataset() -> Dataset:
    options = {"dataset": "pandalm", "stdout": StringIO(), "stderr": StringIO()}
    call_command("import_pairs", str(pandalm.FOLDER / pandalm.TEST_SET), **options)
    for name, judge in ((pandalm.GPT, "gpt-3.5-turbo"), (pandalm.PANDALM, "pandalm-7b")):
        call_command("import_pairs", str(pandalm.FOLDER / name), judge=judge, **options)
    dataset = Dataset.objects.get(slug="pandalm")
    run = JudgeRun.objects.create(judge=make_judge("flips"), dataset=dataset, order=JudgeRun.Order.BOTH)
    random = Random(3)
    Verdict.objects.bulk_create(
        Verdict(run=run, pair=pair, swapped=swapped, choice=random.choice(Choice.values))
        for pair in dataset.pairs.all()
        for swapped in (False, True)
    )
    return dataset


@pytest.mark.parametrize("policy", PRESETS.values(), ids=lambda policy: policy.name)
def test_two_runs_differ_where_their_decisions_do(random_datasets, policy):
    for dataset in random_datasets:
        evidence = read(dataset)
        one, two = evidence.runs[0], evidence.runs[1]
        a, b = (decided(run.passes, conflict=policy.conflict, invalid=policy.invalid) for run in (one, two))
        expected = evidence.pair_ids[(a != ABSENT) & (b != ABSENT) & (a != b)].tolist()
        criteria = Criteria(dataset=dataset, policy=policy, kind=Kind.JUDGE_JUDGE, run=one.run, other=two.run)
        assert all_ids(criteria) == expected
        assert expected


def test_human_cells_and_splits_are_those_of_the_numbers(random_datasets):
    dataset = random_datasets[1]
    evidence = read(dataset)
    humans = scoring.humans_of(evidence, resamples=100)
    for (a, b), table in humans.between.items():
        for first, second in product(range(3), repeat=2):
            people = ((humans.people[a].user, first), (humans.people[b].user, second))
            found = all_ids(Criteria(dataset=dataset, policy=PRESETS["default"], people=people))
            assert len(found) == table[first][second]
    split = all_ids(Criteria(dataset=dataset, policy=PRESETS["default"], kind=Kind.HUMAN_SPLIT))
    assert len(split) == humans.splits.majority + humans.splits.none


def test_win_cells_count_pairs_both_ways_round(random_datasets):
    dataset = random_datasets[1]
    found = scoring.scores_of(dataset=dataset, policy=PRESETS["default"], resamples=100).generators
    generators = Generator.objects.in_bulk(found.names, field_name="name")
    for i, j in product(range(3), repeat=2):
        if i == j:
            continue
        both = (generators[found.names[i]], generators[found.names[j]])
        ask = {"dataset": dataset, "policy": PRESETS["default"], "generators": both}
        assert len(all_ids(Criteria(**ask, winner=Choice.FIRST))) == found.wins[i][j]
        assert len(all_ids(Criteria(**ask, winner=Choice.TIE))) == found.ties[i][j]
        ways = {tuple(generator.pk for generator in way) for way in (both, both[::-1])}
        pairs = dataset.pairs.values_list("pk", "response_1__generator", "response_2__generator").order_by("pk")
        assert all_ids(Criteria(**ask)) == [pk for pk, *way in pairs if tuple(way) in ways]


@pytest.mark.parametrize("few", [0, 500])
def test_a_rare_and_a_common_source_are_found_alike(monkeypatch, few):
    monkeypatch.setattr("judging.review.disagreement.FEW", few)
    dataset = factories.make_dataset()
    prompts = [factories.make_prompt(source=source) for source in ("A", "B", "A", "")]
    pairs = [factories.make_pair(dataset=dataset, prompt=prompt) for prompt in prompts]
    factories.make_pair(prompt=prompts[0])
    criteria = Criteria(dataset=dataset, policy=PRESETS["default"], source="A")
    assert all_ids(criteria) == [pairs[0].pk, pairs[2].pk]
    assert all_ids(Criteria(dataset=dataset, policy=PRESETS["default"], source="C")) == []


def test_invalid_of_any_run_lists_a_pair_once():
    dataset, run = make_scored_dataset()
    other = JudgeRun.objects.create(judge=run.judge, dataset=dataset)
    seventh = dataset.pairs.order_by("pk")[6]
    make_verdict(other, seventh, None)
    criteria = Criteria(dataset=dataset, policy=PRESETS["default"], kind=Kind.INVALID)
    assert all_ids(criteria) == [seventh.pk]


@pytest.mark.parametrize("order", Order)
def test_pages_lead_through_all_pairs_and_back(order):
    dataset = factories.make_dataset(pairs=11)
    factories.make_dataset(pairs=3)
    ids = list(dataset.pairs.order_by("pk").values_list("pk", flat=True))
    criteria = Criteria(dataset=dataset, policy=PRESETS["default"])
    first = listing.page(criteria, order, size=4)
    assert (first.ids, first.more_before, first.more_after) == (ids[:4], False, True)
    second = listing.page(criteria, order, after=first.last, size=4)
    third = listing.page(criteria, order, after=second.last, size=4)
    assert second.ids + third.ids == ids[4:]
    assert (second.more_before, second.more_after) == (True, True)
    assert (third.more_before, third.more_after) == (True, False)
    back = listing.page(criteria, order, before=third.first, size=4)
    assert (back.ids, back.more_before, back.more_after) == (second.ids, True, True)
    assert not listing.page(criteria, order, before=second.first, size=4).more_before


@pytest.mark.parametrize("handful", [1, 3, 500])
@pytest.mark.parametrize("few", [0, 5, 30, 200])
def test_what_people_agree_on_least_comes_first_on_every_page(monkeypatch, random_datasets, handful, few):
    monkeypatch.setattr("judging.review.order.FIRST_HANDFUL", handful)
    monkeypatch.setattr("judging.review.order.FEW", few)
    dataset = random_datasets[1]
    run = dataset.judge_runs.first()
    policy = PRESETS["default"]
    both = tuple(Generator.objects.filter(name__in=["blue", "green"]))
    revision = factories.make_guideline(dataset=dataset)
    Label.objects.annotate(third=F("pk") % 3).filter(pair__dataset=dataset, third=0).update(guideline=revision)
    for criteria in (
        Criteria(dataset=dataset, policy=policy),
        Criteria(dataset=dataset, policy=policy, own=OwnLabel(revision=Revision(revision))),
        Criteria(dataset=dataset, policy=policy, own=OwnLabel(revision=Revision(None))),
        Criteria(dataset=dataset, policy=policy, kind=Kind.HUMAN_SPLIT, own=OwnLabel(revision=Revision(revision))),
        Criteria(dataset=dataset, policy=policy, kind=Kind.HUMAN_SPLIT),
        Criteria(dataset=dataset, policy=policy, kind=Kind.HUMAN_JUDGE, run=run),
        Criteria(dataset=dataset, policy=policy, kind=Kind.INVALID),
        Criteria(dataset=dataset, policy=policy, generators=both),
    ):
        expected = sorted(map(agreement_and_id, all_ids(criteria)))
        assert len({agreement for agreement, _ in expected}) > 1
        assert pages_through(criteria, size=7) == expected
        assert pages_through(criteria, size=7, backwards=True) == expected
        for at in (0, len(expected) // 2, len(expected) - 1):
            found = listing.around(criteria, Order.AGREEMENT, Place(*expected[at]))
            assert found.inside
            assert found.before == [pk for _, pk in expected[max(0, at - listing.BEFORE) : at]]
            assert found.after == [pk for _, pk in expected[at + 1 :][: listing.BEHIND]]


def test_labels_of_a_revision_are_not_looked_for_among_all_split_pairs(monkeypatch):
    """They may all lie behind tens of thousands of others."""
    monkeypatch.setattr("judging.review.order.FIRST_HANDFUL", 2)
    monkeypatch.setattr("judging.review.order.FEW", 1)
    dataset = factories.make_dataset(labels_per_pair=2)
    people = [factories.make_user(), factories.make_user()]
    revision = factories.make_guideline(dataset=dataset)
    pairs = [factories.make_pair(dataset=dataset) for _ in range(20)]
    for number, pair in enumerate(pairs):
        made_by = revision if number > 17 else None
        for choice, person in zip(Choice, people, strict=False):
            factories.make_label(pair=pair, annotator=person, choice=choice, guideline=made_by)
    criteria = Criteria(dataset=dataset, policy=PRESETS["default"], own=OwnLabel(revision=Revision(revision)))
    with CaptureQueriesContext(connection) as queries:
        found = listing.page(criteria, Order.AGREEMENT, size=1).ids
    assert found == [pairs[18].pk]
    assert sum("FROM annotation_split" in query["sql"] and "LIMIT" in query["sql"] for query in queries) == 1


def agreement_and_id(pair_id: int) -> tuple[int, int]:
    """By the definition, not as it is stored."""
    both = list(combinations(Pair.objects.get(pk=pair_id).labels.values_list("choice", flat=True), 2))
    return (100 * sum(a == b for a, b in both) // len(both) if both else 100), pair_id


def pages_through(criteria: Criteria, *, size: int, backwards: bool = False) -> list[tuple[int, int]]:
    """All places, read page by page from the one end or the other."""
    found, more = [], True
    start = Place(AGREED, 2**62) if backwards else None
    while more:
        page = listing.page(criteria, size=size, **{"before" if backwards else "after": start})
        places = [(place.agreement, place.pair_id) for place in page.places]
        found = places + found if backwards else found + places
        start, more = (page.first, page.more_before) if backwards else (page.last, page.more_after)
    return found


def test_a_page_goes_on_where_it_stood_although_its_last_pair_has_moved():
    dataset, _ = make_scored_dataset()
    criteria = Criteria(dataset=dataset, policy=PRESETS["default"])
    first = listing.page(criteria, size=2)
    ids = list(dataset.pairs.order_by("pk").values_list("pk", flat=True))
    assert first.ids == [ids[5], ids[1]]
    dataset.pairs.get(pk=ids[1]).labels.update(choice=Choice.TIE)
    assert listing.page(criteria, after=first.last, size=3).ids == [ids[3], ids[0], ids[1]]


def test_the_queue_goes_on_from_a_pair_that_no_longer_matches():
    dataset, run = make_scored_dataset()
    criteria = Criteria(dataset=dataset, policy=PRESETS["default"], kind=Kind.ORDER_FLIP, run=run)
    ids = list(dataset.pairs.order_by("pk").values_list("pk", flat=True))
    assert all_ids(criteria) == [ids[1], ids[7]]
    inside, outside = (listing.around(criteria, Order.PAIR, place_of(ids[at])) for at in (1, 4))
    assert (inside.inside, inside.previous, inside.next) == (True, None, ids[7])
    assert (outside.inside, outside.previous, outside.next) == (False, ids[1], ids[7])


def test_counting_stops_at_its_limit():
    criteria = Criteria(dataset=factories.make_dataset(pairs=5), policy=PRESETS["default"])
    assert listing.count(criteria) == listing.Count(5, more=False)
    assert listing.count(criteria, up_to=3) == listing.Count(3, more=True)


def test_rows_take_the_same_number_of_queries_however_many_there_are(django_assert_num_queries):
    dataset, _ = make_scored_dataset()
    criteria = Criteria(dataset=dataset, policy=PRESETS["default"])
    ids = all_ids(criteria)
    for some in (ids[:1], ids):
        with django_assert_num_queries(5):
            rows = listing.rows(criteria, some)
    sixth = rows[5]
    assert (sixth.gold, [said.choice for said in sixth.people]) == (None, [0, 1, 2])
    assert [(said.choice, said.swapped) for said in rows[1].judges] == [(1, False), (2, True)]
    assert [(said.choice, said.status) for said in rows[6].judges] == [(None, "invalid"), (1, "ok")]
