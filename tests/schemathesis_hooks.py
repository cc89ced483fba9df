"""Hooks for schemathesis: values of our formats, rules that the document has in prose only, and
requests that would end the run. docs/how-to/fuzz-the-api.md has the reasons.
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
from apps.core.text import is_visible

Case = schemathesis.Case[Any]

IDS: dict[str, str] = json.loads(os.environ["FUZZ_IDS"])
"""Ids of existing rows, by their parameter names in paths and bodies."""
KEY_ID = os.environ["FUZZ_KEY_ID"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAMES = ("name", "title", "description", "source", "search")
_CATALOGUE_IDS = ("languageModelId", "embeddingModelId")
_BODY_IDS = ("chatbotId", "conversationId", "model")

_count = itertools.count()
_deleted_leads: set[str] = set()
_word = st.text(_LETTERS, min_size=1, max_size=20)
schemathesis.openapi.format("email", _word.map("{}@example.com".format))
schemathesis.openapi.format(
    "phone", st.integers(0, 999).map(lambda number: f"+442079460{number:03}")
)
schemathesis.openapi.format("webhook-url", _word.map("https://hooks.example.com/{}".format))
schemathesis.openapi.format("page-url", _word.map("http://127.0.0.1:9/{}".format))


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: Case) -> bool:
    """Skip requests that end the run's own key, single requests that delete shared rows, bodies
    over 1 MiB (413), and forms with a file: schemathesis takes one for invalid once a hook has
    changed its request."""
    ids = case.path_parameters or {}
    is_form = case.media_type == "multipart/form-data"
    if ids.get("apiKeyId") == KEY_ID or is_form or _is_too_long(case.body):
        return False
    return _is_stateful(case) or not (
        _deletes_or_disables(case) and set(ids.values()) & set(IDS.values())
    )


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Case, _options: dict[str, Any]) -> None:
    """Apply rules that the document has in prose, because a schema cannot express them."""
    if _is_valid(case):
        _make_visible(case)
        _set_idempotency_key(case)
        _remove_resume_position(case)
        _change_only_titles_of_sources(case)
    if not _is_stateful(case):
        _use_existing_ids(case)
    if isinstance(case.body, dict):
        _make_body_acceptable(case, case.body)
        _attach_existing_bases(case, case.body)


@schemathesis.hook
def after_call(
    _context: schemathesis.HookContext, case: Case, response: schemathesis.Response
) -> None:
    lead_id = (case.path_parameters or {}).get("leadId")
    if lead_id is not None and case.method == "DELETE" and response.status_code == 200:
        _deleted_leads.add(lead_id)


@schemathesis.check
def created_resource_is_available(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: Case
) -> bool | None:
    """schemathesis's own check, except that a deleted lead is missing at both of its paths."""
    if (case.path_parameters or {}).get("leadId") in _deleted_leads:
        return None
    return ensure_resource_availability(context, response, case)


def _make_visible(case: Case) -> None:
    """Names of combining characters alone are refused, which their patterns cannot say."""
    for values in (case.body, case.query):
        for name in _NAMES:
            if isinstance(values, dict) and isinstance(value := values.get(name), str):
                values[name] = value if is_visible(value) else "x"


def _set_idempotency_key(case: Case) -> None:
    """Use a new idempotency key in three of four requests: a reused one mostly gets a 409."""
    number = next(_count)
    if case.headers and "Idempotency-Key" in case.headers and number % 4:
        case.headers["Idempotency-Key"] = f"{KEY_ID}-{number}"


def _change_only_titles_of_sources(case: Case) -> None:
    """Each type of source has other fields."""
    is_change = case.operation.label == "PATCH /api/v1/sources/{sourceId}"
    if is_change and isinstance(case.body, dict):
        case.body = {name: value for name, value in case.body.items() if name == "title"}


def _remove_resume_position(case: Case) -> None:
    if "ai-sdk" in _protocols(case):
        if case.query:
            case.query.pop("after", None)
        if case.headers:
            case.headers.pop("Last-Event-ID", None)


def _use_existing_ids(case: Case) -> None:
    """Replace three of four invented ids by ids of existing rows."""
    if next(_count) % 4 == 0:
        return
    if not _deletes_or_disables(case):
        case.path_parameters = _with_existing_ids(case.path_parameters or {})
    if isinstance(case.body, dict):
        case.body |= _with_existing_ids(
            {name: case.body[name] for name in _BODY_IDS if name in case.body}
        )
        metadata = case.body.get("metadata")
        if isinstance(metadata, dict):
            case.body["metadata"] = _with_existing_ids(metadata)


def _make_body_acceptable(case: Case, body: dict[str, Any]) -> None:
    for name in _CATALOGUE_IDS:  # others of the catalogue fail, as sandbox models do
        if _is_id(body.get(name)):
            body[name] = IDS[name]
    if "metadata" in body:
        body["metadata"] = _storable(body["metadata"])
    if _is_past(body.get("expiresAt")):
        body["expiresAt"] = "2999-01-01T00:00:00Z"
    if isinstance(body.get("messages"), list) and _is_valid(case):
        for message in body["messages"]:
            if message["role"] in ("tool", "function"):
                message["role"] = "user"  # a result must follow its call
        _end_with_user_message(body["messages"][-1])
    if body.get("stream") is False and "ai-sdk" in _protocols(case):
        body["stream"] = True


def _attach_existing_bases(case: Case, body: dict[str, Any]) -> None:
    """An unknown knowledge base is a 400, and in sequences every one may be deleted."""
    if isinstance(body.get("knowledgeBaseIds"), list) and _is_valid(case):
        body["knowledgeBaseIds"] = [] if _is_stateful(case) else [IDS["knowledgeBaseId"]]


def _end_with_user_message(message: dict[str, Any]) -> None:
    """Make an OpenAI message the user's, with text: the last one must be."""
    content = _storable(message.get("content") or "")
    message.clear()
    message["role"] = "user"
    if isinstance(content, list):
        parts = [part for part in content if part.get("type") == "text"]
        message["content"] = [*parts, {"type": "text", "text": "Hello"}]
    else:
        message["content"] = f"{content} Hello"


def _protocols(case: Case) -> list[Any]:
    return [*(case.headers or {}).values(), *(case.query or {}).values()]


def _is_too_long(body: object) -> bool:
    return isinstance(body, dict) and len(json.dumps(body, default=str)) > 2**20


def _is_stateful(case: Case) -> bool:
    """Whether the ids of the case come from earlier responses."""
    return case.meta is not None and case.meta.phase.name == "stateful"


def _is_valid(case: Case) -> bool:
    """Whether the case should be accepted. Headers of other cases must stay as they are: without
    the invalid one, the case would be valid."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def _deletes_or_disables(case: Case) -> bool:
    """Whether the case deletes a row or may disable a chatbot."""
    return case.method == "DELETE" or case.operation.label == "PATCH /api/v1/chatbots/{chatbotId}"


def _with_existing_ids(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: IDS[name] if name in IDS and _is_id(value) else value
        for name, value in values.items()
    }


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(ID_SCHEMA["pattern"], value) is not None


def _storable(value: Any) -> Any:
    """JSON without NUL characters, which PostgreSQL cannot store."""
    match value:
        case str():
            return value.replace("\0", "")
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {_storable(name): _storable(item) for name, item in value.items()}
        case _:
            return value


def _is_past(timestamp: object) -> bool:
    try:
        return datetime.fromisoformat(str(timestamp)) < datetime.now(UTC)
    except (ValueError, TypeError):
        return False
