"""Jobs' pages lead to what they are about: the kinds are named as those who ask for the work name them."""

from jobs import subjects
from judging.runs import crews, starting
from training import promotion, runs, snapshots


def test_every_kind_is_named_as_it_is_asked_for():
    asked = {
        starting.WORK,
        crews.HELP,
        runs.WORK,
        snapshots.WORK,
        promotion.GENERATE,
        promotion.HELP_GENERATE,
    }
    assert subjects._models.keys() == asked
