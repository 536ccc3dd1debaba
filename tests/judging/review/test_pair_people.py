"""What the page of a pair shows of people beside their choices."""

import pytest
from django.urls import reverse

from annotation.models import Choice, LateDecision, Pair, Reconsideration, Role, Skip, Standing, User
from annotation.skips import KEPT_BACK
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer(client) -> User:
    user = factories.make_user(role=Role.REVIEWER)
    client.force_login(user)
    return user


@pytest.fixture
def pair() -> Pair:
    return factories.make_dataset(slug="d", pairs=1, aspects=["clarity", "tone"]).pairs.get()


def page(client, pair: Pair, **query: str) -> str:
    """Its words, with one space between any two."""
    return " ".join(client.get(reverse("pair", args=[pair.pk]), query).content.decode().split())


def test_a_card_has_all_that_was_said_with_the_label(client, reviewer, pair):
    label = factories.make_label(
        pair=pair,
        annotator=factories.make_user(),
        choice=Choice.FIRST,
        shown_swapped=True,
        aspects={"clarity": 2, "tone": 0},
        confidence=3,
        flag="expert",
    )
    Reconsideration.objects.create(label=label, choice=Choice.SECOND, rationale="They are right.")
    content = page(client, pair)
    # In the pair's own terms, whichever side it was shown on.
    assert 'Clarity <span class="badge choice-2">2</span>' in content
    assert 'Tone <span class="badge choice-tie">Tie</span>' in content
    assert "How sure: sure" in content
    assert "Flagged: needs an expert" in content
    assert 'Having seen what others said: <span class="badge choice-2">2</span>' in content
    assert "They are right." in content
    assert "Left out of gold" not in content


def test_a_label_without_remarks_has_none(client, reviewer, pair):
    factories.make_label(pair=pair, annotator=factories.make_user())
    content = page(client, pair)
    for words in ("Clarity", "How sure", "Flagged", "Having seen", "counted for nothing", "Passed on"):
        assert words not in content


def test_the_label_of_somebody_whom_gold_leaves_out_says_so(client, reviewer, pair):
    left_out, other = factories.make_user(), factories.make_user()
    for person in (left_out, other):
        factories.make_label(pair=pair, annotator=person)
    Standing.objects.create(dataset=pair.dataset, annotator=left_out, left_out=True)
    assert page(client, pair).count("Left out of gold") == 1


def test_decisions_that_counted_for_nothing_and_skips_stand_beside_the_labels(client, reviewer, pair):
    anna, ben, eve = (factories.make_user(username=name) for name in ("anna-1", "ben-2", "eve-3"))
    LateDecision.objects.create(
        pair=pair, annotator=anna, choice=Choice.TIE, shown_swapped=False, rationale="I was slow."
    )
    Skip.objects.create(pair=pair, annotator=ben, reason="I don't read <b>")
    Skip.objects.create(pair=pair, annotator=eve, reason=KEPT_BACK[0])
    content = page(client, pair)
    assert 'anna-1 <span class="badge choice-tie">Tie</span> <span class="badge">Sent when it counted' in content
    assert "I was slow." in content
    assert "Passed on" in content
    assert "ben-2, " in content
    assert "I don&#x27;t read &lt;b&gt;" in content
    assert KEPT_BACK[0] not in content
    hidden = page(client, pair, names="hidden")
    for person in (anna, ben):
        assert person.username not in hidden
        assert f"Annotator {person.pk}" in hidden


def test_more_people_take_no_more_queries(client, reviewer, pair, django_assert_max_num_queries):
    for number in range(3):
        label = factories.make_label(pair=pair, annotator=factories.make_user(), aspects={"clarity": 1})
        if number:
            Reconsideration.objects.create(label=label, choice=Choice.TIE)
    for _ in range(4):
        LateDecision.objects.create(pair=pair, annotator=factories.make_user(), choice=Choice.TIE, shown_swapped=False)
        Skip.objects.create(pair=pair, annotator=factories.make_user())
    with django_assert_max_num_queries(40):
        page(client, pair)
