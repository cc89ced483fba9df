"""The request inspector."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx
import pytest
from django.test import Client

from apps.api_keys.models import ApiKey
from apps.api_keys.services import revoke_key
from apps.api_kit.refusal_log import RefusedRequest, log_refused_request
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.core.ids import new_request_id, request_id_time
from tests.dashboard.page_client import (
    count_queries_at_1_and_50_rows,
    login,
    page_path,
    visible_text,
)
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.web_processes import Caller, WebProcess, make_caller


def stages_of(html: str) -> dict[str, tuple[str, str]]:
    """The stages on the page: state and text by title."""
    found = {}
    for item in re.findall(r'<li class="request-step .*?</li>', html, re.DOTALL):
        (state,) = re.findall(r"step-(\w+)", item)
        title = visible_text(re.findall(r"<h3>(.*?)</h3>", item, re.DOTALL)[0])
        (text,) = re.findall(r'<p class="break">(.*?)</p>', item, re.DOTALL)
        found[title.removesuffix(" Failed here").removesuffix(" In progress")] = (
            state,
            visible_text(text),
        )
    return found


def open_request_page(team: Team, request_id: str, client: Client | None = None) -> str:
    client = client or login(team.bob)
    response = client.get(page_path(team.workspace, "requests"), {"id": request_id})
    assert response.status_code == 200
    return response.content.decode()


def open_refused_page(team: Team, response: httpx.Response) -> str:
    """The page of a request that was refused; its note is a moment on its way."""
    request_id = response.headers["X-Request-Id"]
    for _ in range(100):
        html = open_request_page(team, request_id)
        if 'class="request-step ' in html:
            return html
        time.sleep(0.05)
    raise AssertionError("the request was not logged")


def test_completed_request_shows_every_stage(web: WebProcess, live_team: Team) -> None:
    grant_credits(live_team.workspace, 10)
    model = make_language_model(credits_per_reply=2, credits_per_1k_output=1)
    chatbot = make_chatbot(
        live_team.workspace, model, name="Support", max_reply_tokens=900, rate_limit_requests=7
    )
    key = make_api_key(live_team.workspace)
    answer = Caller(web, chatbot, key).post("Hello there")
    request_id = answer.headers["X-Request-Id"]
    html = open_request_page(live_team, request_id)
    turn = Turn.objects.get(request_id=request_id)
    stages = stages_of(html)
    assert [state for state, _ in stages.values()] == ["passed"] * 7
    assert {
        title: text for title, (_, text) in stages.items() if title not in ("Response", "Model")
    } == {
        "API key": str(ApiKey.objects.get(workspace=live_team.workspace)),
        "Chatbot": "Support",
        "Rate limit": "Allowed. The limit is 7 requests per 60 s.",
        "Credits": f"{turn.credits_held} credits reserved, the maximum cost at "
        "2 credits per reply, 1 credit per 1,000 output tokens.",
        "Charge": f"3 credits charged, {turn.credits_held - 3} released.",
    }
    assert stages["Response"][1] == f"Started {turn.queue_ms} ms after the request arrived."
    assert stages["Model"][1].startswith(f"{model.name}; first token ")
    assert stages["Model"][1].endswith("3 out; finish reason stop")
    assert key[20:60] not in html


def test_failed_turn_shows_the_model_error(web: WebProcess, live_team: Team) -> None:
    answer = make_caller(web, live_team.workspace, "sandbox/fail-before").post()
    stages = stages_of(open_request_page(live_team, answer.headers["X-Request-Id"]))
    state, text = stages["Model"]
    assert (state, text.partition("; MODEL_ERROR")[2]) == ("refused", ": the model failed")
    assert stages["Charge"] == ("passed", "0 credits charged, 0 released.")


def rate_limited(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace, rate_limit_requests=1)
    caller.post()
    return caller.post()


def no_credits(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace, make_language_model(credits_per_reply=5)).post()


def no_scope(web: WebProcess, team: Team) -> httpx.Response:
    key = make_api_key(team.workspace, ["read"])
    return Caller(web, make_chatbot(team.workspace), key).post()


def revoked_key(web: WebProcess, team: Team) -> httpx.Response:
    key = make_api_key(team.workspace)
    revoke_key(key=ApiKey.objects.get(workspace=team.workspace))
    return Caller(web, make_chatbot(team.workspace), key).post()


def foreign_chatbot(web: WebProcess, team: Team) -> httpx.Response:
    return Caller(web, make_chatbot(team.other_workspace), make_api_key(team.workspace)).post()


def empty_message(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace).post("")


def unknown_conversation(web: WebProcess, team: Team) -> httpx.Response:
    return make_caller(web, team.workspace).post(conversationId="c" + "0" * 24)


def idempotency_mismatch(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    caller.headers["Idempotency-Key"] = "order-1234"
    caller.post("One thing")
    return caller.post("Another")


def openai_no_messages(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace)
    assert isinstance(caller.chatbot, Chatbot)
    return httpx.post(
        f"{web.url}/api/v1/openai/chat/completions",
        json={"model": caller.chatbot.id, "messages": []},
        headers=caller.all_headers,
    )


def rest_no_scope(web: WebProcess, team: Team) -> httpx.Response:
    key = make_api_key(team.workspace)
    return httpx.get(f"{web.url}/api/v1/credits", headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize(
    ("send", "stage", "reason"),
    [
        (rate_limited, "Rate limit", (r"The chatbot's rate limit was reached: 1 of 1 requests "
         r"used, resets at \d\d:\d\d:\d\d UTC\. Retry-After was \d+ s\. .*")),
        (no_credits, "Credits",
         r"The available credits .* \(5 credits, 0 available\)\. Add credits, or .*"),
        (no_scope, "API key", r"This API key may not do this: it lacks the scope “chat”\. .*"),
        (revoked_key, "API key", r".*The key was revoked or has expired\. .*"),
        (foreign_chatbot, "Chatbot", r".*has no active chatbot with the ID in the URL\. .*"),
        (empty_message, "Request body", r"message: The message is empty\."),
        (unknown_conversation, "Conversation", r".*doesn't belong to this chatbot\. .*"),
        (idempotency_mismatch, "Idempotency", r".*was used with a different body or chatbot.*"),
        (openai_no_messages, "Request body", r"messages: .*"),
        (rest_no_scope, "API key", r".*it lacks the scope “read”\. .*"),
    ],
)  # fmt: skip
def test_refused_request_shows_stage_and_reason(
    web: WebProcess,
    live_team: Team,
    send: Callable[[WebProcess, Team], httpx.Response],
    stage: str,
    reason: str,
) -> None:
    response = send(web, live_team)
    assert response.status_code >= 400
    html = open_refused_page(live_team, response)
    stages = stages_of(html)
    assert [title for title, (state, _) in stages.items() if state == "refused"] == [stage]
    assert re.fullmatch(reason, stages[stage][1]), stages[stage]
    later = list(stages)[list(stages).index(stage) + 1 :]
    assert later.pop() == "Charge"
    assert stages["Charge"] == ("unreached", "Nothing was charged.")
    assert {stages[title] for title in later} <= {("unreached", "Not reached.")}
    assert response.json().get("code", "") in html
    listed = login(live_team.bob).get(page_path(live_team.workspace, "requests"))
    assert response.headers["X-Request-Id"] in listed.content.decode()


def test_retry_is_shown_as_retry(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    caller.headers["Idempotency-Key"] = "order-1234"
    first, second = caller.post(), caller.post()
    stages = stages_of(open_refused_page(live_team, second))
    text = f"The first request was {first.headers['X-Request-Id']}."
    assert stages["Idempotency"] == ("passed", text)
    assert stages["Charge"] == ("passed", "Nothing more was charged.")


def test_playground_errors_are_logged(live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace)
    client = login(live_team.bob)
    answer = client.post(page_path(live_team.workspace, f"chatbots/{chatbot.id}/playground/chat"))
    stages = stages_of(open_request_page(live_team, answer.headers["X-Request-Id"]))
    assert stages["API key"] == ("passed", "Signed-in member.")
    assert stages["Request body"] == ("refused", "message: The message is empty.")


def test_request_of_another_workspace_is_not_found(web: WebProcess, live_team: Team) -> None:
    theirs = make_caller(web, live_team.other_workspace)
    answered, turned_away = theirs.post(), theirs.post("")
    for response in (answered, turned_away):
        html = open_request_page(live_team, response.headers["X-Request-Id"])
        assert "Request not found" in html


def test_unknown_key_is_not_logged(web: WebProcess, live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace)
    answer = Caller(web, chatbot, "sk-workspace_" + "x" * 51).post()
    assert answer.status_code == 401
    html = open_request_page(live_team, answer.headers["X-Request-Id"])
    assert "Request not found" in html


@pytest.mark.parametrize(
    "text", ["req_1", "<script>", "req_" + "g" * 24, "req_" + "f" * 24, "\x01"]
)
def test_invalid_request_id_is_reported(team: Team, text: str) -> None:
    html = open_request_page(team, text)
    assert "is not a request ID" in html
    assert "<script>" not in html.partition("<main")[2]


def test_empty_list_is_explained(team: Team) -> None:
    html = login(team.bob).get(page_path(team.workspace, "requests")).content.decode()
    assert "No recent errors" in html


def test_request_id_contains_its_time(web: WebProcess) -> None:
    before = time.time()
    moment = request_id_time(httpx.get(f"{web.url}/healthz").headers["X-Request-Id"])
    assert moment is not None
    assert int(before) <= moment.timestamp() <= time.time() + 1


def test_query_count_is_constant(team: Team) -> None:
    def add(number: int) -> None:
        for _ in range(number):
            note = RefusedRequest(
                new_request_id(), time.time(), "POST", "/api/v1/leads", 403, "SCOPE_MISSING"
            )
            log_refused_request(team.workspace.id, note)

    first, more = count_queries_at_1_and_50_rows(
        login(team.bob), page_path(team.workspace, "requests"), add
    )
    assert first == more
