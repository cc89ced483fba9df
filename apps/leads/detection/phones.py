"""Find international phone numbers.

Regular expressions find where a number can start and end; the phonenumbers library validates it.
Decision 0021 in docs/decisions/ compares this with the library's own PhoneNumberMatcher.
"""

import re
from collections.abc import Iterator
from itertools import islice

from apps.leads.contact_formats import normalize_phone
from apps.leads.detection.matches import IN_URL, MAX_CANDIDATES, DetectedField

_GAP = r"[ \u00a0\u2007\u202f().\-\u2010-\u2015\u2212/]"
_PHONE = re.compile(
    rf"(?:(?P<plus>(?<![A-Za-z0-9_+＋])[+＋])|(?P<zeros>(?<![\w+.,:/#-])(?:00(?=[ \d])|011(?= )))"
    rf"|(?P<link>\bwa\.me/)){_GAP}?(?P<rest>\d(?:{_GAP}{{0,3}}\d){{6,17}})(?![A-Za-z0-9_])"
)
_GROUP_END = re.compile(r"\d(?!\d)")
_OTHER_NUMBER_CUE = re.compile(
    r"\b(?:order|invoice|booking|reference|ref|tracking|serial|sku|account|iban|ticket|case"
    r"|customer|student|code|pin|part|card|id)\b",
    re.IGNORECASE,
)
MAX_VALIDATIONS = 200
"""How many readings of numbers are validated in one message, which is what takes time."""
_SPACES = ("", " ", "\u00a0", "\u2007", "\u202f")


def find_phones(text: str) -> Iterator[DetectedField]:
    """Yield the phone numbers of a text that have a country code, in E.164."""
    left = MAX_VALIDATIONS
    for candidate in islice(_PHONE.finditer(text), MAX_CANDIDATES):
        for digits in _readings(text, candidate):
            if left == 0:
                return
            left -= 1
            try:
                value = normalize_phone("+" + digits)
            except ValueError:
                continue
            end = candidate.start("rest") + len(digits)
            yield DetectedField("phone", value, candidate.start(), end)
            break


def _readings(text: str, candidate: re.Match[str]) -> Iterator[str]:
    """Yield what the number can be without its prefix, the longest first.

    Other digits may follow after a space ("… 0143 9am"): take the most groups that are valid.
    """
    start, rest = candidate.start(), candidate["rest"]
    before = text[max(0, start - 300) : start]
    if candidate["zeros"] and _OTHER_NUMBER_CUE.search(before[-30:]):
        return
    if candidate["plus"] and IN_URL.search(before):
        return
    for group in reversed(list(_GROUP_END.finditer(rest))):
        if rest[group.end() : group.end() + 1] in _SPACES:
            yield rest[: group.end()]
