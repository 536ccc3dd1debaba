"""The door through which Celery comes in."""

from celery import shared_task

from judging import tournaments


@shared_task(name="judging.delete_old_tournament_files")
def delete_old_tournament_files() -> None:
    tournaments.delete_old_files()
