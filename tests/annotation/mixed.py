"""A dataset with control pairs among those to label."""

import pytest

from annotation.controls import set_control
from annotation.models import Choice, Control, Dataset
from tests import factories
from tests.annotation.label_page import fields

PAGE = "/label/mix/"
BOTH = pytest.mark.parametrize("control", [False, True], ids=["label", "control"])


def make_mixed(*, pairs: int, controls: int, percent: int) -> Dataset:
    """The dataset `mix`: one label a pair, and control pairs, of which response 1 is right."""
    made = factories.make_dataset(slug="mix", pairs=pairs, labels_per_pair=1, control_percent=percent)
    for _ in range(controls):
        pair = factories.make_pair(dataset=made)
        set_control(pair=pair, use="mixed", choice=Choice.FIRST, explanation="", by=None)
    return made


def in_front(browser, *, control: bool) -> dict[str, str]:
    """Label on until a pair of this kind is in view: its form."""
    mixed = set(Control.objects.values_list("pair", flat=True))
    while (int((form := fields(browser.get(PAGE)))["pair"]) in mixed) != control:
        browser.post(PAGE, {**form, "choice": "1"})
    return form
