"""An annotator before the label page of a small dataset."""

import pytest
from django.urls import reverse

from tests import factories
from tests.annotation.label_page import signed_in


@pytest.fixture
def annotator():
    return factories.make_user()


@pytest.fixture
def dataset():
    return factories.make_dataset(slug="test-set", pairs=3, labels_per_pair=2)


@pytest.fixture
def page(dataset):
    return reverse("label", args=[dataset.slug])


@pytest.fixture
def browser(annotator):
    return signed_in(annotator)
