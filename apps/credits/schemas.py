"""The shapes of the credits' operations."""

from __future__ import annotations

from typing import Literal

from apps.core.schemas import CamelSchema


class CreditsShape(CamelSchema):
    """All credits, and the part of them that running turns hold."""

    balance: int
    held: int


class CreditsAnswer(CamelSchema):
    success: Literal[True] = True
    data: CreditsShape
