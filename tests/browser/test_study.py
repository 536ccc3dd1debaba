"""The page of a study and the export from a dataset's page, in a real browser."""

import io
import json
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from annotation.models import Label, Role, Slot
from tests.factories import make_dataset, make_label, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AT = datetime(2026, 11, 3, 20, 5, tzinfo=UTC)


def make_study() -> None:
    dataset = make_dataset(slug="d", pairs=3)
    make_label(pair=dataset.pairs.first(), annotator=make_user(username="anna"), seconds=4.5)
    Slot.objects.filter(state="done").update(claimed_at=AT)
    Label.objects.update(created_at=AT, changed_at=AT)


def test_charts_are_drawn_and_times_are_the_readers(open_page):
    make_study()
    reviewer = make_user(role=Role.REVIEWER)
    page = open_page(reverse("study", args=["d"]), user=reviewer, timezone_id="Asia/Tokyo")
    active = page.get_by_role("row", name=re.compile("anna")).locator("time")
    expect(active).to_have_text("4 Nov 2026, 05:05")
    expect(active).to_have_attribute("title", "3 Nov 2026, 20:05 UTC; shown in Asia/Tokyo")
    for chart in page.locator(".chart").all():
        chart.scroll_into_view_if_needed()
        expect(chart).to_have_attribute("data-drawn", "yes")


def test_without_scripts_a_time_says_its_zone(open_page):
    make_study()
    reviewer = make_user(role=Role.REVIEWER)
    page = open_page(reverse("study", args=["d"]), user=reviewer, java_script_enabled=False)
    expect(page.get_by_role("row", name=re.compile("anna")).locator("time")).to_have_text("3 Nov 2026, 20:05 UTC")


def test_a_file_and_its_manifest_come_from_the_datasets_page(open_page):
    make_study()
    page = open_page(reverse("dataset", args=["d"]), user=make_user(role=Role.REVIEWER, username="rea"))
    form = page.get_by_role("region", name="Export")
    form.get_by_label("Format").select_option(label="CSV, a row a label")
    form.get_by_label("Gold under the policy").select_option("paper")
    with page.expect_download() as waiting:
        form.get_by_role("button", name="Download").click()
    assert waiting.value.suggested_filename == "d-csv-labels.zip"
    with zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes())) as packed:
        assert packed.namelist() == ["d-labels.csv", "manifest.json"]
        manifest = json.loads(packed.read("manifest.json"))
    assert (manifest["policy"]["name"], manifest["made_by"], manifest["rows"]) == ("paper", "rea", 1)
