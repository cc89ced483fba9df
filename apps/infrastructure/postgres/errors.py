"""Errors that mean that PostgreSQL is unavailable."""

import psycopg
from django.db import InterfaceError, OperationalError

DATABASE_UNAVAILABLE = (
    *(OperationalError, InterfaceError),
    *(psycopg.OperationalError, psycopg.InterfaceError),  # from `pool`
)


class DatabaseUnavailable(psycopg.OperationalError):
    """Not tried: PostgreSQL is known to be away, or no connection or thread became free in time."""
