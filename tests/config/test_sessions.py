"""Sessions: rows that end when somebody signs out, when their time is over, or when the row is gone."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.models import User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    client = Client()
    client.force_login(factories.make_user())
    assert is_signed_in(client)
    return client


def is_signed_in(client):
    return client.get(reverse("home")).status_code == 200


def test_a_session_ends_when_its_time_is_over(browser):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert not is_signed_in(browser)


def test_a_session_that_was_signed_out_is_of_no_use_to_whoever_kept_its_key(browser):
    kept = Client()
    kept.cookies["sessionid"] = browser.cookies["sessionid"].value
    assert is_signed_in(kept)
    browser.post(reverse("logout"))
    assert not is_signed_in(kept)


def test_a_key_that_nobody_gave_out_is_not_taken_over(browser):
    stranger = Client()
    stranger.cookies["sessionid"] = "thisisakeythatnobodygaveouttoanybodyhere"
    assert not is_signed_in(stranger)
    stranger.force_login(factories.make_user())
    assert stranger.cookies["sessionid"].value != "thisisakeythatnobodygaveouttoanybodyhere"
    assert not Session.objects.filter(session_key="thisisakeythatnobodygaveouttoanybodyhere").exists()


@pytest.mark.parametrize("key", ["", "x", "k" * 500, "é" * 40, "' OR 1=1 --"])
def test_a_senseless_key_is_nobodys(key):
    client = Client()
    client.cookies["sessionid"] = key
    assert not is_signed_in(client)


def test_somebody_whose_account_was_switched_off_is_signed_out(browser):
    User.objects.update(is_active=False)
    assert not is_signed_in(browser)
