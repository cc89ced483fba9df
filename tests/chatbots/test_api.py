"""Chatbots, their versions and the catalogue over REST."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot, ChatbotVersion, LanguageModel
from tests.api_kit.rest_client import Api
from tests.factories import Team, make_chatbot, make_model
from tests.turns.new_turns import completed, opened

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
    "isActive": False,
}


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace)


@pytest.fixture
def model(db: None) -> LanguageModel:
    return make_model(credits_per_reply=3, credits_per_1k_input=2, credits_per_1k_output=1)


def create(api: Api, model: LanguageModel, **fields: Any) -> dict[str, Any]:
    body = {"name": "Support", "languageModelId": model.id, **fields}
    return api("POST", "/chatbots", body, status=201)


def actions(chatbot_id: str) -> list[tuple[str, str, Any]]:
    """What the audit log has of a chatbot, oldest first: what, by what kind of hand, details."""
    entries = AuditEntry.objects.filter(target_id=chatbot_id).order_by("created_at", "id")
    return [(entry.action, entry.actor_kind, entry.details) for entry in entries]


def test_chatbot_is_made_with_defaults_and_read(api: Api, model: LanguageModel) -> None:
    made = create(api, model)
    row = Chatbot.objects.get(id=made["id"])
    assert made == api("GET", f"/chatbots/{row.id}")
    assert {name: value for name, value in made.items() if name not in ("id", "createdAt")} == {
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
        "isActive": True,
        "version": 1,
    }
    assert actions(row.id) == [("chatbot.created", "api_key", {})]


def test_every_setting_can_be_given_and_changed(api: Api, model: LanguageModel) -> None:
    made = create(api, model, **CHANGES)
    assert {name: made[name] for name in CHANGES} == CHANGES
    plain = create(api, model)
    other = make_model()
    changes = {**CHANGES, "languageModelId": other.id}
    changed = api("PATCH", f"/chatbots/{plain['id']}", changes)
    assert changed == {**plain, **changes, "version": 2}
    assert api("GET", f"/chatbots/{plain['id']}") == changed


def test_change_writes_a_version_that_says_who_and_what(api: Api, model: LanguageModel) -> None:
    made = create(api, model)
    path = f"/chatbots/{made['id']}"
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
    assert actions(made["id"])[1:] == [
        ("chatbot.updated", "api_key", {"changed": ["temperature"], "version": 2})
    ]


def test_what_is_given_as_it_was_makes_no_version(api: Api, model: LanguageModel) -> None:
    made = create(api, model)
    same = {"name": made["name"], "temperature": made["temperature"]}
    assert api("PATCH", f"/chatbots/{made['id']}", same) == made
    assert api("PATCH", f"/chatbots/{made['id']}", {}) == made
    assert ChatbotVersion.objects.filter(chatbot_id=made["id"]).count() == 1


def test_version_is_restored_as_a_new_one(api: Api, model: LanguageModel) -> None:
    made = create(api, model)
    path = f"/chatbots/{made['id']}"
    api("PATCH", path, CHANGES)
    first = api("GET", f"{path}/versions")["versions"][1]
    assert api("POST", f"{path}/versions/{first['id']}/restore") == {**made, "version": 3}
    newest = api("GET", f"{path}/versions", limit=1)["versions"][0]
    assert (newest["number"], newest["settings"]) == (3, first["settings"])


def test_version_with_a_model_that_is_gone_is_not_restored(api: Api, model: LanguageModel) -> None:
    made = create(api, model)
    path = f"/chatbots/{made['id']}"
    api("PATCH", path, {"languageModelId": make_model().id})
    LanguageModel.objects.filter(id=model.id).update(is_active=False)
    first = api("GET", f"{path}/versions")["versions"][1]
    refused = api("POST", f"{path}/versions/{first['id']}/restore", status=400)
    assert refused["details"] == {"languageModelId": ["There is no such language model to choose."]}
    assert api("GET", path)["version"] == 2


def test_version_of_another_chatbot_is_absent(api: Api, model: LanguageModel) -> None:
    made, other = create(api, model), create(api, model)
    version = api("GET", f"/chatbots/{other['id']}/versions")["versions"][0]
    refused = api("GET", f"/chatbots/{made['id']}/versions/{version['id']}", status=404)
    assert refused["code"] == "CHATBOT_VERSION_NOT_FOUND"


def test_deleted_chatbot_is_found_no_more(api: Api, team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    turn = opened(chatbot)
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
    completed(turn, "still answered")
    said = api("GET", f"/conversations/{turn.conversation_id}/messages")["messages"]
    assert [message["text"] for message in said] == ["Hello", "still answered"]
    assert actions(chatbot.id)[1:] == [("chatbot.deleted", "api_key", {})]


def test_lists_are_paged_newest_first(api: Api, model: LanguageModel, team: Team) -> None:
    made = [create(api, model, name=f"Bot {number}")["id"] for number in range(3)]
    make_chatbot(team.outside)
    first = api("GET", "/chatbots", limit=2)
    second = api("GET", "/chatbots", limit=2, cursor=first["nextCursor"])
    listed = [chatbot["id"] for chatbot in first["chatbots"] + second["chatbots"]]
    assert (sorted(listed), second["nextCursor"]) == (sorted(made), None)


def test_catalogue_shows_prices_and_nothing_of_the_provider(api: Api, model: LanguageModel) -> None:
    hidden = make_model(is_active=False)
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
        ("temperature", float("nan")),
        ("maxReplyTokens", 0),
        ("maxReplyTokens", 1.5),
        ("maxReplyTokens", 10**30),
        ("historyLimit", 201),
        ("rateLimitRequests", 10_001),
        ("rateLimitWindowSeconds", 0),
        ("streamByDefault", "yes"),
        ("leadCapture", "on"),
        ("isActive", None),
        ("workspaceId", "x"),
        ("id", "x"),
    ],
)
def test_what_makes_no_sense_names_its_field(
    api: Api, model: LanguageModel, field: str, value: Any
) -> None:
    chatbot = create(api, model)
    body = {"name": "Bot", "languageModelId": model.id, field: value}
    for method, path in (("POST", "/chatbots"), ("PATCH", f"/chatbots/{chatbot['id']}")):
        refused = api(method, path, body, status=400)
        assert list(refused["details"]) == [field]
    assert api("GET", "/chatbots")["chatbots"] == [chatbot]
