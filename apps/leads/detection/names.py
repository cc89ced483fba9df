"""Find names in introductions such as "my name is Ana", in nine languages."""

import re
from collections.abc import Iterator
from itertools import islice

from apps.core.text import is_visible
from apps.leads.detection.matches import MAX_CANDIDATES, DetectedField

_WORD = r"[^\W\d_](?:[^\W\d_]|['’\-](?=[^\W\d_])){0,29}"
_INTRODUCTION = re.compile(
    r"\b(?P<plain>my (?:full )?name(?: is|'s|’s)|i am called|call me|mein name ist|ich hei(?:ß|ss)e"
    r"|je m['’]appelle|mon nom est|me llamo|mi nombre es|mi chiamo|il mio nome è|meu nome é"
    r"|me chamo|(?:mijn naam is|ik heet)|jag heter|mit navn er)\s+"
    r"|\b(?P<loose>i['’]m|i am)\s+",
    re.IGNORECASE,
)
_NOT_SAID = re.compile(
    r"(?:\b(?:don['’]?t|do not|never|not|no|nicht|nie|ne|pas|non|nunca|niet)\s+)\Z", re.IGNORECASE
)
"""Before an introduction: "don't call me Ana"."""
_BEFORE_NAME = re.compile(
    r"[\"'“”„«‘’「『*_]?(?:(?:mr|mrs|ms|mx|dr|prof|herr|frau|sr|sra|srta|mme|mlle)\.?\s+){0,2}"
    r"[\"'“„«‘「『*_]?",
    re.IGNORECASE,
)
_NAME = re.compile(
    rf"{_WORD}(?:\s(?:(?:de|da|di|del|la|van|von|der|den|bin|al)\s){{0,2}}{_WORD}){{0,3}}"
)
_AFTER_NAME = re.compile(r"\s*(?:[.,;:!?()\n–—-]|\Z|(?:and|from|und|aus|et|y|e)\b)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEVER_A_NAME = _words("""
a and any anonymous anytime are as asap asked at back because before but by confidential
crazy during for from here how i if immediately important in irrelevant is it just later
maybe my n/a na never no nobody none not now of on once or please private quickly
secret so sometime soon the there this to today tomorrow tonight
unimportant unknown urgent urgently via well what when whenever who with
withheld you your aber anonym bald bitte dringend egal geheim heute ich jetzt mit morgen
nein nicht nie niemand oder sofort später und unwichtig vertraulich wichtig zurück anonyme avec
demain et je mais moi non pas pour privé secret ahora anónimo con hoy importante mañana no para
pero por privado que urgente y yo adesso anche domani e ma agora amanhã depois eu hoje
mas não en maar morgen niet nu och og ikke inte jag jeg
""")
"""Words that may follow an introduction with a capital, for emphasis or in a text of capitals."""
_DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
"""Not after "call me", though some people have such names."""
_ROLES = _words("""
accountant admin administrator agent analyst assistant ceo cfo consultant coo cto customer
department designer developer director doctor employee engineer executive founder head human
lawyer lead manager marketing member nurse office officer operator owner partner president
representative sales service staff student support team teacher technician user vp
""")
"""What people are, rather than who: "I'm Customer Support"."""
_PARTICLES = frozenset({"de", "da", "di", "del", "la", "van", "von", "der", "den", "bin", "al"})


def find_names(text: str) -> Iterator[DetectedField]:
    """Yield the names in a text that follow an introduction."""
    for introduction in islice(_INTRODUCTION.finditer(text), MAX_CANDIDATES):
        name = _name_after(text, introduction)
        if name is not None:
            yield name


def _name_after(text: str, introduction: re.Match[str]) -> DetectedField | None:
    if _NOT_SAID.search(text, max(0, introduction.start() - 12), introduction.start()):
        return None
    before = _BEFORE_NAME.match(text, introduction.end())
    start = end = before.end() if before else introduction.end()
    name = _NAME.match(text, start, start + 120)
    if name is None:
        return None
    words: list[str] = []
    for word in re.finditer(r"\S+", name[0]):
        if not _is_name_word(word[0], words, introduction):
            break
        words.append(word[0])
        end = start + word.end()
    while words and words[-1].islower():
        end -= len(words.pop()) + 1
    is_full_name = len(words) > 1 and _AFTER_NAME.match(text, end)
    if not words or (introduction["loose"] and not is_full_name):
        return None
    if not is_visible("".join(words)):
        return None
    return DetectedField("name", " ".join(words), start, end)


def _is_name_word(word: str, earlier: list[str], introduction: re.Match[str]) -> bool:
    """Return whether the word starts with a capital, or its script has none, or is a particle."""
    lower = word.lower()
    if earlier and word in _PARTICLES:
        return True
    if lower in _NEVER_A_NAME or (lower in _ROLES and not (earlier and introduction["plain"])):
        return False
    if not earlier and lower in _DAYS:
        return introduction[0].split()[0].lower() != "call"
    return not word[0].islower()
