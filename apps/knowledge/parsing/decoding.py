"""Decode text of unknown encoding.

What decides, in this order: a byte order mark; zero bytes of UTF-16; whether it is valid UTF-8,
which other encodings are by no accident; what the server or the page says; a guess by frequency of
letters.
"""

import codecs
import re

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_READ_AS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-6": "cp1256",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
"""Encodings that are read as the larger one that people mean by their name, as browsers do."""
_OTHER_NAMES = {
    "x-sjis": "cp932",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "ks_c_5601-1987": "cp949",
    "x-gbk": "gb18030",
    "x-x-big5": "big5hkscs",
    "iso-8859-8-i": "iso8859-8",
    "x-mac-roman": "mac_roman",
}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]{2,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:+-]{2,40})", re.IGNORECASE)
_XML_DECLARATION = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:+-]{2,40})")
_MAX_WRONG = 0.005
"""The share of undecodable characters up to which a declared encoding is believed."""
_ASCII_TEXT = re.compile("[\0-\x7f]")
_HIRAGANA = re.compile("[\u3041-\u3096]")
_MIN_FOREIGN_BYTES = 8
_ASCII = bytes(range(128))
_SAMPLE_BYTES = 32_768
_PROLOG_BYTES = 4096


def decode(data: bytes, *, content_type: str = "", is_markup: bool = False) -> str:
    """Decode bytes; what no encoding explains becomes U+FFFD."""
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    if wide := _wide_encoding(data):
        return data.decode(wide, "replace")
    if b"\x1b$" in data or b"\x1b(" in data:
        try:
            return data.decode("iso2022_jp_2")
        except UnicodeDecodeError:
            pass
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3 and len(data) > _PROLOG_BYTES:
            return data.decode(errors="replace")  # cut off inside its last character
    for name in _declared(data, content_type, is_markup=is_markup):
        text = data.decode(name, "replace")
        if text.count("\ufffd") <= len(text) * _MAX_WRONG:
            return text
    return _decode_by_guess(data)


def declared_charset(content_type: str) -> str:
    """The charset of a Content-Type header, or ""."""
    found = _CHARSET.search(content_type)
    return found[1] if found else ""


def _declared(data: bytes, content_type: str, *, is_markup: bool) -> list[str]:
    names = [declared_charset(content_type)]
    if is_markup:
        found = (each.search(data, 0, _PROLOG_BYTES) for each in (_XML_DECLARATION, _META))
        names += [each[1].decode() for each in found if each]
    return [known for name in names if (known := _known(name))]


def _known(name: str) -> str:
    name = name.strip().lower()
    try:
        known = codecs.lookup(_OTHER_NAMES.get(name, name))
    except (LookupError, ValueError):
        return ""
    if not known._is_text_encoding or known.name.startswith(("utf", "idna", "puny", "unicode")):
        return ""  # UTF-8 and UTF-16 were tried; UTF-7 is an attack
    return _READ_AS.get(known.name, known.name)


def _wide_encoding(data: bytes) -> str:
    """UTF-16 without a byte order mark: every second byte of ASCII text is zero."""
    sample = data[:_PROLOG_BYTES]
    half = max(1, len(sample) // 2)
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > half * 0.3 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.3 and odd < half * 0.05:
        return "utf-16-be"
    return ""


def _decode_by_guess(data: bytes) -> str:
    from charset_normalizer import from_bytes  # costs 20 ms, and few texts need it

    sample = _informative_part(data)
    foreign = len(sample.translate(None, delete=_ASCII))
    if foreign < _MIN_FOREIGN_BYTES and foreign < len(sample) / 4:
        return data.decode("cp1252", "replace")  # some umlauts in a short text: nothing to count
    if _is_euc_jp(sample):
        return data.decode("euc_jp", "replace")
    best = from_bytes(sample).best()
    name = _known(best.encoding) if best else ""
    text = data.decode(name or "cp1252", "replace")
    if text.count("\ufffd") > len(text) * _MAX_WRONG:
        return data.decode("cp1252", "replace")
    return text


def _is_euc_jp(sample: bytes) -> bool:
    """Japanese has hiragana in every sentence. The guess takes them for Korean letters."""
    text = sample.decode("euc_jp", "replace")
    foreign = len(text) - len(_ASCII_TEXT.findall(text))
    return len(_HIRAGANA.findall(text)) > foreign * 0.2 and "\ufffd" not in text[:-1]


def _informative_part(data: bytes) -> bytes:
    """The part around the first byte that is not ASCII: the rest says nothing of the encoding."""
    first = next((at for at, byte in enumerate(data) if byte > 127), 0)
    return data[max(0, first - 100) : first + _SAMPLE_BYTES]
