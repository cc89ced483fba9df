"""Count tokens without a tokenizer: an estimate, an upper bound and a lower bound.

Each model has its own tokenizer, and loading it would cost more memory and time than the count is
worth. Three rules are enough; docs/decisions/0024-one-measure-of-usage.md has the figures.

- The estimate: 4 bytes of UTF-8 a token. It fits English (4 letters a token), and since other
  scripts take 2 to 4 bytes a letter, it stays within about a factor of two for them too.
- The bound: one byte of UTF-8 a token. Today's tokenizers work on bytes, or fall back to bytes
  for what they do not know, so none makes more tokens than there are bytes. Some normalise the
  text first (NFC, NFKC), which can lengthen it; the bound uses the longest form. Scripts of which
  all tokenizers know the usual characters are held to what the worst of them makes of a text.
- The floor: a word a token, or some characters a token where there are no spaces between words.
  No tokenizer makes fewer of a text that people or models write.
"""

import re
import unicodedata
from collections.abc import Iterable

from apps.llm.types import ChatMessage

ENGLISH_LETTERS_PER_TOKEN = 4
"""Characters, or bytes of UTF-8, in an average token of English."""

TYPICAL_MESSAGE_TOKENS = 4
"""What a chat template usually adds to a message: begin, role, line break, end."""

MAX_MESSAGE_TOKENS = 16
"""The most that a known chat template adds to a message, rounded up generously."""

MAX_PROMPT_CHARACTERS_PER_TOKEN = 16
"""Characters in a token of a prompt, averaged over all of it, at most."""

MAX_CHARACTERS_PER_TOKEN = 32
"""The same for any text, however odd."""

IDEOGRAPHS_PER_TOKEN = 3
"""Chinese, Japanese and Korean characters in a token, averaged over a text, at most."""

LETTERS_PER_TOKEN = 8
"""The same for the other scripts without spaces between words: Thai, Lao, Khmer, Burmese."""

_IDEOGRAPHS = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_UNSPACED_LETTERS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_WELL_KNOWN = re.compile("[\x80-\u07ff\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef]")
"""Accented Latin, Greek, Cyrillic, Hebrew and Arabic, Chinese, Japanese and Korean: at most one and
a half tokens a character, averaged over a text."""

MAX_PROMPT_OVERHEAD_TOKENS = 128
"""The most that a known chat template adds to a prompt: the default system text of some model
families (up to about 70 tokens), begin-of-text, and the opening of the answer."""


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text; 0 only for an empty one."""
    return -(-_count_bytes(text) // ENGLISH_LETTERS_PER_TOKEN)


def estimate_prompt_tokens(messages: Iterable[ChatMessage]) -> int:
    """Estimate the tokens of a prompt, chat template included.

    Used to fit a history into a model's context, and to bill a provider that reports no usage.
    """
    return sum(estimate_tokens(message.text) + TYPICAL_MESSAGE_TOKENS for message in messages)


def max_prompt_tokens(messages: Iterable[ChatMessage]) -> int:
    """The most tokens that a provider can count for a prompt: what must be reserved for it."""
    return MAX_PROMPT_OVERHEAD_TOKENS + sum(
        _max_tokens(message.text) + MAX_MESSAGE_TOKENS for message in messages
    )


def min_prompt_tokens(messages: Iterable[ChatMessage]) -> int:
    """The tokens that a prompt has at least: what it costs when the provider reports none."""
    return sum(
        max(
            TextFloor(each.text).words,
            len(each.text.strip()) // MAX_PROMPT_CHARACTERS_PER_TOKEN,
        )
        for each in messages
    )


class TextFloor:
    """The least tokens of a text that comes in chunks: its chunks or its words, if these are more.

    A chunk brings at least one token, and a word is at least one. Words are counted only when
    somebody asks, so that a chunk costs next to nothing.
    """

    __slots__ = (
        "_characters",
        "_chunks",
        "_ends_in_word",
        "_ideographs",
        "_letters",
        "_pieces",
        "_since",
        "_spaced_words",
        "_words",
    )

    def __init__(self, text: str = "") -> None:
        self._chunks = 0
        self._pieces = [text] if text else []
        self._words = self._spaced_words = self._characters = 0
        self._ideographs = self._letters = 0
        self._ends_in_word = False
        self._since = (0, 0)

    def add(self, text: str, chunks: int) -> None:
        """Add a piece that came in so many chunks."""
        self._pieces.append(text)
        self._chunks += chunks

    def restart(self) -> None:
        """Let `tokens` begin at 0 again."""
        self._since = (self._chunks, self.words)

    @property
    def tokens(self) -> int:
        """The least tokens since the last restart."""
        chunks, words = self._since
        return max(self._chunks - chunks, self.words - words)

    @property
    def words(self) -> int:
        """The words since the beginning. In scripts without spaces, some characters are one."""
        if self._pieces:
            self._count("".join(self._pieces))
            self._pieces.clear()
        unspaced = self._ideographs // IDEOGRAPHS_PER_TOKEN + self._letters // LETTERS_PER_TOKEN
        return max(
            self._words,
            self._spaced_words + unspaced,
            self._characters // MAX_CHARACTERS_PER_TOKEN,
        )

    def _count(self, text: str) -> None:
        if not text:
            return
        # A word that began in an earlier piece has been counted.
        counted = 1 if self._ends_in_word and not text[0].isspace() else 0
        self._ends_in_word = not text[-1].isspace()
        words = spaced_words = text.split()
        if not text.isascii():
            text, ideographs = _IDEOGRAPHS.subn(" ", text)
            text, letters = _UNSPACED_LETTERS.subn(" ", text)
            self._ideographs += ideographs
            self._letters += letters
            spaced_words = text.split()
        self._words += len(words) - counted
        self._spaced_words += max(0, len(spaced_words) - counted)
        self._characters += sum(map(len, words))


def _max_tokens(text: str) -> int:
    if text.isascii():
        return len(text)
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFKC", text))
    return max(map(_bound, forms))


def _bound(text: str) -> int:
    others, well_known = _WELL_KNOWN.subn("", text)
    return _count_bytes(others) + -(-well_known * 3 // 2)


def _count_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
