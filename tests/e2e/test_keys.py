"""API keys that are revoked, expired, restricted or of another workspace."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
from django.utils import timezone

from apps.api_keys.models import ApiKey
from apps.api_keys.services import revoke_key
from apps.conversations.models import Turn
from tests.e2e.database_state import post_concurrently, turn_statuses, wait_until
from tests.factories import Team, make_api_key
from tests.web_processes import (
    SSL_CONTEXT,
    Caller,
    Frame,
    WebProcess,
    make_caller,
    parse_frames,
)

Pair = tuple[WebProcess, WebProcess]
WORDS = " ".join(f"word{number}" for number in range(60))


def statuses(caller: Caller, webs: Pair) -> list[int]:
    return [caller.at(web).post().status_code for web in webs]


def test_revoked_key_is_rejected_by_every_process(web_pair: Pair, live_team: Team) -> None:
    caller = make_caller(web_pair[0], live_team.workspace)
    other = Caller(web_pair[0], caller.chatbot, make_api_key(live_team.workspace))
    assert [statuses(each, web_pair) for each in (caller, other)] == [[200, 200], [200, 200]]
    revoke_key(key=ApiKey.objects.get(workspace=live_team.workspace, last4=caller.key[-4:]))
    assert [statuses(each, web_pair) for each in (caller, other)] == [[401, 401], [200, 200]]


def test_expired_key_is_rejected(web_pair: Pair, live_team: Team) -> None:
    caller = make_caller(web_pair[0], live_team.workspace)
    keys = ApiKey.objects.filter(workspace=live_team.workspace)
    keys.update(expires_at=timezone.now() + timedelta(hours=1))
    assert statuses(caller, web_pair) == [200, 200]
    keys.update(expires_at=timezone.now())
    time.sleep(1)
    assert statuses(caller, web_pair) == [401, 401]


def test_key_without_the_scope_opens_no_turn(web_pair: Pair, live_team: Team) -> None:
    caller = make_caller(web_pair[0], live_team.workspace)
    restricted = Caller(
        web_pair[0], caller.chatbot, make_api_key(live_team.workspace, ["read", "manage"])
    )
    assert statuses(restricted, web_pair) == [403, 403]
    assert turn_statuses(live_team.workspace) == []


def test_key_of_another_workspace_opens_no_turn(web_pair: Pair, live_team: Team) -> None:
    caller = make_caller(web_pair[0], live_team.workspace)
    outsider = Caller(web_pair[0], caller.chatbot, make_api_key(live_team.other_workspace))
    assert statuses(outsider, web_pair) == [404, 404]
    assert turn_statuses(live_team.workspace) == []


def test_last_use_is_saved_once_for_many_requests(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    keys = ApiKey.objects.filter(workspace=live_team.workspace)
    times = [keys.get().last_used_at]
    for _ in range(2):
        post_concurrently([caller] * 5)
        times.append(keys.get().last_used_at)
    assert [time is None for time in times] == [True, False, False]
    assert times[1] == times[2]


def test_revoked_key_is_told_no_more(web_pair: Pair, live_team: Team) -> None:
    """Streams of every format, followers and JSON callers. Their turns go on."""
    caller = make_caller(web_pair[0], live_team.workspace, "sandbox/slow")
    assert not isinstance(caller.chatbot, str)
    url, openai = caller.url, f"{web_pair[0].url}/api/v1/openai/v1/chat/completions"
    messages = [{"role": "user", "content": WORDS}]
    completion = {"model": caller.chatbot.id, "stream": True, "messages": messages}

    def read(url: str, method: str = "POST", **body: Any) -> str:
        options: dict[str, Any] = {"headers": caller.all_headers, "timeout": 30}
        return httpx.request(method, url, json=body or None, verify=SSL_CONTEXT, **options).text

    with ThreadPoolExecutor(5) as pool:
        calls = [
            pool.submit(read, url, message=WORDS, stream=True),
            pool.submit(read, f"{url}?protocol=ai-sdk", message=WORDS, stream=True),
            pool.submit(read, openai, **completion),
            pool.submit(read, url, message=WORDS),
        ]
        wait_until(lambda: turn_statuses(live_team.workspace) == ["running"] * 4)
        turn_id = Turn.objects.filter(workspace=live_team.workspace).latest("created_at").id
        stream = f"{url.removesuffix('/chat')}/turns/{turn_id}/stream"
        calls.append(pool.submit(read, stream.replace(web_pair[0].url, web_pair[1].url), "GET"))
        time.sleep(0.5)  # the follower is there, too
        revoke_key(key=ApiKey.objects.get(workspace=live_team.workspace))
        sse, ai_sdk, chunks, json_body, followed = [call.result() for call in calls]
    assert turn_statuses(live_team.workspace) == ["running"] * 4
    for frames in (parse_frames(sse), parse_frames(followed)):
        last, done = frames[-2:]
        assert isinstance(last, Frame)
        assert (last.id, last.event, last.data["code"]) == (None, "error", "INVALID_API_KEY")
        assert done == "[DONE]"
    for text in (ai_sdk, chunks, json_body):
        assert "INVALID_API_KEY" in text
    wait_until(lambda: turn_statuses(live_team.workspace) == ["completed"] * 4)
