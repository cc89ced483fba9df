"""Balance, usage and ledger entries."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import httpx
from django.utils import timezone

from apps.accounts.models import User
from apps.api_keys.models import ApiKey
from apps.chatbots.services import create_language_model
from apps.conversations.models import Turn
from apps.core.ids import new_id
from apps.credits.models import Account, LedgerEntry, Plan
from apps.credits.services import adjust, charge_embedding, grant
from apps.reporting.csv_download import CSV_BATCH_SIZE
from tests.dashboard.page_client import (
    count_queries_at_1_and_50_rows,
    login,
    table_cells,
    visible_text,
)
from tests.factories import Team, grant_credits, make_api_key, make_chatbot
from tests.knowledge.knowledge_factory import make_knowledge
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn
from tests.web_processes import SSL_CONTEXT, WebProcess


def url_of(team: Team) -> str:
    return f"/w/{team.workspace.slug}/credits"


def page_tables(html: str) -> list[list[list[str]]]:
    return [table_cells(f"<tbody>{part}") for part in html.split("<tbody>")[1:]]


def make_completed_turn(team: Team, price: int, name: str, **fields: Any) -> Turn:
    """A completed turn of this price with a chatbot of this name, on a model called as it."""
    model = create_language_model(
        name=f"{name}-{new_id()}", litellm_model="sandbox/echo", credits_per_reply=price
    )
    turn = make_running_turn(
        make_chatbot(team.workspace, model, name=name), credits=price, **fields
    )
    complete_turn(turn)
    return turn


def test_page_shows_balance_plan_and_usage(team: Team) -> None:
    grant_credits(team.workspace, 1000)
    limits = {"max_sources": 50, "max_knowledge_bytes": 3 * 2**20, "max_chunks": 9000}
    plan = Plan.objects.create(slug="p", name="Growth", monthly_credits=5000, **limits)
    Account.objects.filter(workspace=team.workspace).update(plan=plan)
    make_api_key(team.workspace)
    key = ApiKey.objects.get(workspace=team.workspace)
    dear = make_completed_turn(team, 30, "Dear", api_key_id=key.id)
    fail_turn(make_running_turn(dear.chatbot, credits=30))
    make_running_turn(dear.chatbot, credits=5)
    old = make_completed_turn(team, 7, "Old")
    Turn.objects.filter(id=old.id).update(created_at=timezone.now() - timedelta(days=8))
    grant_credits(team.other_workspace, 1)
    html = login(team.bob).get(url_of(team), {"period": "7d"}).content.decode()
    assert "Balance 963 credits Reserved 5 for responses in progress" in visible_text(html)
    assert (
        "Plan Growth 5,000 credits per month 50 sources, 3.0 MB of files, 9,000 passages"
        in visible_text(html).replace("\xa0", " ")
    )
    assert "Usage: 30 credits for 3 responses" in visible_text(html)
    chatbots, models, keys, statement = page_tables(html)
    assert chatbots == [["Dear", "3", "30"]]
    assert models == [[dear.model_name, "3", "30"]]
    assert keys == [
        ["test", "1", "30"],
        ["Playground", "2", "0"],
    ]
    assert statement == [
        ["just now", "Charge", "Response · Old", "−7", "963"],
        ["just now", "Charge", "Response · Dear", "−30", "970"],
        ["just now", "Grant", "for a test", "+1,000", "1,000"],
    ]
    month = login(team.bob).get(url_of(team), {"period": "30d"}).content.decode()
    assert "Usage: 37 credits for 4 responses" in visible_text(month)


def test_usage_has_what_embedding_cost(team: Team) -> None:
    grant_credits(team.workspace, 100)
    source = make_knowledge(make_chatbot(team.workspace), text="Shipping")
    foreign = make_knowledge(make_chatbot(team.other_workspace), text="Of others")
    references = [source.id, source.knowledge_base_id, foreign.id]
    for credits, reference in enumerate(references, 1):
        charge_embedding(
            workspace_id=team.workspace.id, credits=credits, reason="Why", reference=reference
        )
    html = login(team.bob).get(url_of(team)).content.decode()
    assert "Usage: 0 credits for 0 responses, 6 for embedding" in visible_text(html)
    assert page_tables(html)[-1][:3] == [
        ["just now", "Embedding", "Why", "−3", "94"],
        ["just now", "Embedding", "Shop · Why", "−2", "97"],
        ["just now", "Embedding", "Shipping · Why", "−1", "99"],
    ]
    assert f'/knowledge/sources/{source.id}"' in html
    assert f'/knowledge/{source.knowledge_base_id}"' in html


def test_statement_is_filtered_by_kind_and_by_whole_days(team: Team) -> None:
    grant_credits(team.workspace, 10)
    adjust(workspace_id=team.workspace.id, credits=-3, reason="put right")
    bob = login(team.bob)

    def amounts(**filters: str) -> list[str]:
        html = bob.get(url_of(team), filters).content.decode()
        return [row[3] for row in page_tables(html)[-1] if len(row) > 3]

    today = timezone.now().date()
    assert amounts() == ["−3", "+10"]
    assert amounts(kind="adjustment") == ["−3"]
    assert amounts(since=today.isoformat(), kind="grant") == ["+10"]
    assert amounts(until=(today - timedelta(days=1)).isoformat()) == []
    assert amounts(kind="nonsense") == ["−3", "+10"]


def test_empty_ledger_is_explained(team: Team) -> None:
    html = login(team.bob).get(url_of(team)).content.decode()
    assert "No billing history yet" in visible_text(html)


def test_csv_is_complete_and_has_no_formulas(web: WebProcess, live_team: Team) -> None:
    workspace = live_team.workspace
    grant(workspace_id=workspace.id, credits=5, reason="=HYPERLINK(1)")
    adjust(workspace_id=workspace.id, credits=-2, reason="mended")
    more = 2 * CSV_BATCH_SIZE
    LedgerEntry.objects.bulk_create(
        LedgerEntry(workspace=workspace, kind="refund", amount=1, balance_after=number)
        for number in range(more)
    )
    grant_credits(live_team.other_workspace, 1)
    address = f"{web.url}{url_of(live_team)}/statement.csv"

    def exported(user: User, **filters: str) -> httpx.Response:
        cookies = login(user).cookies
        header = {"Cookie": f"sessionid={cookies['sessionid'].value}"}
        return httpx.get(address, params=filters, headers=header, verify=SSL_CONTEXT)

    answer = exported(live_team.bob)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="{workspace.slug}-credits.csv"'
    )
    rows = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert [row["credits"] for row in rows] == ["1"] * more + ["-2", "5"]
    assert len({row["id"] for row in rows}) == more + 2
    assert [row["reason"] for row in rows[-2:]] == ["mended", "'=HYPERLINK(1)"]
    only = csv.DictReader(StringIO(exported(live_team.bob, kind="grant").text))
    assert [row["balance after"] for row in only] == ["5"]
    assert exported(live_team.charlie).status_code == 404


def test_query_count_is_constant(team: Team) -> None:
    grant_credits(team.workspace, 1000)

    def spend_more(times: int) -> None:
        for number in range(times):
            make_completed_turn(team, 1, f"Bot {number}")

    assert count_queries_at_1_and_50_rows(login(team.bob), url_of(team), spend_more) == (17, 17)
