"""Parse a document in a child process, whatever is in it.

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
from pathlib import Path
from typing import IO

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

_log = structlog.get_logger(__name__)


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
    if not data:
        raise ParsingFailed("no_text", EMPTY)
    if len(data) > limits.MAX_FILE_BYTES:
        limit = limits.MAX_FILE_BYTES // limits.MEBIBYTE
        size = len(data) / limits.MEBIBYTE
        raise ParsingFailed("too_large", TOO_LARGE.format(size=size, limit=limit))
    options = {
        "parent": os.getpid(),
        "filename": filename[-_MAX_NAME_CHARACTERS:],
        "content_type": content_type[:_MAX_NAME_CHARACTERS],
        "url": url[:_MAX_NAME_CHARACTERS],
        "memory_bytes": memory_bytes,
        "cpu_seconds": cpu_seconds,
    }
    # Files rather than pipes: nothing to pump, and the child cannot write more than its limit.
    with (
        tempfile.TemporaryFile() as document,
        tempfile.TemporaryFile() as result,
        tempfile.TemporaryFile() as errors,
    ):
        document.write(json.dumps(options).encode() + b"\n")
        document.write(data)
        document.seek(0)
        code = _run(document, result, errors, wall_seconds)
        errors.seek(0)
        message = errors.read(_MAX_LOGGED_BYTES).decode(errors="replace").strip()
        if message or code:
            _log.warning("parser_failed", exit_code=code, stderr=message)
        if code:
            raise _failure_of(code)
        result.seek(0)
        return _decode(result.read())


def _run(
    document: IO[bytes],
    result: IO[bytes],
    errors: IO[bytes],
    wall_seconds: float,
) -> int:
    """Run the child to its end and return its exit code, negative for a signal."""
    process = subprocess.Popen(
        # Without the variables PYTHON… and the user's packages; the folder of the code is its path.
        [sys.executable, "-E", "-s", "-X", "utf8", "-W", "ignore", "-m", f"{__package__}.child"],
        stdin=document,
        stdout=result,
        stderr=errors,
        cwd=_ROOT,
        env={name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ},
        start_new_session=True,
    )
    try:
        return process.wait(wall_seconds)
    except subprocess.TimeoutExpired:
        raise ParsingFailed("timed_out", TIMED_OUT) from None
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


def _decode(result: bytes) -> ParsedDocument:
    try:
        return decode_result(result)
    except ValueError:
        raise ParsingFailed("damaged", CRASHED) from None
