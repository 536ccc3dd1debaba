"""The first page, which each role finds other things on."""

import pytest
from django.urls import reverse

from annotation.controls import set_control
from annotation.models import Choice, Role, Standing
from tests import factories
from tests.annotation.label_page import signed_in

pytestmark = pytest.mark.django_db


def home(role: Role) -> str:
    return signed_in(factories.make_user(role=role)).get(reverse("home")).text


def test_an_annotator_finds_what_there_is_to_label_and_what_is_theirs():
    annotator = factories.make_user()
    begun, done = (factories.make_dataset(slug=slug, pairs=pairs) for slug, pairs in [("begun", 2), ("done", 1)])
    factories.make_dataset(slug="of-others", pairs=1, everyone_labels=False)
    factories.make_dataset(slug="wants-none", pairs=1, labels_per_pair=0)
    for dataset in (begun, done):
        factories.make_label(pair=dataset.pairs.first(), annotator=annotator)
    text = signed_in(annotator).get(reverse("home")).text
    assert text.count("You have labelled <strong>1</strong> pair.") == 2
    assert f'href="{reverse("label", args=["begun"])}">Go on labelling' in text
    assert reverse("label", args=["done"]) not in text
    assert "There is nothing left for you here" in text
    assert "of-others" not in text
    assert "wants-none" not in text


@pytest.mark.parametrize(
    ("state", "words"), [("learning", "Practise and qualify"), ("failed", "Not passed yet"), ("paused", "Paused")]
)
def test_who_may_not_label_yet_or_any_more_is_told_instead_of_sent_there(state, words):
    annotator, researcher = factories.make_user(), factories.make_user(role=Role.RESEARCHER)
    dataset = factories.make_dataset(slug="guarded", pairs=2, pass_percent=80)
    gold = factories.make_pair(dataset=dataset)
    set_control(pair=gold, use="qualification", choice=Choice.FIRST, explanation="", by=researcher)
    Standing.objects.create(dataset=dataset, annotator=annotator, state=state)
    text = signed_in(annotator).get(reverse("home")).text
    assert words in text
    assert reverse("onboarding", args=["guarded"]) in text
    assert f'href="{reverse("label", args=["guarded"])}"' not in text


def test_who_has_given_all_that_was_asked_is_thanked_and_not_sent_on():
    annotator = factories.make_user()
    dataset = factories.make_dataset(slug="enough", pairs=3, quota=1)
    client = signed_in(annotator)
    assert "Start labelling" in client.get(reverse("home")).text
    factories.make_label(pair=dataset.pairs.first(), annotator=annotator)
    text = client.get(reverse("home")).text
    assert "These are all that are asked of you here" in text
    assert "Go on labelling" not in text
    assert "There is nothing left for you here" not in text


def test_an_annotator_without_datasets_is_told_who_brings_them():
    assert "A researcher of your team brings pairs in" in home(Role.ANNOTATOR)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.RESEARCHER, Role.ADMINISTRATOR])
def test_the_team_finds_all_datasets_with_how_far_they_are(role):
    dataset = factories.make_dataset(slug="shared", pairs=2, labels_per_pair=2, everyone_labels=False)
    factories.make_label(pair=dataset.pairs.first(), annotator=factories.make_user())
    text = home(role)
    for name in ("dataset", "leaderboard", "review"):
        assert reverse(name, args=["shared"]) in text
    assert '1 <span class="muted">of 4</span>' in text
    assert (reverse("import_new") in text) == (role != Role.REVIEWER)


def test_the_number_of_queries_does_not_grow_with_datasets(django_assert_max_num_queries):
    for _ in range(12):
        factories.make_dataset(pairs=1)
    client = signed_in(factories.make_user(role=Role.REVIEWER))
    with django_assert_max_num_queries(8):
        client.get(reverse("home"))
