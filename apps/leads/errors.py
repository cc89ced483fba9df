from __future__ import annotations

from apps.core.errors import Conflict, NotFound


class LeadNotFound(NotFound):
    """Absent, of another chatbot, or another workspace's: the same answer."""

    code = "LEAD_NOT_FOUND"
    message = "Lead not found or access denied"


class LeadEmailTaken(Conflict):
    """A lead cannot be given the email address of another: there is one an address."""

    code = "LEAD_EMAIL_TAKEN"
    message = "Another lead of this chatbot has this email address."
