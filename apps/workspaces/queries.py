"""Reads of workspaces."""

from __future__ import annotations

from apps.workspaces.models import Workspace


def workspace_by_slug(slug: str) -> Workspace:
    """The workspace of this slug, for operators. Raises ValueError where there is none."""
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        raise ValueError(f"There is no workspace {slug!r}. Create it with create_workspace.")
    return workspace
