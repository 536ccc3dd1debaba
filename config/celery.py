"""The Celery application. Messages carry an attempt's id and nothing else; the rows are the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("tiebreak")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# The current application is known to one thread only; a threaded web server needs the default.
app.set_default()
