"""The openai backend against a real server that misbehaves: 429, 500, nonsense, nothing, slow, broken connections."""

import gc
import json
import logging
import socket
import time
from decimal import Decimal

import pytest

from jobs.errors import PermanentError, as_traceback
from judging.backends import Settings, load_backend
from judging.backends.base import Answer, BackendUnavailableError, Question
from judging.backends.openai_api import FAILURES_IN_A_ROW
from tests.judging.stub_server import CLOSE, Stub, body, error, say, serving

GOOD = '{"choice": "1", "reason": "Better.", "reference": "Ha."}'
KEY = "sk-not-a-real-key"


def questions(n: int) -> list[Question]:
    return [Question(k, False, f"Task {k}.", "", f"first {k}", f"second {k}") for k in range(n)]


def ask(server: Stub | str, *asked: Question, reasons: bool = True, template: str = "json@1", **parameters: object):
    url = server if isinstance(server, str) else server.url
    given = {"base_url": url, "retries": 2, "timeout": 5.0} | parameters
    backend = load_backend(Settings("openai", "stub-1", "", template, given))
    try:
        answers = [answer for answer in backend.judge(asked or questions(1), reasons=reasons) if answer]
    finally:
        backend.close()
    return sorted(answers, key=lambda answer: answer.pair_id)


def one(reply, **parameters: object) -> Answer:
    with serving(lambda text, before: reply) as server:
        (answer,) = ask(server, **parameters)
    return answer


def test_a_good_answer_is_read_with_its_tokens_time_and_price():
    answer = one(say(GOOD), price_in=3.0, price_out=15.0)
    assert (answer.choice, answer.status, answer.reason, answer.reference) == (1, "ok", "Better.", "Ha.")
    assert (answer.prompt_tokens, answer.answer_tokens) == (100, 7)
    assert answer.cost == Decimal("0.000405")
    assert 0 < answer.seconds < 5
    assert answer.p_first is None


def test_the_request_carries_the_settings_and_the_schema():
    with serving(lambda text, before: say(GOOD)) as server:
        ask(server, temperature=0.5, max_tokens=50, extra_body={"seed": 7})
        ask(server, response_format="none", temperature=None, max_tokens=None)
    first, second = (seen["request"] for seen in server.seen)
    assert first["model"] == "stub-1"
    assert (first["temperature"], first["max_tokens"], first["seed"]) == (0.5, 50, 7)
    assert first["response_format"]["json_schema"]["schema"]["properties"]["choice"]["enum"] == ["1", "2", "tie"]
    assert not {"response_format", "temperature", "max_tokens"} & set(second)


def test_429_is_tried_again_after_the_time_that_the_server_asks_for():
    with serving(lambda text, before: say(GOOD) if before else error(429, Retry_After="2")) as server:
        (answer,) = ask(server)
    assert answer.choice == 1
    assert server.times[1] - server.times[0] >= 2


def test_500_is_tried_again_with_growing_waits_and_then_kept_as_a_failure():
    with serving(lambda text, before: error(500, message="overloaded")) as server:
        (answer,) = ask(server)
    assert (answer.status, answer.choice) == ("failed", None)
    assert "500" in answer.raw
    assert "overloaded" in answer.raw
    waits = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert len(waits) == 2
    assert waits[1] > waits[0]


def test_a_failure_of_one_pair_does_not_disturb_the_others():
    with serving(lambda text, before: error(500) if "Task 3." in text else say(GOOD)) as server:
        answers = ask(server, *questions(8), retries=0)
    assert [answer.status for answer in answers] == ["ok", "ok", "ok", "failed", "ok", "ok", "ok", "ok"]


@pytest.mark.parametrize("text", ["blue", "", None, '{"choice": "3"}', '{"choice": "1"', "{}"])
def test_nonsense_is_invalid_and_keeps_what_was_said(text):
    answer = one(say(text))
    assert (answer.status, answer.choice, answer.raw) == ("invalid", None, text or "")
    assert answer.prompt_tokens == 100


@pytest.mark.parametrize(
    "reply",
    [
        body(b"<html>hello</html>", kind="text/html"),
        body(b"{}"),
        body(b"[]"),
        body(b"null"),
        body(b""),
        body(b'{"choices": []}'),
        body(b'{"choices": [{}]}'),
        body(b'{"choices": [{"message": null}]}'),
        body(b'{"choices": [{"message": {"content": ["1"]}}]}'),
        body(b'{"choices": [{"message": "1"}]}'),
        body(b'{"choices": [{"message": ["1"]}]}'),
        body(b'{"choices": "1"}'),
        body(b"\xff\xfe"),
    ],
)
def test_an_answer_that_is_no_completion_is_invalid(reply):
    answer = one(reply, retries=0)
    assert (answer.status, answer.choice) == ("invalid", None)
    assert "no completion" in answer.raw


def completion(*, usage: object = None, logprobs: object = None) -> dict:
    message = {"role": "assistant", "content": '{"choice":"1"}'}
    answer = {"choices": [{"index": 0, "message": message, "logprobs": logprobs}], "usage": usage}
    return body(json.dumps(answer).encode())


@pytest.mark.parametrize("count", ["many", -5, 1.5, True, 10**12, [1], None])
def test_a_count_of_tokens_that_is_none_is_left_out(count):
    answer = one(completion(usage={"prompt_tokens": count, "completion_tokens": 3}), price_in=1.0, price_out=1.0)
    assert (answer.choice, answer.prompt_tokens, answer.answer_tokens, answer.cost) == (1, None, 3, None)


@pytest.mark.parametrize("usage", ["x", [], 5])
def test_a_usage_that_is_none_is_left_out(usage):
    assert one(completion(usage=usage)).choice == 1


def at_the_choice(*alternatives: object, token: object = "1") -> dict:
    rest = {"token": '{"choice":"', "top_logprobs": []}
    return {"content": [rest, {"token": token, "top_logprobs": alternatives}]}


@pytest.mark.parametrize(
    "logprobs",
    [
        "abc",
        {"content": "abc"},
        {"content": ["abc"]},
        at_the_choice(token=None),
        at_the_choice("xyz"),
        at_the_choice({"token": "1", "logprob": None}),
        at_the_choice({"token": "1", "logprob": "a"}),
        at_the_choice({"token": "1", "logprob": 1e9}),
        at_the_choice({"token": "1", "logprob": float("nan")}),
        at_the_choice({"token": 1, "logprob": -1.0}),
    ],
)
def test_probabilities_that_are_none_are_left_out(logprobs):
    answer = one(completion(logprobs=logprobs), logprobs=5)
    assert (answer.choice, answer.p_first, answer.p_second, answer.p_tie) == (1, None, None, None)


def test_an_answer_cut_off_at_its_longest_says_so():
    answer = one(say('{"choice": "1", "rea', finish="length"), max_tokens=9)
    assert answer.status == "invalid"
    assert answer.raw.endswith("[cut off at max_tokens=9]")


def test_a_refusal_is_told_apart():
    assert one(say(None, refusal="I will not.")).raw == "I will not."
    assert one(say(None, refusal="I will not.")).status == "refused"
    assert one(say("", finish="content_filter")).status == "refused"
    assert one(say("I'm sorry, but I can't help with that.")).status == "refused"
    assert one(error(400, code="content_filter", message="filtered")).status == "refused"


def test_a_prompt_that_the_server_finds_too_long():
    answer = one(error(400, code="context_length_exceeded", message="maximum context length is 10 tokens"))
    assert (answer.status, answer.choice) == ("too_long", None)


def test_a_slow_server_is_given_up_after_the_time_and_the_tries():
    started = time.monotonic()
    answer = one(say(GOOD) | {"delay": 3}, timeout=0.3, retries=1)
    assert (answer.status, answer.choice) == ("failed", None)
    assert "0.3 s" in answer.raw
    assert time.monotonic() - started < 10


def test_a_slow_server_gives_the_caller_moments_to_look_for_a_cancel():
    with serving(lambda text, before: say(GOOD) | {"delay": 2.5}) as server:
        backend = load_backend(Settings("openai", "m", "", "json@1", {"base_url": server.url}))
        came = list(backend.judge(questions(1), reasons=False))
        backend.close()
    assert came.count(None) >= 2
    assert came[-1].choice == 1


def test_leaving_early_cancels_what_is_under_way():
    with serving(lambda text, before: say(GOOD) | {"delay": 0 if "Task 0." in text else 30}) as server:
        backend = load_backend(Settings("openai", "m", "", "json@1", {"base_url": server.url}))
        started = time.monotonic()
        answers = backend.judge(questions(4), reasons=False)
        next(answers)
        answers.close()
        backend.close()
    assert time.monotonic() - started < 5


def test_a_connection_that_breaks_off_is_tried_again():
    with serving(lambda text, before: say(GOOD) if before else CLOSE) as server:
        (answer,) = ask(server)
    assert answer.choice == 1


def test_a_connection_that_always_breaks_off_is_this_pairs_failure():
    answer = one(CLOSE, retries=1)
    assert (answer.status, answer.choice) == ("failed", None)
    assert "broke off" in answer.raw


def test_a_server_that_is_not_there_ends_the_run():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    with pytest.raises(BackendUnavailableError, match="cannot be reached"):
        ask(url, *questions(50), retries=1)


def asked_until(error: type[Exception], server: Stub, *asked: Question, **parameters: object) -> list[Answer]:
    """What came before the error that ended it."""
    given = {"base_url": server.url, "retries": 0, "timeout": 5.0} | parameters
    backend = load_backend(Settings("openai", "stub-1", "", "json@1", given))
    came: list[Answer] = []
    try:
        with pytest.raises(error):
            came.extend(answer for answer in backend.judge(asked, reasons=True) if answer)
    finally:
        backend.close()
    return came


def test_a_server_that_gives_nothing_but_errors_ends_the_run():
    with serving(lambda text, before: error(503)) as server, pytest.raises(BackendUnavailableError, match="in a row"):
        ask(server, *questions(500), retries=0, concurrency=4)
    assert len(server.seen) <= FAILURES_IN_A_ROW + 8


def test_pairs_asked_of_a_server_that_went_down_have_not_failed():
    """They have no verdict, so they are asked again when the run goes on."""
    down = {f"Task {k}." for k in range(10, 500)} | {"Task 3."}
    with serving(lambda text, before: error(503) if any(task in text for task in down) else say(GOOD)) as server:
        came = asked_until(BackendUnavailableError, server, *questions(200), concurrency=1)
    assert [answer.status for answer in came] == ["ok", "ok", "ok", "failed", *["ok"] * 6]


def test_failures_at_the_very_end_are_the_pairs_own():
    with serving(lambda text, before: say(GOOD) if "Task 0." in text else error(500)) as server:
        answers = ask(server, *questions(3), retries=0, concurrency=1)
    assert [answer.status for answer in answers] == ["ok", "failed", "failed"]


def test_answers_that_came_with_the_error_that_ends_the_run_are_kept(monkeypatch):
    """All are there before anybody looks, and come in one handful: the moment ends with the error."""
    monkeypatch.setattr("judging.backends.openai_api.MOMENT_SECONDS", 30)
    with serving(lambda text, before: error(404) | {"delay": 2} if "Task 7." in text else say(GOOD)) as server:
        came = asked_until(PermanentError, server, *questions(40), concurrency=40)
    assert len(came) == 39


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_the_run_and_names_the_variable(status, monkeypatch):
    monkeypatch.setenv("STUB_API_KEY", KEY)
    with (
        serving(lambda text, before: error(status)) as server,
        pytest.raises(PermanentError, match="STUB_API_KEY") as e,
    ):
        ask(server, *questions(100), api_key_env="STUB_API_KEY", concurrency=4)
    assert len(server.seen) <= 4
    assert KEY not in str(e.value)


ECHO = f"Received API Key = {KEY}"


@pytest.mark.parametrize(
    "reply", [error(400, message=ECHO), error(500, message=ECHO), say(ECHO), say("", refusal=ECHO)]
)
def test_a_key_that_the_server_sends_back_is_not_kept(reply, monkeypatch):
    monkeypatch.setenv("STUB_API_KEY", KEY)
    answer = one(reply, retries=0, api_key_env="STUB_API_KEY")
    assert KEY not in repr(answer)
    assert "Received API Key = [STUB_API_KEY]" in answer.raw


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_that_the_server_sends_back_is_in_no_error_and_no_traceback(status, monkeypatch):
    monkeypatch.setenv("STUB_API_KEY", KEY)
    with pytest.raises(PermanentError) as e:
        one(error(status, message=ECHO), api_key_env="STUB_API_KEY")
    assert "[STUB_API_KEY]" in str(e.value)
    assert KEY not in as_traceback(e.value)


def test_of_many_requests_that_are_refused_at_once_only_one_is_told_of(caplog):
    with serving(lambda text, before: error(401) | {"delay": 0.2}) as server, pytest.raises(PermanentError):
        ask(server, *questions(20), concurrency=20)
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_an_account_that_runs_out_of_credit_ends_the_run_and_what_came_before_is_kept():
    empty = error(429, code="insufficient_quota", message="You exceeded your current quota.")
    answered = []
    with serving(lambda text, before: empty if "Task 2." in text else say(GOOD)) as server:
        parameters = {"base_url": server.url, "retries": 0, "concurrency": 1}
        backend = load_backend(Settings("openai", "stub-1", "", "json@1", parameters))
        with pytest.raises(PermanentError, match="no credit left: mend that, and try again"):
            answered.extend(backend.judge(questions(5), reasons=True))  # What came before the error is in it.
        backend.close()
    assert [answer.pair_id for answer in answered if answer] == [0, 1]


def test_a_model_or_address_that_is_not_there_ends_the_run():
    with serving(lambda text, before: error(404)) as server, pytest.raises(PermanentError, match="stub-1"):
        ask(server)


def test_a_server_that_takes_no_response_format_is_said_to():
    reply = error(400, message="response_format is not supported")
    with (
        serving(lambda text, before: reply) as server,
        pytest.raises(PermanentError, match="'response_format': 'none'"),
    ):
        ask(server)


def test_the_key_comes_from_the_named_variable_and_shows_nowhere(monkeypatch, caplog):
    monkeypatch.setenv("STUB_API_KEY", KEY)
    with caplog.at_level(logging.DEBUG), serving(lambda text, before: error(500, message="no")) as server:
        answers = ask(server, api_key_env="STUB_API_KEY", retries=1)
    assert server.seen[0]["headers"]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(answers)
    assert KEY not in caplog.text


def test_openais_key_is_not_sent_to_another_server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(lambda text, before: say(GOOD)) as server:
        ask(server)
    assert KEY not in server.seen[0]["headers"]["authorization"]


def test_a_key_that_is_not_set_is_asked_for(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(PermanentError, match="OPENAI_API_KEY is not set"):
        load_backend(Settings("openai", "gpt", "", "json@1", {}))


def test_no_more_requests_at_once_than_allowed_and_no_fewer():
    with serving(lambda text, before: say(GOOD) | {"delay": 0.05}) as server:
        answers = ask(server, *questions(60), concurrency=6)
    assert len(answers) == 60
    assert server.most_under_way == 6


def test_probabilities_come_from_the_alternatives_at_the_choice():
    tokens = [('{"', {}), ("choice", {}), ('":"', {}), ("2", {"2": -0.2, "1": -2.0, "tie": -4.0}), ('"}', {})]
    answer = one(say('{"choice":"2"}', logprobs=tokens), logprobs=5)
    assert answer.p_second > answer.p_first > answer.p_tie > 0
    assert answer.p_first + answer.p_second + answer.p_tie == pytest.approx(1)


def test_pandalms_prompt_through_completions_with_probabilities():
    reply = say("Tie\n\n### Reason: Same.", logprobs=[("T", {"T": -0.1, "1": -3.0, "2": -4.0}), ("ie", {})])
    with serving(lambda text, before: reply) as server:
        (answer,) = ask(server, template="pandalm@1", endpoint="completions", logprobs=5, reasons=False)
    assert (answer.choice, answer.reason) == (0, "Same.")
    assert answer.p_tie > answer.p_first > answer.p_second
    (seen,) = server.seen
    assert seen["path"] == "/v1/completions"
    assert seen["text"].endswith("### Evaluation:\n")
    # Without reasons only the first word is paid for.
    assert seen["request"]["max_tokens"] == 8
