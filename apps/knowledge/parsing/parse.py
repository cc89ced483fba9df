"""Parse documents in a child process, whatever is in them.

The parsers are large libraries in C, C++ and Rust that read what strangers wrote. A crash, endless
loop or bomb in one ends its process only; docs/decisions/0030-parse-in-a-child-process.md.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

import structlog

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.types import ParsedDocument, ParsingFailed
from apps.knowledge.parsing.wire import decode_result

TOO_LARGE = "The file has {size:.0f} MiB; {limit} MiB can be read. Split it."
EMPTY = "The file is empty."
TIMED_OUT = "Reading the document took longer than allowed. Split it, or simplify it."
CRASHED = "The document is damaged, or made so that it cannot be read. Save it to a new file."
OUT_OF_MEMORY = (
    "Reading the document takes more memory than allowed. Split it, or remove what is not needed: "
    "in a sheet, also a cell far away from all others."
)
UNAVAILABLE = "The document could not be read because of a fault on our side. Try again."

_ROOT = Path(__file__).resolve().parents[3]
PASSED_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
"""Nothing else: the process that reads strangers' files knows no key and no password."""
_MAX_LOGGED_BYTES = 2000
_MAX_NAME_CHARACTERS = 2000
_DEPENDING_ON_OTHERS = frozenset(
    {"damaged", "out_of_memory", "timed_out", "too_large", "unavailable"}
)
# Earlier documents may have left little memory, time or room for results, or a library broken.

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A file or web page to parse. The type is decided by content; the rest are hints."""

    data: bytes = field(repr=False)
    filename: str = ""
    content_type: str = ""
    url: str = ""

    def options(self) -> dict[str, Any]:
        """What the child is told of it."""
        return {
            "size": len(self.data),
            "filename": self.filename[-_MAX_NAME_CHARACTERS:],
            "content_type": self.content_type[:_MAX_NAME_CHARACTERS],
            "url": self.url[:_MAX_NAME_CHARACTERS],
        }


Parsed = ParsedDocument | ParsingFailed


def parse(
    data: bytes,
    *,
    filename: str = "",
    content_type: str = "",
    url: str = "",
    memory_bytes: int = limits.MEMORY_BYTES,
    cpu_seconds: int = limits.CPU_SECONDS,
    wall_seconds: float = limits.WALL_SECONDS,
) -> ParsedDocument:
    """Parse a file or web page. The type is decided by content; the rest are hints.

    Raises ParsingFailed. May be called in any thread and in a Celery worker; it blocks for at most
    `wall_seconds`. The child process ends with the caller's.
    """
    (result,) = parse_first(
        [Unparsed(data, filename, content_type, url)],
        memory_bytes=memory_bytes,
        cpu_seconds=cpu_seconds,
        wall_seconds=wall_seconds,
    )
    if isinstance(result, ParsingFailed):
        raise result
    return result


def parse_first(
    documents: Sequence[Unparsed],
    *,
    memory_bytes: int = limits.MEMORY_BYTES,
    cpu_seconds: int = limits.CPU_SECONDS,
    wall_seconds: float = limits.WALL_SECONDS,
) -> list[Parsed]:
    """Parse pages of one site in one child process. Return what became of the first ones, of one
    at least; the caller goes on with the rest.

    A document gets what it would get alone: one that ends the process, or fails in a way that may
    be the fault of those before it, is among the results only if it was the first.
    """
    refused = _refusal(documents[0].data)
    if refused is not None:
        return [refused]
    batch = list(takewhile(lambda each: _refusal(each.data) is None, documents))
    options = {
        "parent": os.getpid(),
        "memory_bytes": memory_bytes,
        "cpu_seconds": cpu_seconds,
        "documents": [each.options() for each in batch],
    }
    # Files rather than pipes: nothing to pump, and the child cannot write more than its limit.
    with (
        tempfile.TemporaryFile() as input_file,
        tempfile.TemporaryFile() as result_file,
        tempfile.TemporaryFile() as error_file,
    ):
        input_file.write(json.dumps(options).encode() + b"\n")
        for each in batch:
            input_file.write(each.data)
        input_file.seek(0)
        failure = _run(input_file, result_file, error_file, wall_seconds)
        result_file.seek(0)
        results = _decode(result_file.read())
    if len(results) < len(batch):
        results.append(failure or ParsingFailed("damaged", CRASHED))
    return _certain(results)


def _refusal(data: bytes) -> ParsingFailed | None:
    """Why a document is not given to a process at all."""
    if not data:
        return ParsingFailed("no_text", EMPTY)
    if len(data) > limits.MAX_FILE_BYTES:
        limit = limits.MAX_FILE_BYTES // limits.MEBIBYTE
        size = len(data) / limits.MEBIBYTE
        return ParsingFailed("too_large", TOO_LARGE.format(size=size, limit=limit))
    return None


def _run(
    input_file: IO[bytes], result_file: IO[bytes], error_file: IO[bytes], wall_seconds: float
) -> ParsingFailed | None:
    """Run the child. Return why it did not come to its end."""
    try:
        code = _exit_code(input_file, result_file, error_file, wall_seconds)
    except subprocess.TimeoutExpired:
        return ParsingFailed("timed_out", TIMED_OUT)
    error_file.seek(0)
    message = error_file.read(_MAX_LOGGED_BYTES).decode(errors="replace").strip()
    if message or code:
        _log.warning("parser_failed", exit_code=code, stderr=message)
    return _failure_of(code) if code else None


def _exit_code(
    input_file: IO[bytes], result_file: IO[bytes], error_file: IO[bytes], wall_seconds: float
) -> int:
    """The exit code of the child, negative for a signal. Raises TimeoutExpired."""
    process = subprocess.Popen(
        # Without the variables PYTHON… and the user's packages; the folder of the code is its path.
        [sys.executable, "-E", "-s", "-X", "utf8", "-W", "ignore", "-m", f"{__package__}.child"],
        stdin=input_file,
        stdout=result_file,
        stderr=error_file,
        cwd=_ROOT,
        env={name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ},
        start_new_session=True,
    )
    try:
        return process.wait(wall_seconds)
    finally:
        # After a time-out, and after an exception that stops the worker.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _failure_of(code: int) -> ParsingFailed:
    if code == -signal.SIGXCPU:
        return ParsingFailed("timed_out", TIMED_OUT)
    # C++ and Rust abort when they get no memory; the kernel kills when there is none left.
    if code in (-signal.SIGABRT, -signal.SIGKILL):
        return ParsingFailed("out_of_memory", OUT_OF_MEMORY)
    if code < 0:
        return ParsingFailed("damaged", CRASHED)
    return ParsingFailed("unavailable", UNAVAILABLE)


def _decode(output: bytes) -> list[Parsed]:
    """The results, of which the last may have been cut off."""
    results: list[Parsed] = []
    for line in output.split(b"\n")[:-1]:
        try:
            results.append(decode_result(line))
        except ParsingFailed as failure:
            results.append(failure)
        except ValueError:
            results.append(ParsingFailed("damaged", CRASHED))
    return results


def _certain(results: Sequence[Parsed]) -> list[Parsed]:
    """The results up to the first failure that may be the fault of the documents before it."""
    for at, result in enumerate(results[1:], 1):
        if isinstance(result, ParsingFailed) and result.code in _DEPENDING_ON_OTHERS:
            return list(results[:at])
    return list(results)
