"""Let Parley's staff read what people said, with a reason that the workspace's owner can see."""

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.audit.services import Actor, Auditable, record_change

MIN_REASON_LENGTH = 10


class ReasonForm(forms.Form):
    """The reason why a member of staff reads what people said."""

    reason = forms.CharField(
        min_length=MIN_REASON_LENGTH,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown to the workspace's owner in the audit log, with your name.",
    )


def record_reading(target: Auditable, *, actor: Actor, action: str, reason: str) -> None:
    """Record that staff read this, such as `lead.read`, in the transaction that loads it.

    Raises ValueError if the reason has fewer than 10 characters.
    """
    reason = reason.strip()
    if len(reason) < MIN_REASON_LENGTH:
        raise ValueError(f"Give a reason of at least {MIN_REASON_LENGTH} characters.")
    record_change(target, actor=actor, action=action, reason=reason)
