"""PostgreSQL and Valkey of a data directory: started by whoever needs them, on unix sockets only."""

from config.embedded.paths import broker_url, data_directory, database_url, make_home

__all__ = ["broker_url", "data_directory", "database_url", "make_home"]
