"""Any OpenAI-compatible server: OpenAI itself, vLLM, `transformers serve`. Imports openai.

What was answered once, in this run or another, is not asked again. Retries with growing, jittered waits, and as a
server's Retry-After says, are the openai package's own. What is left after them is one pair's failure, kept with its
text; a server that cannot be reached or refuses the key ends the run.
"""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from json import JSONDecodeError
from typing import Any

import openai

from jobs.errors import PermanentError
from judging.backends.base import (
    FAILED,
    INVALID,
    OK,
    REFUSED,
    TOO_LONG,
    Answer,
    BackendUnavailableError,
    Capabilities,
    Question,
    Settings,
    askable,
    no_answer,
)
from judging.backends.completions import NoCompletionError, Said, read_chat, read_completion
from judging.backends.logprobs import probabilities_at
from judging.backends.pace import Pace
from judging.backends.parameters import OPENAI_BASE_URL, OpenAIParameters, read_parameters
from judging.backends.purse import SPENT, Purse
from judging.backends.requests import Request, Requests
from judging.runs.prices import prices_of

# A line a request says nothing that the verdicts don't.
for name in ("httpx", "httpx2"):
    logging.getLogger(name).setLevel(logging.WARNING)

# So many failures one after the other, whatever the pair, are the server's and not the pairs'.
FAILURES_IN_A_ROW = 25
# So long requests are sent and answered before what came is saved.
MOMENT_SECONDS = 0.1
RAW_LIMIT = 20_000
# At the end of a chunk fewer and fewer requests are under way, so a chunk is worth many rounds of them.
CHUNK_ROUNDS = 40


@dataclass(frozen=True)
class Outcome:
    """said: what the server answered, None where it gave nothing that can be read."""

    request: Request
    said: Said | None
    answer: Answer


class Arrivals:
    """What came of requests since it was last asked. failed: how many failures came last, one after the other."""

    def __init__(self) -> None:
        self.there: list[Outcome] = []
        self.error: Exception | None = None
        self.failed = 0
        self.all = asyncio.Event()

    def add(self, outcome: Outcome) -> None:
        self.there.append(outcome)
        self.failed = self.failed + 1 if outcome.answer.status == FAILED else 0

    @property
    def end_the_run(self) -> bool:
        """More of the same is not asked for."""
        return self.error is not None or self.failed >= FAILURES_IN_A_ROW

    def taken(self) -> list[Outcome]:
        there, self.there = self.there, []
        return there


class OpenAIServer:
    identity: dict[str, object]

    def __init__(self, settings: Settings):
        self.parameters: OpenAIParameters = read_parameters("openai", settings.parameters)
        self.model = settings.model
        self.template = settings.prompt_template
        if self.parameters.endpoint == "completions" and self.template.prompt is None:
            raise PermanentError(f"The template {settings.template} is for chat: set 'endpoint' to chat.")
        self.capabilities = Capabilities(
            probabilities=self.parameters.logprobs > 0,
            reasons=True,
            chunk=max(256, CHUNK_ROUNDS * self.parameters.concurrency),
        )
        self.requests = Requests(self.parameters, self.model, self.template)
        self.prices = prices_of(self.parameters, self.model)
        self.purse = Purse(settings.budget, known=None not in self.prices)
        self.memory = settings.memory
        self.answers_as = str(settings.facts.get("answers_as") or "")
        self.identity = {"server": self.parameters.base_url}
        self.key_variable = key_variable(self.parameters)
        self.pace = Pace(self.parameters.concurrency)
        self.runner = asyncio.Runner()
        self.client = self.runner.run(self._connect())
        self.arrivals = Arrivals()
        self.under_way = 0
        self.held: list[Answer] = []
        self.failures = 0

    async def _connect(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key=_key(self.key_variable),
            base_url=self.parameters.base_url,
            max_retries=self.parameters.retries,
            timeout=self.parameters.timeout,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"response": [self.pace.look]}),
        )

    def close(self) -> None:
        self.runner.run(self.client.close())
        self.runner.close()

    def judge(self, questions: Sequence[Question], *, reasons: bool) -> Iterator[Answer | None]:
        """At most `concurrency` requests at once. None every moment in which nothing comes.

        What was answered before is recalled; of the same question twice, the second waits for the first.
        """
        fit, unfit = askable(self.template, questions)
        yield from unfit
        requests = [self.requests.of(question, reasons=reasons) for question in fit]
        while requests:
            fresh, known, twins = self._sorted_out(requests)
            for request, said in known:
                yield from self._released(self._answer(request, said, seconds=0.0))
            yield from self._asked(fresh)
            requests = twins
        yield from self.held
        self.held = []

    def _sorted_out(self, requests: list[Request]) -> tuple[list[Request], list[tuple[Request, Said]], list[Request]]:
        """What is to be asked, what was answered before, and what is asked already by another of these."""
        if not self.parameters.cache or self.memory is None:
            return requests, [], []
        recalled = self.memory.recall([request.key for request in requests])
        known = [(request, recalled[request.key]) for request in requests if request.key in recalled]
        first: dict[str, Request] = {}
        open_ones = [request for request in requests if request.key not in recalled]
        twins = [request for request in open_ones if first.setdefault(request.key, request) is not request]
        return list(first.values()), known, twins

    def _asked(self, requests: list[Request]) -> Iterator[Answer | None]:
        left = deque(requests)
        lanes: set[asyncio.Task] = set()
        try:
            while left or lanes:
                done = self.runner.run(self._work(left, lanes))
                self._keep(done)
                # What was answered comes before the error that ends the run: it is paid for.
                for outcome in done:
                    yield from self._released(outcome.answer)
                if self.arrivals.error:
                    raise self.arrivals.error
                if left and not lanes and self.purse.is_empty:
                    raise PermanentError(SPENT)
                if not done or self.held:
                    yield None
        finally:
            self.runner.run(_end(lanes))

    async def _work(self, left: deque[Request], lanes: set[asyncio.Task]) -> list[Outcome]:
        """Let requests be sent and answered for a moment. What came of them."""
        self.arrivals.all.clear()
        self.arrivals.failed = self.failures
        if not self.arrivals.end_the_run:
            for _ in range(min(len(left), self._room(self.pace.most))):
                lane = asyncio.create_task(self._lane(left))
                lanes.add(lane)
                lane.add_done_callback(lanes.discard)
        if lanes or not self.purse.is_empty:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.arrivals.all.wait(), MOMENT_SECONDS)
        return self.arrivals.taken()

    def _room(self, wanted: int) -> int:
        """How many more may be sent now, by the server's pace and by the budget."""
        room = min(wanted, self.pace.room(self.under_way))
        return self.purse.affords(under_way=self.under_way, wanted=room)

    async def _lane(self, left: deque[Request]) -> None:
        """One request after the other, as long as there is room: where one ends, the next goes out at once.

        Lanes that wait for somebody to send their next would all be sent it together, and so be answered together.
        """
        arrivals = self.arrivals
        try:
            while left and not arrivals.end_the_run and self._room(1):
                self.under_way += 1
                try:
                    outcome = await self._ask(left.popleft())
                finally:
                    self.under_way -= 1
                arrivals.add(outcome)
                if outcome.said:
                    self.purse.pay(outcome.answer.cost)
        except Exception as error:  # noqa: BLE001 - of many that fail at once one ends the run
            arrivals.error = arrivals.error or error
        if arrivals.end_the_run or not (left or self.under_way):
            arrivals.all.set()

    def _keep(self, outcomes: list[Outcome]) -> None:
        """Before anything else happens: what is kept is not paid for again, whatever ends the run."""
        paid = [(outcome.request, outcome.said, outcome.answer.cost) for outcome in outcomes if outcome.said]
        if self.memory is not None and paid:
            cached = self.parameters.cache
            self.memory.keep([(request.key if cached else None, said, cost) for request, said, cost in paid])

    def _released(self, answer: Answer) -> list[Answer]:
        """What is known to be the pairs' own by now.

        A failure is held back until another pair is answered: if none is, the server is down, no pair has failed, and
        all of them are asked again when the run goes on.
        """
        if answer.status != FAILED:
            released, self.held, self.failures = [*self.held, answer], [], 0
            return released
        self.held.append(answer)
        self.failures += 1
        if self.failures >= FAILURES_IN_A_ROW:
            raise BackendUnavailableError(
                f"{self.parameters.base_url} failed {self.failures} times in a row, the last time with: {answer.raw} "
                "Look at the server, then try again: verdicts that are there are not asked for again."
            )
        return []

    async def _ask(self, request: Request) -> Outcome:
        started, question = time.monotonic(), request.question
        try:
            said = self._without_key(await self._send(request))
        except openai.APIStatusError as error:
            return Outcome(request, None, self._of_status(question, error))
        except openai.APITimeoutError:
            return Outcome(request, None, no_answer(question, FAILED, self._timed_out()))
        except openai.APIConnectionError as error:
            return Outcome(request, None, self._of_connection(question, error))
        except (openai.APIError, NoCompletionError, JSONDecodeError) as error:
            text = self._kept(f"The server's answer is no completion: {error}")
            return Outcome(request, None, no_answer(question, INVALID, text))
        self._check_model(said)
        return Outcome(request, said, self._answer(request, said, seconds=time.monotonic() - started))

    def _timed_out(self) -> str:
        return f"No answer within {self.parameters.timeout:g} s, at any try."

    def _check_model(self, said: Said) -> None:
        """Verdicts of two models would be of two judges."""
        if not said.model:
            return
        if self.answers_as and said.model != self.answers_as:
            raise PermanentError(
                f"{self.parameters.base_url} now answers as '{said.model}'; this run began with '{self.answers_as}'. "
                "Its verdicts would be of two judges. Name the exact model in a new judge, and start a run of that."
            )
        self.answers_as = said.model
        self.identity["answers_as"] = said.model

    async def _send(self, request: Request) -> Said:
        """The body goes as it is: to look up each of its parts would take the package longer than to send it."""
        if self.parameters.endpoint == "completions":
            return read_completion(
                await self.client.completions.create(model=self.model, prompt="", extra_body=request.body)
            )
        return read_chat(
            await self.client.chat.completions.create(model=self.model, messages=[], extra_body=request.body)
        )

    def _answer(self, request: Request, said: Said, *, seconds: float) -> Answer:
        question, parsed = request.question, self.template.parse(said.text)
        facts: dict[str, Any] = {
            "altered": request.altered,
            "prompt_tokens": said.prompt_tokens,
            "answer_tokens": said.answer_tokens,
            "seconds": seconds,
            "cost": self._cost(said),
        }
        if said.refusal or said.finish == "content_filter":
            return no_answer(question, REFUSED, _cut(said.refusal or said.text or "content filter"), **facts)
        if parsed.choice is None:
            ended = f"\n[cut off at max_tokens={self.parameters.max_tokens}]" if said.finish == "length" else ""
            return no_answer(question, REFUSED if parsed.refused else INVALID, _cut(said.text) + ended, **facts)
        shares = probabilities_at(said.tokens, span=parsed.span) if parsed.span else None
        if shares:
            facts |= {"p_tie": shares[0], "p_first": shares[1], "p_second": shares[2]}
        return Answer(
            question.pair_id,
            question.swapped,
            parsed.choice,
            OK,
            reason=parsed.reason,
            reference=parsed.reference,
            raw=_cut(said.text),
            **facts,
        )

    def _cost(self, said: Said) -> Decimal | None:
        """US dollars, where prices and tokens are known."""
        if None in {said.prompt_tokens, said.answer_tokens, *self.prices}:
            return None
        counted = zip((said.prompt_tokens, said.answer_tokens), self.prices, strict=True)
        return sum((Decimal(tokens or 0) * Decimal(str(price)) / 1_000_000 for tokens, price in counted), Decimal(0))

    def _kept(self, text: str) -> str:
        """As it may be stored and shown: not too long, and without the key, which some servers send back."""
        return _cut(self._hidden(text))

    def _hidden(self, text: str) -> str:
        return text.replace(self.client.api_key, f"[{self.key_variable}]") if self.key_variable else text

    def _without_key(self, said: Said) -> Said:
        return replace(said, text=self._hidden(said.text), refusal=self._hidden(said.refusal))

    def _of_status(self, question: Question, error: openai.APIStatusError) -> Answer:
        """A pair's own failure is kept with it; what no pair would survive ends the run.

        The package's error is not chained to ours: its text, which a traceback would show, may hold the key.
        """
        said = self._kept(f"HTTP {error.status_code}: {error.message}")
        where = f"{self.parameters.base_url} answered {said}."
        if error.status_code in {401, 403}:
            how = (
                f"The key in {self.key_variable} was refused: set a valid one in the workers' environment"
                if self.key_variable
                else "No key was sent: name the environment variable that holds it as api_key_env in a new judge"
            )
            raise PermanentError(f"{where} {how}, and try again.") from None
        if error.status_code == 404:
            raise PermanentError(f"{where} Is '{self.model}' a model of this server, and its address right?") from None
        if "response_format" in error.message and error.status_code in {400, 422}:
            raise PermanentError(f"{where} Make a judge with 'response_format': 'none' for this server.") from None
        if error.code == "insufficient_quota":
            raise PermanentError(f"{where} The account has no credit left: mend that, and try again.") from None
        if error.code == "context_length_exceeded" or "context length" in error.message.lower():
            return no_answer(question, TOO_LONG, said)
        if error.code == "content_filter":
            return no_answer(question, REFUSED, said)
        return no_answer(question, FAILED, said)

    def _of_connection(self, question: Question, error: openai.APIConnectionError) -> Answer:
        """A server that nobody reaches ends the run; a connection that broke off is this pair's failure."""
        cause = error.__cause__
        said = f"{type(cause).__name__}: {cause}" if cause else str(error)
        if type(cause).__name__ in {"ConnectError", "UnsupportedProtocol"}:
            raise BackendUnavailableError(
                f"{self.parameters.base_url} cannot be reached ({said}). Is it up, and may this worker reach it?"
            ) from error
        return no_answer(question, FAILED, self._kept(f"The connection broke off at every try ({said})."))


async def _end(tasks: set[asyncio.Task]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def key_variable(parameters: OpenAIParameters) -> str:
    """The environment variable that holds the key, "" for none. OpenAI's key goes elsewhere only when so named."""
    if parameters.api_key_env:
        return parameters.api_key_env
    return "OPENAI_API_KEY" if parameters.base_url.rstrip("/") == OPENAI_BASE_URL else ""


def _key(variable: str) -> str:
    if not variable:
        return "no-key"
    key = os.environ.get(variable, "").strip()
    if not key:
        raise PermanentError(
            f"The environment variable {variable} is not set where this worker runs. "
            "Set it there, restart the worker, and try again."
        )
    return key


def _cut(text: str) -> str:
    return text if len(text) <= RAW_LIMIT else f"{text[:RAW_LIMIT]} [...]"
