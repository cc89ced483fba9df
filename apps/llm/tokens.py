"""Count tokens without a tokenizer: an estimate, and an upper bound.

Each model has its own tokenizer, and loading it would cost more memory and time than the count is
worth. Two rules are enough:

- The estimate: 4 bytes of UTF-8 a token. It fits English (4 letters a token), and since other
  scripts take 2 to 4 bytes a letter, it stays within about a factor of two for them too.
- The bound: one byte of UTF-8 a token. Today's tokenizers work on bytes, or fall back to bytes
  for what they do not know, so none makes more tokens than there are bytes. Some normalise the
  text first (NFC, NFKC), which can lengthen it; the bound uses the longest form.
"""

import unicodedata
from collections.abc import Iterable

from apps.llm.types import ChatMessage

BYTES_PER_TOKEN = 4
"""UTF-8 bytes in an average token of English."""

TYPICAL_MESSAGE_TOKENS = 4
"""What a chat template usually adds to a message: begin, role, line break, end."""

MAX_MESSAGE_TOKENS = 16
"""The most that a known chat template adds to a message, rounded up generously."""

MAX_PROMPT_OVERHEAD_TOKENS = 128
"""The most that a known chat template adds to a prompt: the default system text of some model
families (up to about 70 tokens), begin-of-text, and the opening of the answer."""


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text; 0 only for an empty one."""
    return -(-_count_bytes(text) // BYTES_PER_TOKEN)


def estimate_prompt_tokens(messages: Iterable[ChatMessage]) -> int:
    """Estimate the tokens of a prompt, chat template included.

    Used to fit a history into a model's context, and to bill a provider that reports no usage.
    """
    return sum(estimate_tokens(message.content) + TYPICAL_MESSAGE_TOKENS for message in messages)


def max_prompt_tokens(messages: Iterable[ChatMessage]) -> int:
    """The most tokens that a provider can count for a prompt: what must be reserved for it."""
    return MAX_PROMPT_OVERHEAD_TOKENS + sum(
        _max_normalised_bytes(message.content) + MAX_MESSAGE_TOKENS for message in messages
    )


def _max_normalised_bytes(text: str) -> int:
    if text.isascii():
        return len(text)
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFKC", text))
    return max(_count_bytes(form) for form in forms)


def _count_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
