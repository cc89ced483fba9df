"""A workspace in which every text that anybody could have written is an attack.

The rows are made by the product's own services; then each column of text in each of our tables is
overwritten, in the database and past its triggers, so that a new table or column is covered by
itself. What a constraint refuses to hold can be in no page either.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import DatabaseError, connection, models, transaction

from apps.accounts.models import User
from apps.credits.services import grant
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace
from tests.browser.attacks import ATTACKS
from tests.factories import Team, make_api_key, make_chatbot, make_language_model
from tests.leads.lead_factory import make_lead, make_scanned_conversation
from tests.turns.new_turns import completed, opened

ROWS = 12
CORPUS = "\n\n".join(ATTACKS)
LEFT = {"slug", "password", "url", "shown_prefix", "provider", "actor_id", "target_id", "currency"}
"""Columns that nobody writes: addresses of pages, and what only a program reads."""


def fill(team: Team) -> None:
    """Some rows in each list."""
    grant(workspace_id=team.workspace.id, credits=1000, reason="for a test")
    model = make_language_model(credits_per_reply=1)
    chatbot = make_chatbot(team.workspace, model, lead_capture="detect", name="first")
    for number in range(ROWS):
        make_chatbot(team.workspace, model, name=f"bot {number}")
        make_api_key(team.workspace)
        turn = opened(chatbot, credits=1, text="Hi", metadata={"userId": "x"})
        completed(turn, "An answer")
        make_lead(chatbot, name="x", email=f"lead-{number}@example.com", metadata={"note": "x"})
    make_scanned_conversation(chatbot, "I am Ana Lima, ana@example.com.")


def poison(team: Team) -> set[str]:
    """Overwrite every text; returns the columns that hold attacks now, as `table.column`."""
    poisoned = set()
    for model in apps.get_models():
        if model.__module__.startswith("apps."):
            for field in model._meta.concrete_fields:
                if _is_text(field) and _overwrite(model, field, team):
                    poisoned.add(f"{model._meta.db_table}.{field.column}")
    return poisoned


def _is_text(field: models.Field[Any, Any]) -> bool:
    kinds = (models.CharField, models.TextField, models.JSONField)
    is_key = isinstance(field, IdField | ArrayField) or field.primary_key or bool(field.choices)
    is_secret = "digest" in field.name or "sealed" in field.name or field.name == "idempotency_key"
    return isinstance(field, kinds) and not is_key and not is_secret and field.name not in LEFT


def _overwrite(model: type[models.Model], field: models.Field[Any, Any], team: Team) -> bool:
    rows = _rows_of(model, team)
    if rows is None:
        return False
    done = False
    for row, attack in zip(rows.order_by("pk"), _texts(field), strict=False):
        value = _in_json(getattr(row, field.name), attack) if _is_json(field) else attack
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL session_replication_role = replica")
                model._default_manager.filter(pk=row.pk).update(**{field.name: value})
                done = True
        except DatabaseError:
            continue
    return done


def _rows_of(model: type[models.Model], team: Team) -> models.QuerySet[Any] | None:
    if model is Workspace:
        return Workspace.objects.filter(pk=team.workspace.pk)
    if model is User:
        return User.objects.filter(pk__in=[team.alice.pk, team.bob.pk])
    names = {field.name for field in model._meta.concrete_fields}
    return model._default_manager.filter(workspace=team.workspace) if "workspace" in names else None


def _is_json(field: models.Field[Any, Any]) -> bool:
    return isinstance(field, models.JSONField)


def _texts(field: models.Field[Any, Any]) -> Iterator[str]:
    """The whole corpus where it fits; else as many attacks at a time as fit, from where the last
    column of that length left off."""
    most = field.max_length
    if most is None or most >= len(CORPUS):
        return cycle([CORPUS])
    return _PACKED.setdefault(most, cycle(_packed(most)))


_PACKED: dict[int, Iterator[str]] = {}


def _packed(most: int) -> list[str]:
    packs = [""]
    for attack in sorted(ATTACKS, key=len):
        if len(packs[-1]) + len(attack) < most:
            packs[-1] += f"{attack} "
        elif len(attack) < most:
            packs.append(f"{attack} ")
    return [pack.strip() for pack in packs if pack] or [ATTACKS[0][:most]]


def _in_json(value: Any, attack: str) -> Any:
    """The same shape with every text in it an attack, and one more name and text."""
    if isinstance(value, dict):
        return {name: _in_json(each, attack) for name, each in value.items()} | {attack: attack}
    if isinstance(value, list):
        return [_in_json(each, attack) for each in value]
    return attack if isinstance(value, str) else {attack: attack} if value is None else value
