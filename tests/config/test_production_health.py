"""Health checks of a process with the production settings, called as a balancer calls it."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import StartWeb
from tests.web_processes import SSL_CONTEXT


@pytest.fixture
def production() -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
        "ALLOWED_HOSTS": "parley.example",
    }


def test_health_is_checked_by_address_over_http(
    own_web: StartWeb, production: dict[str, str]
) -> None:
    web = own_web(**production)  # which waits for /readyz
    for host in ("10.1.2.3:8000", "localhost:8000", "parley.example", "other.example"):
        for path in ("/healthz", "/readyz"):
            response = httpx.get(f"{web.url}{path}", headers={"Host": host}, verify=SSL_CONTEXT)
            assert (host, path, response.status_code) == (host, path, 200)
