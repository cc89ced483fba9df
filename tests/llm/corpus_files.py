"""The streams in `corpus/`: one file each, with what a reader must make of it.

A file begins with headers and an empty line; the rest is the response's body.

    about         what is odd about it
    expect        JSON: `text`; `finish` and `usage` (input, output), or the `error` that is raised;
                  `requests` that are sent, if it is not 1
    cut           "unknowable" where a part of it cannot be told from the whole
    status, content-type, encoding, newlines
                  of the response: 200, text/event-stream, none, as in the file. An encoding may be
                  "unlabelled" or "untrue"
    litellm       "no" where litellm reads something else, loses something or counts by itself
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.llm.errors import ProviderUnavailable
from tests.llm.completion_helpers import Outcome
from tests.llm.fake_provider import Script

CORPUS = Path(__file__).with_name("corpus")
_NEWLINES = {"crlf": b"\r\n", "cr": b"\r"}


@dataclass(frozen=True)
class RecordedStream:
    """One file. `body` is not compressed."""

    name: str
    headers: Mapping[str, str]
    expected: Mapping[str, Any]
    body: bytes

    @property
    def script(self) -> Script:
        """The response for the fake provider."""
        body = self.body
        encoding, _, lie = self.headers.get("encoding", "").partition(", ")
        headers = {"Content-Type": self.headers.get("content-type", "text/event-stream")}
        if encoding == "gzip" and lie != "untrue":
            body = gzip.compress(body)
        if encoding == "deflate":
            body = zlib.compress(body)
        if encoding == "br":
            body = b"\x0b\x02\x80" + body  # as Brotli begins
        if encoding and lie != "unlabelled":
            headers["Content-Encoding"] = encoding
        return Script((body,), int(self.headers.get("status", 200)), headers)


def outcome_of(found: Outcome, requests: int) -> dict[str, Any]:
    """An outcome in the words of `expect`."""
    if found.failure is not None:
        is_busy = isinstance(found.failure, ProviderUnavailable)
        outcome: dict[str, Any] = {
            "text": found.text,
            "error": "unavailable" if is_busy else "failed",
        }
    else:
        outcome = {
            "text": found.text,
            "finish": found.finish.reason if found.finish else "",
            "usage": [found.usage.input_tokens, found.usage.output_tokens],
        }
    return outcome | ({"requests": requests} if requests > 1 else {})


def read_stream(name: str) -> RecordedStream:
    """Read one file."""
    head, _, body = (CORPUS / f"{name}.txt").read_bytes().partition(b"\n\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
    if newlines := headers.get("newlines"):
        body = body.replace(b"\n", _NEWLINES[newlines])
    return RecordedStream(name, headers, json.loads(headers["expect"]), body)


STREAMS = [read_stream(path.stem) for path in sorted(CORPUS.glob("*.txt"))]
