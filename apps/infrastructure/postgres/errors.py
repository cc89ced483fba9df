"""The errors that mean PostgreSQL cannot be reached."""

from __future__ import annotations

import psycopg
from django.db import InterfaceError, OperationalError

DATABASE_UNAVAILABLE = (
    *(OperationalError, InterfaceError),
    *(psycopg.OperationalError, psycopg.InterfaceError),  # from `core.database`
)
"""PoolTimeout is one of them."""
