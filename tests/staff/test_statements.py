"""Monthly statements in the admin."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.credits.services import grant
from apps.reporting.months import Month
from tests.factories import Team, make_chatbot, make_language_model, make_user
from tests.turns.turn_factory import complete_turn, make_running_turn


def finance_client() -> Client:
    client = Client()
    user = make_user("staff", is_staff=True)
    user.groups.add(Group.objects.get(name="finance"))
    client.force_login(user)
    return client


def test_staff_see_monthly_statement(team: Team) -> None:
    grant(workspace_id=team.workspace.id, credits=100, reason="A gift", reference="ticket 7")
    model = make_language_model(credits_per_reply=30)
    turn = make_running_turn(make_chatbot(team.workspace, model), credits=30)
    complete_turn(turn, input_tokens=5, output_tokens=6)
    url = reverse("admin:credits_statement_month", args=[team.workspace.id])
    answer = finance_client().get(url)
    rows = {section.title: section.rows for section in answer.context["sections"]}
    month = Month.containing(timezone.now())
    assert rows["Summary"] == [
        [f"Opening balance, {month.start:%Y-%m-%d}", "", "0"],
        ["Grant", "1", "+100"],
        ["Charge", "1", "-30"],
        ["Closing or current balance", "", "70"],
    ]
    ((_, *given),) = rows["Credits added, adjusted and expired"]
    assert given == ["Grant", "A gift", "ticket 7", "+100", "100"]
    ((_, named, *charge),) = rows["Charges"]
    assert charge == [model.name, "30 per reply", "5 / 6", "-30", "70"]
    assert turn.id in named
    file = finance_client().get(url, {"month": str(month), "format": "csv"})
    assert file.headers["Content-Disposition"] == (
        f'attachment; filename="{team.workspace.slug}-{month}.csv"'
    )
    assert finance_client().get(url, {"month": "2024-13"}).status_code == 404
