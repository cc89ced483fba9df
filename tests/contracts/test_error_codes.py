"""Every error code of the API, met by a caller on a real socket, in the one shape."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.apps import apps

from apps.api_keys.services import issue_key, revoke_key
from apps.audit.services import SYSTEM
from apps.chat.engine.request_parsing import ParsedRequest
from apps.chatbots.models import ChatbotVersion
from apps.conversations.exports.services import MAX_UNFINISHED_EXPORTS
from apps.core.errors import ApiError
from apps.leads.fields import LeadFields
from apps.leads.services import create_lead
from apps.turns.sweep import sweep_turns
from apps.webhooks.models import DisabledReason
from apps.webhooks.services import MAX_ENDPOINTS, disable_endpoint, send_test
from tests.conversations.export_factory import make_pending_export
from tests.factories import (
    Team,
    make_api_key,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
)
from tests.fault_injection import reject_inserts
from tests.turns.turn_factory import expire_heartbeat, make_running_turn
from tests.web_processes import Caller, WebProcess, make_caller

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"
KNOWN = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]


@dataclass(frozen=True)
class Case:
    """How to meet one code. `shows_limit`: whose limit counts, a chatbot's or a key's, is known."""

    status: int
    meet: Callable[[WebProcess, Team], httpx.Response]
    shows_limit: bool = True


def bad_message(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace).post("")


def no_header(web: WebProcess, team: Team) -> httpx.Response:
    return httpx.post(make_caller(web, team.workspace).url, json={"message": "Hello"})


def wrong_key(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    return Caller(web, caller.chatbot, caller.key[:-1] + "_").post()


def no_credits(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace, make_language_model(credits_per_reply=1)).post()


def wrong_scope(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    return Caller(web, caller.chatbot, make_api_key(team.workspace, ["read", "manage"])).post()


def foreign_chatbot(web: WebProcess, team: Team) -> httpx.Response:
    theirs = make_caller(web, team.other_workspace)
    return Caller(web, theirs.chatbot, make_api_key(team.workspace)).post()


def foreign_conversation(web: WebProcess, team: Team) -> httpx.Response:
    theirs = make_caller(web, team.other_workspace).post().json()["data"]["conversationId"]
    return make_caller(web, team.workspace).post(conversationId=theirs)


def foreign_turn(web: WebProcess, team: Team) -> httpx.Response:
    turn_id = make_caller(web, team.other_workspace).post().json()["data"]["turnId"]
    caller = make_caller(web, team.workspace)
    return httpx.get(
        f"{caller.url.removesuffix('/chat')}/turns/{turn_id}/stream", headers=caller.all_headers
    )


def foreign_message(web: WebProcess, team: Team) -> httpx.Response:
    ours, theirs = (
        make_running_turn(make_chatbot(each)) for each in (team.workspace, team.other_workspace)
    )
    path = f"conversations/{ours.conversation_id}/messages/{theirs.message_id}/rating"
    return _rest(web, team, "DELETE", path)


def question_rated(web: WebProcess, team: Team) -> httpx.Response:
    asked = make_running_turn(make_chatbot(team.workspace)).messages.get()
    path = f"conversations/{asked.conversation_id}/messages/{asked.id}/rating"
    return _rest(web, team, "PUT", path, json={"rating": "up"})


def foreign_lead(web: WebProcess, team: Team) -> httpx.Response:
    fields: LeadFields = {"name": "Eve", "email": "eve@example.com"}
    theirs, _ = create_lead(
        workspace_id=team.other_workspace.id,
        chatbot_id=make_chatbot(team.other_workspace).id,
        fields=fields,
        actor=SYSTEM,
    )
    key = make_api_key(team.workspace, ["read"])
    url = f"{web.url}/api/v1/leads/{theirs.id}"
    return httpx.get(url, headers={"Authorization": f"Bearer {key}"})


def taken_email(web: WebProcess, team: Team) -> httpx.Response:
    chatbot = make_chatbot(team.workspace)
    key = make_api_key(team.workspace, ["manage"])
    api = httpx.Client(base_url=web.url, headers={"Authorization": f"Bearer {key}"})
    root = f"/api/v1/chatbots/{chatbot.id}/leads"
    with api:
        for name in ("eve", "mallory"):
            made = api.post(root, json={"name": name, "email": f"{name}@example.com"})
        lead_id = made.json()["data"]["id"]
        return api.patch(f"{root}/{lead_id}", json={"email": "eve@example.com"})


def unknown_address(web: WebProcess, team: Team) -> httpx.Response:
    return httpx.get(f"{web.url}/api/v1/nothing")


def wrong_method(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    return httpx.get(caller.url, headers=caller.all_headers)


def busy(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    assert not isinstance(caller.chatbot, str)
    conversation = make_running_turn(caller.chatbot).conversation_id
    return caller.post(conversationId=conversation)


def other_body(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    caller.headers["Idempotency-Key"] = "one"
    assert caller.post("Hello").status_code == 200
    return caller.post("Good bye")


def large_body(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace).post("x" * 1024 * 1024)


def form(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    return httpx.post(caller.url, data={"message": "Hello"}, headers=caller.all_headers)


def full_window(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace, rate_limit_requests=1)
    assert caller.post().status_code == 200
    return caller.post()


def broken(web: WebProcess, team: Team) -> httpx.Response:
    return _with_database_fault(web, team, "P0001")


def database_away(web: WebProcess, team: Team) -> httpx.Response:
    return _with_database_fault(web, team, "57P01")  # what PostgreSQL says as it shuts down


def abandoned(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    assert not isinstance(caller.chatbot, str)
    digest = ParsedRequest("Hello").digest(caller.chatbot.id)
    turn = make_running_turn(caller.chatbot, idempotency_key="one", request_digest=digest)
    expire_heartbeat(turn)
    sweep_turns()
    caller.headers["Idempotency-Key"] = "one"
    return caller.post("Hello")


def _webhooks(
    web: WebProcess, team: Team, method: str, path: str, **options: Any
) -> httpx.Response:
    return _rest(web, team, method, f"webhook-{path}", **options)


def _rest(web: WebProcess, team: Team, method: str, path: str, **options: Any) -> httpx.Response:
    key = make_api_key(team.workspace, ["read", "manage"])
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.request(method, f"{web.url}/api/v1/{path}", headers=headers, **options)


def foreign_endpoint(web: WebProcess, team: Team) -> httpx.Response:
    theirs, _ = make_webhook_endpoint(team.other_workspace)
    return _webhooks(web, team, "GET", f"endpoints/{theirs.id}")


def foreign_delivery(web: WebProcess, team: Team) -> httpx.Response:
    theirs = send_test(endpoint=make_webhook_endpoint(team.other_workspace)[0])
    return _webhooks(web, team, "GET", f"deliveries/{theirs.id}")


def foreign_version(web: WebProcess, team: Team) -> httpx.Response:
    theirs = ChatbotVersion.objects.get(chatbot=make_chatbot(team.other_workspace))
    chatbot = make_chatbot(team.workspace)
    return _rest(web, team, "GET", f"chatbots/{chatbot.id}/versions/{theirs.id}")


def hidden_model(web: WebProcess, team: Team) -> httpx.Response:
    return _rest(web, team, "GET", f"language-models/{make_language_model(is_active=False).id}")


def foreign_key(web: WebProcess, team: Team) -> httpx.Response:
    theirs, _ = issue_key(workspace=team.other_workspace, name="n")
    return _rest(web, team, "GET", f"api-keys/{theirs.id}")


def ended_key(web: WebProcess, team: Team) -> httpx.Response:
    key, _ = issue_key(workspace=team.workspace, name="n", scopes=["read"])
    revoke_key(key=key)
    return _rest(web, team, "POST", f"api-keys/{key.id}/rotate", json={})


def endpoint_off(web: WebProcess, team: Team) -> httpx.Response:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    disable_endpoint(endpoint=endpoint, reason=DisabledReason.OWNER)
    return _webhooks(web, team, "POST", f"endpoints/{endpoint.id}/test")


def one_endpoint_more(web: WebProcess, team: Team) -> httpx.Response:
    for _ in range(MAX_ENDPOINTS):
        make_webhook_endpoint(team.workspace)
    body = {"url": "https://hooks.example.com/", "eventTypes": ["lead.created"]}
    return _webhooks(web, team, "POST", "endpoints", json=body)


def foreign_export(web: WebProcess, team: Team) -> httpx.Response:
    return _rest(
        web, team, "GET", f"conversation-exports/{make_pending_export(team.other_workspace).id}"
    )


def unfinished_export(web: WebProcess, team: Team) -> httpx.Response:
    path = f"conversation-exports/{make_pending_export(team.workspace).id}/download"
    return _rest(web, team, "GET", path)


def one_export_more(web: WebProcess, team: Team) -> httpx.Response:
    for _ in range(MAX_UNFINISHED_EXPORTS):
        make_pending_export(team.workspace)
    return _rest(web, team, "POST", "conversation-exports", json={"format": "csv"})


def failing(model: str) -> Callable[[WebProcess, Team], httpx.Response]:
    return lambda web, team: make_caller(web, team.workspace, f"sandbox/{model}").post()


CASES = {
    "VALIDATION_ERROR": Case(400, bad_message),
    "MISSING_AUTH_HEADER": Case(401, no_header, shows_limit=False),
    "INVALID_API_KEY": Case(401, wrong_key, shows_limit=False),
    "INSUFFICIENT_CREDITS": Case(402, no_credits),
    "SCOPE_MISSING": Case(403, wrong_scope, shows_limit=False),
    "CHATBOT_NOT_FOUND": Case(404, foreign_chatbot, shows_limit=False),
    "CONVERSATION_NOT_FOUND": Case(404, foreign_conversation),
    "TURN_NOT_FOUND": Case(404, foreign_turn),
    "MESSAGE_NOT_FOUND": Case(404, foreign_message),
    "LEAD_NOT_FOUND": Case(404, foreign_lead),
    "CHATBOT_VERSION_NOT_FOUND": Case(404, foreign_version),
    "LANGUAGE_MODEL_NOT_FOUND": Case(404, hidden_model),
    "API_KEY_NOT_FOUND": Case(404, foreign_key),
    "WEBHOOK_ENDPOINT_NOT_FOUND": Case(404, foreign_endpoint),
    "WEBHOOK_DELIVERY_NOT_FOUND": Case(404, foreign_delivery),
    "EXPORT_NOT_FOUND": Case(404, foreign_export),
    "NOT_FOUND": Case(404, unknown_address, shows_limit=False),
    "METHOD_NOT_ALLOWED": Case(405, wrong_method, shows_limit=False),
    "CONVERSATION_BUSY": Case(409, busy),
    "IDEMPOTENCY_MISMATCH": Case(409, other_body),
    "LEAD_EMAIL_TAKEN": Case(409, taken_email),
    "MESSAGE_NOT_AN_ANSWER": Case(409, question_rated),
    "API_KEY_ENDED": Case(409, ended_key),
    "WEBHOOK_ENDPOINT_DISABLED": Case(409, endpoint_off),
    "TOO_MANY_WEBHOOK_ENDPOINTS": Case(409, one_endpoint_more),
    "EXPORT_NOT_READY": Case(409, unfinished_export),
    "TOO_MANY_EXPORTS": Case(409, one_export_more),
    "PAYLOAD_TOO_LARGE": Case(413, large_body, shows_limit=False),
    "UNSUPPORTED_MEDIA_TYPE": Case(415, form),
    "RATE_LIMIT_EXCEEDED": Case(429, full_window),
    "INTERNAL_ERROR": Case(500, broken),
    "MODEL_ERROR": Case(502, failing("fail-before")),
    "MODEL_UNAVAILABLE": Case(503, failing("rate-limited")),
    "SERVICE_UNAVAILABLE": Case(503, database_away),
    "TURN_ABANDONED": Case(503, abandoned),
    "MODEL_TIMEOUT": Case(504, failing("silent")),
}

SOCKETS_ALONE = {
    "ORIGIN_NOT_ALLOWED": 403,
    "TOO_MANY_TURNS": 409,
    "SLOW_READER": 408,
    "NOT_SIGNED_IN": 401,
    "WORKSPACE_NOT_FOUND": 404,
    "TOO_MANY_CONVERSATIONS": 409,
}
"""Codes that only a WebSocket meets: `tests/e2e/test_websocket_refusals.py`, `tests/dashboard/`."""

EXTRA_FIELDS = {400: {"details"}, 429: {"retryAfter"}}
EXTRA_HEADERS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}


@pytest.mark.parametrize("code", CASES)
def test_error_has_the_one_shape(code: str, web: WebProcess, live_team: Team) -> None:
    case = CASES[code]
    response = case.meet(web, live_team)
    body = response.json()
    assert (response.status_code, body["success"], body["code"]) == (case.status, False, code)
    assert body.keys() == {"success", "error", "code"} | EXTRA_FIELDS.get(case.status, set())
    assert re.fullmatch(r"[A-Z][^\n]{10,}", body["error"])
    assert "Traceback" not in response.text
    assert response.headers["Content-Type"] == "application/json"
    assert re.fullmatch(r"req_[0-9a-f]{24}", response.headers["X-Request-Id"])
    expected = {EXTRA_HEADERS[case.status]} if case.status in EXTRA_HEADERS else set()
    assert {n for n in set(EXTRA_HEADERS.values()) if n in response.headers} == expected
    shown = [name for name in KNOWN if name in response.headers]
    assert shown == (KNOWN if case.shows_limit else [])


def test_every_documented_code_has_a_case() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([A-Z_]+)` \|", DOCS.read_text(), re.MULTILINE)
    # As lists: a row that stands twice is a row too many.
    assert sorted((code, int(status)) for status, code in rows) == sorted(
        (code, case.status) for code, case in CASES.items()
    )


def test_every_code_of_the_socket_alone_is_documented() -> None:
    table = DOCS.with_name("websocket.md").read_text()
    assert {code for code in SOCKETS_ALONE if f"| `{code}` |" in table} == SOCKETS_ALONE.keys()


def test_every_error_class_has_a_case() -> None:
    assert {error.code for error in _errors()} == CASES.keys() | SOCKETS_ALONE.keys()


def test_statuses_of_one_code_agree() -> None:
    met = {(error.code, error.status) for error in _errors() if "code" in vars(error)}
    assert met == {(code, case.status) for code, case in CASES.items()} | {*SOCKETS_ALONE.items()}


def test_rate_limit_error_says_when_to_come_back(web: WebProcess, live_team: Team) -> None:
    response = full_window(web, live_team)
    wait = response.json()["retryAfter"]
    assert response.headers["Retry-After"] == str(wait)
    assert 1 <= wait <= 60
    assert (response.headers["X-RateLimit-Limit"], response.headers["X-RateLimit-Remaining"]) == (
        "1",
        "0",
    )
    assert 0 <= int(response.headers["X-RateLimit-Reset"]) - time.time() <= 61


def test_model_unavailable_passes_on_the_providers_patience(
    web: WebProcess, live_team: Team
) -> None:
    assert failing("rate-limited")(web, live_team).headers["Retry-After"] == "10"


def test_method_not_allowed_names_the_methods(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = httpx.request(method, caller.url, headers=caller.all_headers)
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_errors_of_the_reference_are_word_for_word(web: WebProcess, live_team: Team) -> None:
    limited = full_window(web, live_team).json()
    assert limited.pop("retryAfter") >= 1
    assert [wrong_key(web, live_team).json(), foreign_chatbot(web, live_team).json()] == [
        {"success": False, "error": "Invalid or inactive API key", "code": "INVALID_API_KEY"},
        {
            "success": False,
            "error": "Chatbot not found or access denied",
            "code": "CHATBOT_NOT_FOUND",
        },
    ]
    assert [limited, no_credits(web, live_team).json()] == [
        {
            "success": False,
            "error": "Rate limit exceeded. Please wait before sending another message.",
            "code": "RATE_LIMIT_EXCEEDED",
        },
        {
            "success": False,
            "error": "Insufficient credits to generate AI response. Please upgrade your plan.",
            "code": "INSUFFICIENT_CREDITS",
        },
    ]


def test_internal_error_says_nothing_of_its_cause(web: WebProcess, live_team: Team) -> None:
    assert broken(web, live_team).json() == {
        "success": False,
        "error": "Something went wrong on our side. Quote the request id to support.",
        "code": "INTERNAL_ERROR",
    }


def _errors() -> set[type[ApiError]]:
    for app in apps.get_app_configs():
        if app.name.startswith("apps.") and util.find_spec(f"{app.name}.errors"):
            import_module(f"{app.name}.errors")
    return _tree(ApiError)


def _tree(error: type[ApiError]) -> set[type[ApiError]]:
    return {error}.union(*(_tree(leaf) for leaf in error.__subclasses__()))


def _with_database_fault(web: WebProcess, team: Team, sqlstate: str) -> httpx.Response:
    """A chat while PostgreSQL refuses this workspace's messages with an error of this state."""
    with reject_inserts("conversations_message", team.workspace, sqlstate=sqlstate):
        return make_caller(web, team.workspace).post()


def same_bodies(*responses: httpx.Response) -> Any:
    """The one body of all these responses."""
    bodies = {response.content for response in responses}
    assert len(bodies) == 1
    return responses[0].json()


def test_not_found_is_the_same_for_absent_foreign_and_inactive(
    web: WebProcess, live_team: Team
) -> None:
    key = make_api_key(live_team.workspace)
    inactive = make_caller(web, live_team.workspace, is_active=False)
    absent = ["c" + "0" * 24, "x", "C" * 25, "%00", "%FF", "é", "a" * 300]
    body = same_bodies(
        foreign_chatbot(web, live_team),
        inactive.post(),
        *(Caller(web, chatbot_id, key).post() for chatbot_id in absent),
    )
    assert body["code"] == "CHATBOT_NOT_FOUND"


def test_conversation_not_found_is_the_same_for_absent_foreign_and_another_chatbots(
    web: WebProcess, live_team: Team
) -> None:
    caller = make_caller(web, live_team.workspace)
    sibling = make_caller(web, live_team.workspace).post().json()["data"]["conversationId"]
    body = same_bodies(
        foreign_conversation(web, live_team),
        caller.post(conversationId=sibling),
        *(caller.post(conversationId=absent) for absent in ("x", "c" + "0" * 24)),
    )
    assert body["code"] == "CONVERSATION_NOT_FOUND"
