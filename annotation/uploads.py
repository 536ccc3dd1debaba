"""The files of imports do not stay for ever: what was in them is in the database, or was refused."""

import logging
from datetime import timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from annotation.models import Import
from jobs.models import Job

logger = logging.getLogger(__name__)

FOLDER = Import._meta.get_field("file").upload_to
# A file is stored before its row is committed; one that is older and has no row never gets one.
STRAY_AFTER = timedelta(days=1)


def delete_old_uploads() -> int:
    """Delete the files of imports that were over UPLOAD_KEEP_DAYS ago, and those of no import; how many went."""
    over_before = timezone.now() - timedelta(days=settings.UPLOAD_KEEP_DAYS)
    old = Import.objects.filter(job__finished_at__lt=over_before).exclude(file="")
    deleted = sum(_delete(pk) for pk in old.values_list("pk", flat=True)) + _delete_strays()
    if deleted:
        logger.info("Deleted %s uploaded files.", deleted)
    return deleted


def _delete(pk: int) -> bool:
    """Under a lock on the job, so that nobody begins to read it meanwhile."""
    with transaction.atomic():
        source = Import.objects.select_for_update().get(pk=pk)
        job = Job.objects.select_for_update().get(pk=source.job_id)
        if not source.file or job.is_live:
            return False
        name, storage = source.file.name, source.file.storage
        source.file = ""
        source.save(update_fields=["file"])
    # Last: if it fails, the file is a stray of the next round.
    storage.delete(name)
    return True


def _delete_strays() -> int:
    if not default_storage.exists(FOLDER):
        return 0
    names = {FOLDER + name for name in default_storage.listdir(FOLDER)[1]}
    strays = names.difference(Import.objects.filter(file__in=names).values_list("file", flat=True))
    old = [name for name in strays if default_storage.get_modified_time(name) < timezone.now() - STRAY_AFTER]
    for name in old:
        default_storage.delete(name)
    return len(old)
