"""The door through which Celery comes in."""

from celery import shared_task

from annotation import notification_mail, uploads


@shared_task(name="annotation.delete_old_uploads")
def delete_old_uploads() -> None:
    uploads.delete_old_uploads()


@shared_task(name="annotation.send_mail")
def send_mail() -> None:
    notification_mail.send_due()
