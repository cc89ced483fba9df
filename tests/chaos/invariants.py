"""What must be true after a schedule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from apps.conversations.citations import AnswerSource, citations_of
from apps.conversations.models import Message, Turn, TurnStatus
from apps.credits.ledger_chain import verify_chain
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for
from apps.reporting.reconciliation import read_figures
from apps.webhooks.models import Delivery, Event
from tests.chaos.record import Record, Sources, Told, told_sources
from tests.webhook_receiver import Receiver


def is_at_rest(workspace_id: str) -> bool:
    """Whether no turn runs and no delivery waits any more."""
    running = Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.RUNNING)
    waiting = Delivery.objects.filter(workspace_id=workspace_id).exclude(status="delivered")
    return not running.exists() and not waiting.exists()


def find_violations(workspace_id: str, record: Record, receiver: Receiver) -> Iterator[str]:
    """What the callers saw, and what differs between that and what is stored."""
    yield from record.violations
    turns = {turn.id: turn for turn in Turn.objects.filter(workspace_id=workspace_id)}
    texts = dict(
        Message.objects.filter(workspace_id=workspace_id, role="assistant").values_list(
            "turn_id", "text"
        )
    )
    entries = LedgerEntry.objects.filter(workspace_id=workspace_id, kind="charge")
    charges = Counter({entry.turn_id: 0 for entry in entries})
    for entry in entries:
        if charges[entry.turn_id]:
            yield f"turn {entry.turn_id} was charged twice"
        charges[entry.turn_id] -= entry.amount
    sources = _stored_sources(turns)
    by_message = {turn.message_id: turn.id for turn in turns.values()}
    for told in set(record.ends):
        turn_id = told.turn_id
        if turn_id.startswith("message "):
            turn_id = by_message.get(turn_id.removeprefix("message "), turn_id)
        turn = turns.get(turn_id)
        if turn is None:
            yield f"{told} is not stored"
        else:
            yield from _compare(told, turn, texts.get(turn_id, ""), charges[turn_id])
            if told.text is not None and told.sources != sources[turn_id]:
                yield f"{told}, but {sources[turn_id]} are stored"
    yield from _account_faults(workspace_id)
    yield from _webhook_faults(workspace_id, receiver)


def _stored_sources(turns: Mapping[str, Turn]) -> Mapping[str, Sources]:
    """What is stored of the turns' searches, by the turn's id."""
    citations = citations_of(turns.values())
    return {
        turn.id: told_sources(
            {
                "knowledge": turn.knowledge,
                "sources": [
                    AnswerSource.from_citation(each).data() for each in citations.get(turn.id, ())
                ],
            }
        )
        for turn in turns.values()
    }


def _compare(told: Told, turn: Turn, text: str, charged: int) -> Iterator[str]:
    if told.text is None:
        if turn.error_code != told.code:
            yield f"{told}, but the turn is {turn.status} {turn.error_code}"
        return
    if text != told.text:
        yield f"{told}, but {text!r} is stored ({turn.status} {turn.error_code})"
    if told.charged is not None and charged != told.charged:
        yield f"{told}, but {charged} were charged"


def _account_faults(workspace_id: str) -> Iterator[str]:
    held = balance_for(workspace_id).held
    if held:
        yield f"{held} credits are still held"
    for fault in read_figures(workspace_id).faults():
        yield str(fault)
    _, broken = verify_chain(workspace_id)
    if broken is not None:
        yield str(broken)


def _webhook_faults(workspace_id: str, receiver: Receiver) -> Iterator[str]:
    stored = set(Event.objects.filter(workspace_id=workspace_id).values_list("id", flat=True))
    received = set(receiver.event_ids)
    for event_id in stored - received:
        yield f"event {event_id} was never received"
    # The set-up is repeated if its connection breaks: its events may be of another workspace.
    sent_here = Delivery.objects.filter(event_id__in=received, endpoint__url=receiver.url)
    for event_id in received - set(sent_here.values_list("event_id", flat=True)):
        yield f"event {event_id} was received, but never happened"
    answered = Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.COMPLETED)
    told = {
        payload["data"].get("turnId")
        for payload in (each.payload for each in receiver.received)
        if payload["type"] == "message.completed"
    }
    for turn in answered.exclude(message_id=None):
        if turn.id not in told:
            yield f"no webhook told the answer of turn {turn.id}"
