"""What every REST operation has without knowing of it: limit, headers, forms, ids that are none."""

from __future__ import annotations

import pytest

from apps.api_keys.models import ApiKey
from tests.api_kit.rest_client import Api, Response
from tests.factories import Team, make_endpoint

LIMIT = ("X-RateLimit-Limit", "X-RateLimit-Remaining")


def shown(response: Response) -> tuple[int, str, str]:
    limit, remaining = (str(response.headers.get(name, "")) for name in LIMIT)
    return response.status_code, limit, remaining


def test_key_has_its_own_limit_on_every_answer(team: Team) -> None:
    api = Api(team.workspace, "read")
    ApiKey.objects.filter(workspace=team.workspace).update(rate_limit_per_hour=4)
    assert [
        shown(api.send("GET", "/credits")),
        shown(api.send("POST", "/webhook-endpoints", {})),
        shown(api.send("GET", "/conversations/x/messages")),
        shown(api.send("GET", "/conversations/x/messages?limit=0")),
        shown(api.send("GET", "/credits")),
    ] == [(200, "4", "3"), (403, "4", "2"), (404, "4", "1"), (400, "4", "0"), (429, "4", "0")]


def test_refusal_of_the_limit_says_when_to_come_back(team: Team) -> None:
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


def test_keys_of_one_workspace_have_limits_apart(team: Team) -> None:
    first, second = Api(team.workspace, "read"), Api(team.workspace, "read")
    assert [shown(api.send("GET", "/credits"))[2] for api in (first, second)] == ["999", "999"]


def test_unknown_caller_is_shown_no_limit(team: Team) -> None:
    assert shown(Api(team.workspace, key="nothing").send("GET", "/credits")) == (401, "", "")


@pytest.mark.parametrize("body", ["{", "\\ud800", b"\xff", "9" * 5000, "[" * 100_000, "NaN", '""'])
def test_body_that_is_no_json_object_is_a_400(team: Team, body: str | bytes) -> None:
    refused = Api(team.workspace).send("POST", "/webhook-endpoints", body)
    assert refused.status_code == 400


@pytest.mark.parametrize("form", ["text/plain", "multipart/form-data; boundary=x", "nonsense", ""])
def test_body_in_another_form_is_a_415(team: Team, form: str) -> None:
    refused = Api(team.workspace).send("POST", "/webhook-endpoints", "{}", content_type=form)
    assert refused.status_code == 415


@pytest.mark.parametrize("name", ["x", "%00", "%ED%A0%80", "%FF", "C" * 25, "a" * 300])
def test_text_that_is_no_id_is_absent(team: Team, name: str) -> None:
    theirs = make_endpoint(team.outside)[0].id
    api = Api(team.workspace)
    found = [api.send("GET", f"/webhook-endpoints/{each}") for each in (name, theirs)]
    assert [each.status_code for each in found] == [404, 404]
    assert found[0].content == found[1].content


def test_method_that_an_address_does_not_take_has_the_one_shape(team: Team) -> None:
    refused = Api(team.workspace).send("PUT", "/webhook-endpoints")
    assert (refused.status_code, refused["Allow"]) == (405, "GET, POST")
    assert refused.json() == {
        "success": False,
        "error": "This address does not take that method.",
        "code": "METHOD_NOT_ALLOWED",
    }
