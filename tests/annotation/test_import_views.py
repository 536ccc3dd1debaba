"""The pages of imports and exports."""

import csv
import hashlib
import io
import json
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from annotation.models import Dataset, Import, Pair, Role
from jobs.running import run_here
from tests.annotation.importing import pair_row, run_import
from tests.factories import make_dataset, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client):
    user = make_user(role=Role.RESEARCHER)
    client.force_login(user)
    return user


def upload(*rows: dict) -> SimpleUploadedFile:
    return SimpleUploadedFile("my pairs.jsonl", "\n".join(map(json.dumps, rows)).encode())


def test_an_upload_becomes_an_import_with_a_job(client, researcher):
    answer = client.post(reverse("import_new"), {"file": upload(pair_row()), "dataset": "new", "format": "auto"})
    source = Import.objects.get()
    assert answer.url == source.get_absolute_url()
    assert (source.file_name, source.created_by, source.job.created_by) == ("my pairs.jsonl", researcher, researcher)
    assert source.file.name.startswith("imports/")
    assert "pairs" not in source.file.name
    assert client.get(answer.url).status_code == 200
    run_here(job=source.job, out=io.StringIO())
    assert Pair.objects.get().dataset.slug == "new"
    assert "Open new" in client.get(answer.url).content.decode()


def test_htmx_is_sent_to_the_page_of_the_import(client, researcher):
    form = {"file": upload(pair_row()), "dataset": "new", "format": "auto"}
    answer = client.post(reverse("import_new"), form, headers={"hx-request": "true"})
    assert answer.headers["HX-Redirect"] == Import.objects.get().get_absolute_url()


@pytest.mark.parametrize("change", [{"dataset": "two words"}, {"dataset": ""}, {"file": ""}, {"labels_per_pair": 100}])
def test_a_form_that_is_wrong_says_so(client, researcher, change):
    form = {"file": upload(pair_row()), "dataset": "new", "format": "auto"} | change
    answer = client.post(reverse("import_new"), form)
    assert answer.status_code == 200
    assert set(answer.context["form"].errors) == set(change)
    assert not Import.objects.exists()


def test_a_file_that_is_too_large_is_for_the_command_line(client, researcher, settings):
    settings.UPLOAD_LIMIT_BYTES = 10
    answer = client.post(reverse("import_new"), {"file": upload(pair_row()), "dataset": "new", "format": "auto"})
    assert "manage.py import_pairs" in answer.context["form"].errors["file"][0]


def test_the_page_lists_problems_and_gives_them_as_csv(client, researcher):
    source = run_import([pair_row(1, response1=None), pair_row(2, id="=1+1", response2=None)])
    page = client.get(reverse("import", args=[source.pk])).content.decode()
    assert "2 errors" in page
    assert "response1 is null" in page
    answer = client.get(reverse("import_problems", args=[source.pk]))
    found = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [(row["line"], row["field"]) for row in found] == [("1", "response1"), ("2", "response2")]


def test_no_spreadsheet_runs_what_a_refused_file_holds(client, researcher):
    """Values and keys are the file's own words, and a message may begin with the name of an annotator."""
    name = '=HYPERLINK("https://elsewhere.example")'
    make_user(username="@anna")
    label = {"annotator": "@anna", "choice": 1}
    bad = run_import([pair_row(1, labels=[{"annotator": "anna", "choice": "=1+1"}], **{name: "\0"})])
    twice = run_import([pair_row(1, labels=[label, label | {"choice": 2}])])
    told = b"".join(part for source in (bad, twice) for part in problems_of(client, source)).decode()
    cells = [cell for row in csv.reader(io.StringIO(told)) for cell in row]
    for dangerous in (name, "=1+1", "@anna chose 2 here"):
        assert [cell for cell in cells if cell.startswith("'" + dangerous)]
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]


def problems_of(client, source):
    return client.get(reverse("import_problems", args=[source.pk]))


def test_what_was_tried_out_can_be_imported_for_real(client, researcher):
    tried = run_import([pair_row()], dry_run=True)
    assert "Import it now" in client.get(reverse("import", args=[tried.pk])).content.decode()
    client.post(reverse("import_real", args=[tried.pk]))
    run_here(job=Import.objects.exclude(pk=tried.pk).get().job, out=io.StringIO())
    assert Dataset.objects.get().pairs.count() == 1


def test_what_was_tried_out_and_has_errors_says_that_it_was_a_try(client, researcher):
    for dry_run in (True, False):
        source = run_import([{"id": "x"}], dry_run=dry_run)
        text = client.get(reverse("import", args=[source.pk])).text
        assert ("This was only tried out: nothing is stored either way." in text) is dry_run
        assert ("Try the mended file" in text) is dry_run
        assert ("Import the mended file" in text) is not dry_run


def test_an_import_can_be_done_alike(client, researcher):
    source = run_import([pair_row()], dataset="mine", replace=True)
    form = client.get(reverse("import_new") + f"?again={source.pk}").context["form"]
    assert (form["dataset"].value(), form["replace"].value()) == ("mine", True)


def test_an_export_is_streamed_as_a_file(client, researcher):
    make_dataset(slug="d", pairs=2)
    assert client.get(reverse("export", args=["d"])).status_code == 200
    answer = client.get(reverse("export", args=["d"]) + "?format=tiebreak")
    assert answer.streaming
    assert answer.headers["Content-Disposition"] == 'attachment; filename="d-tiebreak.zip"'
    with zipfile.ZipFile(io.BytesIO(b"".join(answer))) as packed:
        content, manifest = packed.read("d.jsonl"), json.loads(packed.read("manifest.json"))
    assert len(content.splitlines()) == manifest["rows"] == 2
    assert manifest["file"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["made_by"] == researcher.username


def test_an_export_comes_alone_where_that_is_asked_for(client, researcher):
    make_dataset(slug="d", pairs=2)
    answer = client.get(reverse("export", args=["d"]) + "?format=csv&alone=on&policy=paper")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="d.csv"'
    content = b"".join(answer)
    assert int(answer.headers["Content-Length"]) == len(content)
    assert b'"gold"' in content


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("format=odd", "Select a valid choice. odd is not one of the available choices."),
        ("format=pandalm-train", "d has no verdicts in the given order: run or import a judge first."),
        ("format=csv&policy=odd", "Select a valid choice. odd is not one of the available choices."),
    ],
)
def test_an_export_that_cannot_be_made_says_why(client, researcher, query, said):
    make_dataset(slug="d", pairs=2)
    answer = client.get(reverse("export", args=["d"]) + "?" + query)
    assert answer.status_code == 400
    assert said in answer.content.decode()


def test_reviewers_export(client):
    make_dataset(slug="d", pairs=2)
    client.force_login(make_user(role=Role.REVIEWER))
    assert client.get(reverse("export", args=["d"]) + "?format=tiebreak").status_code == 200


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_imports_are_for_researchers(client, role):
    source = run_import([pair_row()])
    client.force_login(make_user(role=role))
    for url in (
        reverse("imports"),
        reverse("import_new"),
        source.get_absolute_url(),
        reverse("import_problems", args=[source.pk]),
    ):
        assert client.get(url).status_code == 403
    assert client.post(reverse("import_real", args=[source.pk])).status_code == 403
