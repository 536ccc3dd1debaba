"""What must be done before anybody is served: python -m config.supervisor.prepare

A process of its own, so that the supervisor stays small and never holds a database connection.
"""

import os
import sys

import django
from django.core.management import call_command
from django.db import OperationalError, connection
from kombu.exceptions import OperationalError as UnreachableBrokerError

from config.celery import app
from config.supervisor import plan
from config.supervisor.console import step


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # What commands and their children print is for the log.
    django.setup()
    reach_database()
    reach_broker()
    with step("Migrations"):
        call_command("migrate", interactive=False, verbosity=0)
    with step("Static files"):
        call_command("collectstatic", interactive=False, verbosity=0)
    if plan.read().demo:
        with step("Demo"):
            call_command("demo")


def reach_database() -> None:
    try:
        connection.ensure_connection()
    except OperationalError as error:
        sys.exit(f"The database cannot be reached: {error}\nCheck DATABASE_URL.")


def reach_broker() -> None:
    broker = app.connection_for_write()
    address = broker.as_uri()  # Without its password.
    try:
        broker.ensure_connection(max_retries=2, interval_start=1, timeout=10)
    except UnreachableBrokerError as error:
        sys.exit(f"The broker {address} cannot be reached: {error}\nCheck BROKER_URL.")
    finally:
        broker.release()


if __name__ == "__main__":
    main()
