"""The light backends and the parameters of all of them."""

import subprocess
import sys
from collections import Counter

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, precision_recall_fscore_support

from jobs.errors import PermanentError
from judging.backends import PATHS, BadParametersError, Settings, load_backend, read_parameters
from judging.backends.base import Answer, BackendUnavailableError, Question
from judging.backends.baseline import token_f1
from judging.backends.logprobs import probabilities_at
from judging.backends.parameters import described
from tests import pandalm


def ask(first: str, second: str, *, reference: str = "", swapped: bool = False, pair_id: int = 1) -> Question:
    return Question(pair_id, swapped, "Do it.", "", first, second, reference)


def judged(settings: Settings, *questions: Question, reasons: bool = False) -> list[Answer]:
    backend = load_backend(settings)
    try:
        return [answer for answer in backend.judge(questions, reasons=reasons) if answer]
    finally:
        backend.close()


def baseline(name: str, *questions: Question, **facts: object) -> list[int | None]:
    return [answer.choice for answer in judged(Settings("baseline", name, facts=facts), *questions)]


def test_longer_and_shorter_count_characters_and_tie_where_equal():
    questions = [ask("aaa", "aa"), ask("a", "aa"), ask("öö", "ab"), ask("", "")]
    assert baseline("longer", *questions) == [1, 2, 0, 0]
    assert baseline("shorter", *questions) == [2, 1, 0, 0]


def test_majority_is_of_the_pairs_own_terms_whatever_was_shown_first():
    assert baseline("majority", ask("a", "b"), ask("b", "a", swapped=True), majority=2) == [2, 1]
    assert baseline("majority", ask("a", "b"), ask("b", "a", swapped=True), majority=0) == [0, 0]


def test_majority_of_no_labels_is_an_error_and_no_tie():
    with pytest.raises(PermanentError, match="no human labels"):
        baseline("majority", ask("a", "b"), majority=None)


def test_token_f1_is_that_of_squad():
    assert token_f1("The cat sat", "the cat ran away") == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert token_f1("", "a") == token_f1("a", "") == 0.0
    assert token_f1("a a", "a") == pytest.approx(2 / 3)


def test_token_f1_prefers_what_is_nearer_to_the_reference():
    answers = judged(
        Settings("baseline", "token-f1"),
        ask("a cat", "a dog", reference="the cat"),
        ask("x", "y", reference="z"),
        ask("x", "y", reference=" "),
    )
    assert [(answer.choice, answer.status) for answer in answers] == [(1, "ok"), (0, "ok"), (None, "failed")]
    assert "no reference" in answers[2].raw


@pandalm.needs_pandalm
@pytest.mark.parametrize(
    ("name", "figures"),
    [("longer", (0.6106, 0.6105, 0.4815, 0.4852, 0.303)), ("majority", (0.4725, 0.1575, 0.3333, 0.2139, 0.000))],
)
def test_golden_figures_of_the_baselines_on_pandalms_test_set(name, figures):
    rows = pandalm.rows(pandalm.TEST_SET)
    labels = [[int(row[f"annotator{n}"]) for n in (1, 2, 3)] for row in rows]
    gold = [Counter(three).most_common(1)[0][0] for three in labels]
    majority = Counter(label for three in labels for label in three).most_common(1)[0][0]
    # Six rows hold a boolean where a response should be; an import keeps them as their JSON text.
    texts = [[str(row[key]).lower() if isinstance(row[key], bool) else row[key] for key in ("response1", "response2")]
             for row in rows]  # fmt: skip
    said = baseline(name, *(ask(*pair, pair_id=n) for n, pair in enumerate(texts)), majority=majority)
    precision, recall, f1, _ = precision_recall_fscore_support(gold, said, average="macro", zero_division=0)
    measured = (accuracy_score(gold, said), precision, recall, f1)
    assert tuple(round(value, 4) for value in measured) == figures[:4]
    assert round(cohen_kappa_score(gold, said), 3) == figures[4]


def test_an_unknown_baseline_is_named_with_those_there_are():
    with pytest.raises(PermanentError, match=r"'best'.*majority, longer, shorter, token-f1"):
        load_backend(Settings("baseline", "best"))


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 3))
def test_fake_says_the_same_in_both_orders_and_its_choice_is_the_likeliest(first, second, seed):
    settings = Settings("fake", parameters={"seed": seed})
    given, swapped = judged(settings, ask(first, second), ask(second, first, swapped=True))
    assert {0: 0, 1: 2, 2: 1}[given.choice] == swapped.choice
    shares = [given.p_tie, given.p_first, given.p_second]
    assert sum(shares) == pytest.approx(1)
    assert shares[given.choice] == max(shares)
    assert given.p_first == pytest.approx(swapped.p_second)


def test_fake_leans_to_the_first_response_as_told():
    questions = [ask(f"a{n}", f"b{n}", pair_id=n) for n in range(50)]
    assert {answer.choice for answer in judged(Settings("fake", parameters={"position_bias": 1.0}), *questions)} <= {
        0,
        1,
    }


def test_fake_spoils_as_many_answers_as_told():
    settings = Settings("fake", parameters={"invalid_share": 0.2, "refused_share": 0.1, "failed_share": 0.3})
    found = Counter(
        answer.status for answer in judged(settings, *(ask(f"a{n}", f"b{n}", pair_id=n) for n in range(2000)))
    )
    assert {status: round(n / 2000, 1) for status, n in found.items()} == {
        "invalid": 0.2,
        "refused": 0.1,
        "failed": 0.3,
        "ok": 0.4,
    }


def test_fake_breaks_when_told():
    with pytest.raises(BackendUnavailableError):
        judged(Settings("fake", parameters={"fail_after": 1}), ask("a", "b"), ask("c", "d"))


def test_an_answer_is_ok_if_and_only_if_it_has_a_choice():
    with pytest.raises(ValueError, match="if and only if"):
        Answer(1, False, None, "ok")
    with pytest.raises(ValueError, match="if and only if"):
        Answer(1, False, 0, "invalid")


@pytest.mark.parametrize(
    ("backend", "parameters", "words"),
    [
        ("fake", {"sede": 1}, "'sede' is no parameter"),
        ("fake", {"seed": 1.5}, "a whole number"),
        ("fake", {"seed": True}, "a whole number"),
        ("fake", {"seed": None}, "a whole number"),
        ("fake", {"invalid_share": 1.1}, "from 0 to 1"),
        ("transformers", {"dtype": "int8"}, "one of auto, float32"),
        ("transformers", {"batch_tokens": 0}, "at least 1"),
        ("openai", {"api_key": "sk-1234"}, "keys are never stored"),
        ("openai", {"api_key_env": "SECRET_KEY"}, "_API_KEY"),
        ("openai", {"api_key_env": "DATABASE_URL"}, "_API_KEY"),
        ("openai", {"base_url": "ftp://x/v1"}, "http:// or https://"),
        ("openai", {"base_url": "https://me:pw@x/v1"}, "no user name"),
        ("openai", {"extra_body": {"api_key": "sk-1"}}, "never stored"),
        ("openai", {"extra_body": "x"}, "an object"),
    ],
)
def test_bad_parameters_are_named_with_what_may_stand_there(backend, parameters, words):
    with pytest.raises(BadParametersError, match=words):
        read_parameters(backend, parameters)


def test_null_is_taken_where_it_means_something():
    assert read_parameters("openai", {"temperature": None, "max_tokens": None}).temperature is None
    assert read_parameters("openai", {"timeout": 5}).timeout == 5.0


@pytest.mark.parametrize("backend", PATHS)
def test_every_parameter_is_described_for_people(backend):
    assert all(row["about"] for row in described(backend))


def test_probabilities_are_read_at_the_token_of_the_choice():
    tokens = [('{"', {}), ("choice", {}), ('": "', {}), ("1", {"1": -0.1, "2": -3.0, "t": -4.0, "x": -9.0}), ('"}', {})]
    text = "".join(token for token, _ in tokens)
    tie, first, second = probabilities_at(tokens, span=(text.index("1"), text.index("1") + 1))
    assert tie + first + second == pytest.approx(1)
    assert first > second > tie > 0


def test_probabilities_where_the_token_begins_before_the_word():
    tie, first, second = probabilities_at([(' "2', {' "2': -0.5, ' "1': -1.0, " 1": -2.0})], span=(2, 3))
    assert tie == 0
    assert second > first > 0


def test_no_probabilities_where_the_alternatives_hold_no_choice():
    assert probabilities_at([("blue", {"blue": -0.1})], span=(0, 1)) is None
    assert probabilities_at([], span=(0, 1)) is None


def test_no_heavy_module_is_loaded_before_its_backend_is():
    code = (
        "import django, sys; django.setup();"
        "import judging.judges, judging.work, judging.backends, config.urls, training.tiny_judge;"
        "print({'torch', 'transformers', 'openai'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
