"""Rules of the layout that the import contracts cannot hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.db import models

from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.models import Workspace
from tests.contracts.reverse_relations import layers, relation_uses, relations_from_above

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("apps", "config", "local", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
SHARED = {
    "User",
    "Workspace",
    "Plan",
    "LanguageModel",
    "PriceChange",
    "NightlyCheck",
    "Adjustment",
    "SearchProgress",
}
"""Models that belong to no workspace: people, the tenant itself, what staff offer to all, what they
ask for in several at once, line by line, and how far search has read."""


def our_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model._meta.app_config.name.startswith("apps.")]


def test_sources_were_found() -> None:
    assert ROOT / "apps" / "core" / "errors.py" in SOURCES


def test_no_file_is_longer_than_400_lines() -> None:
    product = [path for path in SOURCES if not path.is_relative_to(ROOT / "tests")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in product}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_every_command_is_an_operators_command() -> None:
    ours = {name: app for name, app in get_commands().items() if str(app).startswith("apps.")}
    strangers = [
        name
        for name, app in ours.items()
        if not isinstance(load_command_class(str(app), name), OperatorCommand)
    ]
    assert (strangers, "create_workspace" in ours) == ([], True)


def test_every_row_of_a_tenant_names_its_workspace() -> None:
    without = {
        model.__name__
        for model in our_models()
        if not any(field.related_model is Workspace for field in model._meta.fields)
    }
    assert without == SHARED


def test_no_file_is_a_drawer_for_anything() -> None:
    drawers = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [str(path.relative_to(ROOT)) for path in SOURCES if path.name in drawers] == []


def test_no_app_uses_reverse_relations_of_higher_apps() -> None:
    """The app above provides what a lower one needs: a query, a signal."""
    found = {
        (str(path.relative_to(ROOT)), name)
        for app in layers()
        for path in (ROOT / "apps" / app).rglob("*.py")
        for name in relation_uses(path.read_text(), relations_from_above(app))
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "conversation.leads.update(conversation=None)",
        "Conversation.objects.filter(leads__isnull=False)",
        "Message.objects.values('conversation__leads__id')",
        "Conversation.objects.prefetch_related('leads')",
        "Conversation.objects.annotate(Count('leads'))",
    ],
)
def test_reverse_relation_of_higher_app_is_found(source: str) -> None:
    assert list(relation_uses(source, relations_from_above("conversations"))) == ["leads"]
    assert list(relation_uses(source, relations_from_above("leads"))) == []


def test_no_app_names_a_task_of_another_app() -> None:
    """Only the owner of a task sends it: other apps call its services or send a signal."""
    foreign = []
    for path in (ROOT / "apps").rglob("*.py"):
        app = path.relative_to(ROOT / "apps").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.value if isinstance(node, ast.Constant) else None
            task = re.fullmatch(r"apps\.(\w+)\.tasks\.\w+", name) if isinstance(name, str) else None
            if task and task[1] != app:
                foreign.append((app, task[0]))
    assert foreign == []
