from apps.core.errors import PaymentRequired


class InsufficientCredits(PaymentRequired):
    """The free credits (balance minus held) do not cover this."""

    code = "INSUFFICIENT_CREDITS"
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


class ApprovalRequired(ValueError):
    """Somebody would move more credits of one workspace than one person may alone."""

    def __init__(self, max_credits: int, hours: int) -> None:
        super().__init__(
            f"More than {max_credits:,} credits of one workspace in {hours} hours take two people."
        )


class OwnWorkspaceError(ValueError):
    """Staff may not decide about a workspace of which they are a member."""

    def __init__(self) -> None:
        super().__init__("You belong to this workspace. Somebody else has to decide.")
