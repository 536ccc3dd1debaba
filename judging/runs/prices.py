"""OpenAI's list prices in US dollars for a million tokens, of prompts and of answers, as of November 2025.

They are what a run costs where its judge names no prices of its own. Prices change: a judge's price_in and price_out
go before these.
"""

from judging.backends.parameters import OPENAI_BASE_URL, OpenAIParameters

BATCH_SHARE = 0.5

Prices = tuple[float | None, float | None]

LIST = {
    "gpt-3.5-turbo": (0.50, 1.50),
    "gpt-4": (30.00, 60.00),
    "gpt-4-turbo": (10.00, 30.00),
    "gpt-4o": (2.50, 10.00),
    "gpt-4o-mini": (0.15, 0.60),
    "gpt-4.1": (2.00, 8.00),
    "gpt-4.1-mini": (0.40, 1.60),
    "gpt-4.1-nano": (0.10, 0.40),
}


def list_price(model: str) -> Prices:
    """Of a model by its name, or by the name that it has without its date. (None, None) where it is not listed."""
    known = [name for name in LIST if model == name or model.startswith((f"{name}-2", f"{name}-0", f"{name}-1"))]
    return LIST[max(known, key=len)] if known else (None, None)


def prices_of(parameters: OpenAIParameters, model: str) -> Prices:
    """US dollars for a million tokens of prompts and of answers, where they are known.

    A batch is half OpenAI's list price; prices of one's own are taken as they are.
    """
    own = parameters.price_in, parameters.price_out
    at_openai = parameters.base_url.rstrip("/") == OPENAI_BASE_URL
    if own != (None, None) or not at_openai:
        return own
    listed = list_price(model)
    if parameters.batch and None not in listed:
        return tuple(price * BATCH_SHARE for price in listed)  # type: ignore[operator,return-value]
    return listed
