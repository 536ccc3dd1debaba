"""People named in comments: marked as safe text, told, and only where they may read it."""

import html

import pytest
from django.urls import reverse

from annotation.markup import markdown
from annotation.mentions import mentionable, mentioned_in
from annotation.models import Notification, Role
from annotation.names import named_in
from tests import factories


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ana look", ["ana"]),
        ("Look, @ana.", ["ana"]),
        ("(@ana, @ben.b)", ["ana", "ben.b"]),
        ("@ben.b.", ["ben.b"]),
        ("@anastasia", []),
        ("ana@example.org and x@ana", []),
        ("https://example.org/@ana", []),
        ("@ @@ana @", []),
        ("@" + "." * 5000, []),
    ],
)
def test_a_name_is_mentioned_at_the_beginning_of_a_word(text, names):
    assert [name for _, _, name in named_in(text, {"ana", "ben.b"})] == names


def test_mentions_are_marked_in_text_and_not_in_code():
    shown = {"ana_b": "ana_b", "x": "<b>x</b>"}
    content = markdown("Hi @ana_b, `@ana_b` and **@x**\n\n    @ana_b", shown)
    assert content.count('<strong class="mention">@ana_b</strong>') == 1
    assert "&lt;b&gt;x&lt;/b&gt;" in content
    assert "<code>@ana_b</code>" in content
    assert "mention" not in markdown("Hi @ana_b")


@pytest.fixture
def team(db, client):
    rita = factories.make_user(role=Role.REVIEWER, username="rita")
    sam = factories.make_user(role=Role.RESEARCHER, username="sam.s")
    factories.make_user(username="anna")
    factories.make_user(role=Role.REVIEWER, username="gone", is_active=False)
    client.force_login(rita)
    return {"rita": rita, "sam": sam}


def test_only_who_may_read_comments_can_be_mentioned(team):
    assert [person.username for person in mentionable()] == ["rita", "sam.s"]
    found = mentioned_in("@anna @gone @sam.s. @sam.s @nobody")
    assert ([person.username for person in found.told], found.not_told) == (["sam.s"], ["anna", "gone"])


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_who_is_mentioned_is_told_once_and_who_may_not_read_it_is_not(client, team, headers):
    pair = factories.make_pair(external_id="seven")
    page = reverse("pair", args=[pair.pk])
    said = {"text": "@sam.s and @sam.s, see @anna; I, @rita, agree"}
    answer = client.post(reverse("comment", args=[pair.pk]), said, headers=headers)
    content = html.unescape(answer.text if headers else client.get(page).text)
    assert "Told: sam.s. Not told, because they may not read comments: anna." in content
    assert '<strong class="mention">@sam.s</strong>' in content
    assert '<strong class="mention">@anna</strong>' not in content
    told = Notification.objects.get()
    assert (told.person, told.path) == (team["sam"], f"{page}#comment-{pair.comments.get().pk}")
    assert told.text.startswith("rita mentioned you on pair seven")
    client.post(reverse("comment", args=[pair.pk]), said, headers=headers)
    assert Notification.objects.count() == 1


def test_where_names_are_hidden_mentions_hide_them_too(client, team):
    pair = factories.make_pair()
    pair.comments.create(author=team["rita"], text="@sam.s look")
    content = client.get(reverse("pair", args=[pair.pk]) + "?names=hidden").text
    assert "sam.s" not in content
    assert f"@Researcher {team['sam'].pk}" in content
    assert "<li>@sam.s</li>" in client.get(reverse("pair", args=[pair.pk])).text
