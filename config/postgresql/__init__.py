"""The database backend: Django's for PostgreSQL, with connections that outlive a restart of the server."""
