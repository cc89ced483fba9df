"""Find names in introductions such as "my name is Ana", in nine languages."""

import re
from collections.abc import Iterator
from itertools import islice

from apps.leads.detection.matches import MAX_CANDIDATES, DetectedField

_WORD = r"[^\W\d_](?:[^\W\d_]|['’\-](?=[^\W\d_])){0,29}"
_INTRODUCTION = re.compile(
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


def find_names(text: str) -> Iterator[DetectedField]:
    """Yield the names in a text that follow an introduction."""
    for introduction in islice(_INTRODUCTION.finditer(text), MAX_CANDIDATES):
        name = _name_after(text, introduction)
        if name is not None:
            yield name


def _name_after(text: str, introduction: re.Match[str]) -> DetectedField | None:
    start = end = introduction.end()
    name = _NAME.match(text, start, start + 120)
    if name is None:
        return None
    words: list[str] = []
    for word in re.finditer(r"\S+", name[0]):
        if not _is_name_word(word[0], words):
            break
        words.append(word[0])
        end = start + word.end()
    while words and words[-1].islower():
        end -= len(words.pop()) + 1
    is_full_name = len(words) > 1 and _AFTER_NAME.match(text, end)
    if not words or (introduction["loose"] and not is_full_name):
        return None
    return DetectedField("name", " ".join(words), start, end)


def _is_name_word(word: str, earlier: list[str]) -> bool:
    """Return whether the word starts with a capital, or its script has none, or is a particle."""
    return not word[0].islower() or (bool(earlier) and word in _PARTICLES)
