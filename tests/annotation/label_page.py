"""What tests read out of the label page."""

import re

from django.test import Client

HTMX = {"HX-Request": "true"}


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def fields(response) -> dict[str, str]:
    """The hidden fields of the form that decides."""
    return dict(re.findall(r'<input type="hidden" name="(pair|showing|seconds)" value="([^"]*)"', response.text))


def in_view(response) -> int:
    return int(fields(response)["pair"])
