"""API keys that are revoked, expired, restricted or of another workspace."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils import timezone

from apps.api_keys.models import ApiKey
from apps.api_keys.services import revoke_key
from tests.e2e.database_state import post_concurrently, turn_statuses
from tests.factories import Team, make_api_key
from tests.web_processes import Caller, WebProcess, make_caller

Pair = tuple[WebProcess, WebProcess]


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


def test_running_stream_of_a_revoked_key_completes(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace, "sandbox/slow")
    with caller.stream("one two three four") as response:
        lines = response.iter_lines()
        assert next(lines) == "id: 1"
        revoke_key(key=ApiKey.objects.get(workspace=live_team.workspace))
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert turn_statuses(live_team.workspace) == ["completed"]
