from apps.core.errors import PaymentRequired


class InsufficientCredits(PaymentRequired):
    """The free credits (balance minus held) do not cover this."""

    code = "INSUFFICIENT_CREDITS"
    needed: int | None = None
    """The credits that could not be held, if known. Not sent to the caller."""
    message = "Insufficient credits to generate AI response. Please upgrade your plan."


class PlanUnchanged(ValueError):
    """The workspace is on this plan already, and no change to another is scheduled."""

    def __init__(self) -> None:
        super().__init__("The workspace is on this plan already.")


class RequestAlreadyOpen(ValueError):
    """The workspace already has an open request of this kind."""

    def __init__(self) -> None:
        super().__init__("There is an open request already. Withdraw it, or wait for the answer.")


class RequestNotOpen(ValueError):
    """The request was decided or withdrawn, or does not exist."""

    def __init__(self) -> None:
        super().__init__("This request is not open any more.")


class OwnWorkspaceError(ValueError):
    """Staff may not decide about a workspace of which they are a member."""

    def __init__(self) -> None:
        super().__init__("You belong to this workspace. Somebody else has to decide.")
