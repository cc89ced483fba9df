"""Files made to harm: each has its sentence, and costs little."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO

import pytest

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.by_type import parse_by_type
from apps.knowledge.parsing.types import ParsingFailed
from tests.knowledge.parsing.office_files import (
    make_docx,
    make_xlsx,
    make_zip,
    word_paragraph,
)
from tests.knowledge.parsing.pdf_files import (
    Line,
    make_encrypted_pdf,
    make_pdf,
    make_scanned_pdf,
)

ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {name} "{f"&{last};" * 10}">'
        for last, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)


def failure_of(data: bytes, **hints: str) -> tuple[str, str]:
    with pytest.raises(ParsingFailed) as failure:
        parse_by_type(data, **hints)
    return failure.value.code, str(failure.value)


def zip_bomb(megabytes: int, name: str = "word/document.xml") -> bytes:
    return make_zip({name: bytes(megabytes * limits.MEBIBYTE)})


def with_false_size(data: bytes, size: int) -> bytes:
    """The ZIP with another uncompressed size of its first member in the directory."""
    at = data.index(b"PK\x01\x02") + 24
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


@pytest.mark.parametrize("name", ["word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"])
def test_zip_bomb_is_not_unpacked(name: str) -> None:
    code, sentence = failure_of(with_false_size(zip_bomb(1, name), 2**31))
    assert (code, "200 MiB" in sentence) == ("too_large", True)


def test_zip_with_password_is_refused() -> None:
    data = make_zip({"xl/workbook.xml": "x"})
    at = data.index(b"PK\x01\x02") + 8
    assert failure_of(data[:at] + b"\x01" + data[at + 1 :])[0] == "encrypted"


def test_zip_of_high_ratio_is_refused() -> None:
    assert failure_of(zip_bomb(20))[0] == "too_large"


def test_zip_that_lies_about_its_size_is_refused() -> None:
    assert failure_of(with_false_size(zip_bomb(20), 100))[0] == "damaged"


def test_zip_of_too_many_members_is_refused() -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "x")
        for at in range(limits.MAX_ZIP_MEMBERS):
            archive.writestr(f"{at}", b"")
    assert failure_of(out.getvalue())[0] == "too_large"


def test_entities_in_office_files_are_refused() -> None:
    text = word_paragraph("&i;").replace("&amp;", "&")
    for prolog in (ENTITIES, ENTITIES.replace("<!DOCTYPE", f"<!--{' ' * 2_000_000}--><!DOCTYPE")):
        code, sentence = failure_of(make_docx(text, prolog=prolog))
        assert (code, "entities" in sentence) == ("damaged", True)


def test_entities_in_xml_and_html_are_not_expanded() -> None:
    assert failure_of(f"{ENTITIES}<x>&i;</x>".encode())[0] == "unknown_type"
    page = ENTITIES.replace("<!DOCTYPE x", "<!DOCTYPE html") + "<html><body><p>One &i; two</p>"
    document = parse_by_type(page.encode(), content_type="application/xhtml+xml")
    assert sum(len(block.text) for block in document.blocks) < len(page)


def test_external_entities_are_not_read() -> None:
    prolog = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    assert failure_of(make_docx("&a;", prolog=prolog))[0] == "damaged"


def test_encrypted_pdf_is_refused() -> None:
    code, sentence = failure_of(make_encrypted_pdf())
    assert (code, "password" in sentence) == ("encrypted", True)


def test_scanned_pdf_is_refused() -> None:
    code, sentence = failure_of(make_scanned_pdf())
    assert (code, "scanned images" in sentence) == ("no_text", True)


def test_pdf_of_10000_pages_is_refused() -> None:
    code, sentence = failure_of(make_scanned_pdf(10_000))
    assert code == "too_many_pages"
    assert sentence == "The PDF has 10,000 pages; 2,000 can be read. Split it."


@pytest.mark.parametrize("kept", [9, 200, 900])
def test_cut_pdf_is_refused(kept: int) -> None:
    assert failure_of(make_pdf([[Line("Text")]])[:kept])[0] == "damaged"


@pytest.mark.parametrize("kept", [100, 500])
def test_cut_office_file_is_refused(kept: int) -> None:
    for data in (make_docx(word_paragraph("Text")), make_xlsx({"A": [["a", "b"]]})):
        assert failure_of(data[:kept])[0] == "damaged"


def test_office_file_without_content_is_refused() -> None:
    assert failure_of(make_docx(""))[0] == "no_text"
    assert failure_of(make_xlsx({"A": []}))[0] == "no_text"
    assert failure_of(make_zip({"word/document.xml": "<x"}))[0] == "damaged"
    assert failure_of(make_zip({"ppt/presentation.xml": "<x/>"}))[0] == "damaged"


def test_page_of_more_than_the_limit_is_refused() -> None:
    page = b"<!doctype html><p>" + b"x" * limits.MAX_HTML_BYTES
    code, sentence = failure_of(page)
    assert (code, "10 MiB" in sentence) == ("too_large", True)


def test_long_text_is_refused() -> None:
    assert failure_of(b"word " * 1_100_000)[0] == "too_large"
    assert failure_of(b"a\n\n" * (limits.MAX_BLOCKS + 1))[0] == "too_large"
