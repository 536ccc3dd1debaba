"""What all tests share. The services are started by tests.services, before the settings are read."""

import gc

import pytest
from django.core.cache import cache

from tests.emptying import empty_by_rows

empty_by_rows()


@pytest.fixture(autouse=True)
def _light_settings(settings):
    """Static files without `collectstatic`, passwords that hash quickly, and nothing remembered from another test."""
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()


@pytest.fixture(autouse=True, scope="module")
def _little_to_look_through():
    """What is loaded by now stays: collecting garbage goes through what came later (statsmodels collects each time)."""
    gc.collect()
    gc.freeze()
