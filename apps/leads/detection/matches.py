"""The result type and the patterns that the detectors share."""

import re
from dataclasses import dataclass
from typing import Literal

MAX_CANDIDATES = 100
"""How many candidates of one kind are validated in one message."""

IN_URL = re.compile(r"://\S*\Z")
"""Matches text that ends inside a URL."""


@dataclass(frozen=True, slots=True)
class DetectedField:
    """A detected value, normalised, and its position in the text."""

    field: Literal["name", "email", "phone"]
    value: str
    start: int
    end: int
