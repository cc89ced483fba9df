"""Validation of the body and headers of a chat request."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from apps.conversations.models import Message
from tests.factories import Team
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    return make_caller(web, live_team.workspace)


def send(caller: Caller, content: bytes, **headers: str) -> httpx.Response:
    """Send a request with exactly this body."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    all_headers = {"Content-Type": "application/json", **caller.all_headers, **extra}
    return httpx.post(
        caller.url, content=content, headers=all_headers, timeout=30, verify=SSL_CONTEXT
    )


def error_details(response: httpx.Response) -> dict[str, list[str]]:
    """The details of a validation error, which must not count against the rate limit."""
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_ERROR")
    assert response.headers["X-RateLimit-Remaining"] == response.headers["X-RateLimit-Limit"]
    details: dict[str, list[str]] = response.json()["details"]
    return details


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"not json",
        b'{"message": "Hello"',
        b'{"message": NaN}',
        b'{"message": "Hello", "metadata": {"n": NaN}}',
        b'{"message": "Hello", "metadata": {"n": -Infinity}}',
        b'{"message": "\xff\xfe"}',
        b'{"message": "Hello"} {}',
        b'{"message": "Hello", "metadata": {"n": ' + b"9" * 5000 + b"}}",
    ],
    ids=lambda content: repr(content[:40]),
)
def test_invalid_json_is_rejected(caller: Caller, content: bytes) -> None:
    response = send(caller, content)
    assert error_details(response) == {}
    assert response.json()["error"] == "The body is not valid JSON."


@pytest.mark.parametrize("body", [[], [{"message": "Hello"}], "Hello", 1, True, None])
def test_body_that_is_not_an_object_is_rejected(caller: Caller, body: Any) -> None:
    details = error_details(send(caller, json.dumps(body).encode()))
    assert details == {"body": ["Send a JSON object."]}


@pytest.mark.parametrize("message", ["", " ", "\n\t  ", "\u00a0\u2003"])
def test_blank_message_is_rejected(caller: Caller, message: str) -> None:
    assert error_details(caller.post(message)) == {"message": ["The message is empty."]}


@pytest.mark.parametrize("message", [5, 1.5, True, [], ["Hello"], {"text": "Hello"}])
def test_message_that_is_not_text_is_rejected(caller: Caller, message: Any) -> None:
    assert error_details(caller.post(message)) == {"message": ["This must be a string."]}


def test_empty_body_is_rejected(caller: Caller) -> None:
    assert error_details(send(caller, b"")) == {"message": ["Send the user's message."]}


@pytest.mark.parametrize("depth", [1500, 100_000])
def test_deeply_nested_body_is_rejected(caller: Caller, depth: int) -> None:
    response = send(caller, b'{"message": ' + b"[" * depth + b"]" * depth + b"}")
    assert error_details(response) == {}
    assert response.json()["error"] == "The body is nested too deep."


@pytest.mark.parametrize("body", [{}, {"message": None}, {"stream": False}])
def test_missing_message_is_rejected(caller: Caller, body: dict[str, Any]) -> None:
    details = error_details(send(caller, json.dumps(body).encode()))
    assert details == {"message": ["Send the user's message."]}


def test_message_of_32000_characters_is_accepted(caller: Caller) -> None:
    message = "é" * 32_000
    assert caller.post(message).json()["data"]["response"] == f"Echo: {message}"


def test_message_of_32001_characters_is_rejected(caller: Caller) -> None:
    details = error_details(caller.post("x" * 32_001))
    assert details == {"message": ["The message may have at most 32,000 characters."]}


@pytest.mark.parametrize("field", ["message", "conversationId"])
@pytest.mark.parametrize("text", [r"a\u0000b", r"a\ud800b", r"a\udfff"])
def test_text_that_cannot_be_stored_is_rejected(caller: Caller, field: str, text: str) -> None:
    body = f'{{"message": "Hello", "{field}": "{text}"}}'.encode()
    assert error_details(send(caller, body)).keys() == {field}


def test_surrogate_pair_is_one_character(caller: Caller) -> None:
    response = send(caller, rb'{"message": "\ud83d\ude00"}')
    assert response.json()["data"]["response"] == "Echo: 😀"


def test_whitespace_around_a_message_is_stored(caller: Caller) -> None:
    turn_id = caller.post("  Hello\n\n you  ").json()["data"]["turnId"]
    assert Message.objects.get(turn_id=turn_id, role="user").text == "  Hello\n\n you  "


@pytest.mark.parametrize("stream", ["true", "false", 0, 1, [], {}, ""])
def test_stream_that_is_not_a_boolean_is_rejected(caller: Caller, stream: Any) -> None:
    assert error_details(caller.post(stream=stream)) == {"stream": ["This must be true or false."]}


@pytest.mark.parametrize("conversation_id", [5, True, [], {}])
def test_conversation_id_that_is_not_text_is_rejected(caller: Caller, conversation_id: Any) -> None:
    details = error_details(caller.post(conversationId=conversation_id))
    assert details == {"conversationId": ["This must be a string."]}


@pytest.mark.parametrize("conversation_id", ["", " ", "c" * 65])
def test_malformed_conversation_id_is_rejected(caller: Caller, conversation_id: str) -> None:
    assert error_details(caller.post(conversationId=conversation_id)).keys() == {"conversationId"}


@pytest.mark.parametrize("metadata", [[], [1], "x", 1, True])
def test_metadata_that_is_not_an_object_is_rejected(caller: Caller, metadata: Any) -> None:
    assert error_details(caller.post(metadata=metadata)) == {
        "metadata": ["This must be a JSON object."]
    }


def test_null_fields_are_ignored(caller: Caller) -> None:
    data = caller.post(conversationId=None, stream=None, metadata=None).json()["data"]
    assert data["response"] == "Echo: Hello there"
    assert Message.objects.get(turn_id=data["turnId"], role="user").metadata is None


@pytest.mark.parametrize("name", ["converstionId", "Message", "", "x" * 1000, "\u0000", "\ud800"])
def test_unknown_field_is_rejected(caller: Caller, name: str) -> None:
    response = send(caller, json.dumps({"message": "Hello", name: 1}).encode())
    assert list(error_details(response).values()) == [["This field is not known here."]]


def test_all_invalid_fields_are_reported(caller: Caller) -> None:
    details = error_details(caller.post(5, stream="yes", metadata=[], conversationId=1, other=1))
    assert details.keys() == {"message", "stream", "metadata", "conversationId", "other"}


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"source": "mobile_app", "userId": "user_123"},
        {"a": {"b": [1, 2.5, None, True, {"c": "é😀"}]}},
        {"written": r"back\u0000slash"},
        {"big": 10**400},
    ],
)
def test_metadata_is_stored_unchanged(caller: Caller, metadata: dict[str, Any]) -> None:
    turn_id = caller.post(metadata=metadata).json()["data"]["turnId"]
    assert Message.objects.get(turn_id=turn_id, role="user").metadata == metadata


def test_metadata_is_not_in_responses(caller: Caller) -> None:
    caller.headers["Idempotency-Key"] = "one"
    for _ in range(2):
        response = caller.post(metadata={"secret": "walnut"})
        assert response.status_code == 200
        assert "walnut" not in response.text + str(response.headers)


def test_metadata_may_have_16_kib(caller: Caller) -> None:
    fill = 16 * 1024 - len('{"a":""}')
    assert caller.post(metadata={"a": "x" * fill}).status_code == 200
    details = metadata_errors(caller, {"a": "x" * (fill + 1)})
    assert details == ["This may be at most 16 KiB of JSON."]


def metadata_errors(caller: Caller, metadata: Any) -> list[str]:
    response = caller.post(metadata=metadata)
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_ERROR")
    messages: list[str] = response.json()["details"]["metadata"]
    return messages


def test_metadata_is_measured_in_bytes(caller: Caller) -> None:
    assert metadata_errors(caller, {"a": "é" * 8192}) == ["This may be at most 16 KiB of JSON."]


@pytest.mark.parametrize("text", [r"\u0000", r"\ud800"])
@pytest.mark.parametrize("form", ['{"a": "%s"}', '{"%s": 1}', '{"a": [{"b": "x%s"}]}'])
def test_metadata_that_cannot_be_stored_is_rejected(caller: Caller, form: str, text: str) -> None:
    body = f'{{"message": "Hello", "metadata": {form % text}}}'.encode()
    assert error_details(send(caller, body)).keys() == {"metadata"}


def test_infinite_number_in_metadata_is_rejected(caller: Caller) -> None:
    body = b'{"message": "Hello", "metadata": {"a": 1e999}}'
    assert error_details(send(caller, body)) == {
        "metadata": ["This has a number that JSON does not know."]
    }


def nested(levels: int) -> dict[str, Any]:
    """Nested objects of this many levels."""
    return {"a": nested(levels - 1)} if levels > 1 else {}


def test_metadata_of_32_levels_is_accepted(caller: Caller) -> None:
    assert caller.post(metadata=nested(32)).status_code == 200


@pytest.mark.parametrize("levels", [33, 500])
def test_metadata_of_33_levels_is_rejected(caller: Caller, levels: int) -> None:
    assert metadata_errors(caller, nested(levels)) == ["This may be nested at most 32 levels deep."]


@pytest.mark.parametrize("value", ["", "x" * 256, "a\tb"])
def test_malformed_idempotency_key_is_rejected(caller: Caller, value: str) -> None:
    caller.headers["Idempotency-Key"] = value
    assert error_details(caller.post()).keys() == {"Idempotency-Key"}


def test_idempotency_key_of_255_characters_is_accepted(caller: Caller) -> None:
    caller.headers["Idempotency-Key"] = "x" * 255
    assert caller.post().status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""],
)
def test_other_content_types_are_rejected(caller: Caller, content_type: str) -> None:
    response = send(caller, b'{"message": "Hello"}', Content_Type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_content_type_variants_are_accepted(caller: Caller, content_type: str) -> None:
    assert send(caller, b'{"message": "Hello"}', Content_Type=content_type).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "text/html", "text/event-stream", "application/xml"])
def test_accept_header_is_ignored(caller: Caller, accept: str) -> None:
    response = send(caller, b'{"message": "Hello"}', Accept=accept)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")


def test_content_length_over_1_mib_is_rejected(caller: Caller) -> None:
    response = send(caller, b" " * (1024 * 1024 + 1))
    assert (response.status_code, response.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_body_of_1_mib_is_accepted(caller: Caller) -> None:
    body = b'{"message": "Hello"}'
    assert send(caller, body + b" " * (1024 * 1024 - len(body))).status_code == 200


def test_chunked_body_over_1_mib_is_rejected(caller: Caller) -> None:
    address = (httpx.URL(caller.url).host, httpx.URL(caller.url).port or 80)
    head = f"POST {httpx.URL(caller.url).path} HTTP/1.1\r\nHost: localhost\r\n"
    headers = {**caller.all_headers, "Content-Type": "application/json"}
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    chunk = b"%x\r\n%s\r\n" % (64 * 1024, b" " * 64 * 1024)
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(16):
            connection.sendall(chunk)
        connection.sendall(b"1\r\n \r\n")  # one byte over; the body never ends
        response = b""
        while chunk_received := connection.recv(4096):
            response += chunk_received
    head_lines, _, body = response.partition(b"\r\n\r\n")
    assert head_lines.split(b"\r\n")[0] == b"HTTP/1.1 413 Payload Too Large"
    assert b"\r\nx-request-id: req_" in head_lines
    assert json.loads(body)["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize("text", [r"\u0000", r"a\u0000", r"\ud800", "", "x" * 65])
def test_unstorable_conversation_id_is_rejected(caller: Caller, text: str) -> None:
    body = f'{{"message": "Hello", "conversationId": "{text}"}}'.encode()
    assert error_details(send(caller, body)).keys() == {"conversationId"}
