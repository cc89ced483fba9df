"""Write small DOCX, PPTX and XLSX files by hand."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from xml.sax.saxutils import escape

from pptx import Presentation
from pptx.util import Inches

_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def make_zip(members: Mapping[str, str | bytes]) -> bytes:
    """A ZIP file of these members."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def make_docx(body: str, *, title: str = "", prolog: str = "") -> bytes:
    """A DOCX whose body is this WordprocessingML."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{level}">'
        f'<w:name w:val="heading {level}"/></w:style>'
        for level in range(1, 4)
    )
    core = f'<x xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></x>'
    return make_zip(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": _relationships(
                {"r1": (f"{_OFFICE}/officeDocument", "word/document.xml")}
            ),
            "word/_rels/document.xml.rels": _relationships(
                {"r1": (f"{_OFFICE}/styles", "styles.xml")}
            ),
            "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
            "word/document.xml": f'{prolog}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body>'
            "</w:document>",
            "docProps/core.xml": core,
        }
    )


def word_paragraph(text: str, *, heading: int = 0) -> str:
    """WordprocessingML of a paragraph."""
    style = f'<w:pPr><w:pStyle w:val="Heading{heading}"/></w:pPr>' if heading else ""
    return f'<w:p>{style}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def word_table(*rows: Sequence[str]) -> str:
    """WordprocessingML of a table."""
    return "<w:tbl>{}</w:tbl>".format(
        "".join(
            f"<w:tr>{''.join(f'<w:tc>{word_paragraph(cell)}</w:tc>' for cell in row)}</w:tr>"
            for row in rows
        )
    )


def make_xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], *, hidden: str = "") -> bytes:
    """An XLSX of these rows of strings and numbers, with one sheet perhaps hidden."""
    names = list(sheets)
    states = {hidden: 'state="hidden"'}
    entries = "".join(
        f'<sheet name="{escape(name)}" sheetId="{at}" r:id="r{at}" {states.get(name, "")}/>'
        for at, name in enumerate(names, 1)
    )
    members = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": _relationships({"r1": (f"{_OFFICE}/officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}">'
        f"<sheets>{entries}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _relationships(
            {
                f"r{at}": (f"{_OFFICE}/worksheet", f"worksheets/sheet{at}.xml")
                for at in range(1, len(names) + 1)
            }
        ),
    }
    for at, name in enumerate(names, 1):
        members[f"xl/worksheets/sheet{at}.xml"] = sheet_xml(sheets[name])
    return make_zip(members)


def sheet_xml(rows: Sequence[Sequence[object]]) -> str:
    """The XML of a sheet."""
    shown = "".join(
        f'<row r="{at}">{"".join(map(_cell, row, _references(at)))}</row>'
        for at, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{_SHEET}"><sheetData>{shown}</sheetData></worksheet>'


def make_pptx() -> bytes:
    """Two slides: a title with two bullets and notes, and a table; a third is hidden."""
    presentation = Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "Opening hours"
    first.placeholders[1].text = "Monday to Friday\nNine to five"
    first.notes_slide.notes_text_frame.text = "Say that we close at noon on Fridays."
    second = presentation.slides.add_slide(presentation.slide_layouts[5])
    second.shapes.title.text = "Prices"
    table = second.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for at, text in enumerate(("Plan", "Price", "Basic", "$9")):
        table.cell(at // 2, at % 2).text = text
    third = presentation.slides.add_slide(presentation.slide_layouts[5])
    third.shapes.title.text = "Secret plans"
    third.element.set("show", "0")
    out = BytesIO()
    presentation.save(out)
    return out.getvalue()


def _relationships(targets: Mapping[str, tuple[str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="{name}" Type="{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_RELATIONSHIPS}">{entries}</Relationships>'


def _references(row: int) -> list[str]:
    return [f"{letter}{row}" for letter in "ABCDEFGHIJ"]


def _cell(value: object, reference: str) -> str:
    if isinstance(value, int | float):
        return f'<c r="{reference}"><v>{value}</v></c>'
    return f'<c r="{reference}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'
