"""A workspace with one row for each id in paths and bodies, and valid bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.api_keys.services import issue_key
from apps.audit.services import SYSTEM
from apps.chatbots.models import ChatbotVersion
from apps.knowledge.queries import live_chunks
from apps.leads.fields import LeadFields
from apps.leads.services import create_lead
from apps.webhooks.services import send_test
from apps.workspaces.models import Workspace
from tests.conversations.export_factory import make_export
from tests.factories import make_chatbot, make_language_model, make_webhook_endpoint
from tests.knowledge.knowledge_factory import make_knowledge
from tests.turns.turn_factory import complete_turn, make_running_turn

SHARED_IDS = {"embedding_model_id", "language_model_id"}
"""Ids of rows that belong to no workspace."""


@dataclass(frozen=True)
class TenantRows:
    """The ids of one workspace's rows by parameter name. All belong to one chatbot."""

    workspace: Workspace
    ids: dict[str, str] = field(default_factory=dict)

    def id_of(self, name: str) -> str:
        """The id for this parameter. Fails if no row is created for it yet."""
        assert name in self.ids, (
            f"An operation has {name!r} in its path or body. Create such a row in"
            " make_tenant_rows() of tests/contracts/tenant_rows.py to test its isolation."
        )
        return self.ids[name]


def make_tenant_rows(workspace: Workspace) -> TenantRows:
    """Create one row of each kind."""
    chatbot = make_chatbot(workspace, rate_limit_requests=10_000)
    turn = make_running_turn(chatbot)
    complete_turn(turn)
    lead, _ = create_lead(
        workspace_id=workspace.id,
        chatbot_id=chatbot.id,
        fields=LeadFields(name="Eve", email="eve@example.com"),
        actor=SYSTEM,
    )
    endpoint, _ = make_webhook_endpoint(workspace)
    source = make_knowledge(chatbot, text="Boots")
    ids = {
        "knowledge_base_id": source.knowledge_base_id,
        "source_id": source.id,
        "chunk_id": live_chunks(source).get().id,
        "embedding_model_id": source.knowledge_base.embedding_model_id,
        "chatbot_id": chatbot.id,
        "version_id": ChatbotVersion.objects.get(chatbot=chatbot).id,
        "language_model_id": make_language_model().id,
        "conversation_id": turn.conversation_id,
        "turn_id": turn.id,
        "message_id": turn.message_id,
        "lead_id": lead.id,
        "endpoint_id": endpoint.id,
        "export_id": make_export(workspace).id,
        "delivery_id": send_test(endpoint=endpoint).id,
        "api_key_id": issue_key(workspace=workspace, name="row")[0].id,
    }
    return TenantRows(workspace, ids)


FIELD_VALUES: Mapping[str, Any] = {
    "email": "ana@example.com",
    "url": "https://hooks.example.com/",
    "messages": [{"role": "user", "content": "Hello"}],
    "rating": "up",
}
"""Valid values of fields whose schema does not describe them completely."""


def body_for(schema: Mapping[str, Any] | None, id_of: Callable[[str], str]) -> Any:
    """A minimal valid body: the required fields with simple values."""
    if schema is None:
        return None
    body = _resolved(schema, schema)
    if "oneOf" in body:  # a body of several types: the first of them
        body = _resolved(body["oneOf"][0], schema)
    return {
        name: _value(name, _resolved(body["properties"][name], schema), schema, id_of)
        for name in body.get("required", [])
    }


def id_name(name: str) -> str | None:
    """The parameter name of a body field that is an id or a list of them: `chatbotId` →
    `chatbot_id`."""
    if name == "model":  # a chatbot, in the OpenAI-compatible API
        return "chatbot_id"
    singular = name.removesuffix("s")
    return f"{_snake(singular[:-2])}_id" if singular.endswith("Id") else None


def _value(name: str, schema: Any, root: Any, id_of: Callable[[str], str]) -> Any:
    if name in FIELD_VALUES:
        return FIELD_VALUES[name]
    if (row := id_name(name)) is not None:
        return [id_of(row)] if schema.get("type") == "array" else id_of(row)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "string":
            return "word".ljust(schema.get("minLength", 0), "x")
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [_value(name, _resolved(schema["items"], root), root, id_of)]
        case "object":
            return {}
    raise AssertionError(
        f"No valid value is known for the field {name!r} ({schema}). Add a value to FIELD_VALUES in"
        " tests/contracts/tenant_rows.py."
    )


def _resolved(schema: Any, root: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)
