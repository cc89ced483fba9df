"""Recognise links that lead on for ever: calendars, filters, paths that repeat themselves."""

import re
from collections import Counter
from urllib.parse import urlsplit

from apps.knowledge.fetching.urls import site_of

MAX_SEGMENTS = 20
MAX_REPEATS = 3
"""How often one segment may be in a path: relative links gone wrong repeat it without end."""
MAX_PARAMETERS = 6
MAX_VARIANTS = 50
"""How many queries of one path, or dates below one path, are visited from links. What a sitemap
lists is not counted: its site means it."""

_DATE = re.compile(r"/(?:19|20)\d\d(?:[/-]\d{1,2}){0,2}/?$")
_IGNORED_EXTENSION = re.compile(
    r"\.(?:jpe?g|png|gif|webp|avif|svg|ico|bmp|tiff?|css|m?js|map|json|xml|rss|atom|woff2?|ttf|otf"
    r"|eot|mp[34]|m4[av]|webm|og[gv]|wav|avi|mov|zip|gz|tgz|tar|bz2|7z|rar|exe|dmg|msi|apk|iso)$",
    re.IGNORECASE,
)


def has_no_text(url: str) -> bool:
    """Whether the name says that it is an image, a script, an archive and the like."""
    return _IGNORED_EXTENSION.search(urlsplit(url).path) is not None


def endless_path(url: str) -> str:
    """Why the address looks like one of an endless number; "" if it does not."""
    parts = urlsplit(url)
    segments = [each for each in parts.path.split("/") if each]
    if len(segments) > MAX_SEGMENTS:
        return f"Its path has more than {MAX_SEGMENTS} parts."
    if segments and max(Counter(segments).values()) > MAX_REPEATS:
        return "Its path repeats itself."
    if parts.query.count("&") >= MAX_PARAMETERS:
        return f"It has more than {MAX_PARAMETERS} parameters."
    return ""


def variant_group(url: str) -> str:
    """What addresses have in common that may go on for ever; "" if nothing."""
    parts = urlsplit(url)
    if parts.query:
        return f"{site_of(url)}{parts.path}?"
    if _DATE.search(parts.path):
        return f"{site_of(url)}{_DATE.sub('', parts.path)}/date"
    return ""
