"""Questions as an OpenAI-compatible server is asked them, and the key by which an answer is found again. Pure."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from judging.backends.base import Question
from judging.backends.parameters import OpenAIParameters
from judging.prompts.asking import Template
from judging.prompts.steering import made_harmless

FIRST_WORD_TOKENS = 8


@dataclass(frozen=True)
class Request:
    """A question as it goes to the server. body: its JSON. key: a hash of the address and the body."""

    question: Question
    body: dict[str, Any]
    altered: dict[str, object]
    key: str


class Requests:
    """Makes the requests of one judge."""

    def __init__(self, parameters: OpenAIParameters, model: str, template: Template):
        self.parameters, self.model, self.template = parameters, model, template

    def of(self, question: Question, *, reasons: bool) -> Request:
        given = self.parameters
        asked, escaped = made_harmless(question.asked, self.template.marks)
        body: dict[str, Any] = {"model": self.model}
        if given.temperature is not None:
            body["temperature"] = given.temperature
        if (longest := self._longest_answer(reasons)) is not None:
            body["max_tokens"] = longest
        if given.endpoint == "completions":
            assert self.template.prompt is not None
            body["prompt"] = self.template.prompt(asked)
            if given.logprobs:
                body["logprobs"] = given.logprobs
        else:
            body["messages"] = self.template.chat(asked, reasons)
            if given.logprobs:
                body |= {"logprobs": True, "top_logprobs": given.logprobs}
            if form := self._response_format(reasons):
                body["response_format"] = form
        body |= given.extra_body
        whole = json.dumps([given.base_url, given.endpoint, body], sort_keys=True)
        key = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
        return Request(question, body, {"escaped": escaped} if escaped else {}, key)

    def _longest_answer(self, reasons: bool) -> int | None:
        """Where the answer begins with the choice and no reason is wanted, the rest is not worth its price."""
        longest = self.parameters.max_tokens
        if reasons or not self.template.choice_words:
            return longest
        return min(longest or FIRST_WORD_TOKENS, FIRST_WORD_TOKENS)

    def _response_format(self, reasons: bool) -> dict | None:
        wanted = self.parameters.response_format
        if wanted == "none" or self.template.schema is None:
            return None
        if wanted == "json_object":
            return {"type": "json_object"}
        schema = {"name": "verdict", "strict": True, "schema": self.template.schema(reasons)}
        return {"type": "json_schema", "json_schema": schema}
