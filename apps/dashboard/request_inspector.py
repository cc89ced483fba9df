"""Explain a request, found by its X-Request-Id: its stages, their results and the reasons.

A request that opened a turn is explained from the turn, another one from its entry in the log of
refused requests (`apps.api_kit.refusal_log`).
"""

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
from apps.dashboard.error_explanations import STAGES, RequestStage, explain, stage_for
from apps.dashboard.price_text import format_credits, price_parts

StageState = Literal["passed", "refused", "waiting", "unreached"]
LinkTarget = Literal["", "key", "chatbot", "thread", "credits"]


@dataclass(frozen=True, slots=True)
class StageResult:
    """The result of one stage. `link` names the page to link to, `id` the row on it."""

    title: str
    state: StageState
    text: str
    link: LinkTarget = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class RequestReport:
    """A request with its stages. `outcome` is the turn's status, `refused` or `retry`."""

    request_id: str
    at: datetime
    outcome: str
    tone: str
    summary: str
    stages: list[StageResult]
    turn: Turn | None = None
    refused_request: RefusedRequest | None = None


_LINKS: dict[RequestStage, LinkTarget] = {RequestStage.KEY: "key", RequestStage.HOLD: "credits"}
_TONES = {"completed": "good", "running": "accent", "stopped": "warn"}
_SUMMARIES = {
    TurnStatus.RUNNING: "Response in progress.",
    TurnStatus.COMPLETED: "Response completed.",
    TurnStatus.STOPPED: "Response stopped.",
    TurnStatus.FAILED: "Response failed. Nothing was charged.",
    TurnStatus.ABANDONED: "Response interrupted by a server stop. Only the saved text is charged.",
}


def is_request_id(text: str) -> bool:
    """Whether the text is a well-formed request id."""
    return request_id_time(text) is not None


def inspect_request(workspace_id: str, request_id: str) -> RequestReport | None:
    """Explain the workspace's request; None if it is unknown."""
    turn = find_turn_by_request_id(workspace_id, request_id)
    if turn is not None:
        return RequestReport(
            request_id,
            turn.created_at,
            turn.status,
            _TONES.get(turn.status, "bad"),
            _SUMMARIES[TurnStatus(turn.status)],
            list(_turn_stages(turn)),
            turn=turn,
        )
    refused = find_refused_request(workspace_id, request_id)
    return None if refused is None else _report_refused(workspace_id, refused)


def _report_refused(workspace_id: str, refused: RefusedRequest) -> RequestReport:
    key = ApiKey.objects.filter(workspace_id=workspace_id, id=refused.api_key_id).first()
    chatbot = Chatbot.objects.filter(workspace_id=workspace_id, id=refused.chatbot_id).first()
    if refused.turn_id:
        turn = Turn.objects.filter(workspace_id=workspace_id, id=refused.turn_id).first()
        outcome, tone, stages = "retry", "good", _retry_stages(key, chatbot, turn)
        summary = "Retry with the same idempotency key. The first response was returned."
    else:
        outcome, tone, stages = "refused", "bad", _refusal_stages(refused, key, chatbot)
        summary = refused.error
    return RequestReport(
        *(refused.request_id, refused.refused_at, outcome, tone, summary),
        list(stages),
        refused_request=refused,
    )


def _turn_stages(turn: Turn) -> Iterator[StageResult]:
    price = ", ".join(price_parts(turn.price)) or "no price"
    if turn.api_key:
        yield StageResult("API key", "passed", str(turn.api_key), "key")
    else:
        gone = "None. Sent from the playground, or the key was deleted."
        yield StageResult("API key", "passed", gone)
    yield StageResult("Chatbot", "passed", turn.chatbot.name, "chatbot", turn.chatbot_id)
    yield StageResult("Rate limit", "passed", f"Allowed. {_describe_limit(turn.chatbot)}")
    held = f"{format_credits(turn.credits_held)} reserved, the maximum cost at {price}."
    yield StageResult("Credits", "passed", held, "credits")
    waited = f"{turn.queue_ms:,} ms after the request arrived."
    yield StageResult("Response", "passed", f"Started {waited}", "thread", turn.id)
    yield _model_stage(turn)
    yield _charge_stage(turn)


def _model_stage(turn: Turn) -> StageResult:
    facts = [turn.model_name]
    if turn.first_token_ms is not None:
        facts.append(f"first token {turn.first_token_ms:,} ms")
    if turn.total_ms is not None:
        facts.append(f"total {turn.total_ms:,} ms")
    if turn.input_tokens is not None:
        facts.append(f"{turn.input_tokens:,} tokens in, {turn.output_tokens or 0:,} out")
    if turn.finish_reason:
        facts.append(f"finish reason {turn.finish_reason}")
    if turn.error_code:
        facts.append(f"{turn.error_code}: {explain(turn.error_code)}")
    state: dict[str, StageState] = {TurnStatus.RUNNING: "waiting", TurnStatus.FAILED: "refused"}
    state[TurnStatus.ABANDONED] = "refused"
    return StageResult("Model", state.get(turn.status, "passed"), "; ".join(facts))


def _charge_stage(turn: Turn) -> StageResult:
    if turn.status == TurnStatus.RUNNING:
        return StageResult("Charge", "waiting", "Charged when the response ends.")
    credits = format_credits(turn.credits_charged)
    text = f"{credits} charged, {turn.credits_released:,} released."
    return StageResult("Charge", "passed", text, "credits")


def _retry_stages(
    key: ApiKey | None, chatbot: Chatbot | None, turn: Turn | None
) -> Iterator[StageResult]:
    yield StageResult("API key", "passed", str(key) if key else "The key was deleted.", "key")
    if chatbot:
        yield StageResult("Chatbot", "passed", chatbot.name, "chatbot", chatbot.id)
    yield StageResult("Rate limit", "passed", "Not counted: the first request was.")
    first = f"The first request was {turn.request_id}." if turn else "The response was deleted."
    yield StageResult(
        "Idempotency", "passed", first, "thread" if turn else "", turn.id if turn else ""
    )
    yield StageResult("Charge", "passed", "Nothing more was charged.")


def _refusal_stages(
    refused: RefusedRequest, key: ApiKey | None, chatbot: Chatbot | None
) -> Iterator[StageResult]:
    """The stages passed, the one that refused the request, and those that were not reached."""
    refusing = stage_for(refused.code)
    for stage in STAGES if refusing == RequestStage.PROCESS else STAGES[:-1]:
        if stage == refusing:
            text = explain(refused.code, refused)
            if stage == RequestStage.RATE_LIMIT and chatbot:
                yield StageResult(stage.value, "refused", text, "chatbot", chatbot.id)
            else:
                yield StageResult(stage.value, "refused", text, _LINKS.get(stage, ""))
        elif STAGES.index(stage) > STAGES.index(refusing):
            yield StageResult(stage.value, "unreached", "Not reached.")
        elif stage == RequestStage.KEY:
            who = str(key) if key else "Signed-in member."
            yield StageResult(stage.value, "passed", who, "key")
        elif stage == RequestStage.CHATBOT and chatbot:
            yield StageResult(stage.value, "passed", chatbot.name, "chatbot", chatbot.id)
        elif stage == RequestStage.RATE_LIMIT and refused.limit is not None:
            left = f"Allowed. {refused.remaining:,} of {refused.limit:,} requests left."
            yield StageResult(stage.value, "passed", left)
    yield StageResult("Charge", "unreached", "Nothing was charged.")


def _describe_limit(chatbot: Chatbot) -> str:
    requests, seconds = chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds
    return f"The limit is {requests:,} requests per {seconds:,} s."
