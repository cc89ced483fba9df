"""Write small PDF files by hand."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A line of text at a place of a page, in points from the lower left corner."""

    text: str
    y: float = 700
    x: float = 72
    size: float = 11


def lines(*texts: str, top: float = 720, size: float = 11, x: float = 72) -> list[Line]:
    """Lines below one another, at the usual distance."""
    return [Line(text, top - at * size * 1.2, x, size) for at, text in enumerate(texts)]


def make_pdf(
    pages: Sequence[Sequence[Line]],
    *,
    title: str = "",
    trailer: str = "",
    extra_objects: Sequence[bytes] = (),
) -> bytes:
    """A PDF with one page for each list of lines. Any character is possible."""
    characters = sorted({each for page in pages for line in page for each in line.text})
    codes = {character: at + 1 for at, character in enumerate(characters)}
    first = 7
    kids = " ".join(f"{first + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode(),
        (
            b"<</Type/Font/Subtype/Type0/BaseFont/Helvetica/Encoding/Identity-H"
            b"/DescendantFonts[4 0 R]/ToUnicode 5 0 R>>"
        ),
        (
            b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Helvetica/DW 500"
            b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>"
        ),
        _stream(_unicode_map(codes)),
        f"<</Title<feff{title.encode('utf-16-be').hex()}>>>".encode(),
    ]
    for at, page in enumerate(pages):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>"
            + f"/Contents {first + 2 * at + 1} 0 R>>".encode()
        )
        objects.append(_stream("\n".join(_show(line, codes) for line in page).encode()))
    return write_objects([*objects, *extra_objects], trailer=f"/Info 6 0 R {trailer}")


def make_scanned_pdf(pages: int = 1) -> bytes:
    """A PDF of pages that draw a black rectangle and no text."""
    kids = " ".join("3 0 R" for _ in range(pages))
    return write_objects(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            f"<</Type/Pages/Count {pages}/Kids[{kids}]>>".encode(),
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
            _stream(b"0 0 595 842 re f"),
        ]
    )


def make_encrypted_pdf() -> bytes:
    """A PDF that needs a password: no key fits the zeros of its encryption dictionary."""
    zeros = "0" * 64
    encryption = f"<</Filter/Standard/V 2/R 3/Length 128/P -4/O<{zeros}>/U<{zeros}>>>".encode()
    return make_pdf(
        [[Line("secret")]],
        trailer=f"/Encrypt 9 0 R/ID[<{zeros[:32]}><{zeros[:32]}>]",
        extra_objects=[encryption],
    )


def write_objects(objects: Sequence[bytes], *, trailer: str = "") -> bytes:
    """A PDF file of these objects, numbered from 1; the first is the catalogue."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    for offset in offsets:
        out += f"{offset:010} 00000 n \n".encode()
    out += f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R {trailer}>>\n".encode()
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())


def _stream(content: bytes) -> bytes:
    packed = zlib.compress(content)
    return (
        f"<</Length {len(packed)}/Filter/FlateDecode>>\nstream\n".encode() + packed + b"\nendstream"
    )


def _show(line: Line, codes: dict[str, int]) -> str:
    shown = "".join(f"{codes[each]:04x}" for each in line.text)
    return f"BT /F1 {line.size} Tf {line.x} {line.y} Td <{shown}> Tj ET"


def _unicode_map(codes: dict[str, int]) -> bytes:
    entries = "\n".join(
        f"<{code:04x}> <{character.encode('utf-16-be').hex()}>" for character, code in codes.items()
    )
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def "
        "1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{entries}\nendbfchar endcmap end end"
    ).encode()
