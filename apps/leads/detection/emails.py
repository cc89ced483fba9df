"""Find email addresses.

Every `@`, or its spelled-out form, that can be part of an address is examined with its
surroundings. An address of Latin letters ends where Chinese or Japanese begins, because those are
written without spaces.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator

from apps.leads.contact_formats import normalize_email
from apps.leads.detection.domains import domain_length
from apps.leads.detection.matches import IN_URL, MAX_CANDIDATES, DetectedField

_LATIN = "a-zA-Z0-9\u00c0-\u024f\u1e00-\u1eff"
_AT = re.compile(r"@|\s?[\[({<]\s?at\s?[\])}>]\s?|\s@\s?|\sat\s|_at_", re.IGNORECASE)
_LOCAL_LATIN = re.compile(rf"[{_LATIN}_][{_LATIN}._%+'&-]*\Z")
_LOCAL_OTHER = re.compile(r"[^\W\d_a-zA-Z][\w.+-]*\Z")
_LOCAL_IN_WORDS = re.compile(
    rf"(?:[{_LATIN}_][{_LATIN}_-]{{0,30}} (?:dot|underscore|dash|hyphen) ){{1,3}}[{_LATIN}_-]+\Z",
    re.IGNORECASE,
)
_WORD_SEPARATORS = {" dot ": ".", " underscore ": "_", " dash ": "-", " hyphen ": "-"}
_DOT = r"(?:\.| \. |\s?[\[({<]\s?dot\s?[\])}>]\s?|\sdot\s)"


def _domain(letters: str) -> re.Pattern[str]:
    label = f"[{letters}](?:[{letters}-]{{0,61}}[{letters}])?"
    last = rf"(?:xn--[a-z0-9-]+|[{letters}]{{2,63}})"
    ends = rf"(?![{letters}_@]|-[{letters}]|\.(?:[_\d]|[{letters}][{letters}_]))"
    return re.compile(rf"{label}(?:{_DOT}{label})*{_DOT}{last}{ends}", re.IGNORECASE)


_DOMAIN_LATIN = _domain(_LATIN)
_DOMAIN_OTHER = _domain(r"\w")
_NOT_A_TLD = re.compile(
    r"(?:png|jpe?g|gif|svg|webp|ico|bmp|m?js|tsx?|jsx|json|ya?ml|xml|s?css|html?|php|exe|dll|jar"
    r"|txt|csv|pdf|docx?|xlsx?|lan|internal|intranet|corp|localdomain)",
    re.IGNORECASE,
)
_CUE = re.compile(r"mail|\b(?:address|contact|reach|write|spam)\b", re.IGNORECASE)
_ANY_DOT = re.compile(r"\.|dot", re.IGNORECASE)
_BRACKETS = frozenset("[({<")
# How far from an `@` its domain's first dot and a cue can be, with room to spare.
_MAX_LABEL = 80
_CUE_BEFORE, _CUE_AFTER = 150, 360
_NOT_LOCAL = re.compile(
    r"(?:me|us|you|him|her|them|it|this|that|is|am|are|be|was|look|looking|meet|met|see|e-?mail"
    r"|mail|address|contact|reach|write|find|found|works?|lives?|based|here)",
    re.IGNORECASE,
)
_IN_COMMAND = re.compile(r"(?:\b(?:ssh|scp|sftp|rsync|git)\s|message-id:\s*<?)\S*\Z", re.IGNORECASE)


def find_emails(text: str) -> Iterator[DetectedField]:
    """Yield the email addresses of a text, also obfuscated ones: `ana [at] example [dot] com`."""
    end = 0
    for at in candidates(text):
        email = _email_around(text, at)
        if email is not None and email.start >= end:
            end = email.end
            yield email


def candidates(text: str) -> Iterator[re.Match[str]]:
    """Yield each `@` that is worth examining, and at most MAX_CANDIDATES of each spelling.

    What is cheap to see is looked at here: examining costs far more, and one message can have
    thousands of them.
    """
    cues = [cue.start() for cue in _CUE.finditer(text)]
    dots = [dot.start() for dot in _ANY_DOT.finditer(text)]
    left = {True: MAX_CANDIDATES, False: MAX_CANDIDATES}
    for at in _AT.finditer(text):
        is_sign = at[0] == "@"
        if left[is_sign] and _is_plausible(text, at, dots, cues):
            left[is_sign] -= 1
            yield at


def _is_plausible(text: str, at: re.Match[str], dots: list[int], cues: list[int]) -> bool:
    """Whether there are letters on both sides, a dot after them and, for words, a cue near."""
    start, end = at.span()
    if not text[start - 1 : start].strip(" \t\n[({<") or not text[end : end + 1].strip(" \t\n.@"):
        return False
    if not _is_any_within(dots, end, end + _MAX_LABEL):
        return False
    if at[0] in ("@", " @ ") or not _BRACKETS.isdisjoint(at[0]):
        return True
    return _is_any_within(cues, start - _CUE_BEFORE, end + _CUE_AFTER)


def _is_any_within(positions: list[int], start: int, end: int) -> bool:
    at = bisect_left(positions, start)
    return at < len(positions) and positions[at] <= end


def _email_around(text: str, at: re.Match[str]) -> DetectedField | None:
    before, after = text[max(0, at.start() - 65) : at.start()], text[at.end() : at.end() + 300]
    in_words = _LOCAL_IN_WORDS.search(before) if at[0] != "@" else None
    local = in_words or _LOCAL_LATIN.search(before) or _LOCAL_OTHER.search(before)
    domain = _DOMAIN_LATIN.match(after) or _DOMAIN_OTHER.match(after)
    if local is None or domain is None:
        return None
    ends_at = domain_length(domain[0]) if "." in domain[0] else domain.end()
    start, end = at.start() - len(local[0]), at.end() + ends_at
    if not _is_standalone(text, start, end) or not _is_address(text, at[0], local[0], start, end):
        return None
    host = re.sub(_DOT, ".", domain[0][:ends_at], flags=re.IGNORECASE)
    if _NOT_A_TLD.fullmatch(host.rpartition(".")[2]):
        return None
    mailbox = local[0].lower()
    for word, separator in _WORD_SEPARATORS.items():
        mailbox = mailbox.replace(word, separator)
    try:
        return DetectedField("email", normalize_email(f"{mailbox}@{host}"), start, end)
    except ValueError:
        return None


def _is_standalone(text: str, start: int, end: int) -> bool:
    """Return False for a part of a URL, a remote path, a shell command or a chain of `@`."""
    if text[start - 1 : start] == "@" or re.match(r":[^\s]", text[end : end + 2]):
        return False
    before = text[max(0, start - 300) : start]
    return not IN_URL.search(before) and not _IN_COMMAND.search(before)


def _is_address(text: str, at: str, local: str, start: int, end: int) -> bool:
    """Return whether a spelled-out `@` is meant as one: only near a word such as "email"."""
    if at == "@" or not _BRACKETS.isdisjoint(at):
        return True
    if _NOT_LOCAL.fullmatch(local):
        return False
    context = text[max(0, start - 60) : start] + " " + text[end : end + 40]
    return bool(_CUE.search(context)) or (at == " @ " and " . " in text[start:end])
