"""Requests that cause each error code of the API."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse

import httpx

from apps.audit.services import SYSTEM
from apps.chat.engine.request_parsing import ParsedRequest
from apps.conversations.models import Turn
from apps.leads.fields import LeadFields
from apps.leads.services import create_lead
from apps.turns.sweep import sweep_turns
from tests.contracts import knowledge_error_cases as knowledge
from tests.contracts import resource_error_cases as resources
from tests.factories import (
    Team,
    make_api_key,
    make_chatbot,
    make_language_model,
)
from tests.fault_injection import reject_inserts
from tests.turns.turn_factory import expire_heartbeat, make_running_turn
from tests.web_processes import Caller, WebProcess, make_caller


@dataclass(frozen=True)
class ErrorCase:
    """How to cause one error code.

    `has_limit_headers`: the chatbot or API key whose rate limit applies is known.
    """

    status: int
    send: Callable[[WebProcess, Team], httpx.Response]
    has_limit_headers: bool = True


def send_empty_message(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace).post("")


def send_without_key(web: WebProcess, team: Team) -> httpx.Response:
    return httpx.post(make_caller(web, team.workspace).url, json={"message": "Hello"})


def send_wrong_key(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    return Caller(web, caller.chatbot, caller.key[:-1] + "_").post()


def send_without_credits(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace, make_language_model(credits_per_reply=1)).post()


def send_without_scope(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    return Caller(web, caller.chatbot, make_api_key(team.workspace, ["read", "manage"])).post()


def use_foreign_chatbot(web: WebProcess, team: Team) -> httpx.Response:
    theirs = make_caller(web, team.other_workspace)
    return Caller(web, theirs.chatbot, make_api_key(team.workspace)).post()


def use_foreign_conversation(web: WebProcess, team: Team) -> httpx.Response:
    theirs = make_caller(web, team.other_workspace).post().json()["data"]["conversationId"]
    return make_caller(web, team.workspace).post(conversationId=theirs)


def follow_foreign_turn(web: WebProcess, team: Team) -> httpx.Response:
    turn_id = make_caller(web, team.other_workspace).post().json()["data"]["turnId"]
    caller = make_caller(web, team.workspace)
    return httpx.get(
        f"{caller.url.removesuffix('/chat')}/turns/{turn_id}/stream", headers=caller.all_headers
    )


def rate_foreign_message(web: WebProcess, team: Team) -> httpx.Response:
    ours, theirs = (
        make_running_turn(make_chatbot(each)) for each in (team.workspace, team.other_workspace)
    )
    path = f"conversations/{ours.conversation_id}/messages/{theirs.message_id}/rating"
    return resources.send_request(web, team, "DELETE", path)


def rate_user_message(web: WebProcess, team: Team) -> httpx.Response:
    question = make_running_turn(make_chatbot(team.workspace)).messages.get()
    path = f"conversations/{question.conversation_id}/messages/{question.id}/rating"
    return resources.send_request(web, team, "PUT", path, json={"rating": "up"})


def get_foreign_lead(web: WebProcess, team: Team) -> httpx.Response:
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


def set_taken_email(web: WebProcess, team: Team) -> httpx.Response:
    chatbot = make_chatbot(team.workspace)
    key = make_api_key(team.workspace, ["manage"])
    api = httpx.Client(base_url=web.url, headers={"Authorization": f"Bearer {key}"})
    root = f"/api/v1/chatbots/{chatbot.id}/leads"
    with api:
        for name in ("eve", "mallory"):
            created = api.post(root, json={"name": name, "email": f"{name}@example.com"})
        lead_id = created.json()["data"]["id"]
        return api.patch(f"{root}/{lead_id}", json={"email": "eve@example.com"})


def get_unknown_path(web: WebProcess, team: Team) -> httpx.Response:
    return httpx.get(f"{web.url}/api/v1/nothing")


def use_wrong_method(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    return httpx.get(caller.url, headers=caller.all_headers)


def use_busy_conversation(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    assert not isinstance(caller.chatbot, str)
    conversation = make_running_turn(caller.chatbot).conversation_id
    return caller.post(conversationId=conversation)


def reuse_idempotency_key(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    caller.headers["Idempotency-Key"] = "one"
    assert caller.post("Hello").status_code == 200
    return caller.post("Good bye")


def send_large_body(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace).post("x" * 1024 * 1024)


def send_body_slowly(web: WebProcess, team: Team) -> httpx.Response:
    path = make_caller(web, team.workspace).url.removeprefix(web.url)
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
        connection.sendall(head.encode() + b"1")
        response = HTTPResponse(connection)
        response.begin()
        return httpx.Response(
            response.status, headers=response.getheaders(), content=response.read()
        )


def request_long_url(web: WebProcess, team: Team) -> httpx.Response:
    return httpx.post(f"{make_caller(web, team.workspace).url}?q={'x' * 9000}", json={})


def send_form(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    return httpx.post(caller.url, data={"message": "Hello"}, headers=caller.all_headers)


def exceed_rate_limit(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace, rate_limit_requests=1)
    assert caller.post().status_code == 200
    return caller.post()


def _chat_with_database_fault(web: WebProcess, team: Team, sqlstate: str) -> httpx.Response:
    """Chat while PostgreSQL rejects this workspace's messages with an error of this state."""
    with reject_inserts("conversations_message", team.workspace, sqlstate=sqlstate):
        return make_caller(web, team.workspace).post()


def cause_database_error(web: WebProcess, team: Team) -> httpx.Response:
    return _chat_with_database_fault(web, team, "P0001")


def cause_database_shutdown(web: WebProcess, team: Team) -> httpx.Response:
    return _chat_with_database_fault(web, team, "57P01")  # the state of PostgreSQL's shutdown error


def retry_abandoned_turn(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    assert not isinstance(caller.chatbot, str)
    digest = ParsedRequest("Hello").digest(caller.chatbot.id)
    turn = make_running_turn(caller.chatbot, idempotency_key="one", request_digest=digest)
    Turn.objects.filter(id=turn.id).update(text_so_far="Half an ans")  # else the key is free again
    expire_heartbeat(turn)
    sweep_turns()
    caller.headers["Idempotency-Key"] = "one"
    return caller.post("Hello")


def use_failing_model(model: str) -> Callable[[WebProcess, Team], httpx.Response]:
    return lambda web, team: make_caller(web, team.workspace, f"sandbox/{model}").post()


def think_too_long(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace, "sandbox/thinks", max_reply_tokens=1).post()


ERROR_CASES = {
    "VALIDATION_ERROR": ErrorCase(400, send_empty_message),
    "MISSING_AUTH_HEADER": ErrorCase(401, send_without_key, has_limit_headers=False),
    "INVALID_API_KEY": ErrorCase(401, send_wrong_key, has_limit_headers=False),
    "INSUFFICIENT_CREDITS": ErrorCase(402, send_without_credits),
    "SCOPE_MISSING": ErrorCase(403, send_without_scope, has_limit_headers=False),
    "CHATBOT_NOT_FOUND": ErrorCase(404, use_foreign_chatbot, has_limit_headers=False),
    "CONVERSATION_NOT_FOUND": ErrorCase(404, use_foreign_conversation),
    "TURN_NOT_FOUND": ErrorCase(404, follow_foreign_turn),
    "MESSAGE_NOT_FOUND": ErrorCase(404, rate_foreign_message),
    "KNOWLEDGE_BASE_NOT_FOUND": ErrorCase(404, knowledge.get_foreign_base),
    "SOURCE_NOT_FOUND": ErrorCase(404, knowledge.get_foreign_source),
    "SOURCE_FILE_NOT_FOUND": ErrorCase(404, knowledge.download_text),
    "CHUNK_NOT_FOUND": ErrorCase(404, knowledge.get_foreign_chunk),
    "EMBEDDING_MODEL_NOT_FOUND": ErrorCase(404, knowledge.use_unknown_embedding_model),
    "LEAD_NOT_FOUND": ErrorCase(404, get_foreign_lead),
    "CHATBOT_VERSION_NOT_FOUND": ErrorCase(404, resources.get_foreign_version),
    "LANGUAGE_MODEL_NOT_FOUND": ErrorCase(404, resources.get_inactive_model),
    "API_KEY_NOT_FOUND": ErrorCase(404, resources.get_foreign_key),
    "WEBHOOK_ENDPOINT_NOT_FOUND": ErrorCase(404, resources.get_foreign_endpoint),
    "WEBHOOK_DELIVERY_NOT_FOUND": ErrorCase(404, resources.get_foreign_delivery),
    "EXPORT_NOT_FOUND": ErrorCase(404, resources.get_foreign_export),
    "NOT_FOUND": ErrorCase(404, get_unknown_path, has_limit_headers=False),
    "METHOD_NOT_ALLOWED": ErrorCase(405, use_wrong_method, has_limit_headers=False),
    "CONVERSATION_BUSY": ErrorCase(409, use_busy_conversation),
    "IDEMPOTENCY_MISMATCH": ErrorCase(409, reuse_idempotency_key),
    "LEAD_EMAIL_TAKEN": ErrorCase(409, set_taken_email),
    "MESSAGE_NOT_AN_ANSWER": ErrorCase(409, rate_user_message),
    "API_KEY_ENDED": ErrorCase(409, resources.rotate_revoked_key),
    "LIMIT_REACHED": ErrorCase(409, resources.create_too_many_keys),
    "WEBHOOK_ENDPOINT_DISABLED": ErrorCase(409, resources.send_test_to_disabled_endpoint),
    "TOO_MANY_WEBHOOK_ENDPOINTS": ErrorCase(409, resources.create_too_many_endpoints),
    "EXPORT_NOT_READY": ErrorCase(409, resources.download_unfinished_export),
    "TOO_MANY_EXPORTS": ErrorCase(409, resources.create_too_many_exports),
    "REQUEST_TIMEOUT": ErrorCase(408, send_body_slowly, has_limit_headers=False),
    "URL_TOO_LONG": ErrorCase(414, request_long_url, has_limit_headers=False),
    "PAYLOAD_TOO_LARGE": ErrorCase(413, send_large_body, has_limit_headers=False),
    "UNSUPPORTED_MEDIA_TYPE": ErrorCase(415, send_form),
    "RATE_LIMIT_EXCEEDED": ErrorCase(429, exceed_rate_limit),
    "INTERNAL_ERROR": ErrorCase(500, cause_database_error),
    "MODEL_ERROR": ErrorCase(502, use_failing_model("fail-before")),
    "EMBEDDING_UNAVAILABLE": ErrorCase(503, knowledge.search_with_failing_model),
    "KNOWLEDGE_UNAVAILABLE": ErrorCase(503, knowledge.answer_from_failing_model),
    "MODEL_UNAVAILABLE": ErrorCase(503, use_failing_model("rate-limited")),
    "SERVICE_UNAVAILABLE": ErrorCase(503, cause_database_shutdown),
    "TURN_ABANDONED": ErrorCase(503, retry_abandoned_turn),
    "MODEL_TIMEOUT": ErrorCase(504, use_failing_model("silent")),
    "REPLY_LIMIT_REACHED": ErrorCase(422, think_too_long),
}
