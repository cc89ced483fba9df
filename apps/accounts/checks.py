"""Checks of a deployment's settings, run by `check --deploy`."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def check_deployment(**_: Any) -> list[CheckMessage]:
    """Refuse any host name, which whoever sends a request then chooses, and staff by password."""
    found: list[CheckMessage] = []
    if any(host.strip() in ("*", ".", "") for host in settings.ALLOWED_HOSTS):
        found.append(Error("ALLOWED_HOSTS must name this server's hosts, not *.", id="parley.E001"))
    if not settings.STAFF_SECOND_FACTOR_REQUIRED:
        text = "STAFF_SECOND_FACTOR_REQUIRED may be off on a development machine alone."
        found.append(Error(text, id="parley.E002"))
    return found
