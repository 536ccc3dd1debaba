"""Django's backend, but for what it does after a restart of PostgreSQL.

There the pool's own check, which CONN_HEALTH_CHECKS turns on, tries one broken connection after another and waits
longer before each: 0, 1, 2, 4 seconds (psycopg_pool 3.2.1). With more than four of them a request fails. Where one is
broken all are likely to be: here the first one that is found has them all replaced, and nobody waits.
"""

from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Wants CONN_HEALTH_CHECKS off: each connection is checked here as it comes from the pool."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        while True:
            connection = super().get_new_connection(conn_params)
            if self.pool is None:
                return connection
            try:
                ConnectionPool.check_connection(connection)
            except psycopg.OperationalError:
                # What comes next is new, or the pool's timeout ends this.
                self.pool.putconn(connection)
                self.pool.drain()
            else:
                return connection
