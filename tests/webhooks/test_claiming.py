"""Which delivery is sent next: workspaces and endpoints in turn, a share each, pauses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from apps.audit.services import SYSTEM
from apps.core.ids import new_id
from apps.webhooks.claiming import CLAIM_DELIVERY, MAX_CONCURRENT_PER_ENDPOINT, claim_delivery
from apps.webhooks.delivery import deliver_due
from apps.webhooks.endpoint_health import FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, MAX_TIMEOUTS
from apps.webhooks.models import Delivery, Endpoint, Event
from apps.webhooks.services import EndpointChanges, resend, send_test, update_endpoint
from tests.factories import Team, make_webhook_endpoint, make_workspace
from tests.webhook_receiver import Receiver, Reply
from tests.webhooks.delivery_helpers import make_due, send_event

pytestmark = pytest.mark.usefixtures("no_other_deliveries")


def make_deliveries(endpoint: Endpoint, count: int, *, minutes_ago: float = 1) -> None:
    """Due deliveries of the endpoint, written at once."""
    workspace_id, due = endpoint.workspace_id, timezone.now() - timedelta(minutes=minutes_ago)
    events = [
        Event(id=new_id(), workspace_id=workspace_id, type="lead.created", data={})
        for _ in range(count)
    ]
    Event.objects.bulk_create(events)
    Delivery.objects.bulk_create(
        Delivery(
            id=new_id(),
            workspace_id=workspace_id,
            event=event,
            endpoint=endpoint,
            next_attempt_at=due,
        )
        for event in events
    )


def claimed_endpoints(count: int) -> list[str | None]:
    """The endpoints of the next claims, which stay claimed."""
    claims = [claim_delivery() for _ in range(count)]
    return [None if claim is None else claim.endpoint_id for claim in claims]


def finish_all() -> None:
    """End all claims, as if the endpoints had responded."""
    Delivery.objects.filter(claimed_until__isnull=False).update(
        status="delivered", next_attempt_at=None, claimed_until=None
    )


def test_one_sender_takes_workspaces_in_turn() -> None:
    """Each has its turn, however many deliveries of the others are due for longer."""
    busy, _ = make_webhook_endpoint(make_workspace())
    others = [make_webhook_endpoint(make_workspace())[0] for _ in range(2)]
    make_deliveries(busy, 20, minutes_ago=60)
    for endpoint in others:
        make_deliveries(endpoint, 2)
    served = []
    for _ in range(6):
        served += claimed_endpoints(1)
        finish_all()
    assert sorted(served[:3], key=str) == sorted(each.id for each in [busy, *others])
    assert served[3:] == served[:3]


def test_workspace_with_fewest_running_requests_is_next() -> None:
    busy, _ = make_webhook_endpoint(make_workspace())
    make_deliveries(busy, 20, minutes_ago=60)
    assert claimed_endpoints(2) == [busy.id, busy.id]
    late, _ = make_webhook_endpoint(make_workspace())
    make_deliveries(late, 3)
    assert claimed_endpoints(4) == [late.id, late.id, busy.id, late.id]


def test_endpoints_of_a_workspace_take_turns() -> None:
    workspace = make_workspace()
    endpoints = [make_webhook_endpoint(workspace)[0] for _ in range(3)]
    for endpoint in endpoints:
        make_deliveries(endpoint, 2)
    served = []
    for _ in range(6):
        served += claimed_endpoints(1)
        finish_all()
    assert set(served[:3]) == {each.id for each in endpoints}
    assert served[3:] == served[:3]


def test_workspace_has_a_share_of_all_senders(settings: Settings) -> None:
    settings.WEBHOOK_WORKSPACE_CONCURRENCY = 5
    workspace, other = make_workspace(), make_workspace()
    for _ in range(4):
        make_deliveries(make_webhook_endpoint(workspace)[0], 10)
    quick, _ = make_webhook_endpoint(other)
    make_deliveries(quick, 1)
    claims = [claim_delivery() for _ in range(8)]
    assert [claim.workspace_id for claim in claims if claim].count(workspace.id) == 5
    assert [claim.workspace_id for claim in claims if claim].count(other.id) == 1
    assert claims[6:] == [None, None]


def test_endpoint_has_a_share_of_its_workspace(settings: Settings) -> None:
    assert settings.WEBHOOK_WORKSPACE_CONCURRENCY > MAX_CONCURRENT_PER_ENDPOINT
    endpoint, _ = make_webhook_endpoint(make_workspace())
    make_deliveries(endpoint, 10)
    assert claimed_endpoints(5) == [endpoint.id] * MAX_CONCURRENT_PER_ENDPOINT + [None, None]


def test_concurrent_claims_keep_the_share(live_team: Team, settings: Settings) -> None:
    settings.WEBHOOK_WORKSPACE_CONCURRENCY = 4
    for _ in range(8):
        make_deliveries(make_webhook_endpoint(live_team.workspace)[0], 4)
    barrier = Barrier(12)

    def claim(_: int) -> Delivery | None:
        try:
            barrier.wait(timeout=30)
            return claim_delivery()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as threads:
        claims = [claim for claim in threads.map(claim, range(12)) if claim]
    assert len({claim.id for claim in claims}) == len(claims) == 4


def attempt(delivery: Delivery) -> Endpoint:
    """Attempt a delivery again, pause or not."""
    make_due(delivery)
    Endpoint.objects.update(paused_until=None)
    assert deliver_due(seconds=0) == 1
    return Endpoint.objects.get(id=delivery.endpoint_id)


def assert_paused(endpoint: Endpoint, seconds: float) -> None:
    """The pause has this length, and began after the claim of the last attempt."""
    assert endpoint.paused_until is not None
    assert endpoint.last_claimed_at is not None
    pause = (endpoint.paused_until - endpoint.last_claimed_at).total_seconds()
    assert seconds <= pause < 1.9 * seconds


@pytest.fixture
def hanging(team: Team, receiver: Receiver, settings: Settings) -> Delivery:
    """A delivery to an endpoint that never responds."""
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.05
    settings.WEBHOOK_BACKOFF_SECONDS = (1,) * 100
    receiver.reply_to = lambda _: Reply(delay=60)
    endpoint, _ = make_webhook_endpoint(team.workspace, url=receiver.url)
    return send_event(endpoint, times=0)


def test_endpoint_that_times_out_is_paused_longer_each_time(hanging: Delivery) -> None:
    endpoints = [attempt(hanging) for _ in range(MAX_TIMEOUTS + 2)]
    assert [each.consecutive_timeouts for each in endpoints] == [1, 2, 3, 4, 5]
    assert [each.paused_until for each in endpoints[: MAX_TIMEOUTS - 1]] == [None, None]
    for number, endpoint in enumerate(endpoints[MAX_TIMEOUTS - 1 :]):
        assert_paused(endpoint, FIRST_PAUSE_SECONDS * 2**number)
    Endpoint.objects.filter(id=hanging.endpoint_id).update(consecutive_timeouts=90)
    assert_paused(attempt(hanging), MAX_PAUSE_SECONDS)


def test_paused_endpoint_gets_no_requests(hanging: Delivery, receiver: Receiver) -> None:
    for _ in range(MAX_TIMEOUTS):
        attempt(hanging)
    make_due(hanging)
    before = receiver.connections
    assert (deliver_due(seconds=1), receiver.connections) == (0, before)
    hanging.refresh_from_db()
    assert hanging.attempts == MAX_TIMEOUTS


def test_endpoint_that_timed_out_gets_one_request_at_a_time() -> None:
    endpoint, _ = make_webhook_endpoint(make_workspace())
    make_deliveries(endpoint, 3)
    Endpoint.objects.filter(id=endpoint.id).update(consecutive_timeouts=1)
    assert claimed_endpoints(2) == [endpoint.id, None]


def test_endpoints_that_timed_out_have_one_share_of_all_workspaces(settings: Settings) -> None:
    settings.WEBHOOK_WORKSPACE_CONCURRENCY = 2
    hanging = [make_webhook_endpoint(make_workspace())[0] for _ in range(4)]
    for endpoint in hanging:
        make_deliveries(endpoint, 1, minutes_ago=60)
    Endpoint.objects.update(consecutive_timeouts=1)
    quick, _ = make_webhook_endpoint(make_workspace())
    make_deliveries(quick, 1)
    claimed = claimed_endpoints(4)
    assert (claimed[3], quick.id in claimed) == (None, True)
    assert len({each.id for each in hanging} & set(claimed)) == 2


@pytest.mark.parametrize("status", [200, 500])
def test_any_response_ends_the_pauses(
    hanging: Delivery, receiver: Receiver, settings: Settings, status: int
) -> None:
    for _ in range(MAX_TIMEOUTS):
        attempt(hanging)
    settings.WEBHOOK_TIMEOUT_SECONDS = 30
    receiver.reply_to = lambda _: Reply(status)
    endpoint = attempt(hanging)
    assert (endpoint.consecutive_timeouts, endpoint.paused_until) == (0, None)


def test_refused_connection_is_not_a_timeout(team: Team) -> None:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    send_event(endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.consecutive_timeouts, endpoint.failing_since is None) == (0, False)


@pytest.mark.parametrize("action", ["test", "resend", "url"])
def test_a_person_can_end_the_pause(hanging: Delivery, action: str) -> None:
    for _ in range(MAX_TIMEOUTS):
        endpoint = attempt(hanging)
    actions: dict[str, Any] = {
        "test": lambda: send_test(endpoint=endpoint),
        "resend": lambda: resend(delivery=hanging),
        "url": lambda: update_endpoint(
            endpoint=endpoint, actor=SYSTEM, changes=EndpointChanges(url=endpoint.url + "/new")
        ),
    }
    actions[action]()
    endpoint.refresh_from_db()
    assert endpoint.paused_until is None


def test_claim_reads_one_row_an_endpoint() -> None:
    """The due deliveries of a workspace that has its share cost a claim nothing."""
    workspace = make_workspace()
    endpoints = [make_webhook_endpoint(workspace)[0] for _ in range(4)]
    for endpoint in endpoints:
        make_deliveries(endpoint, 250)
    quick, _ = make_webhook_endpoint(make_workspace())
    make_deliveries(quick, 1)
    taken = Delivery.objects.filter(workspace=workspace).values("id")[:10]
    Delivery.objects.filter(id__in=list(taken.values_list("id", flat=True))).update(
        claimed_until=timezone.now() + timedelta(minutes=1),
        next_attempt_at=F("next_attempt_at") + timedelta(minutes=2),
    )
    values = {"max_per_workspace": 5, "max_per_endpoint": 3, "seconds": 30}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE webhooks_delivery, webhooks_endpoint")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {CLAIM_DELIVERY.sql}", values)
        ((plan,),) = cursor.fetchone()
    reads = [
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan["Plan"])
        if node.get("Relation Name") == "webhooks_delivery" and node["Node Type"] != "ModifyTable"
    ]
    assert max(reads) <= 20


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """All nodes of a plan."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]
