"""The Idempotency-Key header of the REST API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.api_keys.idempotency import delete_expired_responses
from apps.api_keys.models import ApiKey, IdempotentAnswer
from apps.webhooks.models import Endpoint
from tests.api_kit.rest_client import Api, Response
from tests.factories import Team

BODY = {"url": "https://hooks.example.com/", "eventTypes": ["lead.created"]}


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace)


def create(api: Api, key: str = "one", body: object = BODY) -> Response:
    return api.send("POST", "/webhook-endpoints", body, idempotency_key=key)


def outcome(response: Response) -> tuple[int, str | None]:
    return response.status_code, response.headers.get("Idempotent-Replayed")


def count_endpoints(team: Team) -> int:
    return Endpoint.objects.filter(workspace=team.workspace).count()


def test_retry_returns_first_response(team: Team, api: Api) -> None:
    first, second = create(api), create(api)
    assert (outcome(first), outcome(second)) == ((201, None), (201, "true"))
    assert (first.content, first["Content-Type"]) == (second.content, second["Content-Type"])
    assert first["X-Request-Id"] != second["X-Request-Id"]
    assert count_endpoints(team) == 1


def test_different_keys_are_different_requests(team: Team, api: Api) -> None:
    assert [outcome(create(api, key)) for key in ("one", "two")] == [(201, None), (201, None)]
    assert count_endpoints(team) == 2


def test_key_with_another_body_or_path_is_a_mismatch(team: Team, api: Api) -> None:
    endpoint_id = create(api).json()["data"]["id"]
    path = f"/webhook-endpoints/{endpoint_id}/test"
    others = [
        create(api, body={**BODY, "description": "x"}),
        api.send("POST", path, idempotency_key="one"),
    ]
    assert [each.json()["code"] for each in others] == ["IDEMPOTENCY_MISMATCH"] * 2
    assert [each.status_code for each in others] == [409, 409]
    assert count_endpoints(team) == 1


def test_another_api_key_cannot_read_the_response(team: Team, api: Api) -> None:
    create(api)
    assert outcome(create(Api(team.workspace))) == (409, None)


def test_workspaces_do_not_share_keys(team: Team, api: Api) -> None:
    assert [outcome(create(each)) for each in (api, Api(team.other_workspace))] == [(201, None)] * 2


def test_refused_request_leaves_key_unused(team: Team, api: Api) -> None:
    refused = create(api, body={**BODY, "url": "nowhere"})
    assert outcome(refused) == (400, None)
    assert outcome(create(api)) == (201, None)


def test_key_can_be_reused_after_a_day(team: Team, api: Api) -> None:
    create(api)
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert outcome(create(api, body={**BODY, "description": "x"})) == (201, None)
    assert count_endpoints(team) == 2


def test_expired_responses_are_deleted(team: Team, api: Api) -> None:
    create(api, "old")
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    create(api, "new")
    assert delete_expired_responses() == 1
    assert [row.idempotency_key for row in IdempotentAnswer.objects.all()] == ["new"]


def test_stored_response_is_encrypted(team: Team, api: Api) -> None:
    secret = create(api).json()["data"]["secret"]
    row = IdempotentAnswer.objects.get(workspace=team.workspace)
    assert row.status == 201
    assert [each in row.sealed_body for each in (secret, "hooks.example.com")] == [False, False]
    assert ApiKey.objects.get(pk=row.api_key_id).workspace_id == team.workspace.id


@pytest.mark.parametrize("key", ["", "a" * 256, "a\tb"])
def test_malformed_key_is_refused(team: Team, api: Api, key: str) -> None:
    assert outcome(create(api, key)) == (400, None)
    assert count_endpoints(team) == 0


def test_key_of_a_get_is_ignored(team: Team, api: Api) -> None:
    read = [api.send("GET", "/credits", idempotency_key="one") for _ in range(2)]
    assert [outcome(each) for each in read] == [(200, None), (200, None)]
    assert IdempotentAnswer.objects.filter(workspace=team.workspace).count() == 0
