"""Split text into sentences, and what is too long into smaller pieces.

Every function returns pieces that make the text when they are joined.
"""

import re
from collections.abc import Iterator

import regex

_END = re.compile(
    # A space must follow these. Only the first of a row is tried: a million dots take no time.
    r"""(?P<spaced>(?<![.!?…])[.!?…]++["'”’»›)\]]*\s+)"""
    # None need follow those.
    r"""|[。．｡！？؟۔।॥។៕።։]+["'”’»）」』】\]]*\s*"""
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“„«]*$")
_ABBREVIATIONS = frozenset(
    {
        *("abb", "abs", "anm", "apr", "art", "aug", "bd", "bsp", "bzw", "ca", "cf", "co", "corp"),
        *("d.h", "dec", "dept", "dez", "dr", "e.g", "eg", "etc", "evtl", "feb", "fig", "gem"),
        *("ggf", "hr", "i.e", "ie", "inc", "jan", "jr", "jul", "jun", "ltd", "mar", "max", "min"),
        *("mr", "mrs", "ms", "mt", "nov", "nr", "oct", "okt", "p", "pp", "prof", "s", "sep"),
        *("sept", "sr", "sra", "st", "str", "tel", "u.a", "u.s", "usw", "v", "vgl", "vol", "vs"),
        *("z.b", "zb", "zzgl", "a.m", "p.m", "approx", "est"),
    }
)
_PAUSE = frozenset("，、；：,;:·・")
_MAX_GRAPHEME = 64
"""Code points of a grapheme that are kept together. The longest of any script have about ten;
longer ones are made to harm."""
_GRAPHEME = regex.compile(r"\X")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text of any script, each with the spaces after it."""
    sentences = []
    start = 0
    for found in _END.finditer(text):
        if found["spaced"] and not _ends_sentence(text, found):
            continue
        sentences.append(text[start : found.end()])
        start = found.end()
    if start < len(text):
        sentences.append(text[start:])
    return sentences


def split_long(text: str, max_bytes: int) -> Iterator[str]:
    """Pieces of at most `max_bytes` of UTF-8: at a space, else after a comma, else anywhere
    between two graphemes."""
    piece: list[str] = []
    size = 0
    for grapheme in _graphemes(text):
        length = len(grapheme.encode())
        if piece and size + length > max_bytes:
            cut = _best_cut(piece)
            yield "".join(piece[:cut])
            piece = piece[cut:]
            size = sum(len(each.encode()) for each in piece)
        piece.append(grapheme)
        size += length
    if piece:
        yield "".join(piece)


def _ends_sentence(text: str, found: re.Match[str]) -> bool:
    """Whether the dot ends a sentence, and not an abbreviation, an initial or a number."""
    following = text[found.end() : found.end() + 1]
    if following.islower():
        return False
    if text[found.start()] != "." or text[found.start() : found.start() + 2] == "..":
        return True
    last = _LAST_WORD.search(text, max(0, found.start() - 40), found.start())
    word = last[0].lower() if last else ""
    is_initial = len(word) == 1 and word.isalpha()
    is_ordinal = word.isdigit() and len(word) <= 2
    return not (is_initial or is_ordinal or word in _ABBREVIATIONS)


def _best_cut(piece: list[str]) -> int:
    """Where to cut the piece: after its last space, else after a comma in its second half."""
    for at in range(len(piece), 0, -1):
        if piece[at - 1].isspace():
            return at
    for at in range(len(piece), len(piece) // 2, -1):
        if piece[at - 1] in _PAUSE:
            return at
    return len(piece)


def _graphemes(text: str) -> Iterator[str]:
    for found in _GRAPHEME.finditer(text):
        grapheme = found[0]
        for start in range(0, len(grapheme), _MAX_GRAPHEME):
            yield grapheme[start : start + _MAX_GRAPHEME]
