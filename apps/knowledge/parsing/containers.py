"""Look into ZIP and OLE files before a library does."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.types import ParsingFailed

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_DOCUMENT_TYPE = re.compile("<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_HAS_PASSWORD = 0x1
_BLOCK_BYTES = 1024 * 1024
_OVERLAP_BYTES = 64

ENCRYPTED = "The file is protected by a password. Remove the password and upload it again."
DAMAGED_ARCHIVE = "The file is damaged: it cannot be unpacked. Save it again and upload the copy."
ZIP_BOMB = (
    "The file would grow to more than {size:,} MiB when it is unpacked. Remove images and unused "
    "sheets, or split it."
)
HAS_DOCUMENT_TYPE = (
    "The file declares entities in its XML, which no office program does. Open it in an office "
    "program and save it again."
)


def zip_names(data: bytes) -> set[str]:
    """The names in a ZIP file. Raises ParsingFailed if it is damaged or has too many."""
    with _open(data) as archive:
        return {info.filename for info in _members(archive)}


def check_zip(data: bytes) -> None:
    """Raise ParsingFailed if unpacking would take too much, or if XML declares entities.

    The sizes in the directory are checked first. They can lie, so all is then unpacked once, block
    by block: zipfile reads no more of a member than its size, and a false one fails its checksum.
    """
    with _open(data) as archive:
        members = _members(archive)
        if any(info.flag_bits & _HAS_PASSWORD for info in members):
            raise ParsingFailed("encrypted", ENCRYPTED)
        _check_size(sum(info.file_size for info in members), len(data))
        for info in members:
            is_xml = info.filename.lower().endswith((".xml", ".rels", ".vml"))
            for block in _blocks(archive, info):
                if is_xml and _has_document_type(block):
                    raise ParsingFailed("damaged", HAS_DOCUMENT_TYPE)


def read_member(data: bytes, name: str, max_bytes: int = _BLOCK_BYTES) -> bytes:
    """The first bytes of a member, or b"" if there is none."""
    with _open(data) as archive:
        try:
            with archive.open(name) as member:
                return member.read(max_bytes)
        except (KeyError, *_DAMAGES):
            return b""


def ole_streams(data: bytes) -> set[str]:
    """Which of the streams that tell the type of an OLE file it has.

    Names of streams are UTF-16 in the file's directory.
    """
    known = ("EncryptedPackage", "WordDocument", "PowerPoint Document", "Workbook", "Book")
    return {name for name in known if f"{name}\0".encode("utf-16-le") in data}


_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


def _open(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(BytesIO(data))
    except (ValueError, *_DAMAGES):
        raise ParsingFailed("damaged", DAMAGED_ARCHIVE) from None


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > limits.MAX_ZIP_MEMBERS:
        raise ParsingFailed(
            "too_large", f"The file holds more than {limits.MAX_ZIP_MEMBERS:,} parts. Split it."
        )
    return members


def _check_size(unzipped: int, zipped: int) -> None:
    is_bomb = unzipped > max(zipped * limits.MAX_ZIP_RATIO, limits.MIN_SUSPECT_BYTES)
    if is_bomb or unzipped > limits.MAX_UNZIPPED_BYTES:
        size = min(unzipped, limits.MAX_UNZIPPED_BYTES) // limits.MEBIBYTE
        raise ParsingFailed("too_large", ZIP_BOMB.format(size=size))


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's content, each block with the end of the one before."""
    overlap = b""
    try:
        with archive.open(info) as member:
            while block := member.read(_BLOCK_BYTES):
                yield overlap + block
                overlap = block[-_OVERLAP_BYTES:]
    except _DAMAGES:
        raise ParsingFailed("damaged", DAMAGED_ARCHIVE) from None


def _has_document_type(block: bytes) -> bool:
    if b"\0" in block[:64]:  # UTF-16, which office programs may write
        block = block.replace(b"\0", b"")
    return _DOCUMENT_TYPE.search(block.decode("latin-1")) is not None
