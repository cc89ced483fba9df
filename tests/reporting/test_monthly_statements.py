"""Monthly statements, compared with an independent calculation."""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO

import httpx
import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Turn, TurnStatus
from apps.credits.backfill import BackfillEntry, backfill_entries
from apps.credits.models import EntryKind
from apps.credits.queries import ledger_sum
from apps.credits.services import grant
from apps.reporting.csv_download import CSV_BATCH_SIZE
from apps.reporting.monthly_statements import MAX_CHARGE_LINES, build_statement, months_for
from apps.reporting.months import Month
from apps.workspaces.models import Workspace
from tests.dashboard.page_client import login, table_cells, visible_text
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, make_running_turn
from tests.web_processes import SSL_CONTEXT, WebProcess

START = datetime(2024, 1, 31, 12, tzinfo=UTC)
BOUNDARIES = [
    datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 3, 1, tzinfo=UTC),
    datetime(2024, 3, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 4, 1, tzinfo=UTC),
]
PRICES = {"small": (1, 0, 0), "large": (3, 2, 5), "per token": (0, 1, 4)}


@dataclass(frozen=True)
class Fact:
    """A ledger entry to insert. A charge has a model and tokens."""

    at: datetime
    kind: str
    credits: int
    model: str = ""
    tokens: tuple[int, int] = (0, 0)


def make_facts(seed: int, charges: int) -> list[Fact]:
    """Facts of four months of all kinds, some at the boundaries of months."""
    rng = random.Random(seed)
    facts = [Fact(START, "grant", 10**6)]
    moments = [START + timedelta(seconds=rng.randrange(1, 80 * 86_400)) for _ in range(charges)]
    for at in [*BOUNDARIES, *moments]:
        model = rng.choice(list(PRICES))
        tokens = (rng.randrange(1, 3000), rng.randrange(1, 900))
        reply, input_price, output_price = PRICES[model]
        thousandths = tokens[0] * input_price + tokens[1] * output_price
        price = reply + thousandths // 1000 + (1 if thousandths % 1000 else 0)
        facts.append(Fact(at, "charge", -price, model, tokens))
    for number, kind in enumerate(["purchase", "adjustment", "refund", "expiry", "embedding"]):
        sign = -1 if kind in ("expiry", "embedding") else 1
        facts.append(Fact(START + timedelta(days=20 * number, seconds=7), kind, sign * 11))
    return sorted(facts, key=lambda fact: fact.at)


def insert_facts(workspace: Workspace, facts: list[Fact]) -> None:
    """Insert the facts as settled turns and ledger entries."""
    chatbot = make_chatbot(workspace)
    conversation = Conversation.objects.create(workspace=workspace, chatbot=chatbot)
    turns = {fact: _turn(chatbot, conversation, fact) for fact in facts if fact.model}
    Turn.objects.bulk_create(turns.values())
    entries = [
        BackfillEntry(
            fact.at,
            EntryKind(fact.kind),
            fact.credits,
            reason="" if fact.model else "=because",
            turn_id=turns[fact].id if fact.model else None,
        )
        for fact in facts
    ]
    backfill_entries(workspace_id=workspace.id, entries=entries)


def _turn(chatbot: Chatbot, conversation: Conversation, fact: Fact) -> Turn:
    reply, input_price, output_price = PRICES[fact.model]
    return Turn(
        workspace_id=chatbot.workspace_id,
        chatbot=chatbot,
        conversation=conversation,
        status=TurnStatus.COMPLETED,
        model_name=fact.model,
        credits_per_reply=reply,
        credits_per_1k_input=input_price,
        credits_per_1k_output=output_price,
        credits_held=-fact.credits,
        credits_charged=-fact.credits,
        input_tokens=fact.tokens[0],
        output_tokens=fact.tokens[1],
        settled_at=fact.at,
        request_digest="",
        request_id="req_1",
    )


def facts_in_month(facts: list[Fact], name: str) -> list[Fact]:
    return [fact for fact in facts if fact.at.isoformat().startswith(name)]


MONTHS = ["2024-01", "2024-02", "2024-03", "2024-04"]


@pytest.mark.parametrize("charges", [60, 400])
def test_statement_matches_independent_sums(team: Team, charges: int) -> None:
    facts = make_facts(charges, charges)
    insert_facts(team.workspace, facts)
    grant_credits(team.other_workspace, 5)
    balance = 0
    for name in MONTHS:
        statement = build_statement(team.workspace.id, Month.parse(name))
        expected_facts = facts_in_month(facts, name)
        by_kind: Counter[str] = Counter()
        by_model: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        by_day: Counter[str] = Counter()
        for fact in expected_facts:
            by_kind[fact.kind] += fact.credits
            if fact.model:
                sums = by_model[fact.model]
                for index, figure in enumerate((1, *fact.tokens, -fact.credits)):
                    sums[index] += figure
                by_day[fact.at.date().isoformat()] -= fact.credits
        assert statement.opening == balance
        balance += sum(by_kind.values())
        assert statement.closing == balance
        assert {str(each.kind): each.credits for each in statement.movements} == by_kind
        assert {
            each.model_name: [each.turns, each.input_tokens, each.output_tokens, each.credits]
            for each in statement.models
        } == by_model
        assert {day.day.isoformat(): day.credits for day in statement.days} == by_day
        listed = [fact for fact in expected_facts if fact.model]
        expected = listed if len(listed) <= MAX_CHARGE_LINES else []
        assert [
            (line.entry.created_at, line.entry.amount, line.turn and line.turn.model_name)
            for line in statement.charges
        ] == [(fact.at, fact.credits, fact.model) for fact in expected]
    assert balance == ledger_sum(team.workspace.id)


def test_price_change_does_not_alter_past_charges(team: Team) -> None:
    grant_credits(team.workspace, 100)
    model = make_language_model(credits_per_reply=2)
    chatbot = make_chatbot(team.workspace, model)
    complete_turn(make_running_turn(chatbot, credits=9))
    model.credits_per_reply = 7
    model.save()
    complete_turn(make_running_turn(Chatbot.objects.get(pk=chatbot.pk), credits=9))
    statement = build_statement(team.workspace.id, Month.containing(timezone.now()))
    assert [(str(each.price), each.turns, each.credits) for each in statement.models] == [
        ("7 per reply", 1, 7),
        ("2 per reply", 1, 2),
    ]


def test_page_shows_statement(team: Team) -> None:
    grant(workspace_id=team.workspace.id, credits=1000, reason="A gift", reference="ticket 7")
    model = make_language_model(credits_per_reply=30)
    turn = make_running_turn(make_chatbot(team.workspace, model), credits=30)
    complete_turn(turn, input_tokens=5, output_tokens=6)
    month = Month.containing(timezone.now())
    html = login(team.bob).get(f"/w/{team.workspace.slug}/credits/months/{month}")
    text = visible_text(html.content.decode())
    assert f"Statement for {month.title}" in text
    summary, others, models, charges = (
        table_cells(f"<tbody>{part}") for part in html.content.decode().split("<tbody>")[1:]
    )
    assert summary == [
        ["", "0"],
        ["Grant", "1 entry", "+1,000"],
        ["Charge", "1 entry", "−30"],
        ["", "970"],
    ]
    assert [row[1:] for row in others] == [["Grant", "A gift", "ticket 7", "+1,000", "1,000"]]
    assert models == [[model.name, "30 per reply", "1", "5", "6", "30"]]
    ((_, *charge),) = charges
    assert charge == [turn.id, f"{model.name} 30 per reply", "5 / 6", "−30", "970"]


@pytest.mark.parametrize("name", ["2024-13", "2024-1", "1969-12", "now", "2024-01-01"])
def test_invalid_month_is_not_found(team: Team, name: str) -> None:
    page = login(team.bob).get(f"/w/{team.workspace.slug}/credits/months/{name}")
    assert page.status_code == 404


def test_months_start_at_first_entry(team: Team) -> None:
    now = Month.containing(timezone.now())
    assert months_for(team.workspace.id) == [now]
    entry = BackfillEntry(now.previous().previous().start, EntryKind.GRANT, 1)
    backfill_entries(workspace_id=team.workspace.id, entries=[entry])
    assert months_for(team.workspace.id) == [now, now.previous(), now.previous().previous()]


def test_month_arithmetic_crosses_years() -> None:
    december = Month(2023, 12)
    assert (december.next(), Month(2024, 1).previous()) == (Month(2024, 1), december)
    assert december.end == datetime(2024, 1, 1, tzinfo=UTC)
    assert Month.containing(datetime(2024, 1, 1, 0, 30, tzinfo=UTC).astimezone()) == Month(2024, 1)


def test_csv_has_all_lines_and_adds_up(web: WebProcess, live_team: Team) -> None:
    facts = make_facts(1, 2 * CSV_BATCH_SIZE)
    insert_facts(live_team.workspace, facts)

    def exported(user: User, name: str) -> httpx.Response:
        cookies = login(user).cookies
        return httpx.get(
            f"{web.url}/w/{live_team.workspace.slug}/credits/months/{name}.csv",
            headers={"Cookie": f"sessionid={cookies['sessionid'].value}"},
            verify=SSL_CONTEXT,
        )

    balance = 0
    for name in MONTHS:
        answer = exported(live_team.bob, name)
        assert answer.headers["Content-Disposition"] == (
            f'attachment; filename="{live_team.workspace.slug}-{name}.csv"'
        )
        first, *rows, last = csv.DictReader(
            StringIO(answer.content.decode("utf-8-sig"), newline="")
        )
        expected_facts = facts_in_month(facts, name)
        assert (first["kind"], first["balance after"]) == ("opening balance", str(balance))
        assert [
            (row["time"], row["kind"], row["credits"], row["model"], row["reason"]) for row in rows
        ] == [
            (
                fact.at.isoformat(timespec="microseconds"),
                fact.kind,
                str(fact.credits),
                fact.model,
                "" if fact.model else "'=because",
            )
            for fact in expected_facts
        ]
        for row in rows:
            balance += int(row["credits"])
            assert row["balance after"] == str(balance)
            if row["model"]:
                price = (
                    int(row["credits a reply"]),
                    int(row["credits per 1,000 tokens in"]),
                    int(row["credits per 1,000 tokens out"]),
                )
                assert price == PRICES[row["model"]]
        assert (last["kind"], last["balance after"]) == ("closing balance", str(balance))
    assert exported(live_team.charlie, "2024-02").status_code == 404
