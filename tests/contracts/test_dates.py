"""Dates at the ends of the calendar, and texts that are none, break no page, operation or file.

Addresses and parameters are found in the URL conf, the OpenAPI document and the admin site.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from apps.credits.models import Statement
from apps.infrastructure.admin import StaffAdmin
from apps.infrastructure.postgres.threads import close_thread_pool
from apps.reporting.months import Month
from config.openapi import document
from tests.adjustments.adjustment_factories import client_for, make_staff
from tests.contracts.admin.admin_rows import admin_url
from tests.dashboard.page_client import login
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_user

DAYS = (
    *("9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "0001-01-01"),
    *("0001-01-01T00:00:00+23:59", "0000-00-00", "-0001-01-01", "10000-01-01", "1969-12-31"),
    *("٢٠٢٧-١٢-٣١", "2027-02-30", "2027-1-1", "99999999999999999999", "1e400", "nan", "\x00", ""),
)
MONTHS = ("9999-12", "2200-01", "0001-01", "1969-12", "0000-00", "٢٠٢٧-١٢", "2027-13", "-001-01")
CURSORS = ("z" * 11 + "c" + "z" * 24, "0" * 11 + "c" + "0" * 24, "x", "\x00")


def consumed(response: Any) -> int:
    """The status of a response whose whole content can be read."""
    if response.streaming:
        assert async_to_sync(read)(response.streaming_content)
    return int(response.status_code)


async def read(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


@pytest.fixture(scope="module", autouse=True)
def database_threads() -> Iterator[None]:
    """Close the connections of the threads that write CSV files."""
    yield
    close_thread_pool()


@pytest.fixture
def client(team: Team) -> Client:
    grant_credits(team.workspace, 5)
    return login(team.alice)


@pytest.mark.parametrize("ending", ["", ".csv"])
def test_month_out_of_bounds_is_not_found(client: Client, team: Team, ending: str) -> None:
    for month in MONTHS:
        address = f"/w/{team.workspace.slug}/credits/months/{quote(month)}{ending}"
        assert consumed(client.get(address)) == 404, month
    for month in ("1970-01", "2199-12"):
        address = f"/w/{team.workspace.slug}/credits/months/{month}{ending}"
        assert consumed(client.get(address)) == 200, month


@pytest.mark.parametrize("form", ["", "csv"])
def test_month_in_the_admin_is_not_found(team: Team, form: str) -> None:
    grant_credits(team.workspace, 5)
    finance = client_for(make_staff("finance"))
    address = reverse("admin:credits_statement_month", args=[team.workspace.id])
    for month in (*MONTHS, "\x00"):
        assert consumed(finance.get(address, {"month": month, "format": form})) in (400, 404)


def test_months_have_neighbours_at_both_ends() -> None:
    for name in ("1970-01", "2199-12"):
        month = Month.parse(name)
        assert (month.next().previous(), month.end > month.start) == (month, True)


LISTS = (
    "conversations",
    "leads",
    "audit",
    "credits",
    "requests",
    "webhooks",
    "members",
    "keys",
    "",
)


@pytest.mark.parametrize("page", LISTS)
def test_days_in_the_query_of_a_page_do_no_harm(client: Client, team: Team, page: str) -> None:
    names = ("since", "until", "month", "period", "day", "date", "page", "cursor", "after")
    for day in DAYS:
        response = client.get(f"/w/{team.workspace.slug}/{page}", dict.fromkeys(names, day))
        assert consumed(response) < 500, (page, day)


def operations() -> Iterator[tuple[str, list[str]]]:
    """The GET operations of the REST API with the parameters that take a date or a cursor."""
    for path, methods in document()["paths"].items():
        found = []
        for parameter in methods.get("get", {}).get("parameters", ()):
            schema = str(parameter["schema"])
            if parameter["in"] == "query" and ("date" in schema or parameter["name"] == "cursor"):
                found.append(parameter["name"])
        if found:
            yield path, found


def test_days_in_the_query_of_an_operation_do_no_harm(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    key = make_api_key(team.workspace, ["chat", "read", "manage"])
    asked = list(operations())
    assert len(asked) > 5
    for path, names in asked:
        address = path.replace("{chatbotId}", chatbot.id)
        if "{" in address:
            continue
        for name in names:
            for value in CURSORS if name == "cursor" else DAYS:
                response = Client().get(
                    address, {name: value}, headers={"Authorization": f"Bearer {key}"}
                )
                assert consumed(response) < 500, (address, name, value)


@pytest.mark.filterwarnings("ignore:DateTimeField:RuntimeWarning")
def test_days_in_admin_filters_do_no_harm(db: None) -> None:
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    for model, options in admin.site._registry.items():
        assert isinstance(options, StaffAdmin)
        fields = [each[0] if isinstance(each, tuple) else each for each in options.list_filter]
        dates = [f"{field}__gte" for field in fields if options.lookup_allowed(f"{field}__gte", "")]
        for name in dates:
            for day in DAYS[:6]:
                status = client.get(admin_url(model, "changelist"), {name: day}).status_code
                assert status in (200, 302, 400), (model, name, day)


@pytest.mark.parametrize("day", [day for day in DAYS if day])
def test_expiry_of_an_adjustment_is_refused(team: Team, day: str) -> None:
    form = {
        "workspace": team.workspace.slug,
        "direction": "give",
        "credits": "5",
        "category": "goodwill",
        "reason": "Sorry",
        "expires_on": day,
    }
    page = client_for(make_staff("finance")).post(
        reverse("admin:adjustments_adjustment_adjust"), form
    )
    assert page.status_code in (400, 422)
    if page.status_code == 422:
        assert page.context["form"].errors.keys() == {"expires_on"}


def test_statement_page_of_no_account_is_not_found(db: None) -> None:
    finance = client_for(make_staff("finance"))
    assert finance.get(admin_url(Statement, "month", "nothing")).status_code == 404
