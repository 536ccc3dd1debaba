"""A session that ran out while a rationale was being written: nothing is lost."""

import pytest
from django.urls import reverse

from annotation.models import Label
from tests.annotation.label_page import HTMX, fields, in_view

pytestmark = pytest.mark.django_db


def test_htmx_without_a_session_is_led_to_the_sign_in_and_back(browser, page):
    form = fields(browser.get(page))
    browser.logout()
    here = {"HX-Current-URL": f"http://testserver{page}"}
    response = browser.post(page, {**form, "choice": "1", "rationale": "Long thoughts"}, headers=HTMX | here)
    assert response.status_code == 401
    assert response["HX-Redirect"] == f"{reverse('login')}?next={page}"
    assert not Label.objects.exists()


def test_a_plain_form_without_a_session_gets_back_what_was_written(browser, page):
    form = fields(browser.get(page))
    browser.logout()
    sent = {**form, "choice": "1", "rationale": "Long <thoughts>"}
    response = browser.post(page, sent, headers={"Referer": f"http://testserver{page}"})
    assert response.status_code == 401
    assert "Long &lt;thoughts&gt;" in response.text
    assert f"{reverse('login')}?next={page}" in response.text
    assert not Label.objects.exists()


def test_a_plain_form_without_a_session_and_without_words_goes_to_the_sign_in(browser, page):
    form = fields(browser.get(page))
    browser.logout()
    response = browser.post(page, {**form, "choice": "1"}, headers={"Referer": f"http://testserver{page}"})
    assert (response.status_code, response.url) == (302, f"{reverse('login')}?next={page}")


@pytest.mark.parametrize("sent", [{"reason": "broken"}, {"reason": "other", "note": "Half a thought"}])
@pytest.mark.parametrize(("host", "leads_back"), [("testserver", True), ("elsewhere.example", False)])
def test_a_form_whose_address_takes_only_posts_leads_back_to_the_page_it_stood_on(
    browser, page, dataset, sent, host, leads_back
):
    skip = reverse("label_skip", args=[dataset.slug])
    browser.logout()
    response = browser.post(skip, sent, headers={"Referer": f"http://{host}{page}"})
    there = response.url if response.status_code == 302 else response.text
    assert f"{reverse('login')}?next={page if leads_back else reverse('home')}" in there
    assert skip not in there


def test_after_signing_in_again_the_pair_is_still_there(annotator, browser, page):
    form = fields(browser.get(page))
    browser.logout()
    browser.force_login(annotator)
    assert in_view(browser.get(page)) == int(form["pair"])


@pytest.mark.parametrize(("path", "kept"), [("/label/chat/", True), ("/datasets/chat/", False)])
def test_the_sign_in_promises_kept_words_only_where_they_are_kept(client, path, kept):
    said = client.get(reverse("login"), {"next": path}).text
    assert "Sign in to go on where you were" in said
    assert ("is kept in this browser" in said) is kept
