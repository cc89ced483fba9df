"""DOCX, by way of mammoth's HTML."""

from io import BytesIO

from lxml import etree

from apps.knowledge.parsing.containers import check_zip, read_member
from apps.knowledge.parsing.detection import MediaType
from apps.knowledge.parsing.formats.markup import markup_blocks, parse_html
from apps.knowledge.parsing.text_cleaning import clean_line
from apps.knowledge.parsing.types import ParsedDocument, ParsingFailed

DAMAGED = "The document is damaged and cannot be read. Open it, save it again and upload the copy."
NO_TEXT = "The document has no text. If its pages are images, upload it with text."

_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='heading 7'] => h6:fresh
p[style-name='heading 8'] => h6:fresh
p[style-name='heading 9'] => h6:fresh
"""
_TITLE = "{http://purl.org/dc/elements/1.1/}title"


def parse_word(data: bytes) -> ParsedDocument:
    """Parse a DOCX file. Tracked deletions, comments, headers and footers are left out."""
    import mammoth  # costs 90 ms

    check_zip(data)
    try:
        result = mammoth.convert_to_html(
            BytesIO(data), style_map=_STYLES, convert_image=lambda _image: []
        )
    except (MemoryError, RecursionError):
        raise
    except Exception:  # the library has no errors of its own: KeyError, ExpatError, AttributeError
        raise ParsingFailed("damaged", DAMAGED) from None
    tree = parse_html(f"<body>{result.value}</body>")
    blocks = tuple(markup_blocks(tree)) if tree is not None else ()
    if not blocks:
        raise ParsingFailed("no_text", NO_TEXT)
    title = core_title(data) or next((block.text for block in blocks if block.level == 1), "")
    return ParsedDocument(title, blocks, MediaType.DOCX)


def core_title(data: bytes) -> str:
    """The title in an Office file's properties, or ""."""
    core = read_member(data, "docProps/core.xml")
    if not core:
        return ""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    tree = etree.fromstring(core, parser)
    return clean_line(next(tree.iter(_TITLE)).text or "") if _has_title(tree) else ""


def _has_title(tree: etree._Element | None) -> bool:
    return tree is not None and next(tree.iter(_TITLE), None) is not None
