"""Capture leads from conversations.

    parse_lead_metadata     validates `metadata.lead` of a chat request, before anything is charged
    capture_from_metadata   saves that lead as soon as the turn is open
    scan_new_turns          finds contact details in visitors' messages, in a periodic task

An email address identifies a lead; details without one belong to the lead of their conversation.
Values of the caller overwrite a lead's fields, detected values only fill empty ones. Both are cited
with their message.
"""

from apps.leads.capture.metadata import capture_from_metadata, parse_lead_metadata
from apps.leads.capture.scanning import scan_new_turns, scan_turn

__all__ = ["capture_from_metadata", "parse_lead_metadata", "scan_new_turns", "scan_turn"]
