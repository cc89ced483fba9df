"""Management commands: output and errors."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.api_keys.models import ApiKey
from apps.api_keys.queries import authenticate_key
from apps.chatbots.models import Chatbot, LanguageModel
from apps.conversations.models import Conversation, Turn, TurnSweep
from apps.core.ids import new_id
from apps.credits.models import Account, LedgerEntry
from apps.credits.queries import Balance, balance_for
from apps.credits.services import hold
from apps.workspaces.models import Member, Workspace
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, expire_heartbeat, make_running_turn

TABLES = [
    User,
    Workspace,
    Member,
    ApiKey,
    LanguageModel,
    Chatbot,
    Account,
    LedgerEntry,
    Conversation,
    Turn,
]


def run_command(*line: str) -> str:
    out = StringIO()
    call_command(*line, stdout=out)
    return out.getvalue()


def run_json(*line: str) -> dict[str, Any]:
    """Run the command with `--json`; returns the object that it prints."""
    text = run_command(*line, "--json")
    assert text.count("\n") == 1
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def snapshot() -> list[list[dict[str, Any]]]:
    return [list(model._default_manager.order_by("pk").values()) for model in TABLES]


def test_create_workspace_creates_workspace_and_owner(db: None) -> None:
    slug, email = f"acme-{new_id()}", f"Dana-{new_id()}@example.com"
    found = run_json("create_workspace", slug, "--owner-email", email, "--name", "Acme Inc.")
    workspace = Workspace.objects.get(slug=slug)
    assert found == {"workspace": slug, "id": workspace.id, "owner_email": email}
    member = Member.objects.get(workspace=workspace)
    assert (member.user.email, member.role, workspace.name) == (email, "owner", "Acme Inc.")
    assert member.user.has_usable_password() is False


def test_create_workspace_uses_an_existing_owner(team: Team) -> None:
    slug = f"acme-{new_id()}"
    run_json("create_workspace", slug, "--owner-email", team.bob.email.upper())
    assert Member.objects.get(workspace__slug=slug).user == team.bob


def test_add_model_prints_the_resolved_model(db: None, settings: Any) -> None:
    settings.MODEL_API_KEYS = {"MY_KEY": ("http://host",)}
    name = f"model-{new_id()}"
    found = run_json(
        *("add_model", name, "--litellm-model", "openai/llama", "--api-base", "http://host/v1/"),
        *("--api-key-env", "MY_KEY", "--credits-per-reply", "1", "--credits-per-1k-input", "2"),
        *("--credits-per-1k-output", "3"),
    )
    model = LanguageModel.objects.get(name=name)
    assert found == {
        "model": name,
        "id": model.id,
        "provider": "openai-wire",
        "api_base": "http://host/v1",
        "api_key_env": "MY_KEY",
    }
    price = model.price
    assert (price.per_reply, price.per_1k_input, price.per_1k_output) == (1, 2, 3)


def test_create_chatbot_accepts_every_option(team: Team) -> None:
    model = make_language_model()
    found = run_json(
        *("create_chatbot", team.workspace.slug, "--name", "Helper", "--model", model.name),
        *("--system-prompt", "Be kind.", "--rate-limit", "7", "--rate-window", "30", "--stream"),
    )
    chatbot = Chatbot.objects.get(workspace=team.workspace)
    assert found == {"chatbot_id": chatbot.id, "name": "Helper", "model": model.name}
    assert (chatbot.system_prompt, chatbot.stream_by_default) == ("Be kind.", True)
    assert (chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds) == (7, 30)


def test_create_chatbot_requires_only_name_and_model(team: Team) -> None:
    run_json("create_chatbot", team.workspace.slug, "--name", "Helper", "--model", "sandbox/echo")
    chatbot = Chatbot.objects.get(workspace=team.workspace)
    assert (chatbot.rate_limit_requests, chatbot.stream_by_default) == (60, False)


def test_create_chatbot_can_disable_streaming(team: Team) -> None:
    line = ("create_chatbot", team.workspace.slug, "--name", "B", "--model", "sandbox/echo")
    run_json(*line, "--no-stream")
    assert Chatbot.objects.get(workspace=team.workspace).stream_by_default is False


def test_issue_key_prints_a_valid_key(team: Team) -> None:
    expires = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    found = run_json(
        *("issue_key", team.workspace.slug, "--name", "n"),
        *("--scopes", "chat, read", "--expires", expires),
    )
    assert list(found) == ["id", "api_key"]
    caller = authenticate_key(found["api_key"])
    assert (caller.workspace_id, caller.api_key_id) == (team.workspace.id, found["id"])
    assert caller.scopes == {"chat", "read"}
    assert ApiKey.objects.get(pk=found["id"]).expires_at == datetime.fromisoformat(expires)


def test_issue_key_reads_naive_times_as_utc(team: Team) -> None:
    found = run_json(
        "issue_key", team.workspace.slug, "--name", "n", "--expires", "2999-01-02T03:04"
    )
    expires_at = ApiKey.objects.get(pk=found["id"]).expires_at
    assert expires_at == datetime(2999, 1, 2, 3, 4, tzinfo=UTC)


def test_revoke_key_is_idempotent(team: Team) -> None:
    key_id = run_json("issue_key", team.workspace.slug, "--name", "n")["id"]
    found = run_json("revoke_key", key_id)
    revoked_at = ApiKey.objects.get(pk=key_id).revoked_at
    assert revoked_at is not None
    assert found == {"id": key_id, "revoked_at": str(revoked_at)}
    assert run_json("revoke_key", key_id) == found


def test_grant_credits_prints_the_new_balance(team: Team) -> None:
    grant_credits(team.workspace, 5)
    found = run_json("grant_credits", team.workspace.slug, "10", "--reason", "Sorry")
    entry = LedgerEntry.objects.get(workspace=team.workspace, reason="Sorry")
    assert found == {"workspace": team.workspace.slug, "balance": 15, "entry": entry.id}


def test_show_credits_prints_balance_held_and_ledger(team: Team) -> None:
    grant_credits(team.workspace, 5)
    hold(workspace_id=team.workspace.id, credits=2)
    assert run_json("show_credits", team.workspace.slug) == {
        "workspace": team.workspace.slug,
        "balance": 5,
        "held": 2,
        "ledger_sum": 5,
    }


def test_show_credits_of_a_new_workspace_is_0(team: Team) -> None:
    found = run_json("show_credits", team.workspace.slug)
    assert (found["balance"], found["held"], found["ledger_sum"]) == (0, 0, 0)


def test_sweep_turns_prints_the_abandoned_turns(team: Team) -> None:
    grant_credits(team.workspace, 5)
    Turn.objects.filter(status="running").update(heartbeat_at=Now())  # left by committed tests
    turn = make_running_turn(make_chatbot(team.workspace), credits=2)
    expire_heartbeat(turn)
    TurnSweep.objects.all().delete()
    assert run_json("sweep_turns") == {"abandoned": 0, "turns": []}
    assert run_json("sweep_turns", "--now") == {"abandoned": 1, "turns": [turn.id]}
    assert balance_for(team.workspace.id) == Balance(5, 0)


def test_erase_user_prints_the_deleted_counts(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    complete_turn(make_running_turn(chatbot, metadata={"userId": "u-1"}))
    assert run_json("erase_user", team.workspace.slug, "u-1") == {
        "workspace": team.workspace.slug,
        "done": True,
        "conversations": 1,
        "leads": 0,
    }
    assert run_json("erase_user", team.workspace.slug, "u-1")["conversations"] == 0


def test_output_without_json_is_one_line_per_value(team: Team) -> None:
    grant_credits(team.workspace, 5)
    assert run_command("show_credits", team.workspace.slug).splitlines() == [
        f"workspace   {team.workspace.slug}",
        "balance     5",
        "held        0",
        "ledger_sum  5",
    ]


OWN_SLUG = "OWN_SLUG"
"""Replaced by the slug of the team's workspace."""
CHATBOT = ("create_chatbot", OWN_SLUG, "--name", "B", "--model")
LANGUAGE_MODEL = ("add_model", "new", "--litellm-model")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("issue_key", "nowhere", "--name", "n"), "There is no workspace 'nowhere'"),
        (("grant_credits", "nowhere", "1", "--reason", "x"), "There is no workspace 'nowhere'"),
        (("show_credits", "nowhere"), "There is no workspace 'nowhere'"),
        (("erase_user", "nowhere", "u"), "There is no workspace 'nowhere'"),
        (("erase_user", OWN_SLUG, ""), "A user id has 1 to 255 characters."),
        (
            ("create_chatbot", "nowhere", "--name", "B", "--model", "sandbox/echo"),
            "There is no workspace 'nowhere'",
        ),
        (
            ("create_workspace", OWN_SLUG, "--owner-email", "new@example.com"),
            "A workspace with this slug exists.",
        ),
        (("create_workspace", "Bad Slug", "--owner-email", "new@example.com"), "A slug has 1 to"),
        (("create_workspace", "x" * 49, "--owner-email", "new@example.com"), "A slug has 1 to"),
        (("create_workspace", "new", "--owner-email", "nobody"), "Enter a valid email address."),
        (("create_workspace", "new", "--owner-email", ""), "This field cannot be blank."),
        (
            ("create_workspace", "new", "--owner-email", "a@example.com", "--name", "n" * 121),
            "Ensure this value has at most 120",
        ),
        (("issue_key", OWN_SLUG, "--name", "n", "--scopes", "fly"), "'fly' is not a valid choice."),
        (("issue_key", OWN_SLUG, "--name", "n", "--scopes", ""), "This field cannot be blank."),
        (("issue_key", OWN_SLUG, "--name", ""), "name: This field cannot be blank."),
        (
            ("issue_key", OWN_SLUG, "--name", "n", "--expires", "2001-01-01"),
            "The time of expiry has passed already.",
        ),
        (("issue_key", OWN_SLUG, "--name", "n", "--expires", "soon"), "--expires: invalid"),
        (("revoke_key", "nothing"), "There is no API key with the id 'nothing'."),
        (("grant_credits", OWN_SLUG, "0", "--reason", "x"), "Give at least 1 credit."),
        (("grant_credits", OWN_SLUG, "-5", "--reason", "x"), "Give at least 1 credit."),
        (("grant_credits", OWN_SLUG, "9" * 30, "--reason", "x"), "Move at most 1,000,000,000,000"),
        (("grant_credits", OWN_SLUG, "1.5", "--reason", "x"), "invalid int value: '1.5'"),
        (("grant_credits", OWN_SLUG, "1", "--reason", "x" * 501), "at most 500 characters"),
        ((*CHATBOT, "nothing"), "There is no active language model 'nothing'"),
        ((*CHATBOT, "sandbox/echo", "--rate-limit", "0"), "greater than or equal to 1"),
        ((*CHATBOT, "sandbox/echo", "--rate-limit", "-1"), "rate_limit_requests: Ensure"),
        ((*CHATBOT, "sandbox/echo", "--rate-window", "86401"), "less than or equal to 86400"),
        (
            (*CHATBOT, "sandbox/echo", "--system-prompt", "p" * 32_001),
            "system_prompt: Give at most 32,000",
        ),
        ((*LANGUAGE_MODEL, "sandbox/nothing"), "there is no sandbox model 'sandbox/nothing'"),
        (("add_model", "sandbox/echo", "--litellm-model", "sandbox/echo"), "with this name exists"),
        (
            (*LANGUAGE_MODEL, "sandbox/echo", "--credits-per-reply", "-1"),
            "credits_per_reply: Ensure",
        ),
        (
            (*LANGUAGE_MODEL, "openai/x", "--api-base", "http://h", "--api-key-env", "SECRET_KEY"),
            "SECRET_KEY is no key for models",
        ),
        ((*LANGUAGE_MODEL, "openai/x", "--api-base", "host/v1"), "must begin with http"),
    ],
)
def test_error_is_one_line_and_changes_nothing(
    team: Team, line: tuple[str, ...], message: str
) -> None:
    before = snapshot()
    arguments = [team.workspace.slug if word == OWN_SLUG else word for word in line]
    with pytest.raises(CommandError, match=re.escape(message)) as caught:
        run_command(*arguments, "--json")
    assert str(caught.value).count("\n") == 0
    assert snapshot() == before
