"""Web pages: the main content without what every page of the site repeats."""

import re
from copy import deepcopy
from urllib.parse import urljoin, urlsplit, urlunsplit

from lxml import etree, html

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.detection import MediaType
from apps.knowledge.parsing.formats.markup import markup_blocks, parse_html, text_of
from apps.knowledge.parsing.text_cleaning import clean_line
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument, ParsingFailed

NO_TEXT = (
    "The page has no text. It may build its content with JavaScript in the visitor's browser, or "
    "consist of images."
)
TOO_LARGE = "The page is larger than {size} MiB. Split it, or upload its text as a file."

_BOILERPLATE = ("nav", "aside", "footer", "dialog")
_BOILERPLATE_ROLES = frozenset(
    {
        *("navigation", "banner", "contentinfo", "search", "complementary", "dialog"),
    }
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_OPENING_ATTRIBUTES = ("aria-controls", "data-target", "data-bs-target")
_PANEL_CLASS = re.compile(r"accordion|collaps|toggle|faq|answer|panel|tab-?content", re.IGNORECASE)
_TITLE_SEPARATOR = re.compile(r"\s+[|–—·»:-]\s+")
_CELL_ENDS = re.compile(r"; | \| |: ")
_MIN_CELL_CHARACTERS = 3
_MIN_SHARE = 0.4
"""The share of the visible text that is enough. An extraction of less has lost content."""
_MAX_EXTRACTED_BLOCKS = 20_000
"""trafilatura copies a page several times: a larger one would take all memory and minutes."""
_MAX_URL_CHARACTERS = 2000


def parse_web_page(text: str, *, url: str = "") -> ParsedDocument:
    """Parse a decoded HTML page. Raises ParsingFailed."""
    if len(text) > limits.MAX_HTML_BYTES:
        size = limits.MAX_HTML_BYTES // limits.MEBIBYTE
        raise ParsingFailed("too_large", TOO_LARGE.format(size=size))
    tree = parse_html(text)
    if tree is None:
        raise ParsingFailed("no_text", NO_TEXT)
    base = _base_url(tree, url)
    title, canonical, links = _title(tree), _canonical(tree, base), _links(tree, base)
    _remove_hidden(tree)
    blocks = _without_site_name(_main_blocks(tree, url), title)
    if not blocks:
        raise ParsingFailed("no_text", NO_TEXT)
    return ParsedDocument(
        title=title or _first_heading(blocks),
        blocks=tuple(blocks),
        media_type=MediaType.HTML,
        canonical_url=canonical,
        links=links,
    )


def _main_blocks(tree: html.HtmlElement, url: str) -> list[Block]:
    """The part of the page that trafilatura takes for its content, with all its structure.

    The library is made for articles: it drops headings, and of a list of questions, a table of
    prices or a short page it can keep a single paragraph. So it only says where the content begins
    and ends; if that is little, all is kept but navigation.
    """
    blocks = list(markup_blocks(_without_boilerplate(tree)))
    if not blocks:
        return list(markup_blocks(tree))
    if len(blocks) > _MAX_EXTRACTED_BLOCKS:
        return blocks
    texts = _extracted_texts(tree, url)
    found = [at for at, block in enumerate(blocks) if _is_in(block, texts)]
    if not found:
        return blocks
    start, end = found[0], found[-1] + 1
    while start > 0 and blocks[start - 1].kind == BlockKind.HEADING:
        start -= 1
    while end < len(blocks) and blocks[end].kind in (BlockKind.TABLE_ROW, BlockKind.CODE):
        end += 1
    content = blocks[start:end]
    return content if _length(content) >= _length(blocks) * _MIN_SHARE else blocks


def _without_site_name(blocks: list[Block], title: str) -> list[Block]:
    """Leave out a heading directly above the one that is the page's title."""
    first = blocks[:2]
    is_above = len(first) > 1 and all(block.kind == BlockKind.HEADING for block in first)
    return blocks[1:] if is_above and first[0].text != title == first[1].text else blocks


def _extracted_texts(tree: html.HtmlElement, url: str) -> set[str]:
    """The texts of the elements that trafilatura keeps, without spaces."""
    from trafilatura import bare_extraction  # costs 0.2 s

    try:
        found = bare_extraction(
            deepcopy(tree), url=url or None, favor_recall=True, include_comments=False
        )
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        return set()  # a page that the library cannot handle is read without it
    body = getattr(found, "body", None)
    if body is None:
        return set()
    texts: set[str] = set()
    for element in body.iter():
        texts |= {
            _squeeze(text)
            for text in ("".join(element.itertext()), element.text or "", element.tail or "")
        }
    return texts - {""}


def _is_in(block: Block, texts: set[str]) -> bool:
    if _squeeze(block.text) in texts:
        return True
    if block.kind != BlockKind.TABLE_ROW:
        return False
    cells = _CELL_ENDS.split(block.text)
    return any(len(cell) >= _MIN_CELL_CHARACTERS and _squeeze(cell) in texts for cell in cells)


def _squeeze(text: str) -> str:
    return "".join(clean_line(text).split())


def _without_boilerplate(tree: html.HtmlElement) -> html.HtmlElement:
    copy = deepcopy(tree)
    for element in list(copy.iter()):
        is_boilerplate = element.tag in _BOILERPLATE or element.get("role") in _BOILERPLATE_ROLES
        if is_boilerplate and element.getparent() is not None:
            element.drop_tree()
    return copy


def _remove_hidden(tree: html.HtmlElement) -> None:
    """Remove what a browser does not show, but for sections that a click opens.

    What visitors cannot see, models should not.
    """
    opened = {
        name.lstrip("#")
        for element in tree.iter()
        for attribute in _OPENING_ATTRIBUTES
        for name in (element.get(attribute) or "").split()
    }
    for element in list(tree.iter()):
        can_go = element.getparent() is not None and element.tag != "body"
        if can_go and _is_hidden(element) and not _is_panel(element, opened):
            element.drop_tree()


def _is_hidden(element: html.HtmlElement) -> bool:
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or _HIDDEN_STYLE.search(element.get("style") or "") is not None
    )


def _is_panel(element: html.HtmlElement, opened: set[str]) -> bool:
    """Whether this is the hidden part of an accordion or of tabs."""
    is_named = element.get("id") in opened or element.get("role") == "tabpanel"
    return is_named or _PANEL_CLASS.search(element.get("class") or "") is not None


def _length(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def _title(tree: html.HtmlElement) -> str:
    """The title without the name of the site, if a heading of the page says what is left."""
    title = next((text_of_title(each) for each in tree.iter("title")), "")
    parts = _TITLE_SEPARATOR.split(title)
    # The last of them: the name of the site can be a heading, too, above that of the page.
    headings = [text for each in tree.iter("h1") if (text := text_of(each)) in parts]
    return headings[-1] if headings else title


def text_of_title(element: etree._Element) -> str:
    """The text of a <title>, which `text_of` leaves out as invisible."""
    return clean_line("".join(element.itertext()))


def _first_heading(blocks: list[Block]) -> str:
    return next((block.text for block in blocks if block.kind == BlockKind.HEADING), "")


def _base_url(tree: html.HtmlElement, url: str) -> str:
    for element in tree.iter("base"):
        return _absolute(url, element.get("href") or "") or url
    return url


def _canonical(tree: html.HtmlElement, base: str) -> str:
    for element in tree.iter("link"):
        if "canonical" in (element.get("rel") or "").lower().split():
            return _absolute(base, element.get("href") or "")
    return ""


def _links(tree: html.HtmlElement, base: str) -> tuple[str, ...]:
    links: dict[str, None] = {}
    for element in tree.iter("a", "area"):
        href = element.get("href")
        if href and (link := _absolute(base, href)):
            links.setdefault(link)
        if len(links) == limits.MAX_LINKS:
            break
    return tuple(links)


def _absolute(base: str, href: str) -> str:
    """The http(s) address without its fragment, or ""."""
    href = re.sub(r"[\t\r\n]", "", href).strip()
    try:
        parts = urlsplit(urljoin(base, href))
        is_web = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        return ""
    if not is_web or len(href) > _MAX_URL_CHARACTERS:
        return ""
    return clean_line(urlunsplit(parts._replace(fragment="")))
