from __future__ import annotations

from apps.core.errors import PaymentRequired


class InsufficientCredits(PaymentRequired):
    """The credits that are free (balance less held) do not cover this."""

    code = "INSUFFICIENT_CREDITS"
    sentence = "Insufficient credits to generate AI response. Please upgrade your plan."
