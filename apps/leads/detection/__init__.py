"""Detect email addresses, international phone numbers and names in messages.

Detection is a pure function of the text and prefers precision to recall: a domain must be valid, a
phone number must have a country code (`+`, `00`, `011` or a wa.me link) and be valid in that
country, and a name must follow an introduction such as "my name is". Each step examines a bounded
piece of text, so the running time is linear in the length of the message.
"""

from itertools import islice

from apps.leads.detection.emails import find_emails
from apps.leads.detection.matches import DetectedField
from apps.leads.detection.names import find_names
from apps.leads.detection.phones import find_phones

__all__ = ["MAX_PER_FIELD", "DetectedField", "detect_contacts"]

MAX_PER_FIELD = 10
"""The most emails or phone numbers of one message: more is a list of other people."""


def detect_contacts(text: str) -> list[DetectedField]:
    """Return the emails, then the phone numbers, then the first name, each in text order."""
    return [
        *islice(find_emails(text), MAX_PER_FIELD),
        *islice(find_phones(text), MAX_PER_FIELD),
        *islice(find_names(text), 1),
    ]
