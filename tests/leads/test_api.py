"""REST endpoints of leads, of one chatbot and of the workspace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.audit.queries import entries_for
from apps.chatbots.models import Chatbot
from apps.leads.models import Lead
from apps.leads.payloads import lead_payload
from tests.factories import Team, make_api_key, make_chatbot
from tests.leads.lead_factory import make_lead

ABSENT = "c" + "0" * 24
ANA = {"name": "Ana", "email": "Ana@Example.com"}


class Api:
    """An API client for the endpoints of leads."""

    def __init__(self, chatbot: Chatbot, scopes: list[str]) -> None:
        self.chatbot = chatbot
        self.root = f"/api/v1/chatbots/{chatbot.id}/leads"
        self.key = make_api_key(chatbot.workspace, scopes)

    def __call__(
        self, method: str, path: str = "", body: object = None, **query: object
    ) -> tuple[int, Any]:
        """Return status and JSON. A path without a leading slash is below the chatbot's leads."""
        url = path if path.startswith("/") else f"{self.root}/{path}".rstrip("/")
        response = Client().generic(
            method,
            url,
            "" if body is None else body if isinstance(body, str) else json.dumps(body),
            content_type="application/json",
            query_params=query,
            headers={"Authorization": f"Bearer {self.key}"},
        )
        return response.status_code, response.json()


@pytest.fixture
def api(team: Team) -> Api:
    return Api(make_chatbot(team.workspace), ["read", "manage"])


def test_created_lead_is_normalised(api: Api) -> None:
    body = {**ANA, "phone": "+44 (0)20 7946 0958", "source": " fair ", "metadata": {"a": {"b": []}}}
    status, answer = api("POST", body=body)
    lead = Lead.objects.get(chatbot=api.chatbot)
    assert (status, answer) == (201, {"success": True, "data": lead_payload(lead)})
    assert (lead.email, lead.phone, lead.source, lead.status, lead.metadata) == (
        "ana@example.com",
        "+442079460958",
        "fair",
        "new",
        {"a": {"b": []}},
    )


def test_create_with_a_known_email_updates_the_lead(api: Api) -> None:
    (_, first), (status, second) = api("POST", body=ANA), api("POST", body={**ANA, "name": "A"})
    assert (status, second["data"]["id"]) == (200, first["data"]["id"])
    assert second["data"]["name"] == "A"


def test_workspace_endpoint_creates_for_the_given_chatbot(api: Api) -> None:
    status, answer = api("POST", "/api/v1/leads", {**ANA, "chatbotId": api.chatbot.id})
    assert (status, answer["data"]["chatbotId"]) == (201, api.chatbot.id)


def test_create_treats_null_as_absent(api: Api) -> None:
    body = {**ANA, "phone": None, "source": None, "status": None, "metadata": None}
    status, answer = api("POST", body=body)
    assert (status, answer["data"]["phone"], answer["data"]["source"]) == (201, None, "api")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("path_prefix", ["", "/api/v1/leads/"])
def test_update_is_partial(api: Api, method: str, path_prefix: str) -> None:
    lead = make_lead(api.chatbot, phone="+442079460958", metadata={"a": 1, "b": 2})
    body = {"status": "follow_up", "phone": None, "metadata": {"b": None, "c": 3}}
    status, answer = api(method, f"{path_prefix}{lead.id}", body)
    assert (status, answer["data"]["name"], answer["data"]["status"]) == (200, "Ana", "follow_up")
    assert (answer["data"]["phone"], answer["data"]["metadata"]) == (None, {"a": 1, "c": 3})
    assert api("GET", f"{path_prefix}{lead.id}") == (200, answer)


@pytest.mark.parametrize("path_prefix", ["", "/api/v1/leads/"])
def test_deleted_lead_is_not_found(api: Api, path_prefix: str) -> None:
    lead = make_lead(api.chatbot)
    gone = {"success": True, "data": {"id": lead.id, "deleted": True}}
    assert api("DELETE", f"{path_prefix}{lead.id}") == (200, gone)
    assert [api(method, f"{path_prefix}{lead.id}")[0] for method in ("GET", "DELETE")] == [404, 404]


def test_list_returns_leads_and_pagination(api: Api) -> None:
    leads = [make_lead(api.chatbot, email=f"p{number}@example.com") for number in range(3)]
    status, answer = api("GET", page=2, limit=2)
    assert (status, answer) == (
        200,
        {
            "success": True,
            "data": {
                "leads": [lead_payload(leads[0])],
                "pagination": {
                    "page": 2,
                    "limit": 2,
                    "total": 3,
                    "totalPages": 2,
                    "hasNext": False,
                    "hasPrev": True,
                },
            },
        },
    )


def test_empty_list_has_no_pages(api: Api) -> None:
    pagination = {"page": 1, "limit": 20, "total": 0, "totalPages": 0}
    pagination |= {"hasNext": False, "hasPrev": False}
    assert api("GET")[1]["data"] == {"leads": [], "pagination": pagination}


def test_lists_are_limited_to_chatbot_or_workspace(api: Api, team: Team) -> None:
    make_lead(api.chatbot)
    bo = {"name": "Bo", "email": "bo@example.com"}
    make_lead(make_chatbot(team.workspace), **bo, status="lost", source="fair")
    make_lead(make_chatbot(team.other_workspace), name="Charlie")

    def names(path: str = "/api/v1/leads", **query: object) -> list[str]:
        return [lead["name"] for lead in api("GET", path, **query)[1]["data"]["leads"]]

    assert (names(api.root), names()) == (["Ana"], ["Bo", "Ana"])
    assert [names(status="lost"), names(source="fair"), names(search="AN")] == [
        ["Bo"],
        ["Bo"],
        ["Ana"],
    ]


def test_leads_of_an_inactive_chatbot_are_listed(api: Api) -> None:
    make_lead(api.chatbot)
    Chatbot.objects.filter(id=api.chatbot.id).update(is_active=False)
    assert api("GET")[1]["data"]["pagination"]["total"] == 1


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({}, {"name": ["This field is required."], "email": ["This field is required."]}),
        ({**ANA, "name": " "}, {"name": ["This must have 1 to 200 characters."]}),
        ({**ANA, "name": "x" * 201}, {"name": ["This must have 1 to 200 characters."]}),
        ({**ANA, "name": 7}, {"name": ["This must be a string."]}),
        ({**ANA, "name": "a\0b"}, {
            "name": ["This has a control character or half a surrogate pair in it."]
        }),
        ({**ANA, "name": "\ud800"}, {
            "name": ["This has a control character or half a surrogate pair in it."]
        }),
        ({**ANA, "email": None}, {"email": ["This must be a string."]}),
        ({**ANA, "email": "ana"}, {
            "email": ["This is not an email address: an email address must have an @-sign."]
        }),
        ({**ANA, "phone": "020 7946 0958"}, {"phone": [
            "Give the phone number with its country's code, such as +44 20 7946 0958."
        ]}),
        ({**ANA, "status": "won"}, {"status": [
            "Input should be 'new', 'contacted', 'qualified', 'converted', 'lost' or 'follow_up'."
        ]}),
        ({**ANA, "source": ""}, {"source": ["This must have 1 to 60 characters."]}),
        ({**ANA, "metadata": []}, {"metadata": ["This must be a JSON object."]}),
        ({**ANA, "metadata": {"a": "x" * 16_384}}, {
            "metadata": ["This may be at most 16 KiB of JSON."]
        }),
        ({**ANA, "metadata": {"a": "\0"}}, {
            "metadata": ["This has a NUL or half a surrogate pair in it, which cannot be kept."]
        }),
        ({**ANA, "e-mail": "x"}, {"e-mail": ["This field is not known here."]}),
        ({**ANA, "id": "x"}, {"id": ["This field is not known here."]}),
        ([], {"body": ["Send a JSON object."]}),
        ("[", {}),
    ],
)  # fmt: skip
def test_invalid_lead_is_rejected_by_field(
    api: Api, body: object, details: dict[str, list[str]]
) -> None:
    status, answer = api("POST", body=body)
    assert (status, answer["code"], answer["details"]) == (400, "VALIDATION_ERROR", details)
    assert Lead.objects.filter(chatbot=api.chatbot).count() == 0


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": None}, ["name"]),
        ({"email": None}, ["email"]),
        ({"metadata": None}, ["metadata"]),
        ({"status": None}, ["status"]),
        ({"conversationId": "x"}, ["conversationId"]),
    ],
)
def test_invalid_update_is_rejected_by_field(api: Api, body: object, fields: list[str]) -> None:
    lead = make_lead(api.chatbot)
    status, answer = api("PATCH", lead.id, body)
    assert (status, list(answer["details"])) == (400, fields)
    assert lead_payload(Lead.objects.get(id=lead.id)) == lead_payload(lead)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"),
        ("page", "x"),
        ("page", "1000001"),
        ("limit", "0"),
        ("limit", "101"),
        ("status", "won"),
        ("source", "\0"),
        ("search", "a\0"),
        ("search", "x" * 201),
    ],
)
def test_invalid_filter_is_rejected(api: Api, name: str, value: str) -> None:
    status, answer = api("GET", **{name: value})
    assert (status, answer["code"], list(answer["details"])) == (400, "VALIDATION_ERROR", [name])


@pytest.mark.parametrize("lead_id", [ABSENT, "x", "%00", "é", "foreign", "sibling"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_absent_and_foreign_leads_get_the_same_404(
    api: Api, team: Team, method: str, lead_id: str
) -> None:
    others = {
        "foreign": make_chatbot(team.other_workspace),
        "sibling": make_chatbot(team.workspace),
    }
    id = make_lead(others[lead_id]).id if lead_id in others else lead_id
    paths = [id] if lead_id == "sibling" else [id, f"/api/v1/leads/{id}"]
    body = {"success": False, "error": "Lead not found or access denied", "code": "LEAD_NOT_FOUND"}
    for path in paths:
        assert api(method, path, {"name": "Eve"}) == (404, body)


@pytest.mark.parametrize("chatbot_id", [ABSENT, "x", "foreign"])
def test_absent_and_foreign_chatbots_get_the_same_404(
    api: Api, team: Team, chatbot_id: str
) -> None:
    theirs = make_lead(make_chatbot(team.other_workspace))
    id = theirs.chatbot_id if chatbot_id == "foreign" else chatbot_id
    root = f"/api/v1/chatbots/{id}/leads"
    answers = [
        api("GET", root),
        api("POST", root, ANA),
        api("GET", f"{root}/{theirs.id}"),
        api("PATCH", f"{root}/{theirs.id}", {}),
        api("DELETE", f"{root}/{theirs.id}"),
        api("POST", "/api/v1/leads", {**ANA, "chatbotId": id}),
    ]
    assert [(status, answer["code"]) for status, answer in answers] == [
        (404, "CHATBOT_NOT_FOUND")
    ] * 6


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [
        ("chat", [403] * 5),
        ("read", [200, 200, 403, 403, 403]),
        ("manage", [403, 403, 201, 200, 200]),
    ],
)
def test_scopes_separate_reading_from_writing(team: Team, scope: str, statuses: list[int]) -> None:
    api = Api(make_chatbot(team.workspace), [scope])
    lead = make_lead(api.chatbot, email="old@example.com")
    got = [
        api("GET"),
        api("GET", lead.id),
        api("POST", body=ANA),
        api("PATCH", lead.id, {"name": "B"}),
        api("DELETE", lead.id),
    ]
    assert [status for status, _ in got] == statuses


def test_changes_are_audited_with_the_api_key(api: Api, team: Team) -> None:
    _, answer = api("POST", body=ANA)
    api("PATCH", answer["data"]["id"], {"name": "B"})
    api("DELETE", answer["data"]["id"])
    entries = entries_for(team.workspace.id).filter(action__startswith="lead.").order_by("id")
    assert [(each.action, each.actor_kind, each.actor_label) for each in entries] == [
        (action, "api_key", f"test ({api.key[:17]}…{api.key[-4:]})")
        for action in ("lead.created", "lead.updated", "lead.deleted")
    ]
