"""Parse bytes in this process: decide the type, and call its parser.

Only the child process calls this, and tests of well-behaved documents.
"""

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.decoding import decode
from apps.knowledge.parsing.detection import MediaType, detect_binary, detect_text
from apps.knowledge.parsing.types import ParsedDocument, ParsingFailed

NO_TEXT = "The file has no text."
TOO_MUCH_TEXT = "The document has more than {limit:,} characters of text. Split it."
TOO_MANY_BLOCKS = "The document has more than {limit:,} paragraphs and rows. Split it."

# A parser is imported when it is needed: the libraries of all take half a second.


def parse_by_type(
    data: bytes, *, filename: str = "", content_type: str = "", url: str = ""
) -> ParsedDocument:
    """Parse a document of any type. Raises ParsingFailed, and whatever a hostile one provokes."""
    media_type = detect_binary(data)
    if media_type is not None:
        document = _parse_binary(data, media_type)
    else:
        document = _parse_text(data, filename=filename, content_type=content_type, url=url)
    if not document.blocks:
        raise ParsingFailed("no_text", NO_TEXT)
    if len(document.blocks) > limits.MAX_BLOCKS:
        raise ParsingFailed("too_large", TOO_MANY_BLOCKS.format(limit=limits.MAX_BLOCKS))
    if sum(len(block.text) for block in document.blocks) > limits.MAX_TEXT_CHARACTERS:
        raise ParsingFailed("too_large", TOO_MUCH_TEXT.format(limit=limits.MAX_TEXT_CHARACTERS))
    return document


def _parse_binary(data: bytes, media_type: MediaType) -> ParsedDocument:
    if media_type == MediaType.PDF:
        from apps.knowledge.parsing.formats.pdf import parse_pdf

        return parse_pdf(data)
    if media_type == MediaType.DOCX:
        from apps.knowledge.parsing.formats.word import parse_word

        return parse_word(data)
    if media_type == MediaType.PPTX:
        from apps.knowledge.parsing.formats.slides import parse_slides

        return parse_slides(data)
    from apps.knowledge.parsing.formats.sheets import parse_spreadsheet

    return parse_spreadsheet(data, media_type)


def _parse_text(data: bytes, *, filename: str, content_type: str, url: str) -> ParsedDocument:
    text = decode(data, content_type=content_type, is_markup=b"<" in data[:4096])
    media_type = detect_text(text, filename=filename, content_type=content_type)
    if media_type == MediaType.HTML:
        from apps.knowledge.parsing.formats.web_page import parse_web_page

        return parse_web_page(text, url=url)
    if media_type == MediaType.CSV:
        from apps.knowledge.parsing.formats.sheets import parse_csv

        return parse_csv(text)
    from apps.knowledge.parsing.formats.plain_text import parse_markdown, parse_plain_text

    return parse_markdown(text) if media_type == MediaType.MARKDOWN else parse_plain_text(text)
