"""REST endpoints of chatbots, versions and language models."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot, ChatbotVersion, LanguageModel
from tests.api_kit.rest_client import Api
from tests.factories import Team, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, make_running_turn

CHANGES: dict[str, Any] = {
    "name": "Sales",
    "systemPrompt": "Sell.\nKindly — ümläut.",
    "temperature": 0,
    "maxReplyTokens": 100,
    "historyLimit": 0,
    "rateLimitRequests": 5,
    "rateLimitWindowSeconds": 10,
    "streamByDefault": True,
    "leadCapture": "ask",
    "knowledgeMode": "only",
    "knowledgePassages": 3,
    "knowledgeTokens": 800,
    "knowledgeNotFoundReply": "Please call us.",
    "isActive": False,
}


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace)


@pytest.fixture
def model(db: None) -> LanguageModel:
    return make_language_model(credits_per_reply=3, credits_per_1k_input=2, credits_per_1k_output=1)


def create(api: Api, model: LanguageModel, **fields: Any) -> dict[str, Any]:
    body = {"name": "Support", "languageModelId": model.id, **fields}
    return api("POST", "/chatbots", body, status=201)


def audited_actions(chatbot_id: str) -> list[tuple[str, str, Any]]:
    """Action, actor kind and details of the chatbot's audit entries, oldest first."""
    entries = AuditEntry.objects.filter(target_id=chatbot_id).order_by("created_at", "id")
    return [(entry.action, entry.actor_kind, entry.details) for entry in entries]


def test_chatbot_is_created_with_defaults(api: Api, model: LanguageModel) -> None:
    chatbot = create(api, model)
    row = Chatbot.objects.get(id=chatbot["id"])
    assert chatbot == api("GET", f"/chatbots/{row.id}")
    assert {name: value for name, value in chatbot.items() if name not in ("id", "createdAt")} == {
        "name": "Support",
        "languageModelId": model.id,
        "systemPrompt": "You are a helpful assistant. Answer briefly and truthfully.",
        "temperature": 0.7,
        "maxReplyTokens": 512,
        "historyLimit": 20,
        "rateLimitRequests": 60,
        "rateLimitWindowSeconds": 60,
        "streamByDefault": False,
        "leadCapture": "off",
        "knowledgeMode": "on",
        "knowledgePassages": 5,
        "knowledgeTokens": 1500,
        "knowledgeNotFoundReply": "I could not find an answer to that in our documents.",
        "isActive": True,
        "version": 1,
    }
    assert audited_actions(row.id) == [("chatbot.created", "api_key", {})]


def test_every_setting_can_be_created_and_updated(api: Api, model: LanguageModel) -> None:
    chatbot = create(api, model, **CHANGES)
    assert {name: chatbot[name] for name in CHANGES} == CHANGES
    plain = create(api, model)
    other = make_language_model()
    changes = {**CHANGES, "languageModelId": other.id}
    changed = api("PATCH", f"/chatbots/{plain['id']}", changes)
    assert changed == {**plain, **changes, "version": 2}
    assert api("GET", f"/chatbots/{plain['id']}") == changed


def test_update_creates_a_version_with_author_and_fields(api: Api, model: LanguageModel) -> None:
    chatbot = create(api, model)
    path = f"/chatbots/{chatbot['id']}"
    api("PATCH", path, {"temperature": 1.5, "name": "Support"})
    versions = api("GET", f"{path}/versions")
    assert versions["nextCursor"] is None
    newest, first = versions["versions"]
    assert (first["number"], first["changed"]) == (1, [])
    assert (newest["number"], newest["changed"]) == (2, ["temperature"])
    assert newest["changedBy"]["kind"] == "api_key"
    assert newest["changedBy"]["label"].startswith("test (sk-workspace_")
    assert newest["settings"] == {**first["settings"], "temperature": 1.5}
    assert api("GET", f"{path}/versions/{newest['id']}") == newest
    assert audited_actions(chatbot["id"])[1:] == [
        ("chatbot.updated", "api_key", {"changed": ["temperature"], "version": 2})
    ]


def test_unchanged_values_create_no_version(api: Api, model: LanguageModel) -> None:
    chatbot = create(api, model)
    same = {"name": chatbot["name"], "temperature": chatbot["temperature"]}
    assert api("PATCH", f"/chatbots/{chatbot['id']}", same) == chatbot
    assert api("PATCH", f"/chatbots/{chatbot['id']}", {}) == chatbot
    assert ChatbotVersion.objects.filter(chatbot_id=chatbot["id"]).count() == 1


def test_restore_creates_a_new_version(api: Api, model: LanguageModel) -> None:
    chatbot = create(api, model)
    path = f"/chatbots/{chatbot['id']}"
    api("PATCH", path, CHANGES)
    first = api("GET", f"{path}/versions")["versions"][1]
    assert api("POST", f"{path}/versions/{first['id']}/restore") == {**chatbot, "version": 3}
    newest = api("GET", f"{path}/versions", limit=1)["versions"][0]
    assert (newest["number"], newest["settings"]) == (3, first["settings"])


def test_restore_rejects_an_inactive_model(api: Api, model: LanguageModel) -> None:
    chatbot = create(api, model)
    path = f"/chatbots/{chatbot['id']}"
    api("PATCH", path, {"languageModelId": make_language_model().id})
    LanguageModel.objects.filter(id=model.id).update(is_active=False)
    first = api("GET", f"{path}/versions")["versions"][1]
    refused = api("POST", f"{path}/versions/{first['id']}/restore", status=400)
    assert refused["details"] == {"languageModelId": ["There is no such language model to choose."]}
    assert api("GET", path)["version"] == 2


def test_version_of_another_chatbot_is_not_found(api: Api, model: LanguageModel) -> None:
    chatbot, other = create(api, model), create(api, model)
    version = api("GET", f"/chatbots/{other['id']}/versions")["versions"][0]
    refused = api("GET", f"/chatbots/{chatbot['id']}/versions/{version['id']}", status=404)
    assert refused["code"] == "CHATBOT_VERSION_NOT_FOUND"


def test_deleted_chatbot_is_not_found(api: Api, team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    turn = make_running_turn(chatbot)
    path = f"/chatbots/{chatbot.id}"
    assert api("DELETE", path) == {"id": chatbot.id, "deleted": True}
    answers = [
        api("GET", path, status=404),
        api("PATCH", path, {}, status=404),
        api("DELETE", path, status=404),
        api("GET", f"{path}/versions", status=404),
        api("GET", f"{path}/leads", status=404),
    ]
    assert {answer["code"] for answer in answers} == {"CHATBOT_NOT_FOUND"}
    assert api("GET", "/chatbots")["chatbots"] == []
    complete_turn(turn, "still answered")
    messages = api("GET", f"/conversations/{turn.conversation_id}/messages")["messages"]
    assert [message["text"] for message in messages] == ["Hello", "still answered"]
    assert audited_actions(chatbot.id)[1:] == [("chatbot.deleted", "api_key", {})]


def test_lists_are_paged_newest_first(api: Api, model: LanguageModel, team: Team) -> None:
    ids = [create(api, model, name=f"Bot {number}")["id"] for number in range(3)]
    make_chatbot(team.other_workspace)
    first = api("GET", "/chatbots", limit=2)
    second = api("GET", "/chatbots", limit=2, cursor=first["nextCursor"])
    listed = [chatbot["id"] for chatbot in first["chatbots"] + second["chatbots"]]
    assert (sorted(listed), second["nextCursor"]) == (sorted(ids), None)


def test_language_models_show_prices_but_no_provider(api: Api, model: LanguageModel) -> None:
    hidden = make_language_model(is_active=False)
    shown = api("GET", f"/language-models/{model.id}")
    assert shown == {
        "id": model.id,
        "name": model.name,
        "description": "",
        "contextTokens": model.context_tokens,
        "supportsStreaming": True,
        "price": {"perReply": 3, "perThousandInputTokens": 2, "perThousandOutputTokens": 1},
    }
    listed = api("GET", "/language-models", limit=100)["languageModels"]
    assert [each for each in listed if each["id"] in (model.id, hidden.id)] == [shown]
    assert api("GET", f"/language-models/{hidden.id}", status=404)["code"] == (
        "LANGUAGE_MODEL_NOT_FOUND"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "a" * 121),
        ("name", "a\0b"),
        ("name", "\ud800"),
        ("name", 1),
        ("name", None),
        ("languageModelId", "x"),
        ("languageModelId", "c" + "0" * 24),
        ("systemPrompt", "a" * 32_001),
        ("systemPrompt", "a\0b"),
        ("systemPrompt", "\udfff"),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", "1"),
        ("temperature", True),
        ("maxReplyTokens", 0),
        ("maxReplyTokens", 1.5),
        ("maxReplyTokens", 10**30),
        ("historyLimit", 201),
        ("rateLimitRequests", 10_001),
        ("rateLimitWindowSeconds", 0),
        ("streamByDefault", "yes"),
        ("leadCapture", "on"),
        ("knowledgeMode", "always"),
        ("knowledgePassages", 0),
        ("knowledgePassages", 21),
        ("knowledgeTokens", 99),
        ("knowledgeTokens", 8001),
        ("knowledgeNotFoundReply", " "),
        ("knowledgeNotFoundReply", "x" * 1001),
        ("isActive", None),
        ("workspaceId", "x"),
        ("id", "x"),
    ],
)
def test_invalid_value_is_reported_by_field(
    api: Api, model: LanguageModel, field: str, value: Any
) -> None:
    chatbot = create(api, model)
    body = {"name": "Bot", "languageModelId": model.id, field: value}
    for method, path in (("POST", "/chatbots"), ("PATCH", f"/chatbots/{chatbot['id']}")):
        refused = api(method, path, body, status=400)
        assert list(refused["details"]) == [field]
    assert api("GET", "/chatbots")["chatbots"] == [chatbot]
