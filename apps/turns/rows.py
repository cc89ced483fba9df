"""Rows as JSON: how turns are passed to the statements of `sql` and `history`."""

import json
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]

MAX_CONCURRENT_STATEMENTS = 2
"""Statements of a kind at once. The second starts only while the first is slow: an account that
somebody else has locked must not make everybody wait."""


def encode_rows(rows: Sequence[Row]) -> str:
    """The rows as a JSON array, numbered by `n`."""
    return json.dumps([{"n": number, **row} for number, row in enumerate(rows)])
