"""The history of prices: every change is written down, and none rewrites the past."""

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
from tests.factories import Team, give, make_chatbot, make_model, make_user
from tests.turns.new_turns import completed, opened


def history(model: LanguageModel) -> list[tuple[str, Price | None, Price]]:
    changes = PriceChange.objects.filter(language_model=model).order_by("created_at")
    return [(change.actor_label, change.old, change.new) for change in changes]


def test_price_that_changes_is_written_down_with_who_changed_it(team: Team) -> None:
    model = make_model(credits_per_reply=2)
    model.credits_per_reply, model.credits_per_1k_input = 3, 1
    save_language_model(model=model, actor=staff_actor(team.alice))
    model.description = "The same, told better"
    save_language_model(model=model, actor=staff_actor(team.bob))
    assert history(model) == [
        ("Parley", None, Price(2)),
        (team.alice.email, Price(2), Price(3, 1)),
    ]


def test_price_that_raw_sql_changes_is_written_down_too(team: Team) -> None:
    model = make_model(credits_per_reply=2)
    LanguageModel.objects.filter(pk=model.pk).update(credits_per_1k_output=4)
    _, (actor, old, new) = history(model)
    assert (actor.startswith("PostgreSQL, as "), old, new) == (True, Price(2), Price(2, 0, 4))


def test_turn_keeps_the_price_at_which_it_opened(team: Team) -> None:
    give(team.workspace, 10)
    model = make_model(credits_per_reply=2)
    turn = opened(make_chatbot(team.workspace, model), credits=2)
    model.credits_per_reply = 5
    save_language_model(model=model)
    assert completed(turn).charged == 2
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
def test_history_of_prices_is_never_changed(team: Team, statement: str) -> None:
    model = make_model(credits_per_reply=2)
    with (
        pytest.raises(DatabaseError, match="history of prices is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert history(model) == [("Parley", None, Price(2))]


def test_model_that_is_deleted_leaves_its_prices(team: Team) -> None:
    model = make_model(credits_per_reply=2)
    LanguageModel.objects.filter(pk=model.pk).delete()
    (left,) = PriceChange.objects.filter(model_name=model.name)
    assert left.new == Price(2)


def test_staff_see_what_a_model_has_cost(team: Team) -> None:
    model = make_model(credits_per_reply=2)
    model.credits_per_reply, model.credits_per_1k_input = 0, 7
    save_language_model(model=model, actor=staff_actor(team.alice))
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:chatbots_languagemodel_change", args=[model.pk]))
    shown = page.content.decode()
    for words in ("2 a reply", "7 per 1,000 tokens in", team.alice.email):
        assert shown.count(words) > 0, words
