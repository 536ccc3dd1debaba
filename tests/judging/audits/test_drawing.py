"""Drawing audits: by chance and again the same, and the suspicious ones first."""

from collections import Counter

import pytest
from django.db import IntegrityError, transaction

from annotation.models import Pair
from judging.audits.drawing import DrawError
from judging.audits.strata import DIMENSIONS
from judging.models import AuditItem, JudgeRun, Verdict
from tests import factories
from tests.judging.audits.made import draw_sample, draw_suspicious, make_distilled
from tests.judging.scored import make_judge, make_verdict

pytestmark = pytest.mark.django_db


def drawn(audit) -> list[tuple[str, bool]]:
    return list(audit.items.order_by("position").values_list("pair__external_id", "swapped"))


def test_the_same_seed_draws_the_same_labels_and_another_seed_others():
    made = make_distilled(pairs=60)
    first, again, other = (draw_sample(run=made.run, dimensions=["verdict"], size=20, seed=seed) for seed in (7, 7, 8))
    assert drawn(first) == drawn(again)
    assert drawn(first) != drawn(other)
    assert len({pair for pair, _ in drawn(first)}) == 20


def test_the_draw_hangs_on_the_ids_of_the_file_and_not_on_rows_of_this_database():
    one = make_distilled(pairs=30, slug="one")
    make_distilled(pairs=3, slug="between")
    two = make_distilled(pairs=30, slug="two")
    drawn_of = [
        drawn(draw_sample(run=made.run, dimensions=["verdict", "source"], size=12, seed=1)) for made in (one, two)
    ]
    assert drawn_of[0] == drawn_of[1]


def test_every_stratum_is_drawn_from_in_proportion_and_given_out_evenly():
    made = make_distilled(pairs=60)
    Verdict.objects.filter(pair__in=made.pairs[:30]).update(choice=1)
    audit = draw_sample(run=made.run, dimensions=["verdict"], size=24, seed=3)
    strata = {each.cells["verdict"]: (each.population, each.drawn) for each in audit.strata.all()}
    assert strata == {"label 1": (40, 16), "label 2": (10, 4), "label tie": (10, 4)}
    first_half = Counter(audit.items.filter(position__lte=12).values_list("distilled", flat=True))
    assert first_half == {1: 8, 2: 2, 0: 2}


def test_equal_allocation_with_a_minimum():
    made = make_distilled(pairs=30)
    audit = draw_sample(run=made.run, dimensions=["source"], size=10, seed=3, proportional=False, minimum=2)
    assert [each.drawn for each in audit.strata.all()] == [5, 5]
    assert audit.recipe["strata"] == {"source": ["Books", "Mail"]}


def test_all_dimensions_at_once_divide_all_labels():
    made = make_distilled(pairs=24)
    for pair in made.pairs[:5]:
        make_verdict(made.run, pair, 1, swapped=True)
    Verdict.objects.filter(pair__in=made.pairs[:9], swapped=False).update(p_1=0.2, p_2=0.2, p_tie=0.6)
    audit = draw_sample(run=made.run, dimensions=list(DIMENSIONS), size=24, seed=0)
    assert sum(each.population for each in audit.strata.all()) == 24 == audit.items.count()
    words = [set(each.cells.values()) for each in audit.strata.all()]
    for expected in (
        "source Mail",
        "both orders agree",
        "the orders differ",
        "probability 0.5 to 0.7",
        "no probability",
    ):
        assert any(expected in each for each in words), expected
    item = audit.items.select_related("stratum").get(pair=made.pairs[1])
    assert item.stratum.cells["conflict"] == "the orders differ"
    assert item.stratum.cells["probability"] == "probability 0 to 0.5"
    assert item.stratum.cells["verdict"] == "label 2"


def test_only_valid_verdicts_in_the_given_order_are_labels():
    made = make_distilled(pairs=6)
    Verdict.objects.filter(pair=made.pairs[0]).update(choice=None, status="invalid")
    make_verdict(made.run, made.pairs[1], 1, swapped=True)
    audit = draw_sample(run=made.run, dimensions=[], size=100, seed=0)
    assert audit.items.count() == 5
    assert audit.recipe["without_label"] == 1
    assert not audit.items.filter(verdict__swapped=True).exists()


def test_what_cannot_be_drawn_says_what_to_do():
    made = make_distilled(pairs=6)
    with pytest.raises(DrawError, match="smaller minimum"):
        draw_sample(run=made.run, dimensions=["verdict"], size=5, seed=0, minimum=2)
    empty = JudgeRun.objects.create(judge=make_judge("idle"), dataset=made.dataset)
    for draw in (
        lambda: draw_sample(run=empty, dimensions=["verdict"], size=5, seed=0),
        lambda: draw_suspicious(run=empty, signals=["empty"], size=5),
    ):
        with pytest.raises(DrawError, match="no valid verdict"):
            draw()
    with pytest.raises(DrawError, match="Nothing speaks against"):
        draw_suspicious(run=made.run, signals=["empty", "identical"], size=5)


def test_the_database_refuses_outcomes_that_say_nothing():
    made = make_distilled(pairs=3)
    item = draw_sample(run=made.run, dimensions=[], size=1, seed=0).items.get()
    auditor = factories.make_user()
    whole = {"auditor": auditor, "blind_choice": 1, "decided_at": "2026-01-01T00:00Z", "state": "decided"}
    bad = [
        {"state": "decided"},
        whole | {"outcome": ""},
        whole | {"outcome": "wrong", "cause": "taste"},
        whole | {"outcome": "wrong", "cause": "taste", "right_choice": item.distilled},
        whole | {"outcome": "broken"},
        whole | {"outcome": "right", "blind_choice": None},
    ]
    for fields in bad:
        with pytest.raises(IntegrityError), transaction.atomic():
            AuditItem.objects.filter(pk=item.pk).update(**fields)


def test_suspicious_labels_come_with_why_and_the_worst_first():
    made = make_distilled(pairs=9)
    plain, contradicted, empty, doubted, flipped = made.pairs[0], *made.pairs[3:7]
    verdicts = {each.pair_id: each for each in made.run.verdicts.all()}
    made.run.verdicts.exclude(pair=contradicted).update(reason="Both are fine.")
    Verdict.objects.filter(pk=verdicts[contradicted.pk].pk).update(choice=2)
    Verdict.objects.filter(pk=verdicts[empty.pk].pk).update(choice=1)
    empty.response_1.text = " \n"
    empty.response_1.save()
    other = JudgeRun.objects.create(judge=make_judge("other"), dataset=made.dataset)
    for pair in made.pairs:
        choice = made.run.verdicts.get(pair=pair).choice
        likely = {0: "p_tie", 1: "p_1", 2: "p_2"}[(choice + 1) % 3 if pair == doubted else choice]
        p = dict.fromkeys(("p_tie", "p_1", "p_2"), 0.1) | {likely: 0.8}
        make_verdict(other, pair, (choice + 1) % 3 if pair == doubted else choice, **p)
    make_verdict(made.run, flipped, 2, swapped=True)
    signals = ["contradiction", "identical", "empty", "unlikely", "judges", "conflict"]
    audit = draw_suspicious(run=made.run, signals=signals, size=10, probabilities=other)
    items = list(audit.items.order_by("position"))
    assert [item.pair for item in items] == [doubted, contradicted, empty, flipped]
    said = [[signal["kind"] for signal in item.signals] for item in items]
    assert said == [["unlikely", "judges"], ["contradiction"], ["empty"], ["conflict"]]
    assert "“response 1 is better”, the label says 2" in items[1].signals[0]["words"]
    assert "Response 1 is empty" in items[2].signals[0]["words"]
    assert "other gives the label a probability of 0.10" in items[0].signals[0]["words"]
    assert plain.pk not in [item.pair_id for item in items]
    assert audit.recipe["suspicious"] == 4
    assert audit.recipe["signals"]["identical"] == {"weight": 4, "labels": 0}


def test_the_same_text_twice_is_no_choice():
    made = make_distilled(pairs=2)
    prompt = factories.make_prompt()
    pair = factories.make_pair(dataset=made.dataset, prompt=prompt, texts=("same", "same"), generators=("a", "b"))
    make_verdict(made.run, pair, 2)
    audit = draw_suspicious(run=made.run, signals=["identical"], size=10)
    assert list(audit.items.values_list("pair", flat=True)) == [pair.pk]
    assert Pair.objects.count() == 3
