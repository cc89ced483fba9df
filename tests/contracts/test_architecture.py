"""Rules for files, commands and models."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.management import BaseCommand, get_commands, load_command_class
from django.db import models

from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.models import Member, Workspace
from tests.contracts.app_boundaries import ROOT

MAX_LINES = 300
VAGUE_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py"}
PATCHES = {
    "monkeypatch.setattr",
    "monkeypatch.setitem",
    "import unittest.mock",
    "from unittest import mock",
    "from unittest.mock import patch",
    "from unittest.mock import Mock",
}
SOURCES = sorted(
    path for folder in ("apps", "config", "local") for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SHARED_MODELS = {
    "User",
    "Workspace",
    "Plan",
    "LanguageModel",
    "EmbeddingModel",
    "PriceChange",
    "NightlyCheck",
    "Adjustment",
    "SearchProgress",
    "TurnSweep",
}
"""Models whose rows belong to no workspace: users, workspaces themselves, what staff offer to all
workspaces, adjustments of several workspaces, and the progress of the search index."""


def long_files(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if len(path.read_text().splitlines()) > MAX_LINES]


def vaguely_named_files(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.name in VAGUE_NAMES]


def models_without_workspace(of: Iterable[type[models.Model]]) -> set[str]:
    return {
        model.__name__
        for model in of
        if not any(field.related_model is Workspace for field in model._meta.fields)
    }


def other_commands(commands: Iterable[BaseCommand]) -> list[str]:
    """The commands that are not built on OperatorCommand."""
    return [type(each).__module__ for each in commands if not isinstance(each, OperatorCommand)]


def patches(source: str) -> list[str]:
    """The places where a test module replaces attributes of other code."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute | ast.Import | ast.ImportFrom)
        and ast.unparse(node) in PATCHES
    ]


def test_sources_are_found() -> None:
    assert ROOT / "apps" / "core" / "errors.py" in SOURCES
    assert Path(__file__) in TESTS


def test_no_product_file_is_too_long() -> None:
    assert long_files(SOURCES) == []


def test_no_file_has_a_vague_name() -> None:
    assert vaguely_named_files([*SOURCES, *TESTS]) == []


def test_every_tenant_row_has_a_workspace() -> None:
    ours = [each for each in apps.get_models() if each._meta.app_config.name.startswith("apps.")]
    assert models_without_workspace(ours) == SHARED_MODELS


def test_every_command_is_an_operator_command() -> None:
    ours = {name: str(app) for name, app in get_commands().items() if str(app).startswith("apps.")}
    assert other_commands(load_command_class(app, name) for name, app in ours.items()) == []
    assert "create_workspace" in ours


def test_no_test_patches_code() -> None:
    found = {str(path.relative_to(ROOT)): patches(path.read_text()) for path in TESTS}
    assert {name: uses for name, uses in found.items() if uses} == {}


@pytest.mark.parametrize(
    "source",
    [
        "monkeypatch.setattr(process, 'is_stopping', True)",
        "from unittest.mock import patch",
        "from unittest import mock",
    ],
)
def test_patch_is_found(source: str) -> None:
    assert len(patches(source)) == 1
    assert patches("monkeypatch.setenv('A', 'b')") == []


@pytest.mark.parametrize(("lines", "is_found"), [(MAX_LINES, False), (MAX_LINES + 1, True)])
def test_long_or_vaguely_named_file_is_found(tmp_path: Path, lines: int, is_found: bool) -> None:
    path = tmp_path / "utils.py"
    path.write_text("pass\n" * lines)
    assert long_files([path]) == ([path] if is_found else [])
    assert vaguely_named_files([path, tmp_path / "services.py"]) == [path]


def test_model_without_workspace_and_other_command_are_found() -> None:
    assert models_without_workspace([Member, Session]) == {"Session"}
    migrate = load_command_class("django.core", "migrate")
    assert other_commands([migrate]) == ["django.core.management.commands.migrate"]
