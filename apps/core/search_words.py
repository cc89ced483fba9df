"""The words by which texts are found, in every script.

A word is a run of letters and digits without case and accents. In scripts without spaces between
words, a word begins at each letter. There is no stemming, because the language is unknown; search
words of three or more letters match as prefixes.
"""

import re
import unicodedata

MAX_WORD_LENGTH = 64
MAX_WORDS = 20_000
"""Distinct words indexed per message. More would not fit into a tsvector."""
MIN_PREFIX_LENGTH = 3
# Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_UNSPACED_LENGTH = 8
_WEIGHTS = ("", "", ":1C", ":1B", ":1B", ":1A")
"""Of a word, by how often a text has it."""


def extract_words(text: str) -> set[str]:
    """Return the words by which a text is found."""
    return set(count_words(text))


def count_words(text: str) -> dict[str, int]:
    """Return the words by which a text is found, and how often it has each."""
    words: dict[str, int] = {}
    for word in split_words(text):
        if is_unspaced(word):
            found = [word[start : start + _UNSPACED_LENGTH] for start in range(len(word))]
        else:
            found = [word[:MAX_WORD_LENGTH]]
        for each in found:
            words[each] = words.get(each, 0) + 1
        if len(words) >= MAX_WORDS:
            break
    return words


def build_tsvector(text: str) -> str:
    """Return the words of a text as a tsvector whose weights say how often it has each.

    D: once, C: twice, B: three or four times, A: more often.
    """
    return " ".join(
        f"'{word}'{_WEIGHTS[min(count, len(_WEIGHTS) - 1)]}"
        for word, count in count_words(text).items()
    )


def build_tsquery(text: str) -> str | None:
    """Return a tsquery that requires every word of a search text, None if it has no words."""
    terms = []
    for word in dict.fromkeys(split_words(text)):
        unspaced = is_unspaced(word)
        term = word[: _UNSPACED_LENGTH if unspaced else MAX_WORD_LENGTH]
        is_prefix = unspaced or len(word) >= MIN_PREFIX_LENGTH
        terms.append(f"'{term}':*" if is_prefix else f"'{term}'")
    return " & ".join(terms) or None


def is_unspaced(word: str) -> bool:
    """Whether a word has letters of a script without spaces between words."""
    return _UNSPACED.search(word) is not None


def split_words(text: str) -> list[str]:
    """The words of a text in order, without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold()).casefold()
    without_accents = "".join(char for char in decomposed if not unicodedata.combining(char))
    return re.findall(r"[^\W_]+", without_accents)
