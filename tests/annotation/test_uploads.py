"""How long the files of imports are kept, and what is said of those that are gone."""

import io
import os
import time
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from annotation.importing.options import Options
from annotation.imports import start_import
from annotation.models import Import, Role
from annotation.uploads import delete_old_uploads
from jobs import lifecycle
from jobs.errors import PermanentError
from jobs.models import Job
from jobs.running import run_here
from tests import factories
from tests.annotation.importing import pair_row, run_import

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.UPLOAD_KEEP_DAYS = 3
    return tmp_path


def ended(days: float, **options) -> Import:
    """An import whose job ended so many days ago."""
    source = run_import([pair_row()], dataset=f"d-{days}", **options)
    Job.objects.filter(pk=source.job_id).update(finished_at=timezone.now() - timedelta(days=days))
    return Import.objects.get(pk=source.pk)


def test_files_go_when_their_time_is_over():
    old, new = ended(4), ended(2)
    waits = start_import(file=ContentFile(b"{}"), file_name="x", dataset_slug="x", options=Options(), send=False)
    assert delete_old_uploads() == 1
    assert [default_storage.exists(source.file.name) for source in (old, new, waits)] == [False, True, True]
    old, new, waits = (Import.objects.get(pk=source.pk) for source in (old, new, waits))
    assert (bool(old.file), old.file_goes_at) == (False, None)
    assert new.file_goes_at == new.job.finished_at + timedelta(days=3)
    assert waits.file_goes_at is None
    assert delete_old_uploads() == 0


def test_a_job_that_is_tried_again_keeps_its_file():
    source = ended(4)
    Job.objects.filter(pk=source.job_id).update(state=Job.State.FAILED)
    assert lifecycle.requeue(job=Job.objects.get(pk=source.job_id))
    assert delete_old_uploads() == 0
    assert default_storage.exists(source.file.name)


def test_a_file_without_an_import_goes_after_a_day(files):
    source = ended(1)
    for name, days in (("old", 2), ("new", 0.5)):
        path = files / "imports" / name
        path.write_text("{}")
        os.utime(path, (time.time() - days * 86400,) * 2)
    assert delete_old_uploads() == 1
    assert {path.name for path in (files / "imports").iterdir()} == {"new", os.path.basename(source.file.name)}


def test_the_page_says_when_the_file_goes_and_that_it_is_gone(client):
    client.force_login(factories.make_user(role=Role.RESEARCHER))
    source = ended(2, dry_run=True)
    url = reverse("import", args=[source.pk])
    content = client.get(url).content.decode()
    assert "kept until" in content
    assert "Import it now" in content
    Job.objects.filter(pk=source.job_id).update(finished_at=timezone.now() - timedelta(days=4))
    delete_old_uploads()
    content = client.get(url).content.decode()
    assert "deleted from the server" in content
    assert "Import it now" not in content
    answer = client.post(reverse("import_real", args=[source.pk]), follow=True)
    assert "Upload it again" in answer.content.decode()


def test_an_import_that_is_tried_again_without_its_file_says_what_to_do():
    source = ended(4)
    delete_old_uploads()
    Job.objects.filter(pk=source.job_id).update(state=Job.State.CANCELLED)
    job = Job.objects.get(pk=source.job_id)
    assert lifecycle.requeue(job=job)
    job.refresh_from_db()
    with pytest.raises(PermanentError, match="Upload it again"):
        run_here(job=job, out=io.StringIO())
