"""PDF: the text of each page in reading order."""

import pypdfium2
from pypdfium2 import raw

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.containers import ENCRYPTED
from apps.knowledge.parsing.detection import MediaType
from apps.knowledge.parsing.formats.pdf_layout import layout_blocks
from apps.knowledge.parsing.formats.pdf_lines import PdfLine, page_lines
from apps.knowledge.parsing.text_cleaning import clean_line
from apps.knowledge.parsing.types import ParsedDocument, ParsingFailed

DAMAGED = "The PDF is damaged and cannot be read. Save or print it to a new PDF and upload that."
DAMAGED_PAGE = "Page {page} of the PDF is damaged. Save or print it to a new PDF and upload that."
NO_TEXT = (
    "The PDF has no text: its pages are scanned images. Run text recognition (OCR) on it and "
    "upload the result."
)
NOT_READABLE = (
    "The PDF shows text but does not say which letters it is: copied from a PDF viewer, it is "
    "garbled, too. Make a new PDF from the original document."
)
TOO_MANY_PAGES = "The PDF has {count:,} pages; {limit:,} can be read. Split it."
TOO_MUCH_TEXT = "The PDF has more than {limit:,} characters of text. Split it."

_MAX_UNREADABLE = 0.3
_PASSWORD_ERRORS = (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)


def parse_pdf(data: bytes) -> ParsedDocument:
    """Parse a PDF file. Raises ParsingFailed."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in _PASSWORD_ERRORS:
            raise ParsingFailed("encrypted", ENCRYPTED) from None
        raise ParsingFailed("damaged", DAMAGED) from None
    count = len(document)
    if count > limits.MAX_PAGES:
        message = TOO_MANY_PAGES.format(count=count, limit=limits.MAX_PAGES)
        raise ParsingFailed("too_many_pages", message)
    if count == 0:
        raise ParsingFailed("damaged", DAMAGED)
    lines = _lines(document, count)
    blocks = layout_blocks(lines)
    if not blocks:
        raise ParsingFailed("no_text", NO_TEXT)
    _require_readable(lines)
    title = clean_line(document.get_metadata_value("Title"))
    if not title or _is_file_name(title):
        title = next((block.text for block in blocks if block.level == 1), "")
    return ParsedDocument(title, tuple(blocks), MediaType.PDF, pages=count)


def _lines(document: pypdfium2.PdfDocument, count: int) -> list[PdfLine]:
    lines: list[PdfLine] = []
    characters = 0
    for number in range(1, count + 1):
        try:
            page = document[number - 1]
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError:
            raise ParsingFailed("damaged", DAMAGED_PAGE.format(page=number)) from None
        found = page_lines(text_page, number)
        characters += sum(len(line.text) for line in found)
        if characters > limits.MAX_TEXT_CHARACTERS:
            limit = limits.MAX_TEXT_CHARACTERS
            raise ParsingFailed("too_large", TOO_MUCH_TEXT.format(limit=limit))
        lines += found
        text_page.close()
        page.close()
    return lines


def _require_readable(lines: list[PdfLine]) -> None:
    """Raise ParsingFailed if the fonts of the PDF do not map their glyphs to characters."""
    total = sum(len(line.text) for line in lines)
    if sum(line.unreadable for line in lines) > total * _MAX_UNREADABLE:
        raise ParsingFailed("no_text", NOT_READABLE)


def _is_file_name(title: str) -> bool:
    """Whether a program wrote the name of a file: `Microsoft Word - draft_v3.doc`, `untitled`."""
    title = title.lower()
    return title.startswith(("microsoft word - ", "untitled")) or title.endswith(
        (".doc", ".docx", ".indd", ".pdf", ".tex", ".dvi", ".rtf", ".odt", ".qxd", ".xlsx", ".pptx")
    )
