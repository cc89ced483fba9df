"""Addresses of pages: normalised, so that one page has one address, and compared by site."""

import re
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

import idna

from apps.core.text import legible_file_name
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.types import MAX_URL_CHARACTERS

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PATH_SAFE = "/:@!$&'()*+,;=~%"
_QUERY_SAFE = "/?:@!$&'()*+,;=~%[]"
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TRACKING = re.compile(
    r"utm_\w+|gclid|gclsrc|dclid|gbraid|wbraid|fbclid|msclkid|yclid|twclid|ttclid|igshid|mc_cid"
    r"|mc_eid|_ga|_gl|_hsenc|_hsmi|mkt_tok|vero_id|oly_enc_id|oly_anon_id",
    re.IGNORECASE,
)
# Parameters that only tell where a visitor came from.


def entered_url(text: str) -> str:
    """Normalise an address that a person typed: example.com/docs is https. Raises FetchFailed."""
    text = text.strip()
    if text and not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", text):
        text = f"https://{text.lstrip('/')}"
    return normalize_url(text)


def normalize_url(url: str, base: str = "") -> str:
    """Return the absolute http(s) address in the form that is fetched and stored.

    The fragment and parameters that only track visitors are dropped. Raises FetchFailed
    ("bad_url") for what is not an address of a page.
    """
    url = _CONTROL.sub("", url.strip())
    if len(url) > MAX_URL_CHARACTERS:
        raise _bad_url(f"The address is longer than {MAX_URL_CHARACTERS:,} characters.")
    try:
        parts = urlsplit(urljoin(base, url) if base else url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _bad_url("This is not an address.") from None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not host:
        raise _bad_url("Give the address of a page, which begins with https://")
    if "@" in parts.netloc:
        raise _bad_url("An address with a user name or password is not taken.")
    host = f"[{host}]" if ":" in host else _ascii_host(host)
    netloc = host if port in (None, _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    path = _remove_dots(_normalize_escapes(quote(parts.path, safe=_PATH_SAFE))) or "/"
    query = _without_tracking(_normalize_escapes(quote(parts.query, safe=_QUERY_SAFE)))
    normalized = urlunsplit((scheme, netloc, path, query, ""))
    if len(normalized) > MAX_URL_CHARACTERS:
        raise _bad_url(f"The address is longer than {MAX_URL_CHARACTERS:,} characters.")
    return normalized


def page_key(url: str) -> str:
    """What normalised addresses of one page have in common: not the scheme, "www." or the order
    of parameters, where each is named once and has a value."""
    parts = urlsplit(url)
    pairs = parts.query.split("&") if parts.query else []
    names = [pair.partition("=")[0] for pair in pairs]
    if all("=" in pair for pair in pairs) and len(set(names)) == len(names):
        pairs = sorted(pairs)
    return f"{site_of(url)}{parts.path}?{'&'.join(pairs)}"


def site_of(url: str) -> str:
    """The host and port without "www.": a site's pages have it in common."""
    return host_of(url).removeprefix("www.")


def host_of(url: str) -> str:
    """The host, with its port unless that is the usual one."""
    return urlsplit(url).netloc


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def path_of(url: str) -> str:
    """The path with the query, as patterns match it."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def readable(url: str) -> str:
    """The address as a person would write it, for sentences; cut if it is long."""
    text = legible_file_name(unquote(url), default=url)
    return f"{text[:200]}…" if len(text) > 200 else text


def _ascii_host(host: str) -> str:
    host = unquote(host).lower().rstrip(".")
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise _bad_url("This is not the name of a host.") from None


def _normalize_escapes(text: str) -> str:
    """Write escapes in capitals, and undo those that were not needed."""

    def one(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else f"%{match[1].upper()}"

    text = _ESCAPE.sub(one, text)
    return re.sub(r"%(?![0-9A-F]{2})", "%25", text)


def _remove_dots(path: str) -> str:
    """Resolve "." and ".." as RFC 3986 says."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments[1:]:
        if segment == "..":
            kept[-1:] = []
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _without_tracking(query: str) -> str:
    if not query:
        return ""
    pairs = query.split("&")
    return "&".join(
        pair for pair in pairs if pair and not _TRACKING.fullmatch(pair.partition("=")[0])
    )


def _bad_url(sentence: str) -> FetchFailed:
    return FetchFailed("bad_url", sentence)
