"""Write JSON for readers that split text into lines."""

import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

_LINE_BREAKS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
"""What JSON leaves unescaped although Python's str.splitlines, JavaScript before 2019 and other
readers take it for the end of a line. JSON itself escapes the others, such as form feeds."""


def dump_json(value: Mapping[str, Any]) -> str:
    """Compact JSON on one line, for every definition of a line. Other text is not escaped."""
    return _escape_line_breaks(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def dump_json_string(text: str) -> str:
    """A string as JSON, quoted: the same as `dump_json` makes of it, without its set-up."""
    return _escape_line_breaks(encode_basestring(text))


def _escape_line_breaks(json_text: str) -> str:
    # They can only be inside strings, where their escapes mean the same. Most text is ASCII, of
    # which Python keeps a flag; in other text each search costs a fraction of a microsecond.
    if json_text.isascii():
        return json_text
    for character, escape in _LINE_BREAKS:
        json_text = json_text.replace(character, escape)
    return json_text
