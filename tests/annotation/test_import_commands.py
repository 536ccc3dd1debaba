"""import_pairs and export_pairs at a terminal."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Pair
from tests.annotation.importing import pair_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(pair_row(n)) for n in (1, 2)))
    return path


def test_there_and_back(file, tmp_path):
    out = io.StringIO()
    call_command("import_pairs", str(file), dataset="d", stdout=out, stderr=io.StringIO())
    assert "2 new, 0 known" in out.getvalue()
    call_command("export_pairs", "d", output=tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["1", "2"]
    assert not list(tmp_path.glob("*.part"))
    manifest = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert (manifest["file"]["name"], manifest["rows"], manifest["made_by"]) == ("out.jsonl", 2, None)


def test_an_export_to_standard_output_with_a_manifest_elsewhere(capfdbinary, file, tmp_path):
    call_command("import_pairs", str(file), dataset="d", stdout=io.StringIO(), stderr=io.StringIO())
    call_command("export", "d", format="csv", policy="paper", spreadsheet=True, manifest=tmp_path / "m.json")
    assert b'"gold"' in capfdbinary.readouterr().out
    assert json.loads((tmp_path / "m.json").read_text())["policy"]["name"] == "paper"


def test_an_export_that_cannot_be_made_or_written(file, tmp_path):
    call_command("import_pairs", str(file), dataset="d", stdout=io.StringIO(), stderr=io.StringIO())
    with pytest.raises(CommandError, match="no verdicts in the given order"):
        call_command("export", "d", format="pandalm-train")
    with pytest.raises(CommandError, match=r"no/x cannot be written: No such file"):
        call_command("export", "d", output=tmp_path / "no" / "x")


def test_a_dry_run_says_that_it_is_one(file):
    out = io.StringIO()
    call_command("import_pairs", str(file), dataset="d", dry_run=True, stdout=out, stderr=io.StringIO())
    assert out.getvalue().startswith("Would be imported")
    assert not Pair.objects.exists()


def test_problems_are_listed_and_the_command_fails(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(pair_row(response1=None)))
    told = io.StringIO()
    with pytest.raises(CommandError, match=r"bad\.jsonl has 1 error\. Nothing was imported"):
        call_command("import_pairs", str(path), dataset="d", stderr=told)
    assert "error: line 1, response1: response1 is null" in told.getvalue()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_pairs", str(tmp_path / "none"), dataset="d")


def test_a_dataset_that_is_not_there():
    with pytest.raises(CommandError, match="no dataset called d"):
        call_command("export_pairs", "d")
