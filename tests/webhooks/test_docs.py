"""The examples and tables of docs/reference/webhooks.md are correct and complete."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from ninja.operation import Operation

from apps.webhooks.api import router
from apps.webhooks.models import EventType
from apps.webhooks.signing import new_secret, signature_headers
from tests.web_processes import ROOT
from tests.webhooks.receivers import LANGUAGES, Verify

TEXT = (ROOT / "docs/reference/webhooks.md").read_text()
BODY = '{"type":"webhook.test","data":{"name":"Zoë"}}'
EVENT = {"type": "webhook.test", "data": {"name": "Zoë"}}
OLD, WRONG = "The request is too old.", "The signature is wrong."


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_verify_signatures(language: Callable[[Path], Verify], tmp_path: Path) -> None:
    verify = language(tmp_path)
    secret, old = new_secret(), new_secret()

    def signed(seconds_ago: int = 0) -> dict[str, str]:
        return signature_headers(
            secrets=[secret, old],
            event_id="c1",
            timestamp=int(time.time()) - seconds_ago,
            body=BODY.encode(),
        )

    results = [verify(each, signed(), BODY) for each in (secret, old, new_secret())]
    assert results == [{"event": EVENT}, {"event": EVENT}, {"error": WRONG}]
    changed = [
        verify(secret, signed(), BODY + " "),
        verify(secret, signed() | {"webhook-id": "c2"}, BODY),
        verify(secret, signed(400), BODY),
    ]
    assert changed == [{"error": WRONG}, {"error": WRONG}, {"error": OLD}]


def test_every_event_type_is_documented() -> None:
    section = TEXT.partition("## Events")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert sorted(named) == sorted(EventType.values)


def test_every_operation_is_documented() -> None:
    operations: list[tuple[str, Operation]] = [
        (path, operation)
        for path, view in router.path_operations.items()
        for operation in view.operations
    ]
    ours = {
        (method, re.sub(r"{\w+}", "{id}", path))
        for path, operation in operations
        for method in operation.methods
    }
    rows = re.findall(r"^\| `([A-Z]+) /api/v1([^`]+)` \|", TEXT, re.MULTILINE)
    assert set(rows) == ours


def test_retry_schedule_is_documented() -> None:
    from config.settings.base import WEBHOOK_BACKOFF_SECONDS

    minutes = [seconds / 60 for seconds in WEBHOOK_BACKOFF_SECONDS[1:3]]
    hours = [seconds / 3600 for seconds in WEBHOOK_BACKOFF_SECONDS[3:]]
    first = (
        f"{WEBHOOK_BACKOFF_SECONDS[0]:g} seconds, {minutes[0]:g} minutes, {minutes[1]:g} minutes"
    )
    rest = f"{', '.join(f'{each:g}' for each in hours[:-1])} and {hours[-1]:g} hours"
    assert f"{first}, {rest}" in TEXT
    assert f"nothing but failures for {settings.WEBHOOK_FAILING_DAYS} days" in TEXT
