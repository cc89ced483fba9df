"""What all REST operations share: rate limit, headers, content types, malformed ids."""

from __future__ import annotations

import pytest
from django.test import override_settings

from apps.api_keys.models import ApiKey
from tests.api_kit.rest_client import Api, Response
from tests.factories import Team, make_webhook_endpoint

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining")


def rate_limit(response: Response) -> tuple[int, str, str]:
    limit, remaining = (str(response.headers.get(name, "")) for name in HEADERS)
    return response.status_code, limit, remaining


def test_rate_limit_headers_are_on_every_response(team: Team) -> None:
    api = Api(team.workspace, "read")
    ApiKey.objects.filter(workspace=team.workspace).update(rate_limit_per_hour=4)
    assert [
        rate_limit(api.send("GET", "/credits")),
        rate_limit(api.send("POST", "/webhook-endpoints", {})),
        rate_limit(api.send("GET", "/conversations/x/messages")),
        rate_limit(api.send("GET", "/conversations/x/messages?limit=0")),
        rate_limit(api.send("GET", "/credits")),
    ] == [(200, "4", "3"), (403, "4", "2"), (404, "4", "1"), (400, "4", "0"), (429, "4", "0")]


def test_rate_limited_response_has_retry_after(team: Team) -> None:
    api = Api(team.workspace, "read")
    ApiKey.objects.filter(workspace=team.workspace).update(rate_limit_per_hour=1)
    api("GET", "/credits")
    refused = api.send("GET", "/credits")
    body = refused.json()
    assert body.pop("retryAfter") == int(refused["Retry-After"])
    assert 3590 <= int(refused["Retry-After"]) <= 3600
    assert body == {
        "success": False,
        "error": "This API key has used its requests of the last hour."
        " Please wait before the next.",
        "code": "RATE_LIMIT_EXCEEDED",
    }


def test_keys_have_separate_rate_limits(team: Team) -> None:
    first, second = Api(team.workspace, "read"), Api(team.workspace, "read")
    assert [rate_limit(api.send("GET", "/credits"))[2] for api in (first, second)] == ["999", "999"]


@override_settings(MAX_API_REQUESTS_PER_HOUR=3)
def test_new_keys_give_a_workspace_no_further_requests(team: Team) -> None:
    responses = [Api(team.workspace, "read").send("GET", "/credits") for _ in range(4)]
    assert [rate_limit(response) for response in responses] == [
        *[(200, "1000", "999")] * 3,
        (429, "1000", "1000"),
    ]
    refused = responses[-1].json()
    message = "The keys of this workspace have used their 3 requests of an hour. Please wait."
    assert (refused["error"], refused["code"]) == (message, "RATE_LIMIT_EXCEEDED")
    assert 3590 <= refused["retryAfter"] <= 3600
    assert rate_limit(Api(team.other_workspace, "read").send("GET", "/credits"))[0] == 200


def test_unknown_caller_gets_no_rate_limit_headers(team: Team) -> None:
    assert rate_limit(Api(team.workspace, key="nothing").send("GET", "/credits")) == (401, "", "")


@pytest.mark.parametrize("body", ["{", "\\ud800", b"\xff", "9" * 5000, "[" * 100_000, "NaN", '""'])
def test_body_that_is_no_json_object_is_a_400(team: Team, body: str | bytes) -> None:
    refused = Api(team.workspace).send("POST", "/webhook-endpoints", body)
    assert refused.status_code == 400


@pytest.mark.parametrize("form", ["text/plain", "multipart/form-data; boundary=x", "nonsense", ""])
def test_other_content_type_is_a_415(team: Team, form: str) -> None:
    refused = Api(team.workspace).send("POST", "/webhook-endpoints", "{}", content_type=form)
    assert refused.status_code == 415


@pytest.mark.parametrize("name", ["x", "%00", "%ED%A0%80", "%FF", "C" * 25, "a" * 300])
def test_malformed_id_is_not_found(team: Team, name: str) -> None:
    theirs = make_webhook_endpoint(team.other_workspace)[0].id
    api = Api(team.workspace)
    found = [api.send("GET", f"/webhook-endpoints/{each}") for each in (name, theirs)]
    assert [each.status_code for each in found] == [404, 404]
    assert found[0].content == found[1].content


def test_method_not_allowed_has_error_format(team: Team) -> None:
    refused = Api(team.workspace).send("PUT", "/webhook-endpoints")
    assert (refused.status_code, refused["Allow"]) == (405, "GET, POST")
    assert refused.json() == {
        "success": False,
        "error": "This address does not take that method. It takes GET, POST.",
        "code": "METHOD_NOT_ALLOWED",
    }
