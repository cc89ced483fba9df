"""Sentences for what a site answered, or why it did not."""

from http import HTTPStatus

from apps.infrastructure.http.request_errors import (
    BodyNotReadable,
    BodyTooLarge,
    ConnectionFailed,
    NameNotResolved,
    RequestFailed,
    RequestTimedOut,
    TlsFailed,
)
from apps.infrastructure.http.safe_http import GetResponse
from apps.infrastructure.http.url_validation import AddressNotPublic, UrlNotAllowed
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.types import ROBOTS_TOKEN, FetchOptions
from apps.knowledge.fetching.urls import host_of

_TEMPORARY = frozenset({408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})


def failure_of_status(response: GetResponse) -> FetchFailed:
    """Why a response that is not a page is none."""
    status = response.status
    return FetchFailed(
        f"http_{status}",
        _sentence_of_status(response),
        is_temporary=status in _TEMPORARY,
        retry_after=response.retry_after if status in _TEMPORARY else None,
    )


def _sentence_of_status(response: GetResponse) -> str:
    status = response.status
    answer = f"The site answered {status}{_phrase(status)}"
    if response.header("cf-mitigated") == "challenge":
        return f"{answer}: its protection asks visitors to prove that they use a browser. {_ALLOW}"
    if status == 401:
        return f"{answer}: the page needs a login."
    if status in (403, 406, 451):
        return f"{answer} to our user agent {ROBOTS_TOKEN}. {_ALLOW}"
    if status == 404:
        return f"{answer}: there is no page at this address."
    if status == 410:
        return f"{answer}: the page was removed."
    if status == 429:
        return f"{answer}: it wants fewer requests."
    if status >= 500:
        return f"{answer}: it has a problem of its own."
    return f"{answer}."


_ALLOW = f"Allow the user agent {ROBOTS_TOKEN} there, or upload the content as a file."


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def failure_of_request(
    error: RequestFailed | UrlNotAllowed, url: str, options: FetchOptions, *, max_bytes: int
) -> FetchFailed:
    """Why there is no response."""
    host = host_of(url)
    match error:
        case AddressNotPublic():
            sentence = f"{host} leads to an address that is not on the public internet."
            return FetchFailed("private_address", sentence)
        case UrlNotAllowed():
            return FetchFailed("bad_url", str(error))
        case NameNotResolved():
            sentence = f"There is no server with the name {host} (DNS lookup failed)."
            return FetchFailed("dns", sentence, is_temporary=error.is_temporary)
        case TlsFailed():
            sentence = f"{host} has no valid TLS certificate, so its pages cannot be trusted."
            return FetchFailed("tls", sentence)
        case ConnectionFailed():
            sentence = f"{host} does not accept connections."
            return FetchFailed("refused", sentence, is_temporary=True)
        case RequestTimedOut():
            sentence = f"{host} did not answer completely within {options.seconds:g} seconds."
            if "slowly" in str(error):
                sentence = f"{host} sent its answer too slowly."
            return FetchFailed("timed_out", sentence, is_temporary=True)
        case BodyTooLarge():
            sentence = f"The page or file is larger than {_megabytes(max_bytes)}."
            return FetchFailed("too_large", sentence)
        case BodyNotReadable():
            return FetchFailed("damaged", f"What {host} sent cannot be decompressed.")
    sentence = f"{host} closed the connection early, or does not speak HTTP."
    return FetchFailed("broken_connection", sentence, is_temporary=True)


def _megabytes(count: int) -> str:
    return f"{count / 1024 / 1024:g} MB" if count >= 1024 * 1024 else f"{count:,} bytes"
