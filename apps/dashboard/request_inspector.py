"""A request, found by its X-Request-Id: what was decided about it, step by step, and why.

A request that opened a turn is told from the turn; one that did not, from the note that was left
of it (`apps.api_kit.refusal_log`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from apps.api_keys.models import ApiKey
from apps.api_kit.refusal_log import RefusedRequest, find_refused_request
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn, TurnStatus
from apps.conversations.queries import find_turn_by_request_id
from apps.core.ids import request_id_time
from apps.credits.prices import Price
from apps.dashboard.error_explanations import STAGES, RequestStage, explain, stage_for

StageState = Literal["passed", "refused", "waiting", "unreached"]
LinkTarget = Literal["", "key", "chatbot", "thread", "credits"]


@dataclass(frozen=True, slots=True)
class StageResult:
    """One decision: its name, how it went, what was decided. `link`: what it leads to."""

    title: str
    state: StageState
    text: str
    link: LinkTarget = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class RequestReport:
    """A request as the page shows it. `outcome` is a turn's status, refused or retry."""

    request_id: str
    at: datetime
    outcome: str
    tone: str
    summary: str
    steps: list[StageResult]
    turn: Turn | None = None
    note: RefusedRequest | None = None


_LINKS: dict[RequestStage, LinkTarget] = {RequestStage.KEY: "key", RequestStage.HOLD: "credits"}
_TONES = {"completed": "good", "running": "accent", "stopped": "warn"}
_SUMMARIES = {
    TurnStatus.RUNNING: "Response in progress.",
    TurnStatus.COMPLETED: "Response completed.",
    TurnStatus.STOPPED: "Response stopped.",
    TurnStatus.FAILED: "Response failed. Nothing was charged.",
    TurnStatus.ABANDONED: "Response interrupted by a server stop. Nothing was charged.",
}


def is_request_id(text: str) -> bool:
    """Whether the text could be the id of a request."""
    return request_id_time(text) is not None


def inspect_request(workspace_id: str, request_id: str) -> RequestReport | None:
    """What was decided about the workspace's request; None where nothing is known of it."""
    turn = find_turn_by_request_id(workspace_id, request_id)
    if turn is not None:
        return RequestReport(
            request_id,
            turn.created_at,
            turn.status,
            _TONES.get(turn.status, "bad"),
            _SUMMARIES[TurnStatus(turn.status)],
            list(_steps_of_turn(turn)),
            turn=turn,
        )
    note = find_refused_request(workspace_id, request_id)
    return None if note is None else _of_note(workspace_id, note)


def _of_note(workspace_id: str, note: RefusedRequest) -> RequestReport:
    key = _key(workspace_id, note)
    chatbot = _chatbot(workspace_id, note)
    if note.turn_id:
        turn = Turn.objects.filter(workspace_id=workspace_id, id=note.turn_id).first()
        summary = "Retry with the same idempotency key. The first response was returned."
        return RequestReport(
            *(note.request_id, note.refused_at, "retry", "good", summary),
            list(_steps_of_retry(key, chatbot, turn)),
            note=note,
        )
    return RequestReport(
        *(note.request_id, note.refused_at, "refused", "bad", note.error),
        list(_steps_of_refusal(note, key, chatbot)),
        note=note,
    )


def _key(workspace_id: str, note: RefusedRequest) -> ApiKey | None:
    return ApiKey.objects.filter(workspace_id=workspace_id, id=note.api_key_id).first()


def _chatbot(workspace_id: str, note: RefusedRequest) -> Chatbot | None:
    return Chatbot.objects.filter(workspace_id=workspace_id, id=note.chatbot_id).first()


def _steps_of_turn(turn: Turn) -> Iterator[StageResult]:
    price = _price_in_words(turn.price)
    if turn.api_key:
        yield StageResult("API key", "passed", str(turn.api_key), "key")
    else:
        gone = "None. Sent from the playground, or the key was deleted."
        yield StageResult("API key", "passed", gone)
    yield StageResult("Chatbot", "passed", turn.chatbot.name, "chatbot", turn.chatbot_id)
    yield StageResult("Rate limit", "passed", f"Allowed. {_limit_in_words(turn.chatbot)}")
    held = f"{_credits(turn.credits_held)} reserved, the maximum cost at {price}."
    yield StageResult("Credits", "passed", held, "credits")
    waited = f"{turn.queue_ms:,} ms after the request arrived."
    yield StageResult("Response", "passed", f"Started {waited}", "thread", turn.id)
    yield _step_of_model(turn)
    yield _step_of_charge(turn)


def _step_of_model(turn: Turn) -> StageResult:
    told = [turn.model_name]
    if turn.first_token_at:
        told.append(f"first token {_ms(turn, turn.first_token_at)}")
    if turn.settled_at:
        told.append(f"total {_ms(turn, turn.settled_at)}")
    if turn.input_tokens is not None:
        told.append(f"{turn.input_tokens:,} tokens in, {turn.output_tokens or 0:,} out")
    if turn.finish_reason:
        told.append(f"finish reason {turn.finish_reason}")
    if turn.error_code:
        told.append(f"{turn.error_code}: {explain(turn.error_code)}")
    state: dict[str, StageState] = {TurnStatus.RUNNING: "waiting", TurnStatus.FAILED: "refused"}
    state[TurnStatus.ABANDONED] = "refused"
    return StageResult("Model", state.get(turn.status, "passed"), "; ".join(told))


def _step_of_charge(turn: Turn) -> StageResult:
    if turn.status == TurnStatus.RUNNING:
        return StageResult("Charge", "waiting", "Charged when the response ends.")
    released = turn.credits_held - turn.credits_charged
    text = f"{_credits(turn.credits_charged)} charged, {released:,} released."
    return StageResult("Charge", "passed", text, "credits")


def _steps_of_retry(
    key: ApiKey | None, chatbot: Chatbot | None, turn: Turn | None
) -> Iterator[StageResult]:
    yield StageResult("API key", "passed", str(key) if key else "The key was deleted.", "key")
    if chatbot:
        yield StageResult("Chatbot", "passed", chatbot.name, "chatbot", chatbot.id)
    place = "Not counted: the first request was."
    yield StageResult("Rate limit", "passed", place)
    first = f"The first request was {turn.request_id}." if turn else "The response was deleted."
    yield StageResult(
        "Idempotency", "passed", first, "thread" if turn else "", turn.id if turn else ""
    )
    yield StageResult("Charge", "passed", "Nothing more was charged.")


def _steps_of_refusal(
    note: RefusedRequest, key: ApiKey | None, chatbot: Chatbot | None
) -> Iterator[StageResult]:
    """Each step up to the one that refused it, which says why; the others were not reached."""
    met = stage_for(note.code)
    for place in STAGES if met == RequestStage.PROCESS else STAGES[:-1]:
        if place == met:
            text = explain(note.code, note)
            if place == RequestStage.RATE_LIMIT and chatbot:
                yield StageResult(place.value, "refused", text, "chatbot", chatbot.id)
            else:
                yield StageResult(place.value, "refused", text, _LINKS.get(place, ""))
        elif STAGES.index(place) > STAGES.index(met):
            yield StageResult(place.value, "unreached", "Not reached.")
        elif place == RequestStage.KEY:
            who = str(key) if key else "Signed-in member."
            yield StageResult(place.value, "passed", who, "key")
        elif place == RequestStage.CHATBOT and chatbot:
            yield StageResult(place.value, "passed", chatbot.name, "chatbot", chatbot.id)
        elif place == RequestStage.RATE_LIMIT and note.limit is not None:
            left = f"Allowed. {note.remaining:,} of {note.limit:,} requests left."
            yield StageResult(place.value, "passed", left)
    yield StageResult("Charge", "unreached", "Nothing was charged.")


def _price_in_words(price: Price) -> str:
    parts = [
        (price.per_reply, "per reply"),
        (price.per_1k_input, "per 1,000 input tokens"),
        (price.per_1k_output, "per 1,000 output tokens"),
    ]
    told = [f"{_credits(number)} {words}" for number, words in parts if number]
    return ", ".join(told) or "no price"


def _limit_in_words(chatbot: Chatbot) -> str:
    requests, seconds = chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds
    return f"The limit is {requests:,} requests per {seconds:,} s."


def _credits(number: int) -> str:
    return f"{number:,} credit{'' if number == 1 else 's'}"


def _ms(turn: Turn, moment: datetime) -> str:
    return f"{max(0, round((moment - turn.created_at).total_seconds() * 1000)):,} ms"
