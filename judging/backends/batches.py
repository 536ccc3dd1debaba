"""The openai backend by way of OpenAI's Batch API (POST /files and /batches): a file of questions, read within a day.

https://platform.openai.com/docs/guides/batch. What was sent is kept with the run before anything else happens, so that
whoever goes on with the run finds it again and sends nothing twice. Answers come in any order, and some may be missing:
those are sent again. A server may take hours; the caller gets a chance to save and to stop every moment.
"""

import json
import logging
import tempfile
import time
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

import openai
from openai.types import Batch, Completion
from openai.types.chat import ChatCompletion

from jobs.errors import PermanentError
from judging.backends.base import (
    FAILED,
    INVALID,
    REFUSED,
    TOO_LONG,
    BackendUnavailableError,
    Question,
    SentBatch,
    Settings,
    no_answer,
)
from judging.backends.completions import NoCompletionError, Said, read_chat, read_completion
from judging.backends.openai_api import OpenAIServer, Outcome
from judging.backends.purse import SPENT
from judging.backends.requests import Request

logger = logging.getLogger(__name__)

T = TypeVar("T")
Waiting = dict[str, Request]
Line = dict[str, Any]

POLL_SECONDS = 10.0
MOMENT_SECONDS = 0.5
OVER = {"completed", "failed", "expired", "cancelled"}
# Of a question whose answer nobody has seen yet: at least so many bytes are a token.
BYTES_A_TOKEN = 3
NOBODY = Question(0, False, "", "", "", "")


class BatchServer(OpenAIServer):
    """Asks one batch after the other. doing: how far the server is with the one that it has."""

    def __init__(self, settings: Settings):
        super().__init__(settings)
        if settings.memory is None:
            raise PermanentError("A batch is kept with its run: judge by a run, not by hand.")
        self.keeper = settings.memory
        self.capabilities = replace(self.capabilities, chunk=self.parameters.batch_questions)
        self.doing = ""
        self.path = "/v1/completions" if self.parameters.endpoint == "completions" else "/v1/chat/completions"

    def withdraw(self) -> None:
        """Have the server stop. What it has answered by then is read when the run goes on."""
        for sent in self.keeper.open_batches():
            try:
                if sent.batch:
                    self._call(self.client.batches.cancel(sent.batch))
                    logger.info("Batch %s is called back.", sent.batch)
            except (PermanentError, BackendUnavailableError) as error:
                logger.warning("Batch %s could not be called back: %s", sent.batch, error)

    def _asked(self, requests: list[Request]) -> Iterator[Any]:
        waiting = {request.key: request for request in requests}
        for sent in self.keeper.open_batches():
            yield from self._followed(sent, waiting)
        while waiting:
            before = len(waiting)
            yield from self._followed(self._sent(list(waiting.values())), waiting)
            if len(waiting) == before:
                raise BackendUnavailableError(
                    f"{self.parameters.base_url} answered none of a batch's {before} questions. Look at the batch "
                    "there, then go on: what is answered is not asked again."
                )

    def _sent(self, requests: list[Request]) -> SentBatch:
        """As many as the budget is sure to pay for, or SPENT as an error."""
        going = self._affordable(requests)
        if not going:
            raise PermanentError(SPENT)
        self.doing = "Sending questions"
        with tempfile.TemporaryFile() as file:
            for request in going:
                line = {"custom_id": request.key, "method": "POST", "url": self.path, "body": request.body}
                file.write(json.dumps(line).encode() + b"\n")
            file.seek(0)
            there = self._call(self.client.files.create(file=("questions.jsonl", file), purpose="batch"))
        sent = SentBatch(there.id, "", len(going))
        self.keeper.keep_batch(sent)
        return sent

    def _affordable(self, requests: list[Request]) -> list[Request]:
        """Those that cost no more than what is left, each as much as answers did so far or, at first, as it may."""
        if self.purse.left is None:
            return requests
        left, going = self.purse.left, []
        for request in requests:
            left -= self.purse.mean or self._most(request)
            if left < 0:
                break
            going.append(request)
        return going

    def _most(self, request: Request) -> Decimal:
        """US dollars. Without a limit of the answer's length, as long as the prompt."""
        prompt = len(json.dumps(request.body)) / BYTES_A_TOKEN
        answer = request.body.get("max_tokens") or prompt
        price_in, price_out = self.prices
        return Decimal(str((prompt * (price_in or 0) + answer * (price_out or 0)) / 1_000_000))

    def _followed(self, sent: SentBatch, waiting: Waiting) -> Iterator[Any]:
        """Until it is over; then what came of it. Answered questions leave `waiting`."""
        sent = self._begun(sent)
        batch = self._call(self.client.batches.retrieve(sent.batch))
        while batch.status not in OVER:
            self.doing = _in_words(batch, sent)
            yield from self._moments(POLL_SECONDS)
            batch = self._call(self.client.batches.retrieve(sent.batch))
        self.doing = "Reading answers"
        lines = self._read(batch)
        outcomes = self._kept_outcomes(lines, waiting)
        self.keeper.keep_batch(sent, outcome=batch.status)
        logger.info("Batch %s is %s: %d of %d answered.", sent.batch, batch.status, len(lines), sent.questions)
        if batch.status == "failed":
            raise PermanentError(self._kept(f"{self.parameters.base_url} refused the batch: {_why(batch)}"))
        self.doing = ""
        for outcome in outcomes:
            del waiting[outcome.request.key]
            if outcome.said:
                self.purse.pay(outcome.answer.cost)
            yield from self._released(outcome.answer)

    def _kept_outcomes(self, lines: dict[str, Line], waiting: Waiting) -> list[Outcome]:
        """What came for those that wait. All that is paid for is kept, also of questions that come later."""
        outcomes = [outcome for key, line in lines.items() if (outcome := self._outcome(waiting.get(key), line))]
        self._keep(outcomes)
        others = [(key, said) for key, line in lines.items() if key not in waiting and (said := self._said_in(line))]
        self.keeper.keep([(key, said, self._cost(said)) for key, said in others])
        return outcomes

    def _moments(self, seconds: float) -> Iterator[None]:
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            yield None
            time.sleep(min(rest, MOMENT_SECONDS))

    def _begun(self, sent: SentBatch) -> SentBatch:
        """With the server's name for the work; an attempt that was killed may have asked for it and not kept it."""
        if sent.batch:
            return sent
        found = self._call(self._of_file(sent.file)) or self._call(
            self.client.batches.create(input_file_id=sent.file, endpoint=self.path, completion_window="24h")  # type: ignore[arg-type]
        )
        sent = replace(sent, batch=found.id)
        self.keeper.keep_batch(sent)
        logger.info("Batch %s has %d questions.", sent.batch, sent.questions)
        return sent

    async def _of_file(self, file: str) -> Batch | None:
        """Among the latest; one that was asked for a moment ago is there."""
        latest = await self.client.batches.list(limit=100)
        return next((batch for batch in latest.data if batch.input_file_id == file), None)

    def _read(self, batch: Batch) -> dict[str, Line]:
        """By the question's key, in whatever order. Of what is missing the server said nothing."""
        names = [name for name in (batch.error_file_id, batch.output_file_id) if name]
        return {str(line.get("custom_id")): line for name in names for line in self._lines(name)}

    def _lines(self, name: str) -> Iterator[Line]:
        content = self._call(self.client.files.content(name)).content
        for line in content.splitlines():
            try:
                read = json.loads(line)
            except ValueError:
                logger.warning("A line of the file %s is no JSON; its question is asked again.", name)
                continue
            if isinstance(read, dict):
                yield read

    def _outcome(self, request: Request | None, line: Line) -> Outcome | None:
        """None where the question is to be asked again: it ran out of time, or the server was too busy."""
        if request is None:
            return None
        answer = line.get("response") or {}
        status, body = answer.get("status_code"), answer.get("body")
        if status != 200:
            return self._refused(request, status, (body or {}).get("error") or line.get("error") or {})
        try:
            said = self._without_key(self._said(body))
        except NoCompletionError as error:
            text = self._kept(f"The server's answer is no completion: {error}")
            return Outcome(request, None, no_answer(request.question, INVALID, text))
        self._check_model(said)
        # Nobody knows how long a question of a batch took.
        return Outcome(request, said, replace(self._answer(request, said, seconds=0.0), seconds=None))

    def _said_in(self, line: Line) -> Said | None:
        answer = line.get("response") or {}
        if answer.get("status_code") != 200:
            return None
        try:
            return self._without_key(self._said(answer.get("body")))
        except NoCompletionError:
            return None

    def _said(self, body: Any) -> Said:
        if not isinstance(body, dict):
            raise NoCompletionError("it is no object")
        if self.parameters.endpoint == "completions":
            return read_completion(Completion.construct(**body))
        return read_chat(ChatCompletion.construct(**body))

    def _refused(self, request: Request, status: int | None, error: Line) -> Outcome | None:
        code, message = str(error.get("code") or ""), str(error.get("message") or "")
        if status is None or status == 429 or status >= 500:
            return None
        said = self._kept(f"HTTP {status}: {message or code}")
        kinds = {"context_length_exceeded": TOO_LONG, "content_filter": REFUSED}
        kind = TOO_LONG if "context length" in message.lower() else kinds.get(code, FAILED)
        return Outcome(request, None, no_answer(request.question, kind, said))

    def _call(self, asked: Awaitable[T]) -> T:
        """One call of the API. Raises PermanentError and BackendUnavailableError."""

        async def answered() -> T:
            return await asked

        where = self.parameters.base_url
        try:
            return self.runner.run(answered())
        except openai.APIStatusError as error:
            if error.status_code == 404:
                raise PermanentError(
                    f"{where} does not know this file or batch, or has no Batch API: {self._kept(error.message)} "
                    "Make a judge without 'batch' for it."
                ) from None
            raise BackendUnavailableError(f"{where}: {self._of_status(NOBODY, error).raw}") from None
        except openai.APIConnectionError as error:
            raise BackendUnavailableError(f"{where} cannot be reached: {self._kept(str(error))}") from error


def _in_words(batch: Batch, sent: SentBatch) -> str:
    done = batch.request_counts.completed if batch.request_counts else 0
    return f"Batch of {sent.questions:,}, {batch.status.replace('_', ' ')}: {done:,} answered"


def _why(batch: Batch) -> str:
    found = [
        f"line {one.line}: {one.message}" if one.line else str(one.message)
        for one in (batch.errors and batch.errors.data) or []
    ]
    return "; ".join(found[:5]) or "it does not say why."
