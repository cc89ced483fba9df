"""The child process: parse documents under limits.

    python -m apps.knowledge.parsing.child <input >result

The input is a line of JSON with the options of `parse_first`, then the documents' bytes. The result
has a line for each document, written when it is parsed.

It knows nothing of Django and imports only what the document's type needs.
"""

import json
import logging
import os
import sys
from typing import Any

from apps.knowledge.parsing.by_type import parse_by_type
from apps.knowledge.parsing.confinement import confine
from apps.knowledge.parsing.types import ParsingFailed
from apps.knowledge.parsing.wire import encode_document, encode_failure

OUT_OF_MEMORY = (
    "Reading the document takes more memory than allowed. Split it, or remove what is not needed: "
    "in a sheet, also a cell far away from all others."
)
DAMAGED = "The document is damaged and cannot be read. Save it again and upload the copy."
TOO_MUCH_TEXT = "The document has too much text. Split it."

_MAX_RECURSION = 10_000
"""Libraries walk trees recursively: 60 tables inside one another need more than the usual 1,000."""


def main() -> None:
    """Read the documents from standard input and write the results to standard output."""
    sys.setrecursionlimit(_MAX_RECURSION)
    logging.disable()  # what libraries have to say about a document is no event of ours
    with open(0, "rb", closefd=False) as source:
        options = json.loads(source.readline())
        _confine(options)
        for each in options["documents"]:
            if not _write_result(_result(source.read(each["size"]), each)):
                break
    sys.stderr.flush()
    os._exit(0)  # without taking apart what a damaged document may have left


def _write_result(result: bytes) -> bool:
    """Write a line. Return False if it is more than the file may have: another has no room."""
    start = os.lseek(1, 0, os.SEEK_CUR)
    try:
        _write(result + b"\n")
    except OSError:
        os.ftruncate(1, start)
        os.lseek(1, start, os.SEEK_SET)
        _write(encode_failure(ParsingFailed("too_large", TOO_MUCH_TEXT)) + b"\n")
        return False
    return True


def _confine(options: dict[str, Any]) -> None:
    confine(
        options["parent"],
        memory_bytes=options["memory_bytes"],
        cpu_seconds=options["cpu_seconds"],
    )


def _result(data: bytes, options: dict[str, Any]) -> bytes:
    try:
        document = parse_by_type(
            data,
            filename=options["filename"],
            content_type=options["content_type"],
            url=options["url"],
        )
        return encode_document(document)
    except ParsingFailed as error:
        return encode_failure(error)
    except MemoryError:
        failure = ParsingFailed("out_of_memory", OUT_OF_MEMORY)
    except Exception as error:
        # A library met what it did not expect. The parent logs this line.
        print(f"{type(error).__module__}.{type(error).__name__}: {error!s:.500}", file=sys.stderr)
        if _is_for_want_of_memory(error):
            failure = ParsingFailed("out_of_memory", OUT_OF_MEMORY)
        else:
            failure = ParsingFailed("damaged", DAMAGED)
    return encode_failure(failure)


def _is_for_want_of_memory(error: Exception) -> bool:
    """Whether a library says so in an error of its own, or could not be loaded for it."""
    message = str(error).lower()
    return "memory" in message or "map segment" in message


def _write(result: bytes) -> None:
    rest = memoryview(result)
    while rest:
        rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    main()
