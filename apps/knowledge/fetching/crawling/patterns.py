"""Which paths a crawl includes and excludes.

A pattern is matched against the path with its query, such as `/docs/install?lang=de`. `*` stands
for any characters, slashes too. A pattern without `*` matches that page and everything below it:
`/docs` matches `/docs`, `/docs/` and `/docs/install`, not `/docs-old`. A whole address may be given
instead of a path. Letters outside ASCII may be written as they are.
"""

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from apps.knowledge.fetching.urls import path_of


def is_included(url: str, include: Sequence[str]) -> bool:
    """Whether any pattern matches, or there is none."""
    return not include or any(matches(url, pattern) for pattern in include)


def is_excluded(url: str, exclude: Sequence[str]) -> bool:
    """Whether any pattern matches."""
    return any(matches(url, pattern) for pattern in exclude)


def matches(url: str, pattern: str) -> bool:
    """Whether the pattern matches the address."""
    path = unquote(path_of(url))
    pattern = unquote(_path_pattern(pattern))
    if "*" not in pattern:
        below = pattern.rstrip("/")
        return path == below or path.startswith((f"{below}/", f"{below}?"))
    return _matches_wildcards(path, pattern)


def _path_pattern(pattern: str) -> str:
    pattern = pattern.strip()
    if "://" in pattern:
        parts = urlsplit(pattern)
        pattern = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return pattern if pattern.startswith(("/", "*")) else f"/{pattern}"


def _matches_wildcards(path: str, pattern: str) -> bool:
    """In linear time: each part is looked for after the one before it."""
    first, *middle, last = pattern.split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return path.endswith(last) and len(path) - len(last) >= at
