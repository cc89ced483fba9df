"""Each error code of the API, caused over a real socket, has the documented status and format."""

from __future__ import annotations

import re
import time
from importlib import import_module, util
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.apps import apps

from apps.core.errors import ApiError
from tests.contracts.error_cases import (
    ERROR_CASES,
    cause_database_error,
    exceed_rate_limit,
    send_without_credits,
    send_wrong_key,
    use_failing_model,
    use_foreign_chatbot,
    use_foreign_conversation,
)
from tests.factories import (
    Team,
    make_api_key,
)
from tests.web_processes import Caller, WebProcess, make_caller

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"
RATE_LIMIT_HEADERS = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]
SOCKET_ONLY_CODES = {
    "ORIGIN_NOT_ALLOWED": 403,
    "TOO_MANY_TURNS": 409,
    "SLOW_READER": 408,
    "NOT_SIGNED_IN": 401,
    "WORKSPACE_NOT_FOUND": 404,
    "TOO_MANY_CONVERSATIONS": 409,
}
"""Codes that only WebSockets send, tested in `tests/e2e/websocket/` and `tests/dashboard/`."""

EXTRA_FIELDS = {400: {"details"}, 402: {"needed", "available"}, 429: {"retryAfter"}}
EXTRA_HEADERS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}


@pytest.mark.parametrize("code", ERROR_CASES)
def test_error_has_the_common_format(code: str, web: WebProcess, live_team: Team) -> None:
    case = ERROR_CASES[code]
    response = case.send(web, live_team)
    body = response.json()
    assert (response.status_code, body["success"], body["code"]) == (case.status, False, code)
    assert body.keys() == {"success", "error", "code"} | EXTRA_FIELDS.get(case.status, set())
    assert re.fullmatch(r"[A-Z][^\n]{10,}", body["error"])
    assert "Traceback" not in response.text
    assert response.headers["Content-Type"] == "application/json"
    assert re.fullmatch(r"req_[0-9a-f]{24}", response.headers["X-Request-Id"])
    expected = {EXTRA_HEADERS[case.status]} if case.status in EXTRA_HEADERS else set()
    assert {n for n in set(EXTRA_HEADERS.values()) if n in response.headers} == expected
    limit_headers = [name for name in RATE_LIMIT_HEADERS if name in response.headers]
    assert limit_headers == (RATE_LIMIT_HEADERS if case.has_limit_headers else [])


def test_every_documented_code_has_a_case() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([A-Z_]+)` \|", DOCS.read_text(), re.MULTILINE)
    # Compared as lists, so that a duplicate row fails.
    assert sorted((code, int(status)) for status, code in rows) == sorted(
        (code, case.status) for code, case in ERROR_CASES.items()
    )


def test_every_socket_only_code_is_documented() -> None:
    table = DOCS.with_name("websocket.md").read_text()
    assert {
        code for code in SOCKET_ONLY_CODES if f"| `{code}` |" in table
    } == SOCKET_ONLY_CODES.keys()


def test_every_error_class_has_a_case() -> None:
    assert {
        error.code for error in error_classes()
    } == ERROR_CASES.keys() | SOCKET_ONLY_CODES.keys()


def test_each_code_has_one_status() -> None:
    found = {(error.code, error.status) for error in error_classes() if "code" in vars(error)}
    assert found == {(code, case.status) for code, case in ERROR_CASES.items()} | {
        *SOCKET_ONLY_CODES.items()
    }


def test_rate_limit_error_has_retry_after(web: WebProcess, live_team: Team) -> None:
    response = exceed_rate_limit(web, live_team)
    wait = response.json()["retryAfter"]
    assert response.headers["Retry-After"] == str(wait)
    assert 1 <= wait <= 60
    assert (response.headers["X-RateLimit-Limit"], response.headers["X-RateLimit-Remaining"]) == (
        "1",
        "0",
    )
    assert 0 <= int(response.headers["X-RateLimit-Reset"]) - time.time() <= 61


def test_model_unavailable_has_the_providers_retry_after(web: WebProcess, live_team: Team) -> None:
    assert use_failing_model("rate-limited")(web, live_team).headers["Retry-After"] == "10"


def test_method_not_allowed_lists_the_methods(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = httpx.request(method, caller.url, headers=caller.all_headers)
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_documented_errors_are_exact(web: WebProcess, live_team: Team) -> None:
    limited = exceed_rate_limit(web, live_team).json()
    assert limited.pop("retryAfter") >= 1
    assert [send_wrong_key(web, live_team).json(), use_foreign_chatbot(web, live_team).json()] == [
        {"success": False, "error": "Invalid or inactive API key", "code": "INVALID_API_KEY"},
        {
            "success": False,
            "error": "Chatbot not found or access denied",
            "code": "CHATBOT_NOT_FOUND",
        },
    ]
    assert [limited, send_without_credits(web, live_team).json()] == [
        {
            "success": False,
            "error": "Rate limit exceeded. Please wait before sending another message.",
            "code": "RATE_LIMIT_EXCEEDED",
        },
        {
            "success": False,
            "error": "Insufficient credits to generate AI response. Please upgrade your plan.",
            "code": "INSUFFICIENT_CREDITS",
            "needed": 1,
            "available": 0,
        },
    ]


def test_internal_error_hides_its_cause(web: WebProcess, live_team: Team) -> None:
    assert cause_database_error(web, live_team).json() == {
        "success": False,
        "error": "Something went wrong on our side. Quote the request id to support.",
        "code": "INTERNAL_ERROR",
    }


def error_classes() -> set[type[ApiError]]:
    for app in apps.get_app_configs():
        if app.name.startswith("apps.") and util.find_spec(f"{app.name}.errors"):
            import_module(f"{app.name}.errors")
    return subclasses_of(ApiError)


def subclasses_of(error: type[ApiError]) -> set[type[ApiError]]:
    return {error}.union(*(subclasses_of(leaf) for leaf in error.__subclasses__()))


def assert_same_body(*responses: httpx.Response) -> Any:
    """Return the body that all these responses have."""
    bodies = {response.content for response in responses}
    assert len(bodies) == 1
    return responses[0].json()


def test_missing_foreign_and_inactive_chatbots_look_alike(web: WebProcess, live_team: Team) -> None:
    key = make_api_key(live_team.workspace)
    inactive = make_caller(web, live_team.workspace, is_active=False)
    absent = ["c" + "0" * 24, "x", "C" * 25, "%00", "%FF", "é", "a" * 300]
    body = assert_same_body(
        use_foreign_chatbot(web, live_team),
        inactive.post(),
        *(Caller(web, chatbot_id, key).post() for chatbot_id in absent),
    )
    assert body["code"] == "CHATBOT_NOT_FOUND"


def test_missing_and_foreign_conversations_look_alike(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    sibling = make_caller(web, live_team.workspace).post().json()["data"]["conversationId"]
    body = assert_same_body(
        use_foreign_conversation(web, live_team),
        caller.post(conversationId=sibling),
        *(caller.post(conversationId=absent) for absent in ("x", "c" + "0" * 24)),
    )
    assert body["code"] == "CONVERSATION_NOT_FOUND"
