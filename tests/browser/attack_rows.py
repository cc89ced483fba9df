"""A workspace in which every text column holds attacks.

Rows are created by the product's services. Then every text column of every table is overwritten in
the database, with triggers off, so that new tables and columns are covered automatically. A value
rejected by a constraint cannot appear on a page either.
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
from tests.turns.turn_factory import complete_turn, make_running_turn

ROWS_PER_LIST = 12
CORPUS = "\n\n".join(ATTACKS)
EXCLUDED_COLUMNS = {
    "slug",
    "password",
    "url",
    "shown_prefix",
    "provider",
    "actor_id",
    "target_id",
    "currency",
}
"""Columns that users cannot write, such as URLs and values read only by code."""


def create_rows(team: Team) -> None:
    """Create rows for each list page."""
    grant(workspace_id=team.workspace.id, credits=1000, reason="for a test")
    model = make_language_model(credits_per_reply=1)
    chatbot = make_chatbot(team.workspace, model, lead_capture="detect", name="first")
    for number in range(ROWS_PER_LIST):
        make_chatbot(team.workspace, model, name=f"bot {number}")
        make_api_key(team.workspace)
        turn = make_running_turn(chatbot, credits=1, text="Hi", metadata={"userId": "x"})
        complete_turn(turn, "An answer")
        make_lead(chatbot, name="x", email=f"lead-{number}@example.com", metadata={"note": "x"})
    make_scanned_conversation(chatbot, "I am Ana Lima, ana@example.com.")


def overwrite_texts(team: Team) -> set[str]:
    """Overwrite all text columns; return those that now hold attacks, as `table.column`."""
    overwritten = set()
    for model in apps.get_models():
        if model.__module__.startswith("apps."):
            for field in model._meta.concrete_fields:
                if _is_text(field) and _overwrite_column(model, field, team):
                    overwritten.add(f"{model._meta.db_table}.{field.column}")
    return overwritten


def _is_text(field: models.Field[Any, Any]) -> bool:
    text_fields = (models.CharField, models.TextField, models.JSONField)
    is_key = isinstance(field, IdField | ArrayField) or field.primary_key or bool(field.choices)
    is_secret = "digest" in field.name or "sealed" in field.name or field.name == "idempotency_key"
    return (
        isinstance(field, text_fields)
        and not is_key
        and not is_secret
        and field.name not in EXCLUDED_COLUMNS
    )


def _overwrite_column(model: type[models.Model], field: models.Field[Any, Any], team: Team) -> bool:
    rows = _rows_of(model, team)
    if rows is None:
        return False
    changed = False
    for row, attack in zip(rows.order_by("pk"), _attack_texts(field), strict=False):
        value = _replace_json_texts(getattr(row, field.name), attack) if _is_json(field) else attack
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL session_replication_role = replica")
                model._default_manager.filter(pk=row.pk).update(**{field.name: value})
                changed = True
        except DatabaseError:
            continue
    return changed


def _rows_of(model: type[models.Model], team: Team) -> models.QuerySet[Any] | None:
    if model is Workspace:
        return Workspace.objects.filter(pk=team.workspace.pk)
    if model is User:
        return User.objects.filter(pk__in=[team.alice.pk, team.bob.pk])
    names = {field.name for field in model._meta.concrete_fields}
    return model._default_manager.filter(workspace=team.workspace) if "workspace" in names else None


def _is_json(field: models.Field[Any, Any]) -> bool:
    return isinstance(field, models.JSONField)


def _attack_texts(field: models.Field[Any, Any]) -> Iterator[str]:
    """Yield the whole corpus if it fits, else as many attacks at a time as fit.

    Columns of one length share an iterator, so that together they cover all attacks.
    """
    max_length = field.max_length
    if max_length is None or max_length >= len(CORPUS):
        return cycle([CORPUS])
    return _PACKS.setdefault(max_length, cycle(_pack_attacks(max_length)))


_PACKS: dict[int, Iterator[str]] = {}


def _pack_attacks(max_length: int) -> list[str]:
    packs = [""]
    for attack in sorted(ATTACKS, key=len):
        if len(packs[-1]) + len(attack) < max_length:
            packs[-1] += f"{attack} "
        elif len(attack) < max_length:
            packs.append(f"{attack} ")
    return [pack.strip() for pack in packs if pack] or [ATTACKS[0][:max_length]]


def _replace_json_texts(value: Any, attack: str) -> Any:
    """Return the same JSON shape with every text replaced, and one attack as a key."""
    if isinstance(value, dict):
        return {name: _replace_json_texts(each, attack) for name, each in value.items()} | {
            attack: attack
        }
    if isinstance(value, list):
        return [_replace_json_texts(each, attack) for each in value]
    return attack if isinstance(value, str) else {attack: attack} if value is None else value
