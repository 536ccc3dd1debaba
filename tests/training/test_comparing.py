"""What the overlay and the checkpoint table say beside their numbers."""

import pytest
from django.urls import reverse

from annotation.models import Choice, Role
from judging.models import JudgeRun
from tests import factories
from tests.training.made import make_training_run
from training.models import Examination, TrainingRun
from training.recording import examine

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(client) -> TrainingRun:
    person = factories.make_user(role=Role.RESEARCHER)
    client.force_login(person)
    judge_run = JudgeRun.objects.create(judge=factories.make_judge(), dataset=factories.make_dataset(pairs=2))
    return make_training_run(judge_run=judge_run, by=person)


def test_an_examination_keeps_how_many_pairs_had_gold(db):
    dataset = factories.make_dataset(pairs=3, labels_per_pair=1)
    first, second, _ = dataset.pairs.order_by("pk")
    for pair in (first, second):
        factories.make_label(pair=pair, annotator=factories.make_user(), choice=Choice.FIRST)
    said = [{"pair": first.pk, "swapped": swapped, "p": [0.1, 0.5, 0.4]} for swapped in (False, True)]
    found = examine(dataset, said)
    assert (found["pairs"], found["with_gold"]) == (1, 2)


def test_pairs_that_were_too_long_are_told_beside_those_asked(client, run):
    assert "with gold</span>" not in client.get(run.get_absolute_url()).content.decode()
    Examination.objects.update(pairs=123, with_gold=157)
    page = client.get(run.get_absolute_url()).content.decode()
    assert '123 <span class="muted">of 157 with gold</span>' in page
    assert "too long for max length (1,024 tokens)" in page


def test_the_overlay_tells_of_data_held_out_loss_accuracy_and_memory(client, run):
    run.found |= {"tokens held-out": {"samples": 84, "tokens": 9, "cut": 0, "dropped": 30}}
    run.save()
    other = make_training_run(judge_run=JudgeRun.objects.get(), by=run.created_by, purpose="candidate")
    page = client.get(reverse("training_compare"), {"run": [run.pk]}).content.decode()
    assert "differs" not in page
    page = client.get(reverse("training_compare"), {"run": [run.pk, other.pk]}).content.decode()
    for words in ("84 of 114", "1.2000", "0.5000", "953.7", '<span class="badge warn">differs</span>'):
        assert words in page
    assert other.snapshot.name in page


def test_more_than_six_runs_are_not_left_out_in_silence(client, run):
    more = [
        TrainingRun.objects.create(
            name=f"run {number}", purpose="judge", snapshot=run.snapshot, base_model="x", hyperparameters={}
        )
        for number in range(6)
    ]
    chosen = [run.pk, *(each.pk for each in more)]
    assert "Only six" not in client.get(reverse("training_compare"), {"run": chosen[:6]}).content.decode()
    page = client.get(reverse("training_compare"), {"run": chosen}).content.decode()
    assert "1 more that you chose is not shown" in page
