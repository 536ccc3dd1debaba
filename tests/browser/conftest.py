"""A real Chromium before a real server."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from tests import factories
from tests.browser.labelling import make_label_dataset

# Playwright's own loop runs in this thread, which Django would take for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# The shell is the same engine without windows of its own, for half the work.
CHROMIUMS = [Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")]


# Not for the whole session: while Playwright runs, this thread counts as asynchronous, and later tests would suffer.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    found = next(filter(Path.exists, CHROMIUMS), None)
    if found is None:
        pytest.skip(f"No Chromium at {CHROMIUMS[0]}: install the system's package")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, live_server) -> Iterator[Callable[..., Page]]:
    """`open_page(path, user=..., **context)`: the page as that user sees it. A script error fails the test."""
    contexts, errors = [], []

    def opened(path: str, *, user=None, **options) -> Page:
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            name = django_settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def annotator():
    return factories.make_user()


@pytest.fixture
def dataset():
    return make_label_dataset()


@pytest.fixture
def label_page(open_page, annotator, dataset):
    return open_page("/label/test-set/", user=annotator)
