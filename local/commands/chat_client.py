"""Minimal HTTP client for the chat API."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

from local.errors import LocalError

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Endpoint:
    """Address and API key of one chatbot."""

    base_url: str
    chatbot_id: str
    api_key: str

    @property
    def url(self) -> str:
        return f"{self.base_url}/api/v1/chatbots/{self.chatbot_id}/chat"


def send_message(endpoint: Endpoint, message: str) -> str:
    """Send a message and return the reply's text. Raises LocalError, with the body, on failure."""
    with _post(endpoint, {"message": message, "stream": False}) as response:
        body = response.read()
    try:
        return str(json.loads(body)["data"]["response"])
    except (ValueError, KeyError, TypeError):
        raise LocalError(f"The chat's answer is not as documented: {_excerpt(body)}") from None


def stream_message(endpoint: Endpoint, message: str) -> Iterator[str]:
    """Send a message and yield the reply's text deltas. Raises LocalError on failure."""
    with _post(endpoint, {"message": message, "stream": True}) as response:
        ended = False
        for event in _parse_events(response):
            if event["type"] == "message.delta":
                yield str(event["delta"])
            elif event["type"] == "error":
                raise LocalError(f"The chat failed while it streamed: {json.dumps(event)}")
            ended = ended or event["type"] == "message.end"
    if not ended:
        raise LocalError("The stream ended before its message.end.")


@contextmanager
def _post(endpoint: Endpoint, body: dict[str, Any]) -> Iterator[HTTPResponse]:
    request = urllib.request.Request(  # noqa: S310
        endpoint.url,
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {endpoint.api_key}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            yield response
    except urllib.error.HTTPError as error:
        raise LocalError(f"The chat was answered {error.code}: {_excerpt(error.read())}") from None
    except OSError as error:
        raise LocalError(f"The chat was not answered: {error}") from None


def _parse_events(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of an event stream's data lines, up to `[DONE]`."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for line in response:
        if time.monotonic() > deadline:  # heartbeats reset the socket's own timeout
            raise LocalError(f"The stream did not end within {TIMEOUT_SECONDS:.0f} s.")
        if not line.startswith(b"data:"):
            continue
        text = line.removeprefix(b"data:").strip()
        if text == b"[DONE]":
            return
        yield json.loads(text)


def _excerpt(body: bytes) -> str:
    return body[:600].decode(errors="replace")


def curl_commands(endpoint: Endpoint) -> tuple[str, str]:
    """Return two shell commands: one JSON request and one streamed request."""
    head = (
        f"curl -X POST {endpoint.url} \\\n"
        f'  -H "Authorization: Bearer {endpoint.api_key}" \\\n'
        f'  -H "Content-Type: application/json" \\\n'
    )
    return (
        head + """  -d '{"message": "Hello, how can you help me?"}'""",
        head + """  -d '{"message": "Hello!", "stream": true}' --no-buffer""",
    )
