"""Add sources over REST."""

from __future__ import annotations

from typing import Any

from tests.api_kit.rest_client import Api


def add(api: Api, base: dict[str, Any], **body: Any) -> dict[str, Any]:
    source: dict[str, Any] = api("POST", f"/knowledge-bases/{base['id']}/sources", body, status=202)
    return source


def add_text(api: Api, base: dict[str, Any], text: str) -> dict[str, Any]:
    return add(api, base, type="text", title="Shipping", text=text)
