"""Parsing in a child process: its limits, its crashes, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.parse import PASSED_VARIABLES, Unparsed, parse, parse_first
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument, ParsingFailed
from tests.knowledge.parsing.office_files import make_docx, make_xlsx, make_zip, word_paragraph

LARGE_PAGE = b"<!doctype html><body>" + b"<p>word <b>and</b> word</p>" * 150_000
SLOW_PAGE = b"<!doctype html><p " + b" ".join(b"a%d=1" % at for at in range(400_000)) + b">text"
"""A page that takes minutes: its parser compares each attribute with all before it."""
DEADLINE_SECONDS = 60


def code_of(data: bytes, **options: float) -> str:
    with pytest.raises(ParsingFailed) as failure:
        parse(data, **options)  # type: ignore[arg-type]
    return failure.value.code


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stray_cell_sheet() -> bytes:
    """An XLSX with a cell in the last corner: its parser asks for all cells between and aborts."""
    with zipfile.ZipFile(BytesIO(make_xlsx({"Big": [["a", "b"]]}))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    return make_zip({**members, name: members[name].replace(b'"B1"', b'"XFD1048576"')})


def test_document_comes_back_whole() -> None:
    page = "<!doctype html><title>Ä</title><h1>Ä</h1><pre>a\n b</pre><p>😀 <a href=/x>y</a>"
    document = parse(
        page.encode("utf-16"), filename="x.pdf", content_type="text/html", url="https://a.example/"
    )
    assert (document.title, document.links) == ("Ä", ("https://a.example/x",))
    assert document.blocks == (
        Block(BlockKind.HEADING, "Ä", 1),
        Block(BlockKind.CODE, "a\n b"),
        Block(BlockKind.PARAGRAPH, "😀 y"),
    )


def test_threads_parse_at_the_same_time() -> None:
    texts = [f"Text number {at}" for at in range(4)]
    with ThreadPoolExecutor(4) as pool:
        documents = list(pool.map(parse, [text.encode() for text in texts]))
    assert [document.blocks[0].text for document in documents] == texts


def test_failure_comes_back_with_its_sentence() -> None:
    with pytest.raises(ParsingFailed, match="Supported are PDF, DOCX") as failure:
        parse(b"\x7fELF" + bytes(100))
    assert failure.value.code == "unknown_type"


@pytest.mark.parametrize(("depth", "is_read"), [(60, True), (5_000, False)])
def test_nested_tables_are_harmless(depth: int, is_read: bool) -> None:
    cell = "<w:tbl><w:tr><w:tc>{}</w:tc></w:tr></w:tbl>"
    before, after = cell.split("{}")
    data = make_docx(before * depth + word_paragraph("Text") + after * depth)
    if is_read:
        assert [block.text for block in parse(data).blocks] == ["Text"]
    else:
        assert code_of(data) == "damaged"


def test_crash_of_a_parser_is_a_failure() -> None:
    assert code_of(stray_cell_sheet()) == "out_of_memory"


def test_memory_is_limited() -> None:
    assert code_of(LARGE_PAGE, memory_bytes=100 * limits.MEBIBYTE) == "out_of_memory"


def test_cpu_time_is_limited() -> None:
    assert code_of(SLOW_PAGE, cpu_seconds=1) == "timed_out"


def test_time_is_limited() -> None:
    children = set(psutil.Process().children())
    assert code_of(SLOW_PAGE, wall_seconds=0.2) == "timed_out"
    assert set(psutil.Process().children()) <= children


@pytest.mark.parametrize(("size", "code"), [(0, "no_text"), (50 * limits.MEBIBYTE, "too_large")])
def test_empty_and_huge_files_start_no_process(size: int, code: str) -> None:
    assert code_of(b"<html>" * (size // 6)) == code


def parse_all(*documents: bytes, **limits: float) -> list[list[str]]:
    """For each process that was needed: the texts or codes of the documents that it parsed."""
    rest, processes = list(documents), []
    while rest:
        results = parse_first([Unparsed(data) for data in rest], **limits)  # type: ignore[arg-type]
        processes.append(
            [
                each.blocks[0].text if isinstance(each, ParsedDocument) else each.code
                for each in results
            ]
        )
        del rest[: len(results)]
    return processes


def test_documents_share_a_process() -> None:
    found = parse_all(b"One", b"<!doctype html><div></div>", "Zwei\u2028ä".encode("utf-16"))
    assert found == [["One", "no_text", "Zwei ä"]]


def test_document_that_ends_the_process_fails_alone() -> None:
    assert parse_all(b"One", stray_cell_sheet(), b"Three") == [
        ["One"],
        ["out_of_memory"],
        ["Three"],
    ]


def test_document_is_not_blamed_for_those_before_it() -> None:
    """What may be their fault counts only in a process that it has begun."""
    damaged = make_docx(word_paragraph("Text"))[:500]
    assert parse_all(b"One", damaged, b"Three") == [["One"], ["damaged", "Three"]]


def test_documents_beyond_limits_start_no_process() -> None:
    huge = bytes(21 * limits.MEBIBYTE)
    assert parse_all(b"One", b"", huge, b"Two") == [["One"], ["no_text"], ["too_large"], ["Two"]]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_child_is_confined_and_ends_with_its_parent(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_bytes(SLOW_PAGE)
    script = (
        "import sys\nfrom pathlib import Path\nfrom apps.knowledge.parsing.parse import parse\n"
        "parse(Path(sys.argv[1]).read_bytes())"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(page)], env={**os.environ, "SECRET_KEY": "x"}
    )
    try:
        wait_for(lambda: bool(psutil.Process(parent.pid).children()))
        child = psutil.Process(parent.pid).children()[0]
        wait_for(lambda: child.nice() == 10 and child.num_threads() > 0)
        wait_for(lambda: child.rlimit(psutil.RLIMIT_AS)[0] == limits.MEMORY_BYTES)
        assert child.rlimit(psutil.RLIMIT_CPU)[0] == limits.CPU_SECONDS
        assert child.rlimit(psutil.RLIMIT_FSIZE)[0] == limits.MAX_OUTPUT_BYTES
        assert child.rlimit(psutil.RLIMIT_CORE)[0] == 0
        assert "SECRET_KEY" not in child.environ()
        assert set(child.environ()) <= {*PASSED_VARIABLES, "LC_CTYPE"}
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
