"""The pages of imports in a browser: an upload by htmx, and what axe says of each page."""

import json
import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from annotation.models import Import, Role
from tests.annotation.importing import pair_row, run_import
from tests.browser.looks import complaints_about
from tests.factories import make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_pages(open_page):
    bad = [pair_row(n, response1=None, labels={f"someone{n}": "left"}) for n in range(8)]
    run_import(bad, dataset="broken")
    good = run_import([pair_row(n, response1=n == 3 or "A") for n in range(20)], dataset="good")
    page = open_page(reverse("home"), user=make_user(role=Role.RESEARCHER), reduced_motion="reduce")
    complaints = []
    for name, path in {
        "imports there are": reverse("imports"),
        "import with problems": Import.objects.get(dataset_slug="broken").get_absolute_url(),
        "import that is done": good.get_absolute_url(),
        "export of an import": reverse("export", args=["good"]),
    }.items():
        page.goto(path)
        complaints += complaints_about(page, name)
    assert not complaints


def test_an_upload_leads_to_its_import(open_page):
    page = open_page(reverse("import_new"), user=make_user(role=Role.RESEARCHER))
    page.get_by_role("combobox", name="Dataset").fill("no such name!")
    content = json.dumps(pair_row()).encode()
    file = {"name": "pairs.jsonl", "mimeType": "application/jsonl", "buffer": content}
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("Use letters, digits, - and _ only.").wait_for()
    name = page.get_by_role("combobox", name="Dataset")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description(re.compile("Use letters, digits"))
    assert page.evaluate(
        "[...document.querySelectorAll('[id]')].every((e, i, all) => all.findIndex(o => o.id === e.id) === i)"
    )
    page.get_by_role("combobox", name="Dataset").fill("name")
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("heading", name="pairs.jsonl").wait_for()
    assert Import.objects.get().dataset_slug == "name"


def test_an_upload_that_was_not_taken_says_what_to_do(open_page):
    page = open_page(reverse("import_new"), user=make_user(role=Role.RESEARCHER))
    page.route("**/imports/new/", lambda route: route.abort())
    page.get_by_role("combobox", name="Dataset").fill("name")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("can't be reached")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_enabled()
