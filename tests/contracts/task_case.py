"""The type of a periodic task's case, and counts of events, audit entries and emails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core import mail

from apps.audit.models import AuditEntry
from apps.webhooks.models import Event
from apps.workspaces.models import Letter, Workspace

ITEM_COUNT = 12
"""Items of work per task: enough for two workers to compete for some of them."""

Case = tuple[Callable[[], Any], Any]
"""A function that returns the result of a task, and the result if its work was done once."""


def count_events(workspace: Workspace, event: str) -> int:
    return Event.objects.filter(workspace=workspace, type=event).count()


def count_audit_entries(workspace: Workspace, action: str) -> int:
    return AuditEntry.objects.filter(workspace=workspace, action=action).count()


def count_emails(address: str) -> int:
    return sum(message.to == [address] for message in mail.outbox)


def count_letters(address: str) -> int:
    return Letter.objects.filter(recipient=address).count()
