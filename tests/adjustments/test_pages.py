"""The admin pages of adjustments."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.adjustments.models import Adjustment
from apps.credits.models import LedgerEntry
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.adjustments.adjustment_factories import (
    amounts,
    client_for,
    make_pending_adjustment,
    make_posted_adjustment,
    make_staff,
)
from tests.factories import Team, grant_credits

ADJUST = reverse("admin:adjustments_adjustment_adjust")
UPLOAD = reverse("admin:adjustments_adjustment_upload")


def form_data(team: Team, **fields: Any) -> dict[str, Any]:
    return {
        "workspace": team.workspace.slug,
        "direction": "give",
        "credits": "5",
        "category": "goodwill",
        "reason": "A slow day",
        **fields,
    }


def test_adjustment_is_previewed_and_posted_once(finance: Client, team: Team) -> None:
    grant_credits(team.workspace, 10)
    shown = finance.post(ADJUST, form_data(team, reference="T-1", expires_on="2031-02-03"))
    preview_line = shown.context["preview_line"]
    assert (preview_line.balance_before.balance, preview_line.balance_after, amounts(team)) == (
        10,
        15,
        [10],
    )
    for _ in range(2):
        response = finance.post(ADJUST, {"preview": shown.context["token"], "confirm": "1"})
        (made,) = Adjustment.objects.all()
        assert response.headers["Location"] == reverse(
            "admin:adjustments_adjustment_change", args=[made.id]
        )
    entry = LedgerEntry.objects.get(workspace=team.workspace, category="goodwill")
    assert (amounts(team), entry.from_ip, entry.reference) == ([10, 5], "192.0.2.7", "T-1")
    assert entry.expires_at is not None
    assert f"{entry.expires_at:%Y-%m-%d %H:%M}" == "2031-02-04 00:00"


def test_preview_says_if_the_same_was_posted_before(finance: Client, team: Team) -> None:
    for reference, repeats in (("T-1", 0), ("T-1", 1), ("T-2", 0), (" t-1", 2)):
        shown = finance.post(ADJUST, form_data(team, reference=reference))
        assert shown.content.decode().count("Same reference and amount as on") == repeats
        finance.post(ADJUST, {"preview": shown.context["token"], "confirm": "1"})
    assert amounts(team) == [5, 5, 5, 5]


def test_changed_balance_shows_the_preview_again(finance: Client, team: Team) -> None:
    token = finance.post(ADJUST, form_data(team)).context["token"]
    grant_credits(team.workspace, 3)
    again = finance.post(ADJUST, {"preview": token, "confirm": "1"})
    assert (again.status_code, again.context["preview_line"].balance_after, amounts(team)) == (
        422,
        8,
        [3],
    )
    assert "The balance changed since this preview." in again.content.decode()
    finance.post(ADJUST, {"preview": again.context["token"], "confirm": "1"})
    assert amounts(team) == [3, 5]


def test_spent_credits_cannot_be_deducted_on_confirmation(finance: Client, team: Team) -> None:
    grant_credits(team.workspace, 10)
    taking = form_data(team, direction="take", credits="8", category="correction")
    token = finance.post(ADJUST, taking).context["token"]
    make_posted_adjustment(team.workspace, -5)
    page = finance.post(ADJUST, {"preview": token, "confirm": "1"})
    assert "Only 5 credits can be deducted" in page.content.decode()
    assert amounts(team) == [10, -5]


def test_change_returns_to_the_filled_form(finance: Client, team: Team) -> None:
    token = finance.post(ADJUST, form_data(team, expires_on="2031-02-03")).context["token"]
    form = finance.post(ADJUST, {"preview": token, "change": "1"}).context["form"]
    assert {name: str(form[name].value()) for name in form.fields} == form_data(
        team, reference="", expires_on="2031-02-03"
    )


@pytest.mark.parametrize("token", ["nonsense", ""])
def test_invalid_preview_token_posts_nothing(finance: Client, team: Team, token: str) -> None:
    finance.post(ADJUST, {"preview": token, "confirm": "1"})
    assert amounts(team) == []


def test_preview_token_of_another_user_posts_nothing(finance: Client, team: Team) -> None:
    token = finance.post(ADJUST, form_data(team)).context["token"]
    other = client_for(make_staff("finance"))
    response = other.post(ADJUST, {"preview": token, "confirm": "1"}, follow=True)
    assert "or belongs to someone else" in response.content.decode()
    assert amounts(team) == []


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"reason": " "}, {"reason": ["This field is required."]}),
        ({"credits": "-5"}, {"credits": ["Ensure this value is greater than or equal to 1."]}),
        ({"workspace": "nowhere"}, {"workspace": ["Workspace nowhere not found."]}),
        ({"expires_on": "2020-02-02"}, {"__all__": ["The expiry is in the past."]}),
        (
            {"direction": "take"},
            {"__all__": ["Only corrections can deduct credits."]},
        ),
    ],
)
def test_form_shows_errors(
    finance: Client, team: Team, fields: dict[str, str], errors: dict[str, list[str]]
) -> None:
    grant_credits(team.workspace, 100)
    page = finance.post(ADJUST, form_data(team, **fields))
    assert (page.status_code, page.context["form"].errors) == (422, errors)


def test_own_workspace_is_rejected(team: Team) -> None:
    finance = make_staff("finance")
    add_member(workspace=team.workspace, user=finance, role=Role.VIEWER)
    page = client_for(finance).post(ADJUST, form_data(team))
    assert page.context["form"].non_field_errors() == [
        f"You belong to {team.workspace.slug}. Another staff member must adjust its credits."
    ]


def test_support_can_only_give_goodwill(team: Team) -> None:
    support = client_for(make_staff("support"))
    make_posted_adjustment(team.workspace, 30, category="goodwill")
    page = support.get(ADJUST, {"workspace": team.workspace.id})
    form = page.context["form"]
    assert [value for value, _ in form.fields["category"].choices] == ["goodwill"]
    assert [value for value, _ in form.fields["direction"].choices] == ["give"]
    assert f"{team.workspace.slug} can get 470 more goodwill credits" in page.content.decode()
    assert support.post(ADJUST, form_data(team, category="purchase")).status_code == 422


@pytest.mark.parametrize("model", ["credits_account", "workspaces_workspace"])
def test_account_and_workspace_pages_link_to_the_form(
    finance: Client, team: Team, model: str
) -> None:
    grant_credits(team.workspace, 1)
    page = finance.get(reverse(f"admin:{model}_change", args=[team.workspace.id]))
    link = reverse(f"admin:{model}_adjust", args=[team.workspace.id])
    assert page.content.decode().count(f'href="{link}') == 1
    form = finance.get(link, follow=True).context["form"]
    assert form["workspace"].value() == team.workspace.slug


def test_entry_can_be_reversed_from_its_page(finance: Client, team: Team) -> None:
    entry = make_posted_adjustment(team.workspace, 40).lines.get().entry
    assert entry is not None
    link = reverse("admin:credits_ledgerentry_reverse", args=[entry.id])
    page = finance.get(link, follow=True)
    address = page.redirect_chain[-1][0]
    tampered = form_data(team, credits="4000", direction="give", category="promotion")
    shown = finance.post(address, tampered | {"reason": "Wrong workspace"})
    assert (
        shown.context["preview_line"].line.credits,
        shown.context["preview_line"].balance_after,
    ) == (-40, 0)
    finance.post(address, {"preview": shown.context["token"], "confirm": "1"})
    assert amounts(team) == [40, -40]
    again = finance.post(address, tampered | {"reason": "Once more"})
    assert "This entry was already reversed." in again.context["form"].non_field_errors()


def test_reversing_unknown_entry_is_404(finance: Client, team: Team) -> None:
    assert finance.get(ADJUST, {"reverses": "nothing"}).status_code == 404


def test_approval_posts_the_shown_preview(team: Team) -> None:
    request = make_pending_adjustment(team.workspace, 20_000)
    page = reverse("admin:adjustments_adjustment_decide", args=[request.id])
    second = client_for(make_staff("finance"))
    fingerprint = second.get(page).context["preview"].fingerprint
    grant_credits(team.workspace, 3)
    again = second.post(page, {"fingerprint": fingerprint, "approve": "1"})
    assert (again.status_code, again.context["preview"].lines[0].balance_after) == (422, 20_003)
    assert (
        second.post(page, {"fingerprint": again.context["preview"].fingerprint}).status_code == 302
    )
    assert amounts(team) == [3, 20_000]
    late = second.post(page, {"fingerprint": fingerprint}, follow=True)
    assert "approved this on" in late.content.decode()
    assert amounts(team) == [3, 20_000]


def test_requester_sees_no_decision_buttons(team: Team) -> None:
    request = make_pending_adjustment(team.workspace, 20_000)
    page = reverse("admin:adjustments_adjustment_decide", args=[request.id])
    shown = client_for(request.requested_by).get(page)
    content = shown.content.decode()
    assert ("You requested this." in content, "Approve and post" in content) == (True, False)
    client_for(request.requested_by).post(
        page, {"fingerprint": shown.context["preview"].fingerprint}
    )
    assert amounts(team) == []


def test_decline_requires_a_reason(team: Team) -> None:
    request = make_pending_adjustment(team.workspace, 20_000)
    page = reverse("admin:adjustments_adjustment_decide", args=[request.id])
    second = client_for(make_staff("finance"))
    assert second.post(page, {"decline": "1", "reason": " "}).status_code == 422
    assert second.post(page, {"decline": "1", "reason": "No"}).status_code == 302
    request.refresh_from_db()
    assert (request.status, request.decision_reason) == ("declined", "No")


def test_each_field_is_rendered_once(finance: Client, team: Team) -> None:
    request = make_pending_adjustment(team.workspace, 20_000)
    decide = reverse("admin:adjustments_adjustment_decide", args=[request.id])
    pages = ((ADJUST, "credits"), (UPLOAD, "file"), (decide, "reason"))
    counts = [
        finance.get(address).content.decode().count(f'name="{name}"') for address, name in pages
    ]
    assert counts == [1, 1, 1]
