"""Prompt templates as rows: versions that never change, judges that name them, runs that freeze them."""

import io
from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from jobs.running import run_here
from judging.judges import create_judge
from judging.models import Judge, PromptTemplate, Verdict
from judging.prompts.asking import CHAT, COMPLETION, JSON, PANDALM, Texts
from judging.prompts.built_in import UnknownTemplateError
from judging.prompts.versions import all_versions, change_between, find_template, save_template, version_named
from judging.runs.questions import settings_of
from judging.runs.starting import start_run
from tests import factories
from tests.judging.stub_server import say, serving

pytestmark = pytest.mark.django_db

USER = "Q: {instruction}\n{if input}I: {input}\n{end}A: {response_1}\nB: {response_2}"
TEXTS = Texts(CHAT, JSON, system="Which is better?", user=USER)
READS_ON = Texts(COMPLETION, PANDALM, prompt=f"{USER}\nVerdict:\n")


def saved(texts: Texts = TEXTS, *, name: str = "own", newest: int = 0, about: str = "Ours") -> PromptTemplate:
    return save_template(name=name, about=about, texts=texts, newest=newest, by=None)


def wrong(texts: Texts = TEXTS, **given: object) -> dict:
    with pytest.raises(ValidationError) as caught, transaction.atomic():
        saved(texts, **given)
    return caught.value.message_dict if hasattr(caught.value, "error_dict") else {"": caught.value.messages}


def test_a_changed_text_is_the_next_version():
    first = saved()
    second = saved(replace(TEXTS, system="Which is truer?"), newest=1)
    assert [str(first), str(second)] == ["own@1", "own@2"]
    assert find_template("own@1").texts == TEXTS
    assert find_template("own@2").texts.system == "Which is truer?"
    change = change_between(name="own", before=1, after=2)
    label, old, new = change.parts[0]
    assert label == "System text"
    assert ["better?" in piece.text for piece in old if piece.only_here] == [True]
    assert ["truer?" in piece.text for piece in new if piece.only_here] == [True]
    assert change.parts[1] == ("User text", [], [])
    assert not change.same


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "blank"),
        ("own@1", "Leave out '@'"),
        ("Own", "small letters"),
        ("two words", "small letters"),
        ("-x", "small letters"),
        ("x\n", "small letters"),
        ("pandalm", "built-in"),
        ("criteria-reference", "built-in"),
        ("x" * 41, "40"),
    ],
)
def test_a_name_that_cannot_be(name, words):
    assert words.lower() in wrong(name=name)["name"][0].lower()
    assert not PromptTemplate.objects.exists()


def test_what_is_wrong_with_the_texts_is_said_by_field():
    found = wrong(Texts(CHAT, JSON, system="a {", user="{instruction} {response_1}"))
    assert "single '{'" in found["system"][0]
    assert "{response_2} is missing" in found["user"][0]


def test_a_version_begins_at_the_newest_and_differs_from_it():
    saved()
    assert "already" in wrong(newest=0)["name"][0]
    assert "Nothing differs from own@1" in wrong(newest=1)[""][0]
    saved(replace(TEXTS, system="Other"), newest=1)
    assert "newest version is own@2 by now" in wrong(replace(TEXTS, system="Mine"), newest=1)[""][0]
    assert "newest version is none by now" in wrong(name="gone", newest=3)[""][0]
    assert "of another kind" in wrong(READS_ON, newest=2)[""][0]
    # What differs in its words about it alone is a version, too: rows never change.
    assert str(saved(replace(TEXTS, system="Other"), newest=2, about="Better said")) == "own@3"


def test_the_database_refuses_to_change_a_version():
    row = saved()
    row.about = "Something else"
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        row.save()
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        PromptTemplate.objects.update(user="x")
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE judging_prompttemplate SET name = 'other'")
    assert find_template("own@1").texts == TEXTS


def test_a_version_stays_while_a_judge_names_it():
    row, unused = saved(), saved(name="unused")
    judge = create_judge(name="j", backend="openai", model="m", template="own@1")
    with pytest.raises(IntegrityError, match="asks by"), transaction.atomic():
        row.delete()
    unused.delete()
    judge.delete()
    row.delete()
    assert not PromptTemplate.objects.exists()


@pytest.mark.parametrize(
    "name", ["own", "own@", "own@0", "own@01", "own@2", "own@x", "own@²", "own@9999999999999", "@1"]
)
def test_what_is_no_version_is_said_with_those_there_are(name):
    saved()
    with pytest.raises(UnknownTemplateError, match="criteria-reference@1, own@1"):
        find_template(name)
    with pytest.raises(ValidationError, match="No prompt template"):
        create_judge(name="j", backend="openai", model="m", template=name)


def test_judges_take_the_kind_that_they_can_read(tmp_path):
    saved()
    saved(READS_ON, name="read-on")
    create_judge(name="chat", backend="openai", model="m", template="own@1")
    create_judge(name="chat with it", backend="openai", model="m", template="read-on@1")
    create_judge(name="local", backend="transformers", model="a/b", template="read-on@1")
    create_judge(name="text", backend="openai", model="m", template="read-on@1", parameters={"endpoint": "completions"})
    for given in ({"backend": "transformers"}, {"backend": "openai", "parameters": {"endpoint": "completions"}}):
        with pytest.raises(ValidationError, match="is for chat"):
            create_judge(name="j", model="a/b", template="own@1", **given)
    assert len(set(Judge.objects.values_list("fingerprint", flat=True))) == 4


def test_the_version_is_part_of_the_fingerprint():
    saved()
    saved(replace(TEXTS, system="Other"), newest=1)
    made = [create_judge(name=f"j{n}", backend="openai", model="m", template=f"own@{n}") for n in (1, 2)]
    assert made[0].fingerprint != made[1].fingerprint


def test_versions_are_listed_with_their_judges():
    saved()
    saved(replace(TEXTS, system="Other"), newest=1)
    for n in range(2):
        create_judge(name=f"j{n}", backend="openai", model="m", template="own@1")
    create_judge(name="usual", backend="openai", model="m")
    listed = {str(version): version.judges for versions in all_versions() for version in versions}
    assert list(listed) == ["pandalm@1", "json@1", "criteria@1", "criteria-reference@1", "own@2", "own@1"]
    assert (listed["own@1"], listed["own@2"], listed["json@1"]) == (2, 0, 1)
    assert version_named("own@1").judges == 2
    assert version_named("pandalm@1").built_in


def test_a_run_asks_by_the_text_that_it_froze():
    """Whatever becomes of the row: the worker reads what the run holds."""
    saved()
    pair = factories.make_pair(
        prompt=factories.make_prompt(instruction="Name {a} tool.", given=""), texts=("saw", "axe")
    )
    with serving(lambda text, before: say('{"choice": "2"}')) as server:
        judge = create_judge(
            name="j", backend="openai", model="m", template="own@1", parameters={"base_url": server.url, "retries": 0}
        )
        run = start_run(judge=judge, dataset=pair.dataset, order="both", send=False)
        assert run.frozen["texts"] == TEXTS.as_dict()
        Judge.objects.update(template="json@1")
        PromptTemplate.objects.all().delete()
        run_here(job=run.job, out=io.StringIO())
    asked = [seen["request"]["messages"] for seen in server.seen]
    assert {messages[1]["content"] for messages in asked} == {
        "Q: Name {a} tool.\nA: saw\nB: axe",
        "Q: Name {a} tool.\nA: axe\nB: saw",
    }
    assert all(messages[0]["content"].startswith("Which is better?\nAnswer with one JSON") for messages in asked)
    assert set(Verdict.objects.filter(run=run).values_list("swapped", "choice")) == {(False, 2), (True, 1)}


def test_a_run_made_before_texts_were_frozen_goes_on_by_the_built_in_ones():
    judge = create_judge(name="j", backend="openai", model="m", template="criteria@1")
    run = start_run(judge=judge, dataset=factories.make_dataset(pairs=1), send=False)
    assert run.frozen["texts"]["user"] == find_template("criteria@1").texts.user
    del run.frozen["texts"]
    assert settings_of(run).prompt_template.name == "criteria@1"


def test_pairs_without_a_reference_fail_and_say_so_and_the_server_is_not_asked():
    dataset = factories.make_dataset()
    with_one = factories.make_prompt(reference="A saw.")
    factories.make_pair(dataset=dataset, prompt=with_one)
    for _ in range(30):
        factories.make_pair(dataset=dataset)
    with serving(lambda text, before: say('{"choice": "1"}')) as server:
        judge = create_judge(
            name="j", backend="openai", model="m", template="criteria-reference@1", parameters={"base_url": server.url}
        )
        run = start_run(judge=judge, dataset=dataset, send=False)
        run_here(job=run.job, out=io.StringIO())
    assert len(server.seen) == 1
    assert "<reference>\nA saw.\n</reference>" in server.seen[0]["text"]
    failed = Verdict.objects.filter(run=run, status="failed")
    assert failed.count() == 30
    assert {"has no reference" in verdict.raw for verdict in failed} == {True}
    run.job.refresh_from_db()
    assert run.job.state == "succeeded"
