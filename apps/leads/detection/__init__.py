"""Detect email addresses, international phone numbers and names in messages.

Detection is a pure function of the text and prefers precision to recall: a domain must be valid, a
phone number must have a country code (`+`, `00`, `011` or a wa.me link) and be valid in that
country, and a name must follow an introduction such as "my name is".

Work is bounded whatever a visitor writes: at most MAX_LENGTH characters are read, each once to find
candidates, and at most MAX_CANDIDATES of a kind are examined, each with a few hundred characters
around it.
"""

from itertools import islice

from apps.leads.detection.emails import find_emails
from apps.leads.detection.matches import DetectedField, to_ascii_forms
from apps.leads.detection.names import find_names
from apps.leads.detection.phones import find_phones

__all__ = ["MAX_LENGTH", "MAX_PER_FIELD", "DetectedField", "detect_contacts", "detect_name"]

MAX_LENGTH = 32_000
"""How many characters of a message are read; chat messages have no more."""

MAX_PER_FIELD = 10
"""The most emails or phone numbers of one message: more is a list of other people."""


def detect_contacts(text: str) -> list[DetectedField]:
    """Return the emails, then the phone numbers, then the first name, each in text order."""
    text = to_ascii_forms(text[:MAX_LENGTH])
    return [
        *islice(find_emails(text), MAX_PER_FIELD),
        *islice(find_phones(text), MAX_PER_FIELD),
        *islice(find_names(text), 1),
    ]


def detect_name(text: str) -> DetectedField | None:
    """Return the first name of a text."""
    return next(find_names(to_ascii_forms(text[:MAX_LENGTH])), None)
