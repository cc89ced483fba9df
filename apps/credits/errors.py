from __future__ import annotations

from apps.core.errors import PaymentRequired


class InsufficientCredits(PaymentRequired):
    """The credits that are free (balance less held) do not cover this."""

    code = "INSUFFICIENT_CREDITS"
    needed: int | None = None
    """The credits that could not be set aside, where that is known. No caller is told."""
    sentence = "Insufficient credits to generate AI response. Please upgrade your plan."


class PlanUnchanged(ValueError):
    """The workspace is on this plan already, and no change away from it is planned."""

    def __init__(self) -> None:
        super().__init__("The workspace is on this plan already.")
