"""The web process: `granian --interface wsgi config.wsgi:application`."""

import os
import signal

from django.core.wsgi import get_wsgi_application

from config.embedded.processes import MARK
from jobs.parents import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if MARK in os.environ:
    # The server's own processes would otherwise go on, and hold the port, when their parent is killed.
    die_with_parent(signal.SIGKILL)

application = get_wsgi_application()
