"""Requests to addresses that the API does not have: served if the address is plain, else a 404
that names the right one.

Plain are those that clients build from a base URL of their own: a slash too many, the base URL
twice, `/v1` after it.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, URLPattern, URLResolver, get_resolver

from apps.api_kit.async_api import AsyncApiView
from apps.core.errors import NotFound
from apps.core.ids import is_id

API_ROOT = "/api/v1/"
DOCUMENT_ADDRESS = f"{API_ROOT}openapi.json"
_MAX_PATH_LENGTH = 200
_MIN_SCORE = 0.5
_BASE_WORDS = ("api", "v1")


class UnknownAddressView(AsyncApiView):
    """Serve the plainly meant operation, or raise NotFound with the nearest address."""

    http_method_names: list[str] = []

    async def async_dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        match = _meant_operation(request.path)
        if match is None:
            return await super().async_dispatch(request, *args, **kwargs)
        response: HttpResponseBase = await match.func(request, *match.args, **match.kwargs)
        return response

    def http_method_not_allowed(self, request: HttpRequest, *_: Any, **__: Any) -> Any:
        address = nearest_address(self.request.path)
        raise NotFound(f"{NotFound.message} Did you mean {address}?" if address else None)


def _meant_operation(path: str) -> ResolverMatch | None:
    """The operation whose address this is but for its slashes and a repeated base, if it is one
    that runs in the event loop, as those of all clients with a base URL do."""
    plain = plain_address(path)
    if not path.startswith(API_ROOT) or plain == path:
        return None
    try:
        match = get_resolver(settings.ROOT_URLCONF).resolve(plain)
    except Resolver404:
        return None
    view = getattr(match.func, "cls", None)
    if not (isinstance(view, type) and issubclass(view, AsyncApiView)):
        return None
    return None if issubclass(view, UnknownAddressView) else match


def plain_address(path: str) -> str:
    """The path with single slashes, and with the base once: `/api/v1/`, then `openai/` if it has
    that."""
    words = [word for word in path.split("/") if word]
    base = "openai" if "openai" in words else ""
    after_base = words[_last_index(words, "openai") + 1 :]
    rest = after_base[max(_last_index(after_base, word) for word in _BASE_WORDS) + 1 :]
    return API_ROOT + "/".join([base, *rest] if base else rest)


def _last_index(words: list[str], word: str) -> int:
    """The last position of the word; -1 if it is not there."""
    return len(words) - 1 - words[::-1].index(word) if word in words else -1


@functools.lru_cache(maxsize=1024)
def nearest_address(path: str) -> str | None:
    """The address that was probably meant, with the ids of the path filled in; None if no address
    is alike."""
    if len(path) > _MAX_PATH_LENGTH:
        return None
    given = [word for word in path.split("/") if word and word.lower() not in _BASE_WORDS]
    if not given:
        return DOCUMENT_ADDRESS
    known_words = _known_words()
    words = [_as_known_word(word, known_words) for word in given]
    score, address = max(
        ((_score(words, template), template) for template in _templates()),
        key=lambda scored: scored[0],
    )
    return API_ROOT + "/".join(_filled(address, words)) if score >= _MIN_SCORE else None


def _as_known_word(word: str, known_words: tuple[str, ...]) -> str:
    """The word of an address that this is a spelling of: plural, capitals, underscores, a typo."""
    plain = re.sub(r"[_\s]", "-", word.lower().removesuffix(".json"))
    if plain in known_words or is_id(word) or len(word) > 40:
        return plain if plain in known_words else word
    close = get_close_matches(plain, known_words, n=1, cutoff=0.8)
    return close[0] if close else word


def _score(words: list[str], template: tuple[str, ...]) -> float:
    """How alike they are, from 0 to 1: the share of words in the same order. Ids alone are not."""
    shared = position = 0
    for word in words:
        for later in range(position, len(template)):
            if _fits(word, template[later]):
                shared, position = shared + 1, later + 1
                break
    is_alike = not set(words).isdisjoint(template)
    return is_alike * 2 * shared / (len(words) + len(template))


def _fits(word: str, part: str) -> bool:
    return is_id(word) or word not in _known_words() if part.startswith("{") else word == part


def _filled(template: tuple[str, ...], words: list[str]) -> Iterator[str]:
    ids = (word for word in words if is_id(word))
    return (next(ids, part) if part.startswith("{") else part for part in template)


@functools.cache
def _known_words() -> tuple[str, ...]:
    parts = {part for template in _templates() for part in template}
    return tuple(sorted(part for part in parts if not part.startswith("{")))


@functools.cache
def _templates() -> tuple[tuple[str, ...], ...]:
    """The addresses of all operations below the root, as parts: ("leads", "{leadId}")."""
    patterns = get_resolver(settings.ROOT_URLCONF).url_patterns
    paths = sorted(
        path.removeprefix(API_ROOT)
        for path in _paths(patterns, "/")
        if path.startswith(API_ROOT) and not path.endswith("/")
    )
    return tuple(tuple(path.split("/")) for path in paths)


def _paths(patterns: Iterable[URLPattern | URLResolver], before: str) -> Iterator[str]:
    for pattern in patterns:
        path = before + re.sub(r"<(?:\w+:)?(\w+)>", _parameter, str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern.url_patterns, path)
        else:
            yield path


def _parameter(found: re.Match[str]) -> str:
    first, *rest = found[1].split("_")
    return "{" + first + "".join(word.capitalize() for word in rest) + "}"
