"""Decide the type of a file by its content.

Names and Content-Types are often wrong: they only decide between kinds of text, which cannot be
told apart by content alone.
"""

import csv
import re
from enum import StrEnum

from apps.knowledge.parsing import containers
from apps.knowledge.parsing.types import ParsingFailed


class MediaType(StrEnum):
    """The types that can be read."""

    PDF = "application/pdf"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    XLS = "application/vnd.ms-excel"
    ODS = "application/vnd.oasis.opendocument.spreadsheet"
    HTML = "text/html"
    MARKDOWN = "text/markdown"
    CSV = "text/csv"
    TEXT = "text/plain"


SUPPORTED = "Supported are PDF, DOCX, PPTX, XLSX, XLS, ODS, HTML, Markdown, CSV and plain text."

_MAX_CHECKED = 65_536
_OFFICE_MEMBERS = (
    ("word/document.xml", MediaType.DOCX),
    ("ppt/presentation.xml", MediaType.PPTX),
    ("xl/workbook.xml", MediaType.XLSX),
    ("xl/workbook.bin", MediaType.XLSX),
)
_OLD_FORMATS = (
    ("WordDocument", "a Word file of before 2007 (.doc)", "DOCX"),
    ("PowerPoint Document", "a PowerPoint file of before 2007 (.ppt)", "PPTX"),
)
_OTHER_FORMATS = (
    (b"{\\rtf", "an RTF file. Save it as DOCX and upload that"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"II*\0", "an image"),
    (b"MM\0*", "an image"),
    (b"BM", "an image"),
    (b"RIFF", "an image, a sound or a video"),
    (b"ID3", "a sound"),
    (b"OggS", "a sound or a video"),
    (b"\x1f\x8b", "an archive. Unpack it and upload the files in it"),
    (b"7z\xbc\xaf", "an archive. Unpack it and upload the files in it"),
    (b"Rar!", "an archive. Unpack it and upload the files in it"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"%!PS", "a PostScript file. Save it as PDF and upload that"),
)
_HTML_START = re.compile(r"<!doctype\s+html|<(?:html|head|body)[\s>]", re.IGNORECASE)
_HTML_TAG = re.compile(
    r"</?(?:p|div|h[1-6]|table|tr|td|ul|ol|li|span|a|br|section|article|main|title|meta)[\s/>]",
    re.IGNORECASE,
)
_MARKDOWN_SIGNS = (
    re.compile(r"^#{1,6} \S", re.MULTILINE),
    re.compile(r"^(?:```|~~~)", re.MULTILINE),
    re.compile(r"\[[^\[\]\n]+\]\((?:https?://|/|#|\.)[^)\s]*\)"),
    re.compile(r"^\|?(?:[ \t]*:?-{3,}:?[ \t]*\|)+[ \t:|-]*$", re.MULTILINE),
    re.compile(r"(?<!\w)\*\*\S[^*\n]*\*\*"),
    re.compile(r"^[-*+] \S.*\n[-*+] \S", re.MULTILINE),
)
_DELIMITERS = ",;\t|"
_MIN_TAGS = 3
_MIN_ROWS = 3
_MIN_FIELDS = 3


def detect_binary(data: bytes) -> MediaType | None:
    """The type of a binary file; None for text. Raises ParsingFailed for what cannot be read."""
    if _is_pdf(data):
        return MediaType.PDF
    if data.startswith(containers.ZIP_MAGIC):
        return _zip_type(data)
    if data.startswith(containers.OLE_MAGIC):
        return _ole_type(data)
    for magic, name in _OTHER_FORMATS:
        # Two letters can begin a text, too; zero bytes cannot be in one.
        if data.startswith(magic) and (len(magic) > 2 or b"\0" in data[:1024]):
            raise unknown_type(f"This is {name}")
    if data[4:8] == b"ftyp":
        raise unknown_type("This is a sound, an image or a video")
    return None


def detect_text(text: str, *, filename: str = "", content_type: str = "") -> MediaType:
    """The kind of a decoded text. Raises ParsingFailed if it is none."""
    start = text[:_MAX_CHECKED]
    if _is_binary(start):
        raise unknown_type("This is not text")
    extension = filename.lower().rpartition(".")[2]
    said = content_type.partition(";")[0].strip().lower()
    if _is_html(start, is_said=extension in ("html", "htm", "xhtml") or "html" in said):
        return MediaType.HTML
    if start.lstrip().startswith("<?xml"):
        raise unknown_type("This is an XML file")
    says_csv = extension in ("csv", "tsv", "tab") or said.endswith(("csv", "separated-values"))
    if csv_delimiter(start, is_said=says_csv):
        return MediaType.CSV
    says_markdown = extension in ("md", "markdown", "mdx") or said.endswith("markdown")
    if says_markdown or sum(1 for sign in _MARKDOWN_SIGNS if sign.search(start)) > 1:
        return MediaType.MARKDOWN
    return MediaType.TEXT


def csv_delimiter(text: str, *, is_said: bool) -> str:
    """The delimiter of a CSV file, or "" if the text is none.

    A text that says it is CSV needs a second column; another needs at least three rows of three
    columns each (two, if they are separated by tabs).
    """
    best, best_score = "", 0.0
    for delimiter in _DELIMITERS:
        rows = _first_rows(text, delimiter)
        widths = [len(row) for row in rows]
        if not widths:
            continue
        usual = max(set(widths), key=lambda width: (widths.count(width), width))
        share = widths.count(usual) / len(widths)
        least = 2 if is_said or delimiter == "\t" else _MIN_FIELDS
        is_table = usual >= least and (share >= 0.8 if is_said else share == 1)
        if is_table and (is_said or len(rows) >= _MIN_ROWS) and share * usual > best_score:
            best, best_score = delimiter, share * usual
    return best


def unknown_type(what: str) -> ParsingFailed:
    """The error for a type that cannot be read, with those that can."""
    return ParsingFailed("unknown_type", f"{what}. {SUPPORTED}")


def _is_pdf(data: bytes) -> bool:
    """Whether this is a PDF, perhaps with something before it. A text can mention the sign."""
    at = data.find(b"%PDF-", 0, 1024)
    return at >= 0 and (not data[:at].strip(b"\xef\xbb\xbf\r\n\t \0") or b"endobj" in data)


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    # The last line may be cut off.
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines[:-1] if len(text) == _MAX_CHECKED else lines, delimiter=delimiter)
    try:
        for row in reader:
            if any(field.strip() for field in row):
                rows.append(row)
            if len(rows) == 50:
                break
    except csv.Error:
        return []
    return rows


def _is_html(start: str, *, is_said: bool) -> bool:
    head = re.sub(r"\A(?:\s|<\?xml[^>]*>|<!--.*?-->)+", "", start[:8192], flags=re.DOTALL)
    if _HTML_START.match(head):
        return True
    tags = len(_HTML_TAG.findall(start))
    if is_said:
        return tags > 0
    return head.startswith("<") and not head.startswith("<?") and tags >= _MIN_TAGS


def _is_binary(start: str) -> bool:
    strange = sum(1 for each in start if each < "\t" or "\r" < each < "\x1b" or each == "\ufffd")
    return strange > len(start) * 0.02


def _zip_type(data: bytes) -> MediaType:
    names = containers.zip_names(data)
    for name, media_type in _OFFICE_MEMBERS:
        if name in names:
            return media_type
    if "mimetype" in names:
        mimetype = containers.read_member(data, "mimetype", 200).strip()
        if mimetype == MediaType.ODS.encode():
            return MediaType.ODS
        if mimetype.startswith(b"application/vnd.oasis.opendocument"):
            raise unknown_type("This is an OpenDocument file. Save it as DOCX or PDF")
        if mimetype == b"application/epub+zip":
            raise unknown_type("This is an e-book (EPUB)")
    if "Index/Document.iwa" in names:
        raise unknown_type("This is a file of Pages, Numbers or Keynote. Export it as PDF")
    raise unknown_type("This is a ZIP archive. Unpack it and upload the files in it")


def _ole_type(data: bytes) -> MediaType:
    streams = containers.ole_streams(data)
    if "EncryptedPackage" in streams:
        raise ParsingFailed("encrypted", containers.ENCRYPTED)
    for stream, name, better in _OLD_FORMATS:
        if stream in streams:
            raise unknown_type(f"This is {name}. Save it as {better} and upload that")
    if streams & {"Workbook", "Book"}:
        return MediaType.XLS
    raise unknown_type("This is an old Office file or an email")
