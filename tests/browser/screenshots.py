"""`make screenshots`: screenshots of every page (light, dark, phone) in docs/screenshots/.

Pages come from the URL configuration and show the demo data, on throwaway servers. To inspect some
of them: `make screenshots ARGS="--into FOLDER --png --only keys,leads"`.
"""

from __future__ import annotations

import argparse
import base64
import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

from tests.browser.screenshot_actions import ACTIONS
from tests.browser.screenshot_model import run_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SCREENSHOTS_DIR = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
VARIANTS: dict[str, tuple[Any, int, int]] = {
    "light": ("light", 1280, 800),
    "dark": ("dark", 1280, 800),
    "phone": ("light", 390, 844),
}
"""Color scheme, width and height of each variant."""
MAX_HEIGHT = 1700
"""Maximum height of a screenshot, in pixels."""
QUALITY = 74
OVERLAY_PAGES = ("palette", "sidebar", "conversation_filters", "settings_erase")
"""Pages with an overlay, captured at viewport height."""
VIEWPORT_PAGES = (*OVERLAY_PAGES, "playground", "compare")
"""Pages laid out to the viewport's height."""
SECOND_FACTOR_PAGES = ("mfa_generate_recovery_codes",)
"""Pages captured only with two-factor authentication enabled."""


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """The demo workspace and its owner's credentials."""

    slug: str
    email: str
    password: str


def main() -> None:
    """Seed the demo, start a server and capture all pages."""
    django.setup()
    options = _options()
    options.into.mkdir(parents=True, exist_ok=True)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs in this thread
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        demo = _seed(stack.enter_context(run_model()))
        from playwright.sync_api import sync_playwright

        from tests.browser.conftest import CHROMIUM, FLAGS
        from tests.web_processes import start_web

        web = stack.enter_context(start_web(folder))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for variant in VARIANTS:
            _capture_variant(browser, web.url, demo, variant, options)
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--into", type=Path, default=SCREENSHOTS_DIR)
    parser.add_argument("--png", action="store_true", help="lossless PNG instead of WebP")
    parser.add_argument("--only", default="", help="comma-separated page names")
    return parser.parse_args()


def _seed(api_base: str) -> DemoAccount:
    from django.core.management import call_command

    from apps.demo.seed import seed_demo
    from apps.knowledge.pipeline.indexing import index_sources

    call_command("migrate", verbosity=0)
    demo = seed_demo(base_url="", model_api_base=api_base, previous={})
    index_sources(max_seconds=60)
    return DemoAccount(demo["workspace"], demo["owner_email"], demo["owner_password"])


def _capture_variant(
    browser: Browser, url: str, demo: DemoAccount, variant: str, options: argparse.Namespace
) -> None:
    """Capture one variant of all pages: signed out, as the owner, then with two-factor enabled."""
    from allauth.mfa.models import Authenticator

    scheme, width, height = VARIANTS[variant]
    context = browser.new_context(
        base_url=url,
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    wanted = set(filter(None, options.only.split(",")))
    paths = {n: p for n, p in _page_paths(demo).items() if not wanted or n in wanted}
    captured: set[str] = set()
    page = context.new_page()
    for stage in ("signed_out", "owner", "second_factor"):
        if stage == "owner":
            _log_in(page, demo)
        if stage == "second_factor":
            paths |= {} if wanted and "mfa_on" not in wanted else {"mfa_on": "/account/2fa"}
            _enable_second_factor(demo)
        for name, path in paths.items():
            if stage != "second_factor" and name in SECOND_FACTOR_PAGES:
                continue
            if name not in captured and _is_page(context, name, path):
                captured.add(name)
                page.goto(path, wait_until="networkidle")
                if action := ACTIONS.get(name):
                    action(page)
                _save_screenshot(context, page, options, f"{name}-{variant}")
    if not wanted or "mfa_authenticate" in wanted:
        context.clear_cookies()
        _submit_login(page, demo)
        _save_screenshot(context, page, options, f"mfa_authenticate-{variant}")
    Authenticator.objects.all().delete()
    context.close()


def _page_paths(demo: DemoAccount) -> dict[str, str]:
    from apps.chatbots.models import Chatbot
    from apps.chatbots.queries import versions_for
    from apps.conversations.models import Turn
    from apps.conversations.unanswered.queries import unanswered_questions
    from apps.demo.seed import MODEL
    from apps.leads.models import Lead
    from apps.workspaces.models import Invitation, Workspace
    from apps.workspaces.queries import invitation_token
    from bench.page_urls import UrlArguments, page_urls

    workspace = Workspace.objects.get(slug=demo.slug)
    edited_chatbot = Chatbot.objects.filter(workspace=workspace).order_by("-version", "created_at")[
        0
    ]
    version = versions_for(edited_chatbot).filter(changed__contains=["system_prompt"])[0]
    lead = Lead.objects.filter(workspace=workspace).order_by("-created_at")[0]
    arguments = UrlArguments(
        workspace,
        chatbot_id=edited_chatbot.id,
        version_id=version.id,
        lead_id=lead.id,
        conversation_id=str(lead.conversation_id),
        turn_id=unanswered_questions(workspace.id)[0].turn_id,
        page="quickstart",
        token=invitation_token(Invitation.objects.get(workspace=workspace)),
    )
    paths = {each.name.rpartition(":")[2]: each.path for each in page_urls(arguments)}
    with_model = Chatbot.objects.filter(workspace=workspace, language_model__name=MODEL)
    playground_chatbot = with_model.get(name="Order support")
    turns = Turn.objects.filter(workspace=workspace, knowledge="found", status="completed")
    answered = turns.latest("created_at").conversation_id
    root = f"/w/{demo.slug}"
    for duplicate in ("docs_page", "developers_page"):
        paths.pop(duplicate, None)
    return {
        **paths,
        "playground": f"{root}/chatbots/{playground_chatbot.id}/playground",
        "compare": f"{root}/chatbots/{playground_chatbot.id}/playground",
        "answer_sources": f"{root}/conversations/{answered}",
        "palette": f"{root}/",
        "key_created": f"{root}/keys",
        "request": f"{root}/requests",
        "sidebar": f"{root}/",
        "conversation_filters": f"{root}/conversations?rated=up",
        "choose_workspace": "/workspaces?choose",
        "settings_erase": f"{root}/settings",
        "not_found": f"{root}/chatbots/nothing",
    }


def _is_page(context: BrowserContext, name: str, path: str) -> bool:
    """Return True if the URL shows a full page of its own to this context."""
    answer = context.request.get(path, max_redirects=0)
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    return (
        is_html
        and answer.status == (404 if name == "not_found" else 200)
        and "<html" in answer.text()
    )


def _log_in(page: Page, demo: DemoAccount) -> None:
    _submit_login(page, demo)
    page.get_by_role("heading", name="Overview").wait_for()
    page.goto("/confirm?next=/account/2fa")  # two-factor settings need a recent confirmation
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="Two-factor authentication").wait_for()


def _submit_login(page: Page, demo: DemoAccount) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(demo.email)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_load_state("networkidle")


def _enable_second_factor(demo: DemoAccount) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    from apps.accounts.models import User

    owner = User.objects.get(email=demo.email)
    TOTP.activate(owner, generate_totp_secret())
    RecoveryCodes.activate(owner)


def _save_screenshot(
    context: BrowserContext, page: Page, options: argparse.Namespace, name: str
) -> None:
    """Save the page as an image: WebP (a fifth of the size of PNG) unless `--png` is given."""
    assert page.viewport_size is not None
    width, height = page.viewport_size["width"], page.viewport_size["height"]
    page_height = page.evaluate("document.documentElement.scrollHeight")
    page_height = (
        height if name.startswith(OVERLAY_PAGES) else max(min(page_height, MAX_HEIGHT), height)
    )
    if not name.startswith(VIEWPORT_PAGES):  # sticky elements then stay at the page's ends
        page.set_viewport_size({"width": width, "height": page_height})
    clip = {"x": 0, "y": 0, "width": width, "height": page_height, "scale": 1}
    image_format = {"format": "png"} if options.png else {"format": "webp", "quality": QUALITY}
    page.evaluate("scrollTo(0, 0)")
    devtools = context.new_cdp_session(page)
    screenshot = devtools.send(
        "Page.captureScreenshot", {**image_format, "clip": clip, "captureBeyondViewport": True}
    )
    devtools.detach()
    suffix = "png" if options.png else "webp"
    (options.into / f"{name}.{suffix}").write_bytes(base64.b64decode(screenshot["data"]))
    page.set_viewport_size({"width": width, "height": height})


if __name__ == "__main__":
    main()
