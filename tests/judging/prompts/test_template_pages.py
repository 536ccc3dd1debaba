"""The pages of prompt templates: reading them, writing one with a preview, and what a form says that is wrong."""

import io
from html import unescape

import pytest
from django.urls import reverse

from annotation.models import Role
from jobs.running import run_here
from judging.judges import create_judge
from judging.models import PromptTemplate
from judging.prompts.asking import CHAT, COMPLETION, JSON, PANDALM, Texts
from judging.prompts.preview import preview_of
from judging.prompts.versions import save_template
from judging.runs.starting import start_run
from tests.factories import make_dataset, make_pair, make_prompt, make_user
from tests.judging.stub_server import say, serving

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
USER = "Q: {instruction}\n{if input}I: {input}\n{end}A: {response_1}\nB: {response_2}"
CHAT_GIVEN = {"name": "own", "about": "Ours", "answer": "json", "system": "Which is better?", "user": USER, "newest": 0}


@pytest.fixture
def researcher(client):
    user = make_user(role=Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def own():
    texts = Texts(CHAT, JSON, system="Which is better?", user=USER)
    return save_template(name="own", about="Ours", texts=texts, newest=0, by=None)


@pytest.fixture
def dataset():
    found = make_dataset(slug="tools")
    for instruction, one, two in (("Name a tool.", "saw", "axe"), ("Name {a} <b>nut</b>.", "A: {input}", "hazel")):
        make_pair(dataset=found, prompt=make_prompt(instruction=instruction), texts=(one, two))
    return found


def new(kind: str = "chat") -> str:
    return f"{reverse('prompt_template_new')}?kind={kind}"


def text_of(answer) -> str:
    return unescape(answer.content.decode())


def test_all_templates_are_listed_with_their_versions_and_judges(client, own, researcher):
    create_judge(name="j", backend="openai", model="m", template="own@1")
    text = text_of(client.get(reverse("prompt_templates")))
    for name in ("pandalm@1", "json@1", "criteria@1", "criteria-reference@1", "own@1"):
        assert reverse("prompt_template", args=[name]) in text
    assert text.count("1 judge<") == 1
    assert text.count("with reference") == 1


def test_a_reviewer_reads_and_cannot_write(client, own):
    client.force_login(make_user(role=Role.REVIEWER))
    assert "New version" not in text_of(client.get(own.get_absolute_url()))
    assert "New for chat" not in text_of(client.get(reverse("prompt_templates")))
    for url in (new(), reverse("prompt_template_version", args=["own@1"])):
        assert client.post(url, CHAT_GIVEN).status_code == 403
    assert PromptTemplate.objects.count() == 1


def test_an_annotator_is_shown_nothing(client, own):
    client.force_login(make_user())
    for name in ("prompt_template", "prompt_template_changes", "prompt_template_version"):
        assert client.get(reverse(name, args=["own@1"])).status_code == 403
    assert client.get(reverse("prompt_templates")).status_code == 403
    assert client.get(reverse("prompt_template_new")).status_code == 403


@pytest.mark.parametrize("full_name", ["own@7", "nothing@1", "own", "@"])
def test_a_version_that_is_not_there_is_404(client, own, researcher, full_name):
    for name in ("prompt_template", "prompt_template_changes", "prompt_template_version"):
        assert client.get(reverse(name, args=[full_name])).status_code == 404
    assert client.get(f"{reverse('prompt_template_new')}?from={full_name}").status_code == 404
    assert client.get(new("nonsense")).status_code == 404


def test_a_version_shows_its_texts_and_who_asks_by_it(client, own, researcher, dataset):
    judge = create_judge(name="<b>j</b>", backend="openai", model="m", template="own@1")
    run = start_run(judge=judge, dataset=dataset, send=False)
    page = client.get(own.get_absolute_url())
    assert "<b>j</b>" not in page.content.decode()
    text = text_of(page)
    assert USER in text
    assert run.get_absolute_url() in text
    assert judge.get_absolute_url() in text
    for where in (run, judge):
        assert f'href="{own.get_absolute_url()}"' in text_of(client.get(where.get_absolute_url()))


def test_a_template_is_written_read_and_asked_by(client, researcher):
    answer = client.post(new(), CHAT_GIVEN)
    made = PromptTemplate.objects.get()
    assert answer.url == made.get_absolute_url()
    assert (str(made), made.user, made.created_by) == ("own@1", USER, researcher)
    assert '<option value="own@1" selected>own@1: Ours</option>' in text_of(
        client.get(f"{reverse('judge_new')}?template=own@1")
    )
    client.post(reverse("judge_new"), {"name": "j", "backend": "openai", "model": "m", "template": "own@1"})
    assert "j</a>, 0 runs" in text_of(client.get(made.get_absolute_url()))


def test_a_form_from_a_browser_is_stored_with_plain_line_ends(client, researcher):
    text = f"{USER}\nVerdict:"
    client.post(new("completion"), {**CHAT_GIVEN, "prompt": text.replace("\n", "\r\n")})
    made = PromptTemplate.objects.get()
    assert made.texts == Texts(COMPLETION, PANDALM, prompt=f"{text}\n")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": ""}, "Give it a name"),
        ({"name": "own@1"}, "Leave out '@'"),
        ({"name": "json"}, "is a built-in template"),
        ({"about": ""}, "Say in a line what it is for"),
        ({"user": ""}, "Write what the judge is to read"),
        ({"user": USER.replace("{response_1}", "")}, "{response_1} is missing"),
        ({"user": USER.replace("{instruction}", "")}, "{instruction} is missing"),
        ({"user": USER + "{scale}"}, "'{scale}' is no placeholder"),
        ({"user": USER + "{"}, "a single '{'"),
        ({"system": "{response_2}"}, "into the user text"),
        ({"answer": "xml"}, "not one of the available choices"),
        ({"user": "x" * 20_001}, "20000"),
        ({"newest": "x"}, "Copy what you wrote, open the page anew"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(client, researcher, changed, words):
    answer = client.post(new(), CHAT_GIVEN | changed)
    assert answer.status_code == 422
    assert words in text_of(answer)
    # What was written is still there.
    assert str((CHAT_GIVEN | changed)["user"])[:30] in text_of(answer)
    assert not PromptTemplate.objects.exists()


def test_a_completion_that_asks_for_nothing_at_its_end(client, researcher):
    answer = client.post(new("completion"), {**CHAT_GIVEN, "prompt": USER})
    assert answer.status_code == 422
    assert "End with a line of its own that asks for the verdict" in text_of(answer)


def test_a_name_that_is_taken(client, own, researcher):
    answer = client.post(new(), CHAT_GIVEN | {"system": "Other"})
    assert "There is a template 'own' already" in text_of(answer)


def test_the_next_version_begins_with_what_is_there(client, own, researcher):
    url = reverse("prompt_template_version", args=["own@1"])
    form = client.get(url).context["form"]
    assert (form["user"].value(), form["about"].value(), form["newest"].value()) == (USER, "Ours", 1)
    given = CHAT_GIVEN | {"newest": 1}
    assert "Nothing differs from own@1" in text_of(client.post(url, given))
    made = client.post(url, given | {"system": "Which is truer?"})
    assert made.url == reverse("prompt_template", args=["own@2"])
    # A form that was opened before that.
    late = client.post(url, given | {"system": "Which is nicer?"})
    assert late.status_code == 422
    assert "The newest version is own@2 by now" in text_of(late)
    assert "Which is nicer?" in text_of(late)
    assert "begins with version 1" in text_of(client.get(url))
    text = text_of(client.get(reverse("prompt_template_changes", args=["own@2"])))
    assert "<del>" in text
    assert "<ins>" in text
    assert "from version 1 to version 2" in text
    assert "These two say the same" in text_of(
        client.get(reverse("prompt_template_changes", args=["own@2"]), {"from": "2"})
    )
    for wrong in ("9", "x", "-1"):
        url = reverse("prompt_template_changes", args=["own@2"])
        assert client.get(url, {"from": wrong}).status_code == 404
    assert client.get(reverse("prompt_template_changes", args=["own@1"])).url == own.get_absolute_url()


def test_a_built_in_template_is_where_another_begins(client, researcher):
    answer = client.get(reverse("prompt_template_version", args=["criteria@1"]))
    assert answer.url == f"{reverse('prompt_template_new')}?from=criteria@1"
    form = client.get(answer.url).context["form"]
    assert "- Formality" in form["system"].value()
    assert form["about"].value() == ""
    assert client.get(f"{reverse('prompt_template_new')}?from=pandalm@1").context["kind"] == COMPLETION


def test_the_preview_is_what_a_server_is_asked(client, own, researcher, dataset):
    """Of each pair in each order, with and without reasons, compared with what a real server received."""
    shown = set()
    for reasons in (False, True):
        for pair in dataset.pairs.all():
            for swapped in (False, True):
                made = preview_of(template=own_template(), pair=pair, swapped=swapped, reasons=reasons)
                shown.add(tuple(message["content"] for message in made.messages))
    asked = set()
    with serving(lambda text, before: say('{"choice": "1", "reason": "", "reference": ""}')) as server:
        judge = create_judge(
            name="j", backend="openai", model="m", template="own@1", parameters={"base_url": server.url}
        )
        for reasons in ("none", "all"):
            run = start_run(judge=judge, dataset=dataset, order="both", reasons=reasons, send=False)
            run_here(job=run.job, out=io.StringIO())
        asked = {tuple(message["content"] for message in seen["request"]["messages"]) for seen in server.seen}
    assert len(asked) == 8
    assert shown == asked


def own_template():
    from judging.prompts.versions import find_template

    return find_template("own@1")


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_saved_version_is_shown_on_pairs(client, own, researcher, dataset, headers):
    def seen(**given: object) -> str:
        answer = client.get(own.get_absolute_url(), given, headers=headers)
        assert answer.status_code == 200
        assert ("<html" in text_of(answer)) == (not headers)
        return text_of(answer)

    first = seen(dataset="tools", order="given", preview="show")
    assert "Q: Name a tool.\nA: saw\nB: axe" in first
    assert "Pair 1</a> of 2" in first
    pairs = list(dataset.pairs.order_by("pk"))
    second = seen(dataset="tools", order="swapped", preview="next", pair=pairs[0].pk)
    # The heading that the response writes is broken, its braces are not filled in.
    assert "Q: Name {a} <b>nut</b>.\nA: hazel\nB: A\u2060: {input}" in second
    assert "What could steer the judge was broken in the responses: <code>A:</code>" in second
    assert "<b>nut" not in client.get(own.get_absolute_url(), {"dataset": "tools"}).content.decode()
    assert "Pair 1</a>" in seen(dataset="tools", order="given", preview="next", pair=pairs[1].pk)
    assert "Pair 2</a>" in seen(dataset="tools", order="given", preview="show", pair=pairs[1].pk)
    assert "Pair 1</a>" in seen(dataset="tools", order="given", preview="first", pair=pairs[1].pk)
    assert "in one or two sentences" in seen(dataset="tools", order="given", reasons="on", preview="show")


def test_a_preview_that_cannot_be_says_why(client, own, researcher, dataset):
    make_dataset(slug="empty")
    for given, words in (
        ({"dataset": ""}, "This field is required"),
        ({"dataset": "nowhere", "order": "given"}, "not one of the available choices"),
        ({"dataset": "empty", "order": "given"}, "has no pairs yet"),
        ({"dataset": "tools", "order": "given", "pair": "x"}, "whole number"),
    ):
        assert words in text_of(client.get(own.get_absolute_url(), given, headers=HTMX))
    by_reference = reverse("prompt_template", args=["criteria-reference@1"])
    said = text_of(client.get(by_reference, {"dataset": "tools", "order": "given"}))
    assert "A judge is not asked about this pair: its verdict fails. The prompt has no reference" in said


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_template_is_tried_before_it_is_saved_and_before_it_has_a_name(client, researcher, dataset, headers):
    given = CHAT_GIVEN | {"name": "", "about": "", "dataset": "tools", "order": "given", "preview": "show"}
    answer = client.post(new(), given, headers=headers)
    assert answer.status_code == 200
    assert "Q: Name a tool.\nA: saw\nB: axe" in text_of(answer)
    assert "Give it a name" not in text_of(answer)
    assert "What it is for <" not in text_of(answer)
    wrong = client.post(new(), given | {"user": "{instruction} {"}, headers=headers)
    assert "User text: Line 1: a single '{'" in text_of(wrong)
    assert not PromptTemplate.objects.exists()


def test_the_admin_shows_templates_and_changes_none(client, own, researcher):
    page = f"/admin/judging/prompttemplate/{own.pk}/change/"
    assert client.get(page).status_code == 200
    assert client.post(page, {"name": "other"}).status_code == 403
    assert client.post(f"/admin/judging/prompttemplate/{own.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/judging/prompttemplate/add/").status_code == 403
