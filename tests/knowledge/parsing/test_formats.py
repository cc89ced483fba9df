"""Each format becomes the blocks that a reader sees."""

from __future__ import annotations

import pytest

from apps.knowledge.parsing.by_type import parse_by_type
from apps.knowledge.parsing.types import Block, BlockKind, ParsingFailed
from tests.knowledge.parsing.office_files import (
    make_docx,
    make_pptx,
    make_xlsx,
    word_paragraph,
    word_table,
)
from tests.knowledge.parsing.pdf_files import Line, lines, make_pdf

HEADING, PARAGRAPH, ITEM = BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM
ROW, CODE = BlockKind.TABLE_ROW, BlockKind.CODE


def test_docx_keeps_headings_and_tables() -> None:
    body = (
        word_paragraph("Contract", heading=1)
        + word_paragraph("Between A and B.")
        + word_paragraph("Prices", heading=2)
        + word_table(("Item", "Unit", "Price"), ("Chair", "1", "99 €"), ("Table", "1", "199 €"))
        + word_table(("Total", "298 €"), ("Due", "at once"))
    )
    document = parse_by_type(make_docx(body, title="Our contract"))
    assert document.title == "Our contract"
    assert document.blocks == (
        Block(HEADING, "Contract", 1),
        Block(PARAGRAPH, "Between A and B."),
        Block(HEADING, "Prices", 2),
        Block(ROW, "Item: Chair; Unit: 1; Price: 99 €"),
        Block(ROW, "Item: Table; Unit: 1; Price: 199 €"),
        Block(ROW, "Total | 298 €"),
        Block(ROW, "Due | at once"),
    )


def test_pptx_keeps_slides_tables_and_notes() -> None:
    document = parse_by_type(make_pptx())
    assert document.pages == 3
    assert document.title == "Opening hours"
    assert document.blocks == (
        Block(HEADING, "Opening hours", 2, 1),
        Block(ITEM, "Monday to Friday", 0, 1),
        Block(ITEM, "Nine to five", 0, 1),
        Block(PARAGRAPH, "Say that we close at noon on Fridays.", 0, 1),
        Block(HEADING, "Prices", 2, 2),
        Block(ROW, "Plan: Basic; Price: $9", 0, 2),
    )


def test_xlsx_rows_carry_the_names_of_columns() -> None:
    sheets: dict[str, list[list[object]]] = {
        "Prices": [["Price list", ""], ["Plan", "Price"], ["Basic", 9], ["Pro", 19.5]],
        "Contacts": [["Name", "City"], ["Ana", "Lisbon"]],
        "Margins": [["Plan", "Margin"], ["Basic", 0.4]],
    }
    document = parse_by_type(make_xlsx(sheets, hidden="Margins"))
    assert document.blocks == (
        Block(HEADING, "Prices", 1),
        Block(PARAGRAPH, "Price list"),
        Block(ROW, "Plan: Basic; Price: 9"),
        Block(ROW, "Plan: Pro; Price: 19.5"),
        Block(HEADING, "Contacts", 1),
        Block(ROW, "Name: Ana; City: Lisbon"),
    )


@pytest.mark.parametrize(
    "text",
    [
        'Name;Note\nAna;"two\nlines; one cell"\nBob;none\n',
        'Name\tNote\nAna\t"two\nlines; one cell"\nBob\tnone\n',
        'Name,Note\r\nAna,"two\r\nlines; one cell"\r\nBob,none\r\n',
    ],
)
def test_csv_finds_its_delimiter(text: str) -> None:
    document = parse_by_type(text.encode(), filename="people.csv")
    assert document.blocks == (
        Block(ROW, "Name: Ana; Note: two lines; one cell"),
        Block(ROW, "Name: Bob; Note: none"),
    )


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (",Basic,Pro\nPrice,9,19\n", ["Price; Basic: 9; Pro: 19"]),
        ("Region,2023,2024\nEurope,5,6\n", ["Region: Europe; 2023: 5; 2024: 6"]),
        ("Phone,123\nFax,124\n", ["Phone | 123", "Fax | 124"]),
        ("Name,Name\nAna,Bob\n", ["Name | Name", "Ana | Bob"]),
        ("Name,City\n", ["Name | City"]),
    ],
)
def test_header_of_a_table_is_recognised(text: str, rows: list[str]) -> None:
    document = parse_by_type(text.encode(), filename="table.csv")
    assert [block.text for block in document.blocks] == rows


def test_csv_of_one_column_is_text() -> None:
    document = parse_by_type(b"Apples\nPears\n", filename="fruit.csv")
    assert [block.text for block in document.blocks] == ["Apples", "Pears"]


def test_markdown_keeps_its_structure() -> None:
    text = (
        "---\ntitle: Guide\n---\n# Start\n\nInstall *it*\nfirst.\n\n- one\n- two\n\n"
        "| Key | Value |\n|---|---|\n| a | 1 |\n\n```\nmake demo\n  x\n```\n"
    )
    document = parse_by_type(text.encode(), filename="guide.md")
    assert document.title == "Guide"
    assert document.blocks == (
        Block(HEADING, "Start", 1),
        Block(PARAGRAPH, "Install it first."),
        Block(ITEM, "one"),
        Block(ITEM, "two"),
        Block(ROW, "Key: a; Value: 1"),
        Block(CODE, "make demo\n  x"),
    )


def test_plain_text_joins_wrapped_lines() -> None:
    text = (
        "Our shop has been open since nineteen hundred and eleven,\n"
        "and it closes on Sundays.\n\nAddress:\nHigh Street 1\n\n1. Come in\n2. Look around\n"
    )
    blocks = parse_by_type(text.encode()).blocks
    assert [(block.kind, block.text) for block in blocks] == [
        (
            PARAGRAPH,
            "Our shop has been open since nineteen hundred and eleven, and it closes on Sundays.",
        ),
        (PARAGRAPH, "Address:"),
        (PARAGRAPH, "High Street 1"),
        (ITEM, "1. Come in"),
        (ITEM, "2. Look around"),
    ]


def test_pdf_joins_lines_into_paragraphs() -> None:
    page = [
        Line("Returns", 760, size=18),
        *lines("A well-known rule: goods can be brought back for an exam-", top=720),
        *lines("ple at any time, which is a well-", top=706.8),
        *lines("known way.", top=693.6),
        *lines("It is free.", top=660),
        *(Line(text, 600, x) for text, x in (("Plan", 72), ("Price", 200))),
        *(Line(text, 586, x) for text, x in (("Basic", 72), ("$9", 200))),
        Line("• one item", 540),
        Line("• two 😀 items", 526),
    ]
    document = parse_by_type(make_pdf([page, [Line("当店へようこそ。", 700)]], title="Rules"))
    assert (document.title, document.pages) == ("Rules", 2)
    assert document.blocks == (
        Block(HEADING, "Returns", 1, 1),
        Block(
            PARAGRAPH,
            "A well-known rule: goods can be brought back for an example at any time, which is a "
            "well-known way.",
            0,
            1,
        ),
        Block(PARAGRAPH, "It is free.", 0, 1),
        Block(ROW, "Plan | Price", 0, 1),
        Block(ROW, "Basic | $9", 0, 1),
        Block(ITEM, "• one item", 0, 1),
        Block(ITEM, "• two 😀 items", 0, 1),
        Block(PARAGRAPH, "当店へようこそ。", 0, 2),
    )


def test_pdf_keeps_right_to_left_text_in_logical_order() -> None:
    arabic = "مرحبا بكم في متجرنا"
    drawn = arabic[::-1]  # a PDF draws from left to right
    assert parse_by_type(make_pdf([[Line(drawn)]])).blocks[0].text == arabic


def test_pdf_drops_headers_footers_and_page_numbers() -> None:
    pages = [
        [
            Line("Acme handbook", 800, size=9),
            Line(f"Rule {number} is that nobody leaves before it is done.", 700),
            Line(f"Page {number}", 40, size=9),
        ]
        for number in range(1, 6)
    ]
    blocks = parse_by_type(make_pdf(pages)).blocks
    assert [block.text for block in blocks] == [
        "Acme handbook",
        *(f"Rule {number} is that nobody leaves before it is done." for number in range(1, 6)),
    ]
    assert [block.page for block in blocks] == [1, 1, 2, 3, 4, 5]


def test_pdf_header_with_number_need_not_be_on_all_pages() -> None:
    pages = [
        [
            Line(f"Chapter {1 + number // 4}: Things {number}", 800, size=9),
            Line(f"Sentence {number} of a page that is otherwise empty.", 700),
            Line("ii" if number == 1 else str(number), 40, size=9),
        ]
        for number in range(1, 9)
    ]
    texts = [block.text for block in parse_by_type(make_pdf(pages)).blocks]
    assert [text for text in texts if not text.startswith("Sentence")] == [
        "Chapter 1: Things 1",
        "Chapter 2: Things 4",
        "Chapter 3: Things 8",
    ]


def test_pdf_list_item_goes_on_after_its_small_bullet() -> None:
    page = [
        Line("•", 700, 72, size=8),
        Line("Applications must be able to extend the list in any way", 700, 84),
        Line("when they are installed.", 686.8, 84),
        Line("Contents . . . . . . . . . 5", 600, size=20),
    ]
    blocks = parse_by_type(make_pdf([page])).blocks
    assert blocks == (
        Block(
            ITEM,
            "• Applications must be able to extend the list in any way when they are installed.",
            0,
            1,
        ),
        Block(ITEM, "Contents … 5", 0, 1),
    )


def test_pdf_paragraph_goes_on_over_pages() -> None:
    pages = [[Line("The sentence that begins here", 60)], [Line("ends on the next page.", 760)]]
    blocks = parse_by_type(make_pdf(pages)).blocks
    assert blocks == (
        Block(PARAGRAPH, "The sentence that begins here ends on the next page.", 0, 1),
    )


def test_pdf_without_letters_behind_its_glyphs_is_refused() -> None:
    with pytest.raises(ParsingFailed, match="does not say which letters") as failure:
        parse_by_type(make_pdf([lines("\ue001\ue002\ue003 \ue004\ue005")]))
    assert failure.value.code == "no_text"
