"""Questions as an OpenAI-compatible server is asked them, and the key by which an answer is found again. Pure."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from judging.backends.base import Question
from judging.backends.parameters import OpenAIParameters
from judging.prompts import Template
from judging.steering import made_harmless

FIRST_WORD_TOKENS = 8


@dataclass(frozen=True)
class Request:
    """A question as it goes to the server. key: a hash of the address and the whole request."""

    question: Question
    options: dict[str, Any]
    altered: dict[str, object]
    key: str


class Requests:
    """Makes the requests of one judge."""

    def __init__(self, parameters: OpenAIParameters, model: str, template: Template):
        self.parameters, self.model, self.template = parameters, model, template

    def of(self, question: Question, *, reasons: bool) -> Request:
        given = self.parameters
        asked, escaped = made_harmless(question.asked)
        options: dict[str, Any] = {"model": self.model, "extra_body": dict(given.extra_body) or None}
        if given.temperature is not None:
            options["temperature"] = given.temperature
        if (longest := self._longest_answer(reasons)) is not None:
            options["max_tokens"] = longest
        if given.endpoint == "completions":
            assert self.template.prompt is not None
            options["prompt"] = self.template.prompt(asked)
            if given.logprobs:
                options["logprobs"] = given.logprobs
        else:
            options["messages"] = self.template.chat(asked, reasons)
            if given.logprobs:
                options |= {"logprobs": True, "top_logprobs": given.logprobs}
            if form := self._response_format(reasons):
                options["response_format"] = form
        whole = json.dumps([given.base_url, given.endpoint, options], sort_keys=True)
        key = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
        return Request(question, options, {"escaped": escaped} if escaped else {}, key)

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
