"""The operators' commands, as they are typed: what they print, what they refuse."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.api_keys.models import ApiKey
from apps.api_keys.queries import authenticate_key
from apps.chatbots.models import Chatbot, LanguageModel
from apps.conversations.models import Conversation, Turn
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


def printed(*line: str) -> str:
    out = StringIO()
    call_command(*line, stdout=out)
    return out.getvalue()


def told(*line: str) -> dict[str, Any]:
    """The one JSON object that the command prints."""
    text = printed(*line, "--json")
    assert text.count("\n") == 1
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def everything() -> list[list[dict[str, Any]]]:
    return [list(model._default_manager.order_by("pk").values()) for model in TABLES]


def test_create_workspace_makes_it_and_its_owner(db: None) -> None:
    slug, email = f"acme-{new_id()}", f"Dana-{new_id()}@example.com"
    found = told("create_workspace", slug, "--owner-email", email, "--name", "Acme Inc.")
    workspace = Workspace.objects.get(slug=slug)
    assert found == {"workspace": slug, "id": workspace.id, "owner_email": email}
    member = Member.objects.get(workspace=workspace)
    assert (member.user.email, member.role, workspace.name) == (email, "owner", "Acme Inc.")
    assert member.user.has_usable_password() is False


def test_create_workspace_finds_an_owner_who_exists(team: Team) -> None:
    slug = f"acme-{new_id()}"
    told("create_workspace", slug, "--owner-email", team.bob.email.upper())
    assert Member.objects.get(workspace__slug=slug).user == team.bob


def test_add_model_prints_what_it_made_of_the_id(db: None) -> None:
    name = f"model-{new_id()}"
    found = told(
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


def test_create_chatbot_takes_every_option(team: Team) -> None:
    model = make_language_model()
    found = told(
        *("create_chatbot", team.workspace.slug, "--name", "Helper", "--model", model.name),
        *("--system-prompt", "Be kind.", "--rate-limit", "7", "--rate-window", "30", "--stream"),
    )
    chatbot = Chatbot.objects.get(workspace=team.workspace)
    assert found == {"chatbot_id": chatbot.id, "name": "Helper", "model": model.name}
    assert (chatbot.system_prompt, chatbot.stream_by_default) == ("Be kind.", True)
    assert (chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds) == (7, 30)


def test_create_chatbot_needs_no_more_than_name_and_model(team: Team) -> None:
    told("create_chatbot", team.workspace.slug, "--name", "Helper", "--model", "sandbox/echo")
    chatbot = Chatbot.objects.get(workspace=team.workspace)
    assert (chatbot.rate_limit_requests, chatbot.stream_by_default) == (60, False)


def test_create_chatbot_can_be_told_not_to_stream(team: Team) -> None:
    line = ("create_chatbot", team.workspace.slug, "--name", "B", "--model", "sandbox/echo")
    told(*line, "--no-stream")
    assert Chatbot.objects.get(workspace=team.workspace).stream_by_default is False


def test_issue_key_prints_a_key_that_opens_the_workspace(team: Team) -> None:
    expires = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    found = told(
        *("issue_key", team.workspace.slug, "--name", "n"),
        *("--scopes", "chat, read", "--expires", expires),
    )
    assert list(found) == ["id", "api_key"]
    caller = authenticate_key(found["api_key"])
    assert (caller.workspace_id, caller.api_key_id) == (team.workspace.id, found["id"])
    assert caller.scopes == {"chat", "read"}
    assert ApiKey.objects.get(pk=found["id"]).expires_at == datetime.fromisoformat(expires)


def test_issue_key_reads_a_time_without_a_zone_as_utc(team: Team) -> None:
    found = told("issue_key", team.workspace.slug, "--name", "n", "--expires", "2999-01-02T03:04")
    expires_at = ApiKey.objects.get(pk=found["id"]).expires_at
    assert expires_at == datetime(2999, 1, 2, 3, 4, tzinfo=UTC)


def test_revoke_key_ends_it(team: Team) -> None:
    key_id = told("issue_key", team.workspace.slug, "--name", "n")["id"]
    found = told("revoke_key", key_id)
    revoked_at = ApiKey.objects.get(pk=key_id).revoked_at
    assert revoked_at is not None
    assert found == {"id": key_id, "revoked_at": str(revoked_at)}
    assert told("revoke_key", key_id) == found


def test_grant_credits_prints_the_new_balance(team: Team) -> None:
    grant_credits(team.workspace, 5)
    found = told("grant_credits", team.workspace.slug, "10", "--reason", "Sorry")
    entry = LedgerEntry.objects.get(workspace=team.workspace, reason="Sorry")
    assert found == {"workspace": team.workspace.slug, "balance": 15, "entry": entry.id}


def test_show_credits_prints_balance_held_and_ledger(team: Team) -> None:
    grant_credits(team.workspace, 5)
    hold(workspace_id=team.workspace.id, credits=2)
    assert told("show_credits", team.workspace.slug) == {
        "workspace": team.workspace.slug,
        "balance": 5,
        "held": 2,
        "ledger_sum": 5,
    }


def test_show_credits_of_a_new_workspace_is_nothing(team: Team) -> None:
    found = told("show_credits", team.workspace.slug)
    assert (found["balance"], found["held"], found["ledger_sum"]) == (0, 0, 0)


def test_sweep_turns_prints_the_turns_it_ended(team: Team) -> None:
    told("sweep_turns")
    grant_credits(team.workspace, 5)
    turn = make_running_turn(make_chatbot(team.workspace), credits=2)
    expire_heartbeat(turn)
    assert told("sweep_turns") == {"abandoned": 1, "turns": [turn.id]}
    assert balance_for(team.workspace.id) == Balance(5, 0)


def test_erase_user_prints_what_it_erased(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    complete_turn(make_running_turn(chatbot, metadata={"userId": "u-1"}))
    assert told("erase_user", team.workspace.slug, "u-1") == {
        "workspace": team.workspace.slug,
        "done": True,
        "conversations": 1,
        "leads": 0,
    }
    assert told("erase_user", team.workspace.slug, "u-1")["conversations"] == 0


def test_without_json_it_prints_a_line_for_each_value(team: Team) -> None:
    grant_credits(team.workspace, 5)
    assert printed("show_credits", team.workspace.slug).splitlines() == [
        f"workspace   {team.workspace.slug}",
        "balance     5",
        "held        0",
        "ledger_sum  5",
    ]


MINE = "MINE"
"""Stands for the slug of the team's workspace."""
CHATBOT = ("create_chatbot", MINE, "--name", "B", "--model")
LANGUAGE_MODEL = ("add_model", "new", "--litellm-model")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (("issue_key", "nowhere", "--name", "n"), "There is no workspace 'nowhere'"),
        (("grant_credits", "nowhere", "1", "--reason", "x"), "There is no workspace 'nowhere'"),
        (("show_credits", "nowhere"), "There is no workspace 'nowhere'"),
        (("erase_user", "nowhere", "u"), "There is no workspace 'nowhere'"),
        (("erase_user", MINE, ""), "A user id has 1 to 255 characters."),
        (
            ("create_chatbot", "nowhere", "--name", "B", "--model", "sandbox/echo"),
            "There is no workspace 'nowhere'",
        ),
        (
            ("create_workspace", MINE, "--owner-email", "new@example.com"),
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
        (("issue_key", MINE, "--name", "n", "--scopes", "fly"), "'fly' is not a valid choice."),
        (("issue_key", MINE, "--name", "n", "--scopes", ""), "This field cannot be blank."),
        (("issue_key", MINE, "--name", ""), "name: This field cannot be blank."),
        (
            ("issue_key", MINE, "--name", "n", "--expires", "2001-01-01"),
            "The time of expiry has passed already.",
        ),
        (("issue_key", MINE, "--name", "n", "--expires", "soon"), "--expires: invalid"),
        (("revoke_key", "nothing"), "There is no API key with the id 'nothing'."),
        (("grant_credits", MINE, "0", "--reason", "x"), "Give at least 1 credit."),
        (("grant_credits", MINE, "-5", "--reason", "x"), "Give at least 1 credit."),
        (("grant_credits", MINE, "9" * 30, "--reason", "x"), "Move at most 1,000,000,000,000"),
        (("grant_credits", MINE, "1.5", "--reason", "x"), "invalid int value: '1.5'"),
        (("grant_credits", MINE, "1", "--reason", "x" * 501), "at most 500 characters"),
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
            "Name the environment variable",
        ),
        ((*LANGUAGE_MODEL, "openai/x", "--api-base", "host/v1"), "must begin with http"),
    ],
)
def test_refusal_is_one_sentence_and_changes_nothing(
    team: Team, line: tuple[str, ...], sentence: str
) -> None:
    before = everything()
    words = [team.workspace.slug if word == MINE else word for word in line]
    with pytest.raises(CommandError, match=re.escape(sentence)) as caught:
        printed(*words, "--json")
    assert str(caught.value).count("\n") == 0
    assert everything() == before
