"""An app is used through its services and queries, never through its entry points."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENTRY_POINTS = {"admin", "api", "consumer", "endpoint", "routing", "tasks", "urls", "views"}
LIBRARIES = {"core", "infrastructure", "api_kit"}
"""Layers that others are built on, whose `admin` or `views` modules are base classes."""


def foreign_entry_points(root: Path) -> list[str]:
    """Imports of another app's entry points, as `file: module`."""
    found = []
    for path in sorted((root / "apps").rglob("*.py")):
        app = path.relative_to(root / "apps").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            for name in node.names:
                parts = [*node.module.split("."), name.name]
                is_foreign = parts[0] == "apps" and parts[1] not in {app, *LIBRARIES}
                if is_foreign and ENTRY_POINTS.intersection(parts[2:]):
                    found.append(f"{path.relative_to(root)}: {'.'.join(parts)}")
    return found


def test_apps_do_not_import_entry_points_of_others() -> None:
    assert foreign_entry_points(ROOT) == []


def test_an_imported_entry_point_is_found(tmp_path: Path) -> None:
    module = tmp_path / "apps" / "chat" / "views.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from apps.credits.tasks import renew\nfrom apps.leads import api\n"
        "from apps.chat.urls import urlpatterns\nfrom apps.leads.queries import get_lead\n"
    )
    assert foreign_entry_points(tmp_path) == [
        "apps/chat/views.py: apps.credits.tasks.renew",
        "apps/chat/views.py: apps.leads.api",
    ]
