"""The price history records every change and is append-only."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from apps.audit.services import staff_actor
from apps.chatbots.models import LanguageModel, PriceChange
from apps.chatbots.services import save_language_model
from apps.conversations.models import Turn
from apps.credits.prices import Price
from tests.factories import Team, grant_credits, make_chatbot, make_language_model, make_user
from tests.turns.turn_factory import complete_turn, make_running_turn


def price_changes(model: LanguageModel) -> list[tuple[str, Price | None, Price]]:
    changes = PriceChange.objects.filter(language_model=model).order_by("created_at")
    return [(change.actor_label, change.old, change.new) for change in changes]


def test_price_change_is_recorded_with_its_actor(team: Team) -> None:
    model = make_language_model(credits_per_reply=2)
    model.credits_per_reply, model.credits_per_1k_input = 3, 1
    save_language_model(model=model, actor=staff_actor(team.alice))
    model.description = "Another description"
    save_language_model(model=model, actor=staff_actor(team.bob))
    assert price_changes(model) == [
        ("Parley", None, Price(2)),
        (team.alice.email, Price(2), Price(3, 1)),
    ]


def test_price_change_by_sql_is_recorded(team: Team) -> None:
    model = make_language_model(credits_per_reply=2)
    LanguageModel.objects.filter(pk=model.pk).update(credits_per_1k_output=4)
    _, (actor, old, new) = price_changes(model)
    assert (actor.startswith("PostgreSQL, as "), old, new) == (True, Price(2), Price(2, 0, 4))


def test_turn_keeps_the_price_of_its_start(team: Team) -> None:
    grant_credits(team.workspace, 10)
    model = make_language_model(credits_per_reply=2)
    turn = make_running_turn(make_chatbot(team.workspace, model), credits=2)
    model.credits_per_reply = 5
    save_language_model(model=model)
    assert complete_turn(turn).charged == 2
    model.credits_per_reply = 9
    save_language_model(model=model)
    assert Turn.objects.get(pk=turn.pk).price == Price(2)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chatbots_pricechange SET new_per_reply = 0",
        "DELETE FROM chatbots_pricechange",
        "TRUNCATE chatbots_pricechange",
    ],
)
def test_price_history_is_append_only(team: Team, statement: str) -> None:
    model = make_language_model(credits_per_reply=2)
    with (
        pytest.raises(DatabaseError, match="history of prices is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert price_changes(model) == [("Parley", None, Price(2))]


def test_price_history_outlives_a_deleted_model(team: Team) -> None:
    model = make_language_model(credits_per_reply=2)
    LanguageModel.objects.filter(pk=model.pk).delete()
    (left,) = PriceChange.objects.filter(model_name=model.name)
    assert left.new == Price(2)


def test_admin_shows_the_price_history(team: Team) -> None:
    model = make_language_model(credits_per_reply=2)
    model.credits_per_reply, model.credits_per_1k_input = 0, 7
    save_language_model(model=model, actor=staff_actor(team.alice))
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:chatbots_languagemodel_change", args=[model.pk]))
    html = page.content.decode()
    for text in ("2 per reply", "7 per 1,000 input tokens", team.alice.email):
        assert html.count(text) > 0, text
