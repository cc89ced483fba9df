"""The type of a file is decided by its content."""

from __future__ import annotations

import pytest

from apps.knowledge.parsing.by_type import parse_by_type
from apps.knowledge.parsing.detection import MediaType
from apps.knowledge.parsing.types import ParsingFailed
from tests.knowledge.parsing.office_files import (
    make_docx,
    make_xlsx,
    make_zip,
    word_paragraph,
)
from tests.knowledge.parsing.pdf_files import Line, make_pdf

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
PROSE = (
    b"A plain sentence, with commas, and more.\nAnother one, with one.\nAnd a third, and, so, on."
)


def ole(stream: str) -> bytes:
    return OLE + f"{stream}\0".encode("utf-16-le")


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (make_pdf([[Line("Text of a PDF")]]), MediaType.PDF),
        (make_docx(word_paragraph("Text")), MediaType.DOCX),
        (make_xlsx({"A": [["a", "b"], [1, 2]]}), MediaType.XLSX),
        (b"<!-- x --><!DOCTYPE html><title>x</title><p>Text", MediaType.HTML),
        (b"\xef\xbb\xbf \n<html><body>Text", MediaType.HTML),
        (b"<div><p>Text</p><p>More</p></div>", MediaType.HTML),
        (b"# Title\n\n- a\n- b\n\nSee [this](https://a.example).", MediaType.MARKDOWN),
        (b"a,b,c\n1,2,3\n4,5,6\n", MediaType.CSV),
        (b"a\tb\n1\t2\n4\t5\n", MediaType.CSV),
        (PROSE, MediaType.TEXT),
        (b"Files that begin with %PDF-1.7 are PDFs", MediaType.TEXT),
        (b"\r\nHTTP garbage\r\n" + make_pdf([[Line("Text of a PDF")]]), MediaType.PDF),
        (b"1 < 2 and 3 > 2", MediaType.TEXT),
    ],
)
@pytest.mark.parametrize("filename", ["", "wrong.pdf", "wrong.docx", "WRONG.XLSX"])
def test_type_is_decided_by_content(data: bytes, media_type: str, filename: str) -> None:
    document = parse_by_type(data, filename=filename, content_type="application/octet-stream")
    assert document.media_type == media_type


@pytest.mark.parametrize(
    ("filename", "media_type"),
    [("a.md", MediaType.MARKDOWN), ("a.csv", MediaType.CSV), ("a.txt", MediaType.TEXT)],
)
def test_name_decides_between_kinds_of_text(filename: str, media_type: str) -> None:
    document = parse_by_type(b"Name, city\nAna, Lisbon\n", filename=filename)
    assert document.media_type == media_type


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        (ole("WordDocument"), "unknown_type", "Save it as DOCX"),
        (ole("PowerPoint Document"), "unknown_type", "Save it as PPTX"),
        (ole("EncryptedPackage"), "encrypted", "protected by a password"),
        (ole("Workbook"), "damaged", "spreadsheet is damaged"),
        (ole("Other"), "unknown_type", "old Office file"),
        (b"{\\rtf1 x}", "unknown_type", "RTF"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "unknown_type", "image"),
        (b"PK\x03\x04" + bytes(20), "damaged", "cannot be unpacked"),
        (make_zip({"a.txt": "x"}), "unknown_type", "ZIP archive"),
        (make_zip({"mimetype": "application/epub+zip"}), "unknown_type", "EPUB"),
        (bytes(range(256)) * 20, "unknown_type", "not text"),
        (b"<?xml version='1.0'?><rss><item>x</item></rss>", "unknown_type", "XML"),
        (b"   \n\n ", "no_text", "no text"),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, code: str, sentence: str) -> None:
    with pytest.raises(ParsingFailed, match=sentence) as failure:
        parse_by_type(data)
    assert failure.value.code == code


@pytest.mark.parametrize("sign", ["-", "[", "*", "|-", "<", "a,", "# "])
def test_rows_of_signs_are_text(sign: str) -> None:
    document = parse_by_type((sign * 60_000).encode())
    assert sum(len(block.text) for block in document.blocks) > 0


def test_unknown_type_lists_what_is_supported() -> None:
    with pytest.raises(ParsingFailed, match="PDF, DOCX, PPTX, XLSX, XLS, ODS, HTML, Markdown, CSV"):
        parse_by_type(b"\x7fELF" + bytes(100))
