"""Django's backend, but for what it does after a restart of PostgreSQL.

There the pool's own check, which CONN_HEALTH_CHECKS turns on, tries one broken connection after another and waits
longer before each: 0, 1, 2, 4 seconds (psycopg_pool 3.2.1). With more than four of them a request fails. Where one is
broken all are likely to be: here the first one that is found has them all replaced, and nobody waits.
"""

from time import monotonic
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    """Wants CONN_HEALTH_CHECKS off: each connection is checked here as it comes from the pool."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        pool = self.pool
        if pool is None:
            return super().get_new_connection(conn_params)
        give_up_at = monotonic() + pool.timeout
        while True:
            connection = super().get_new_connection(conn_params)
            try:
                ConnectionPool.check_connection(connection)
            except psycopg.OperationalError:
                pool.putconn(connection)
                pool.drain()
                if monotonic() > give_up_at:
                    raise
            except BaseException:
                pool.putconn(connection)
                raise
            else:
                return connection
