"""Text that people name things with: visible, and harmless to the text around it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.text import (
    LEGIBLE_PATTERN,
    NOT_BLANK_PATTERN,
    SINGLE_LINE_PATTERN,
    is_visible,
    legible_file_name,
    require_legible,
    single_line,
)

BLANK = [
    *(
        "\u200b",
        "\u3164",
        "\u2800",
        "\u115f\u1160",
        "\uffa0",
        "\ufeff",
        "\u2060",
        "\u00ad",
        "\u034f",
    ),
    *("\u0301", "\u0301\u20dd", "\u200d\ufe0f", "\u180e", "\u061c", "\u200e\u200f"),
    *("\u200b \u3164", "\U000e0041\U000e007f", "\U0001bca0"),
]
REORDERING = [f"a{character}b" for character in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069"]
LEGIBLE = [
    *("Acme", "山田", "한글", "שלום", "مرحبا", "É", "e\u0301", "٣", "…", "$", "a\u200db"),
    *("👩\u200d👩\u200d👧", "🏴\U000e0067\U000e0062\U000e007f", "\ue000", "नमस्ते", "ㅎ"),
]


@pytest.mark.parametrize("text", BLANK)
def test_text_that_cannot_be_seen_is_refused(text: str) -> None:
    assert is_visible(text) is False
    for validate in (single_line(50), require_legible):
        with pytest.raises(ValueError, match="no character that can be seen"):
            validate(text)


@pytest.mark.parametrize("text", REORDERING)
def test_text_that_reorders_its_surroundings_is_refused(text: str) -> None:
    for validate in (single_line(50), require_legible):
        with pytest.raises(ValueError, match="changes the direction"):
            validate(text)


@pytest.mark.parametrize("text", LEGIBLE)
def test_legible_text_is_accepted(text: str) -> None:
    assert re.search(SINGLE_LINE_PATTERN, single_line(50)(text))
    assert require_legible(text) == text
    assert re.search(LEGIBLE_PATTERN, text)


@pytest.mark.parametrize("text", ["a\nb", "a\u2028b", "a\u2029b", "a\x85b", "a\x00b", "a\x7fb"])
def test_second_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        single_line(50)(text)
    assert re.search(SINGLE_LINE_PATTERN, text) is None


@given(st.text(max_size=20))
def test_documented_patterns_accept_what_is_accepted(text: str) -> None:
    for validate, pattern in (
        (single_line(50), SINGLE_LINE_PATTERN),
        (require_legible, LEGIBLE_PATTERN.replace(r"\u0000", "")),
    ):
        try:
            accepted = validate(text)
        except ValueError:
            continue
        assert re.search(pattern, accepted)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("may.csv", "may.csv"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\u200b", "file.csv"),
        ("Mai\u0308.csv", "Maï.csv"),
        ("a\nb.csv", "ab.csv"),
    ],
)
def test_file_name_is_shown_as_it_is_read(name: str, shown: str) -> None:
    assert legible_file_name(name, default="file.csv") == shown


@pytest.mark.parametrize("pattern", [NOT_BLANK_PATTERN, SINGLE_LINE_PATTERN])
def test_documented_pattern_refuses_white_space(pattern: str) -> None:
    """As ECMA-262 reads it: its white space is not Python's."""
    spaces = r"\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
    documented = re.compile(pattern.replace(r"\s", spaces))
    blank = [chr(code) for code in range(0x10000) if not chr(code).strip()]
    assert [character for character in blank if documented.search(character)] == []
    assert documented.search("a")
