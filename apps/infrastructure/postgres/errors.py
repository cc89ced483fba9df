"""Errors that mean that PostgreSQL is unavailable."""

import psycopg
from django.db import InterfaceError, OperationalError

DATABASE_UNAVAILABLE = (
    *(OperationalError, InterfaceError),
    *(psycopg.OperationalError, psycopg.InterfaceError),  # from `pool`
)
"""PoolTimeout is one of them."""
