"""What is said of samples that were too long for a run."""

import pytest
from django.urls import reverse

from annotation.models import Role
from judging.models import JudgeRun
from tests import factories
from tests.training.made import make_training_run
from training.cards import card_of
from training.learnt import counted_before
from training.models import TrainingRun

pytestmark = pytest.mark.django_db

LEARNT = "508 of 754 samples learnt; 246 too long for max length and left out; 182 cut"
HELD_OUT = "84 of 114 held-out samples used; 30 too long for max length and left out"


@pytest.fixture
def run(client) -> TrainingRun:
    person = factories.make_user(role=Role.RESEARCHER)
    client.force_login(person)
    judge_run = JudgeRun.objects.create(judge=factories.make_judge(), dataset=factories.make_dataset(pairs=2))
    made = make_training_run(judge_run=judge_run, by=person)
    made.found |= {
        "tokens snapshot": {"samples": 508, "tokens": 400_000, "cut": 182, "dropped": 246},
        "tokens held-out": {"samples": 84, "tokens": 60_000, "cut": 0, "dropped": 30},
    }
    made.save()
    return made


def test_the_page_and_the_card_tell_of_samples_that_were_left_out(client, run):
    page = client.get(run.get_absolute_url()).content.decode()
    assert LEARNT in page
    assert HELD_OUT in page
    assert "1,200 samples" not in page
    card = card_of(run, run.checkpoints.get())
    assert f"| samples | {LEARNT} |" in card
    assert f"| held out | {HELD_OUT}, of other prompts |" in card


def test_an_estimate_reckons_with_the_samples_that_fit(client, run):
    page = client.get(reverse("training_new"), {"clone": run.pk}).content.decode()
    assert "one whose prompt fills them is left out" in page
    asked = {"snapshot": run.snapshot, "base_model": run.base_model, "revision": ""}
    assert counted_before(**asked, max_length=512) is None
    assert counted_before(**asked, max_length=1024).samples == 508
    told = {name: value for name, value in run.hyperparameters.items() if name != "lora" and value is not False}
    told |= {
        "lora_rank": 8,
        "lora_alpha": 16,
        "lora_dropout": 0.05,
        "name": "again",
        "devices": 1,
        "action": "estimate",
    }
    sent = told | {"snapshot": run.snapshot_id, "base_model": run.base_model}
    page = client.post(reverse("training_new"), sent).content.decode()
    # 508 samples make four steps of 128, twice.
    assert "<p>8 steps." in page
    assert "508 of 754 samples fit" in page
