"""Chromium against a real web process, signed in by a session created in the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections

from apps.accounts.models import User
from tests.web_processes import WebProcess

pytest.importorskip("playwright")
from playwright.sync_api import Browser, BrowserContext, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DISABLED_FEATURES = [
    # Pages for the suggestions below the address bar, which nobody sees: for each window, which
    # a test's page is, they took five times the processor time of everything else.
    *("WebUIOmniboxPopup", "WebUIOmniboxFullPopup", "WebUIOmniboxAimPopup"),
    "SpareRendererForSitePerProcess",
    # Those of Playwright, which Chromium ignores if it is given a second list.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect"),
    *("OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"),
]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(DISABLED_FEATURES)}",
]
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}
BOTH_SIZES = pytest.mark.parametrize("size", SIZES)

OpenContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Launch one Chromium for the tests of a module.

    Playwright's synchronous API runs an event loop in this thread. It ends with the module, before
    tests that need their own loop, and Django must allow ORM calls beside it.
    """
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        connections.close_all()  # opened beside Playwright's loop
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_context(chromium: Browser, web: WebProcess) -> Iterator[OpenContext]:
    """Open a context signed in as a user: `open_context(user, size="phone", scheme="dark")`.

    The test fails if a page breaks its Content-Security-Policy or throws an error.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_context(
        user: User | None, *, size: str = "desktop", scheme: Any = "light"
    ) -> BrowserContext:
        width, height = SIZES[size]
        context = chromium.new_context(
            base_url=web.url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " (e) => console.error('CSP: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )
        context.on("weberror", lambda error: problems.append(str(error.error)))
        context.on(
            "console",
            lambda message: problems.append(message.text) if "CSP" in message.text else None,
        )
        if user is not None:
            context.add_cookies(
                [
                    {
                        "name": settings.SESSION_COOKIE_NAME,
                        "value": create_session(user),
                        "url": web.url,
                    }
                ]
            )
        return context

    yield open_context
    for context in contexts:
        context.close()
    assert problems == []


def create_session(user: User) -> str:
    """Create a session signed in as the user and return its key."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)
