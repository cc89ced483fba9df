"""What schemathesis needs to know of the API: values of the document's own formats, what the
document says in words alone, and which requests would end the run. docs/how-to/fuzz-the-api.md tells why.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import ensure_resource_availability

from apps.api_kit.openapi import ID_SCHEMA

Case = schemathesis.Case[Any]

IDS: dict[str, str] = json.loads(os.environ["FUZZ_IDS"])
"""Rows that are there, by the names that paths and bodies have for their ids."""
KEY_ID = os.environ["FUZZ_KEY_ID"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAMED = ("chatbotId", "conversationId", "model")

_count = itertools.count()
_deleted_leads: set[str] = set()
_word = st.text(_LETTERS, min_size=1, max_size=20)
schemathesis.openapi.format("email", _word.map("{}@example.com".format))
schemathesis.openapi.format(
    "phone", st.integers(0, 999).map(lambda number: f"+442079460{number:03}")
)


schemathesis.openapi.format("webhook-url", _word.map("https://hooks.example.com/{}".format))


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: Case) -> bool:
    """Not what ends the run's own key, nor, while single requests are tried, what takes away the
    rows that the others are answered with."""
    ids = case.path_parameters or {}
    if ids.get("apiKeyId") == KEY_ID:
        return False
    return _is_stateful(case) or not (_spoils(case) and set(ids.values()) & set(IDS.values()))


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Case, _options: dict[str, Any]) -> None:
    """What the document says in words, because no schema can."""
    if _is_valid(case):
        _vary(case)
        _tell_from_the_start(case)
    if not _is_stateful(case):
        _name_what_is_there(case)
    if isinstance(case.body, dict):
        _make_possible(case, case.body)


@schemathesis.hook
def after_call(
    _context: schemathesis.HookContext, case: Case, response: schemathesis.Response
) -> None:
    lead_id = (case.path_parameters or {}).get("leadId")
    if lead_id is not None and case.method == "DELETE" and response.status_code == 200:
        _deleted_leads.add(lead_id)


@schemathesis.check
def created_is_there(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> bool | None:
    """schemathesis's own check, but a lead has two addresses, and is gone from both."""
    if (case.path_parameters or {}).get("leadId") in _deleted_leads:
        return None
    return ensure_resource_availability(context, response, case)


def _vary(case: Case) -> None:
    """Three of four idempotency keys are new ones: what is used twice is mostly a 409."""
    number = next(_count)
    if case.headers and "Idempotency-Key" in case.headers and number % 4:
        case.headers["Idempotency-Key"] = f"{KEY_ID}-{number}"


def _tell_from_the_start(case: Case) -> None:
    if "ai-sdk" in _protocols(case):
        if case.query:
            case.query.pop("after", None)
        if case.headers:
            case.headers.pop("Last-Event-ID", None)


def _name_what_is_there(case: Case) -> None:
    """Three of four made-up ids, which nothing has, become ones that something has."""
    if next(_count) % 4 == 0:
        return
    if not _spoils(case):
        case.path_parameters = _known(case.path_parameters or {})
    if isinstance(case.body, dict):
        case.body |= _known({name: case.body[name] for name in _NAMED if name in case.body})
        metadata = case.body.get("metadata")
        if isinstance(metadata, dict):
            case.body["metadata"] = _known(metadata)


def _make_possible(case: Case, body: dict[str, Any]) -> None:
    if _is_id(body.get("languageModelId")):
        body["languageModelId"] = IDS["languageModelId"]
    if "metadata" in body:
        body["metadata"] = _keepable(body["metadata"])
    if _is_past(body.get("expiresAt")):
        body["expiresAt"] = "2999-01-01T00:00:00Z"
    if isinstance(body.get("messages"), list) and _is_valid(case):
        _ask(body["messages"][-1])
    if body.get("stream") is False and "ai-sdk" in _protocols(case):
        body["stream"] = True


def _ask(message: dict[str, Any]) -> None:
    """The last of OpenAI's messages is the user's, and has words in it."""
    message["role"], content = "user", _keepable(message["content"])
    if isinstance(content, list):
        message["content"] = [*content, {"type": "text", "text": "Hello"}]
    else:
        message["content"] = f"{content} Hello"


def _protocols(case: Case) -> list[Any]:
    return [*(case.headers or {}).values(), *(case.query or {}).values()]


def _is_stateful(case: Case) -> bool:
    """Whether the ids of the case come from answers that went before."""
    return case.meta is not None and case.meta.phase.name == "stateful"


def _is_valid(case: Case) -> bool:
    """Whether the case is to be accepted. Where a header is the fault, no header may be touched:
    schemathesis would take the case for a valid one."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def _spoils(case: Case) -> bool:
    """Whether the case deletes a row, or may switch a chatbot off."""
    return case.method == "DELETE" or case.operation.label == "PATCH /api/v1/chatbots/{chatbotId}"


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: IDS[name] if name in IDS and _is_id(value) else value
        for name, value in values.items()
    }


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(ID_SCHEMA["pattern"], value) is not None


def _keepable(value: Any) -> Any:
    """JSON without the character NUL, which PostgreSQL cannot keep."""
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [_keepable(each) for each in value]
        case dict():
            return {_keepable(name): _keepable(each) for name, each in value.items()}
        case _:
            return value


def _is_past(moment: object) -> bool:
    try:
        return datetime.fromisoformat(str(moment)) < datetime.now(UTC)
    except (ValueError, TypeError):
        return False
