"""What a researcher changes about a dataset while people label it: guidelines, and how many labels are wanted."""

import html
import io

import pytest
from django.urls import reverse

from annotation.models import Role, Slot
from jobs.models import Job
from jobs.running import run_here
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def researcher(client):
    client.force_login(factories.make_user(role=Role.RESEARCHER))
    return client


def text_of(response) -> str:
    return html.unescape(response.text)


def test_guidelines_are_written_as_numbered_revisions(researcher):
    dataset = factories.make_dataset(slug="guided")
    page = reverse("guidelines", args=["guided"])
    for number, text in enumerate(["Be **fair**.", "Be fairer."], start=1):
        assert researcher.post(page, {"text": text}).status_code == 302
        assert dataset.guidelines.first().number == number
    assert "Be fairer." in text_of(researcher.get(reverse("dataset", args=["guided"])))


def test_guidelines_that_say_nothing_are_no_revision(researcher):
    dataset = factories.make_dataset(slug="guided")
    response = researcher.post(reverse("guidelines", args=["guided"]), {"text": " "})
    assert "Write what annotators should do" in text_of(response)
    assert not dataset.guidelines.exists()


def test_guidelines_that_say_the_same_are_no_revision(researcher):
    """A double click, or nothing changed: nobody is told to read them once more."""
    dataset = factories.make_dataset(slug="guided")
    for text in ("Be fair.\nBe quick.", "Be fair.\r\nBe quick.", "Be fair.\nBe quick.\n"):
        response = researcher.post(reverse("guidelines", args=["guided"]), {"text": text}, follow=True)
    assert dataset.guidelines.count() == 1
    assert "revision 1" in text_of(response)


def test_more_labels_may_be_wanted_while_people_label_and_not_fewer(researcher):
    dataset = factories.make_dataset(slug="growing", labels_per_pair=2, pairs=2)
    factories.make_label(pair=dataset.pairs.first(), annotator=factories.make_user())
    page = reverse("labels_per_pair", args=["growing"])
    assert researcher.post(page, {"labels_per_pair": 4}).url == reverse("dataset", args=["growing"])
    assert Slot.objects.filter(dataset=dataset).count() == 8
    assert "labels that exist are not taken back" in text_of(researcher.post(page, {"labels_per_pair": 3}))
    assert researcher.post(page, {"labels_per_pair": 100}).status_code == 200
    dataset.refresh_from_db()
    assert dataset.labels_per_pair == 4


def test_room_on_many_pairs_is_made_by_a_job(researcher, monkeypatch):
    monkeypatch.setattr("annotation.dataset_settings.AT_ONCE", 1)
    dataset = factories.make_dataset(slug="many", labels_per_pair=1, pairs=3)
    factories.make_label(pair=dataset.pairs.first(), annotator=factories.make_user())
    response = researcher.post(reverse("labels_per_pair", args=["many"]), {"labels_per_pair": 2})
    job = Job.objects.get()
    assert response.url == reverse("job", args=[job.pk])
    assert Slot.objects.filter(dataset=dataset).count() == 3
    run_here(job=job, out=io.StringIO())
    for pair in dataset.pairs.all():
        assert set(pair.slots.values_list("swapped", flat=True)) == {True, False}
    assert Slot.objects.filter(dataset=dataset, state=Slot.State.FREE).count() == 5


@pytest.mark.parametrize("name", ["guidelines", "labels_per_pair"])
def test_a_reviewer_changes_no_settings(client, name):
    factories.make_dataset(slug="fixed")
    client.force_login(factories.make_user(role=Role.REVIEWER))
    assert client.post(reverse(name, args=["fixed"]), {"text": "x", "labels_per_pair": 5}).status_code == 403
