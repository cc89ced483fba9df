"""The credits API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.core.ids import new_id
from apps.credits.backfill import BackfillEntry, backfill_entries
from apps.credits.models import EntryKind, LedgerEntry
from apps.credits.services import adjust, charge_embedding, grant
from tests.api_kit.rest_client import Api
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, make_running_turn


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace, "read")


def test_ledger_lists_entries_newest_first(api: Api, team: Team) -> None:
    grant(workspace_id=team.workspace.id, credits=10, reason="Welcome")
    chatbot = make_chatbot(team.workspace, make_language_model(credits_per_reply=3))
    turn = make_running_turn(chatbot, credits=5)
    complete_turn(turn)
    adjust(workspace_id=team.workspace.id, credits=-1, reason="fixed")
    grant_credits(team.other_workspace, 5)
    first = api("GET", "/credits/ledger", limit=2)
    second = api("GET", "/credits/ledger", limit=2, cursor=first["nextCursor"])
    entries = first["entries"] + second["entries"]
    assert [(each["kind"], each["credits"], each["balanceAfter"]) for each in entries] == [
        ("adjustment", -1, 6),
        ("charge", -3, 7),
        ("grant", 10, 10),
    ]
    assert second["nextCursor"] is None
    charge = LedgerEntry.objects.get(turn_id=turn.id)
    assert entries[1] == {
        "id": charge.id,
        "kind": "charge",
        "credits": -3,
        "balanceAfter": 7,
        "turnId": turn.id,
        "reason": None,
        "reference": None,
        "expiresAt": None,
        "reversesId": None,
        "createdAt": entries[1]["createdAt"],
    }
    assert entries[1]["createdAt"][:19] == charge.created_at.isoformat()[:19]
    assert entries[2]["reason"] == "Welcome"


def test_embedding_entry_names_what_was_embedded(api: Api, team: Team) -> None:
    grant_credits(team.workspace, 10)
    source_id = new_id()
    charge_embedding(
        workspace_id=team.workspace.id, credits=4, reason="900 tokens", reference=source_id
    )
    (entry,) = api("GET", "/credits/ledger", kind="embedding")["entries"]
    assert (entry["credits"], entry["reference"]) == (-4, source_id)
    assert (entry["turnId"], entry["reason"]) == (None, "900 tokens")


def test_ledger_filters_by_kind_and_day(api: Api, team: Team) -> None:
    moments = [(1, 0), (2, 0), (2, 23), (3, 0)]
    kinds = [EntryKind.GRANT, EntryKind.PURCHASE, EntryKind.GRANT, EntryKind.GRANT]
    entries = [
        BackfillEntry(datetime(2026, 1, day, hour, 59, tzinfo=UTC), kind, amount)
        for amount, ((day, hour), kind) in enumerate(zip(moments, kinds, strict=True), 1)
    ]
    backfill_entries(workspace_id=team.workspace.id, entries=entries)

    def amounts(**filters: Any) -> list[int]:
        entries = api("GET", "/credits/ledger", **filters)["entries"]
        return [entry["credits"] for entry in entries]

    assert amounts(since="2026-01-02", until="2026-01-02") == [3, 2]
    assert amounts(since="2026-01-02", kind="grant") == [4, 3]
    assert amounts(until="2026-01-01") == [1]
    assert amounts(since="9999-12-31", until="9999-12-31") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("kind", "gift"), ("since", "0"), ("since", "2026-02-30"), ("until", "1 May"), ("limit", "0")],
)
def test_invalid_ledger_filter_is_rejected(api: Api, name: str, value: str) -> None:
    filters: dict[str, Any] = {name: value}
    refused = api("GET", "/credits/ledger", status=400, **filters)
    assert (refused["code"], list(refused["details"])) == ("VALIDATION_ERROR", [name])
