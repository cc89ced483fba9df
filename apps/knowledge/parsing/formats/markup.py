"""Walk an HTML tree and yield its blocks. Web pages, DOCX and Markdown come here as HTML.

Nothing here is recursive: a page can nest elements as deep as it likes.
"""

from collections.abc import Iterator

from lxml import etree, html

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.formats.tables import table_blocks
from apps.knowledge.parsing.text_cleaning import clean_line, clean_lines
from apps.knowledge.parsing.types import Block, BlockKind, ParsingFailed

TOO_DEEP = "The page nests its elements more than 2,000 deep. No browser shows such a page."

SILENT_TAGS = frozenset(
    {
        *("script", "style", "noscript", "template", "svg", "math", "iframe", "object", "embed"),
        *("canvas", "select", "textarea", "audio", "video", "head", "title"),
    }
)
"""Elements whose text is not shown, or is no text of the document."""

_BLOCK_TAGS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "button", "caption", "center"),
        *("dd", "details", "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure"),
        *("footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li"),
        *("main", "menu", "nav", "ol", "option", "p", "pre", "section", "summary", "table"),
        *("tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    }
)
_HEAD_TAGS = frozenset(("title", "meta", "link", "base", "script", "style", "noscript", "template"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NOT_IN_DATA_TABLES = ("table", "h1", "h2", "h3", "h4", "h5", "h6", "form", "pre")
_MAX_CELL_CHARACTERS = 1000
_MAX_COLUMNS = 200
_MAX_SPAN = 100


def parse_html(text: str) -> html.HtmlElement | None:
    """The tree of an HTML page, at most MAX_MARKUP_DEPTH deep; None if it has no element.

    Raises ParsingFailed if it is too deep for the parser.
    """
    # Without huge_tree, all text below 256 elements would be lost without a word.
    parser = html.HTMLParser(
        huge_tree=True, remove_comments=True, remove_pis=True, no_network=True, encoding="utf-8"
    )
    data = text.replace("\0", "").encode("utf-8", "replace")
    try:
        tree = html.document_fromstring(data or b" ", parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        tree = None
    # In both cases the rest of the page was dropped.
    errors = {entry.type for entry in parser.error_log}
    if etree.ErrorTypes.ERR_NO_MEMORY in errors:
        raise MemoryError
    if etree.ErrorTypes.ERR_RESOURCE_LIMIT in errors:
        raise ParsingFailed("damaged", TOO_DEEP)
    if tree is None:
        return None
    _move_out_of_head(tree)
    _flatten(tree)
    return tree


def markup_blocks(tree: html.HtmlElement) -> Iterator[Block]:
    """The blocks of a tree in document order."""
    walk = etree.iterwalk(tree, events=("start", "end"))
    pieces: list[str] = []
    open_kinds: list[tuple[BlockKind, int]] = [(BlockKind.PARAGRAPH, 0)]
    for event, element in walk:
        tag = element.tag
        if event == "end":
            if tag in _BLOCK_TAGS:
                yield from _flush(pieces, *open_kinds[-1])
            if _kind_of(tag):
                open_kinds.pop()
            pieces.append(element.tail or "")
            continue
        if tag in _BLOCK_TAGS:
            yield from _flush(pieces, *open_kinds[-1])
        if _is_silent(element) or _is_data_table(element):
            if tag == "table":
                yield from _table(element)
            walk.skip_subtree()
            if _kind_of(tag):
                open_kinds.append((BlockKind.PARAGRAPH, 0))
            continue
        if kind := _kind_of(tag):
            open_kinds.append(kind)
        pieces.append("\n" if tag == "br" else element.text or "")
    yield from _flush(pieces, *open_kinds[-1])


def text_of(element: etree._Element) -> str:
    """All text of an element on one line."""
    return clean_line(" ".join(_texts(element)))


def _texts(element: etree._Element) -> Iterator[str]:
    """The texts of an element; those that a block or a line break separates are apart."""
    inline: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, each in walk:
        if each.tag in _BLOCK_TAGS or each.tag == "br":
            yield "".join(inline)
            inline.clear()
        if each is element and event == "end":
            break
        if event == "start" and _is_silent(each):
            walk.skip_subtree()
            continue
        inline.append((each.tail if event == "end" else each.text) or "")
    yield "".join(inline)


def _is_silent(element: etree._Element) -> bool:
    """Whether an element has no text of the document. A button that opens a section names it."""
    if element.tag != "button":
        return element.tag in SILENT_TAGS or not isinstance(element.tag, str)
    is_opening = element.get("aria-expanded") or element.get("aria-controls")
    return not is_opening and next(element.iterancestors(*_HEADINGS), None) is None


def _kind_of(tag: object) -> tuple[BlockKind, int] | None:
    if tag in _HEADINGS:
        return BlockKind.HEADING, _HEADINGS[str(tag)]
    if tag in ("li", "dd"):
        return BlockKind.LIST_ITEM, 0
    if tag == "pre":
        return BlockKind.CODE, 0
    return None


def _flush(pieces: list[str], kind: BlockKind, level: int) -> Iterator[Block]:
    text = "".join(pieces)
    pieces.clear()
    text = clean_lines(text) if kind == BlockKind.CODE else clean_line(text)
    if text:
        yield Block(kind, text, level)


def _is_data_table(element: etree._Element) -> bool:
    """Whether a table is one, and does not just arrange the page."""
    return (
        element.tag == "table"
        and not any(True for each in element.iter(*_NOT_IN_DATA_TABLES) if each is not element)
        and all(len(text_of(cell)) <= _MAX_CELL_CHARACTERS for cell in element.iter("td", "th"))
    )


def _table(element: etree._Element) -> Iterator[Block]:
    for caption in element.iter("caption"):
        if text := text_of(caption):
            yield Block(BlockKind.PARAGRAPH, text)
    spans: dict[int, tuple[int, str]] = {}
    rows = [_cells(row, spans) for row in element.iter("tr")]
    first = next(element.iter("tr"), None)
    says_header = first is not None and (
        next(element.iter("thead"), None) is first.getparent()
        or (len(first) > 0 and all(cell.tag == "th" for cell in first))
    )
    yield from table_blocks(rows, has_header=True if says_header else None)


def _cells(row: etree._Element, spans: dict[int, tuple[int, str]]) -> list[str]:
    """The texts of a row's cells. A cell that reaches over rows is repeated in each of them."""
    cells: list[str] = []
    for cell in row.iterchildren("td", "th"):
        _take_spans(cells, spans)
        text = text_of(cell)
        columns, rows = _span(cell, "colspan"), _span(cell, "rowspan")
        if len(cells) + columns > _MAX_COLUMNS:
            columns = 1
        if rows > 1:
            spans[len(cells)] = (rows - 1, text)
        cells += [text, *[""] * (columns - 1)]
    _take_spans(cells, spans)
    return cells


def _take_spans(cells: list[str], spans: dict[int, tuple[int, str]]) -> None:
    while len(cells) in spans:
        rows, text = spans.pop(len(cells))
        if rows > 1:
            spans[len(cells)] = (rows - 1, text)
        cells.append(text)


def _span(cell: etree._Element, name: str) -> int:
    value = cell.get(name, "1").strip()
    is_number = value.isascii() and value.isdigit() and len(value) < 4
    return min(max(int(value), 1), _MAX_SPAN) if is_number else 1


def _move_out_of_head(tree: html.HtmlElement) -> None:
    """Move what the parser took for a part of <head> into <body>.

    It knows no HTML 5: <main> does not end the head of a page that leaves out <body>.
    """
    head = tree.find("head")
    moved = [] if head is None else [each for each in head if each.tag not in _HEAD_TAGS]
    if not moved:
        return
    body = tree.find("body")
    if body is None:
        body = etree.SubElement(tree, "body")
    for element in reversed(moved):
        body.insert(0, element)


def _flatten(tree: html.HtmlElement) -> None:
    """Replace what lies deeper than MAX_MARKUP_DEPTH by its text."""
    depth = 0
    deepest = []
    walk = etree.iterwalk(tree, events=("start", "end"))
    for event, element in walk:
        depth += 1 if event == "start" else -1
        if event == "start" and depth >= limits.MAX_MARKUP_DEPTH and len(element):
            deepest.append(element)
            walk.skip_subtree()
    for element in deepest:
        text = " ".join(element.itertext())
        for child in list(element):
            element.remove(child)
        element.text = text
