"""PPTX: the texts, tables and notes of each slide. A slide is a page."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.containers import check_zip
from apps.knowledge.parsing.detection import MediaType
from apps.knowledge.parsing.formats.tables import table_blocks
from apps.knowledge.parsing.formats.word import core_title
from apps.knowledge.parsing.text_cleaning import clean_line
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument, ParsingFailed

DAMAGED = (
    "The presentation is damaged and cannot be read. Open it, save it again and upload the copy."
)
NO_TEXT = "The presentation has no text: its slides are images."
TOO_MANY_SLIDES = "The presentation has {count:,} slides; {limit:,} can be read. Split it."

_TITLE_LEVEL = 2
_MAX_SHAPES = 10_000


def parse_slides(data: bytes) -> ParsedDocument:
    """Parse a PPTX file. Hidden slides are left out: their authors do not show them."""
    from pptx import Presentation  # costs 0.2 s

    check_zip(data)
    try:
        slides = Presentation(BytesIO(data)).slides
        count = len(slides)
        if count > limits.MAX_PAGES:
            message = TOO_MANY_SLIDES.format(count=count, limit=limits.MAX_PAGES)
            raise ParsingFailed("too_many_pages", message)
        blocks = tuple(
            block
            for number, slide in enumerate(slides, 1)
            if slide.element.get("show") not in ("0", "false")
            for block in _slide_blocks(slide, number)
        )
    except (MemoryError, RecursionError, ParsingFailed):
        raise
    except Exception:  # the library has no common error: KeyError, AttributeError, XMLSyntaxError
        raise ParsingFailed("damaged", DAMAGED) from None
    if not blocks:
        raise ParsingFailed("no_text", NO_TEXT)
    title = core_title(data)
    if title == "PowerPoint Presentation":  # what the program writes for none
        title = ""
    return ParsedDocument(title or blocks[0].text, blocks, MediaType.PPTX, pages=count)


def _slide_blocks(slide: Any, number: int) -> Iterator[Block]:
    title = slide.shapes.title
    title_text = clean_line(title.text_frame.text) if title is not None else ""
    if title_text:
        yield Block(BlockKind.HEADING, title_text, _TITLE_LEVEL, number)
    for shape in _shapes(slide.shapes):
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if getattr(shape, "has_table", False):
            table = shape.table
            rows = [[cell.text for cell in row.cells] for row in table.rows]
            yield from table_blocks(rows, has_header=table.first_row, page=number)
        elif shape.has_text_frame:
            yield from _paragraphs(shape, number)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        for paragraph in frame.paragraphs:
            if text := clean_line(paragraph.text):
                yield Block(BlockKind.PARAGRAPH, text, page=number)


def _shapes(shapes: Any) -> Iterator[Any]:
    """The shapes from top to bottom, groups opened. Files keep them in the order of drawing."""
    waiting = [iter(sorted(shapes, key=_position))]
    for _ in range(_MAX_SHAPES):
        shape = None
        while waiting and (shape := next(waiting[-1], None)) is None:
            waiting.pop()
        if shape is None:
            return
        if hasattr(shape, "shapes"):
            waiting.append(iter(sorted(shape.shapes, key=_position)))
        else:
            yield shape


def _position(shape: Any) -> tuple[int, int]:
    return shape.top or 0, shape.left or 0


def _paragraphs(shape: Any, number: int) -> Iterator[Block]:
    """A placeholder of several paragraphs is a list, as slides show it."""
    paragraphs = [clean_line(each.text) for each in shape.text_frame.paragraphs]
    texts = [text for text in paragraphs if text]
    is_list = shape.is_placeholder and len(texts) > 1
    for text in texts:
        yield Block(BlockKind.LIST_ITEM if is_list else BlockKind.PARAGRAPH, text, page=number)
