"""A dataset's settings, all on one page."""

import html

import pytest
from django.urls import reverse

from annotation.models import Dataset, Role
from tests import factories

pytestmark = pytest.mark.django_db

FIELDS = {
    "pass_percent": "80",
    "control_percent": "10",
    "result_shows": "answers",
    "on_failing": "pause",
    "least_seconds": "2.5",
    "reveals": "on",
}


@pytest.fixture
def page(client):
    client.force_login(factories.make_user(role=Role.RESEARCHER))
    factories.make_dataset(slug="set")
    return reverse("dataset_settings", args=["set"])


def sent(client, page, **changed: str):
    """What a browser would send: all that the page shows, with some of it changed."""
    shown = {}
    for section in client.get(page).context["sections"]:
        for field in section:
            value = field.value()
            if value is True:
                shown[field.name] = "on"
            elif value is not None and value is not False:
                shown[field.name] = value if isinstance(value, list) else str(value)
    return client.post(page, shown | changed)


def test_what_is_set_is_kept_and_shown_again(client, page):
    assert sent(client, page, **FIELDS).status_code == 302
    dataset = Dataset.objects.get()
    said = (dataset.pass_percent, dataset.control_percent, dataset.on_failing, dataset.least_seconds, dataset.reveals)
    assert said == (80, 10, "pause", 2.5, True)
    text = client.get(page).text
    assert 'value="80"' in text
    assert 'value="2.5"' in text


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("pass_percent", "101", "Choose 1 to 100"),
        ("pass_percent", "0", "Choose 1 to 100"),
        ("control_percent", "51", "Choose 0 to 50"),
        ("least_seconds", "-1", "more than 0"),
        ("least_seconds", "nan", "Enter a number"),
        ("on_failing", "delete", "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_of_the_page_is_saved(client, page, field, value, word):
    response = sent(client, page, **(FIELDS | {field: value}))
    assert response.status_code == 422
    assert word in html.unescape(response.text)
    dataset = Dataset.objects.get()
    assert (dataset.pass_percent, dataset.control_percent, dataset.reveals) == (None, 0, False)
