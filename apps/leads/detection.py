"""Contact details in what people write: email addresses, international phone numbers, names.

A pure function of the text. It would rather miss than invent: an address must be one that could
exist, a phone number must begin with its country's code (`+`, `00`, `011` or a wa.me link) and be
valid there, a name must be said plainly. Each step looks at a bounded piece of the text around
a sign of contact details, so that the time grows with the length of the text and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from apps.leads.contact_formats import normalize_email, normalize_phone

Field = Literal["name", "email", "phone"]

MAX_PER_FIELD = 10
"""How many of each kind are taken from one message: nobody has more, a list of others might."""


@dataclass(frozen=True, slots=True)
class DetectedField:
    """One detail: what it is, its normalised value, and where in the text it stands."""

    field: Field
    value: str
    start: int
    end: int


def detect_contacts(text: str) -> list[DetectedField]:
    """The contact details in a text, of each kind in the order in which they stand."""
    return [
        *islice(_emails(text), MAX_PER_FIELD),
        *islice(_phones(text), MAX_PER_FIELD),
        *islice(_names(text), 1),
    ]


# Email addresses. Every `@`, or what people write for it, is looked at with its neighbours: a
# Latin address ends where Chinese or Japanese begins, which is written without a space.

_LATIN = "a-zA-Z0-9\u00c0-\u024f\u1e00-\u1eff"
_AT = re.compile(r"@|\s?[\[({<]\s?at\s?[\])}>]\s?|\s@\s?|\sat\s|_at_", re.IGNORECASE)
_LOCAL_LATIN = re.compile(rf"[{_LATIN}_][{_LATIN}._%+'&-]*\Z")
_LOCAL_OTHER = re.compile(r"[^\W\d_a-zA-Z][\w.+-]*\Z")
_LOCAL_IN_WORDS = re.compile(
    rf"(?:[{_LATIN}_][{_LATIN}_-]{{0,30}} (?:dot|underscore|dash|hyphen) ){{1,3}}[{_LATIN}_-]+\Z",
    re.IGNORECASE,
)
_SPOKEN = {" dot ": ".", " underscore ": "_", " dash ": "-", " hyphen ": "-"}
_DOT = r"(?:\.| \. |\s?[\[({<]\s?dot\s?[\])}>]\s?|\sdot\s)"


def _domain(letters: str) -> re.Pattern[str]:
    label = f"[{letters}](?:[{letters}-]{{0,61}}[{letters}])?"
    last = rf"(?:xn--[a-z0-9-]+|[{letters}]{{2,63}})"
    ends = rf"(?![{letters}_@]|-[{letters}]|\.[{letters}_])"
    return re.compile(rf"{label}(?:{_DOT}{label})*{_DOT}{last}{ends}", re.IGNORECASE)


_DOMAIN_LATIN = _domain(_LATIN)
_DOMAIN_OTHER = _domain(r"\w")
_NO_TLD = re.compile(
    r"(?:png|jpe?g|gif|svg|webp|ico|bmp|m?js|tsx?|jsx|json|ya?ml|xml|s?css|html?|php|exe|dll|jar"
    r"|txt|csv|pdf|docx?|xlsx?|lan|internal|intranet|corp|localdomain)",
    re.IGNORECASE,
)
_CUE = re.compile(r"mail|\b(?:address|contact|reach|write|spam)\b", re.IGNORECASE)
_NOT_LOCAL = re.compile(
    r"(?:me|us|you|him|her|them|it|this|that|is|am|are|be|was|look|looking|meet|met|see|e-?mail"
    r"|mail|address|contact|reach|write|find|found|works?|lives?|based|here)",
    re.IGNORECASE,
)
_IN_LINK = re.compile(r"://\S*\Z")
_COMMAND = re.compile(r"(?:\b(?:ssh|scp|sftp|rsync|git)\s|message-id:\s*<?)\S*\Z", re.IGNORECASE)


def _emails(text: str) -> Iterator[DetectedField]:
    end = 0
    for at in _AT.finditer(text):
        found = _email_at(text, at)
        if found is not None and found.start >= end:
            end = found.end
            yield found


def _email_at(text: str, at: re.Match[str]) -> DetectedField | None:
    before, after = text[max(0, at.start() - 65) : at.start()], text[at.end() : at.end() + 300]
    in_words = _LOCAL_IN_WORDS.search(before) if at[0] != "@" else None
    local = in_words or _LOCAL_LATIN.search(before) or _LOCAL_OTHER.search(before)
    domain = _DOMAIN_LATIN.match(after) or _DOMAIN_OTHER.match(after)
    if local is None or domain is None:
        return None
    start, end = at.start() - len(local[0]), at.end() + domain.end()
    if not _stands_alone(text, start, end) or not _is_meant(text, at[0], local[0], start, end):
        return None
    host = re.sub(_DOT, ".", domain[0], flags=re.IGNORECASE)
    if _NO_TLD.fullmatch(host.rpartition(".")[2]):
        return None
    mailbox = local[0].lower()
    for word, sign in _SPOKEN.items():
        mailbox = mailbox.replace(word, sign)
    try:
        return DetectedField("email", normalize_email(f"{mailbox}@{host}"), start, end)
    except ValueError:
        return None


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether it is no part of a link, a remote path, a command or a longer chain of `@`."""
    if text[start - 1 : start] == "@" or re.match(r":[^\s]", text[end : end + 2]):
        return False
    before = text[max(0, start - 300) : start]
    return not _IN_LINK.search(before) and not _COMMAND.search(before)


def _is_meant(text: str, at: str, local: str, start: int, end: int) -> bool:
    """Whether words in place of signs are an address: only where somebody speaks of one."""
    if at == "@" or re.search(r"[\[({<]", at):
        return True
    if _NOT_LOCAL.fullmatch(local):
        return False
    around = text[max(0, start - 60) : start] + " " + text[end : end + 40]
    return bool(_CUE.search(around)) or (at == " @ " and " . " in text[start:end])


# Phone numbers: the library decides; here is only where one may begin and end.

_GAP = r"[ \u00a0\u2007\u202f().\-\u2010-\u2015\u2212/]"
_PHONE = re.compile(
    rf"(?:(?P<plus>(?<![A-Za-z0-9_+＋])[+＋])|(?P<zeros>(?<![\w+.,:/#-])(?:00(?=[ \d])|011(?= )))"
    rf"|(?P<link>\bwa\.me/)){_GAP}?(?P<rest>\d(?:{_GAP}{{0,3}}\d){{6,17}})(?![A-Za-z0-9_])"
)
_GROUP_ENDS = re.compile(r"\d(?!\d)")
_NUMBER_OF_SOMETHING = re.compile(
    r"\b(?:order|invoice|booking|reference|ref|tracking|serial|sku|account|iban|ticket|case"
    r"|customer|student|code|pin|part|card|id)\b",
    re.IGNORECASE,
)
_SPACES = ("", " ", "\u00a0", "\u2007", "\u202f")
_MAX_CANDIDATES = 100


def _phones(text: str) -> Iterator[DetectedField]:
    for candidate in islice(_PHONE.finditer(text), _MAX_CANDIDATES):
        found = _phone_at(text, candidate)
        if found is not None:
            yield found


def _phone_at(text: str, candidate: re.Match[str]) -> DetectedField | None:
    start, rest = candidate.start(), candidate["rest"]
    before = text[max(0, start - 300) : start]
    if candidate["zeros"] and _NUMBER_OF_SOMETHING.search(before[-30:]):
        return None
    if candidate["plus"] and _IN_LINK.search(before):
        return None
    # Other digits may follow after a space: the longest whole groups that make a number.
    for group in reversed(list(_GROUP_ENDS.finditer(rest))):
        if rest[group.end() : group.end() + 1] not in _SPACES:
            continue
        try:
            value = normalize_phone("+" + rest[: group.end()])
        except ValueError:
            continue
        return DetectedField("phone", value, start, candidate.start("rest") + group.end())
    return None


# Names, where they are said plainly.

_WORD = r"[^\W\d_](?:[^\W\d_]|['’\-](?=[^\W\d_])){0,29}"
_SAID = re.compile(
    r"\b(?P<plain>my (?:full )?name(?: is|'s|’s)|i am called|call me|mein name ist|ich hei(?:ß|ss)e"
    r"|je m['’]appelle|mon nom est|me llamo|mi nombre es|mi chiamo|il mio nome è|meu nome é"
    r"|me chamo|(?:mijn naam is|ik heet)|jag heter|mit navn er)\s+"
    r"|\b(?P<loose>i['’]m|i am)\s+",
    re.IGNORECASE,
)
_NAME = re.compile(
    rf"{_WORD}(?:\s(?:(?:de|da|di|del|la|van|von|der|den|bin|al)\s){{0,2}}{_WORD}){{0,3}}"
)
_AFTER_NAME = re.compile(r"\s*(?:[.,;:!?()\n–—-]|\Z|(?:and|from|und|aus|et|y|e)\b)")
_PARTICLES = frozenset({"de", "da", "di", "del", "la", "van", "von", "der", "den", "bin", "al"})


def _names(text: str) -> Iterator[DetectedField]:
    for said in islice(_SAID.finditer(text), _MAX_CANDIDATES):
        found = _name_after(text, said)
        if found is not None:
            yield found


def _name_after(text: str, said: re.Match[str]) -> DetectedField | None:
    name = _NAME.match(text, said.end(), said.end() + 120)
    if name is None:
        return None
    words: list[str] = []
    end = said.end()
    for word in re.finditer(r"\S+", name[0]):
        if not _is_name_word(word[0], words):
            break
        words.append(word[0])
        end = said.end() + word.end()
    while words and words[-1].islower():
        end -= len(words.pop()) + 1
    if not words or (said["loose"] and not (len(words) > 1 and _AFTER_NAME.match(text, end))):
        return None
    return DetectedField("name", " ".join(words), said.end(), end)


def _is_name_word(word: str, earlier: list[str]) -> bool:
    """A capital begins a name; a script without capitals does not tell, so it is believed."""
    return not word[0].islower() or (bool(earlier) and word in _PARTICLES)
