from __future__ import annotations

from apps.core.errors import NotFound


class LeadNotFound(NotFound):
    """Absent, of another chatbot, or another workspace's: the same answer."""

    code = "LEAD_NOT_FOUND"
    sentence = "Lead not found or access denied"
