from __future__ import annotations

from apps.core.errors import PaymentRequired


class InsufficientCredits(PaymentRequired):
    """The credits that are free (balance less held) do not cover this."""

    code = "INSUFFICIENT_CREDITS"
    needed: int | None = None
    """The credits that could not be set aside, where that is known. No caller is told."""
    message = "Insufficient credits to generate AI response. Please upgrade your plan."


class PlanUnchanged(ValueError):
    """The workspace is on this plan already, and no change away from it is planned."""

    def __init__(self) -> None:
        super().__init__("The workspace is on this plan already.")


class RequestAlreadyOpen(ValueError):
    """The workspace has an open request of this kind."""

    def __init__(self) -> None:
        super().__init__("There is an open request already. Withdraw it, or wait for the answer.")


class RequestNotOpen(ValueError):
    """The request was decided or withdrawn, or never was."""

    def __init__(self) -> None:
        super().__init__("This request is not open any more.")


class OwnWorkspaceError(ValueError):
    """Nobody of the staff decides about a workspace that they belong to."""

    def __init__(self) -> None:
        super().__init__("You belong to this workspace. Somebody else has to decide.")
