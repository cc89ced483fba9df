"""What values of the document's formats look like, for schemathesis to make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import schemathesis
from hypothesis import strategies as st

from apps.core.ids import new_id
from apps.core.pagination import cursor_of

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DAY = datetime(2026, 11, 1, tzinfo=UTC)

_word = st.text(_LETTERS, min_size=1, max_size=20)
schemathesis.openapi.format("line", _word)
schemathesis.openapi.format("email", _word.map("{}@example.com".format))
schemathesis.openapi.format(
    "phone", st.integers(0, 999).map(lambda number: f"+442079460{number:03}")
)
schemathesis.openapi.format(
    "cursor",
    st.integers(0, 10_000).map(
        lambda number: cursor_of(_DAY + timedelta(minutes=number), new_id())
    ),
)
