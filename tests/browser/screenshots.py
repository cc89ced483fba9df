"""`make screenshots`: a picture of each page, light, dark and on a phone, in docs/screenshots/.

The pages are found from the URL configuration and shown over the demo's data, on throwaway
servers. `make screenshots ARGS="--into FOLDER --png --only keys,leads"` makes others to look at.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
LOOKS: dict[str, tuple[Any, int, int]] = {
    "light": ("light", 1280, 800),
    "dark": ("dark", 1280, 800),
    "phone": ("light", 390, 844),
}
"""What each picture shows: the light, and the screen's width and height."""
TALLEST = 1700
"""Pixels of a page that a picture holds."""
QUALITY = 74
OVERLAYS = ("palette", "sidebar", "conversation_filters", "settings_erase")
"""What lies over a screen, and not over a page that is longer."""
BY_HEIGHT = (*OVERLAYS, "playground", "compare")
"""What is as tall as the screen lets it be."""
SECURED = ("mfa_generate_recovery_codes",)
"""What says something only where a second factor is on."""
ANSWER = """Yes, until the parcel is handed over to the carrier:

1. Open **Your orders** and choose the order.
2. Choose *Change address*, and save.

If it is on its way already, the carrier can [redirect it](https://example.com/redirect)."""
BRIEF = """1. Open **Your orders**.
2. Choose the order, then *Change address*.
3. Save before the parcel is handed over."""
"""What the same model says to the changed prompt."""
CHANGED = "Answer as a list of steps, without greeting."


@dataclass(frozen=True, slots=True)
class Told:
    """What the demo told of itself: the workspace, and how its owner gets in."""

    slug: str
    email: str
    password: str


def main() -> None:
    """Seed, serve, look, write."""
    django.setup()
    options = _options()
    options.into.mkdir(parents=True, exist_ok=True)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs in this thread
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        told = _seed(stack.enter_context(_model()))
        from playwright.sync_api import sync_playwright

        from tests.browser.conftest import CHROMIUM, FLAGS
        from tests.web_processes import start_web

        web = stack.enter_context(start_web(folder))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for look in LOOKS:
            _take(browser, web.url, told, look, options)
        browser.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--into", type=Path, default=FOLDER)
    parser.add_argument("--png", action="store_true", help="without loss, to look at closely")
    parser.add_argument("--only", default="", help="names of pages, with commas between")
    return parser.parse_args()


def _seed(api_base: str) -> Told:
    from django.core.management import call_command

    from apps.demo.seed import seed_demo

    call_command("migrate", verbosity=0)
    told = seed_demo(base_url="", model_api_base=api_base, previous={})
    return Told(told["workspace"], told["owner_email"], told["owner_password"])


@contextmanager
def _model() -> Iterator[str]:
    """A language model that has two answers, by its prompt; yields its address."""
    from tests.llm.fake_provider import answer, serve

    ready: queue.Queue[tuple[str, Callable[[], object]]] = queue.Queue()

    async def run() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        async with serve() as upstream:
            upstream.stream_by(lambda body: answer(*_said_to(body).splitlines(keepends=True)))
            ready.put((upstream.base_url, lambda: loop.call_soon_threadsafe(done.set)))
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    address, end = ready.get()
    try:
        yield address
    finally:
        end()
        thread.join()


def _said_to(body: dict[str, Any]) -> str:
    return BRIEF if body["messages"][0]["content"] == CHANGED else ANSWER


def _take(browser: Browser, url: str, told: Told, look: str, options: argparse.Namespace) -> None:
    """One look: first what a visitor sees, then what the owner sees behind the door."""
    from allauth.mfa.models import Authenticator

    scheme, width, height = LOOKS[look]
    context = browser.new_context(
        base_url=url,
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    wanted = set(filter(None, options.only.split(",")))
    places = {n: p for n, p in _places(told).items() if not wanted or n in wanted}
    seen: set[str] = set()
    page = context.new_page()
    for at in ("visitor", "owner", "secured"):
        if at == "owner":
            _log_in(page, told)
        if at == "secured":
            places |= {} if wanted and "mfa_on" not in wanted else {"mfa_on": "/account/2fa"}
            _turn_second_factor_on(told)
        for name, path in places.items():
            if at != "secured" and name in SECURED:
                continue
            if name not in seen and _is_page(context, name, path):
                seen.add(name)
                page.goto(path, wait_until="networkidle")
                if act := ACTS.get(name):
                    act(page)
                _write(context, page, options, f"{name}-{look}")
    if not wanted or "mfa_authenticate" in wanted:
        context.clear_cookies()
        _give_password(page, told)
        _write(context, page, options, f"mfa_authenticate-{look}")
    Authenticator.objects.all().delete()
    context.close()


def _places(told: Told) -> dict[str, str]:
    from apps.chatbots.models import Chatbot
    from apps.chatbots.queries import versions_for
    from apps.demo.seed import MODEL
    from apps.leads.models import Lead
    from apps.workspaces.models import Invitation, Workspace
    from apps.workspaces.queries import invitation_token
    from tests.dashboard.page_urls import UrlArguments, page_urls

    workspace = Workspace.objects.get(slug=told.slug)
    changed = Chatbot.objects.filter(workspace=workspace).order_by("-version", "created_at")[0]
    version = versions_for(changed).filter(changed__contains=["system_prompt"])[0]
    lead = Lead.objects.filter(workspace=workspace).order_by("-created_at")[0]
    found = UrlArguments(
        workspace,
        chatbot_id=changed.id,
        version_id=version.id,
        lead_id=lead.id,
        conversation_id=str(lead.conversation_id),
        page="quickstart",
        token=invitation_token(Invitation.objects.get(workspace=workspace)),
    )
    places = {each.name.rpartition(":")[2]: each.path for each in page_urls(found)}
    speaks = Chatbot.objects.get(workspace=workspace, language_model__name=MODEL)
    root = f"/w/{told.slug}"
    for twice in ("docs_page", "developers_page"):
        places.pop(twice, None)
    return {
        **places,
        "playground": f"{root}/chatbots/{speaks.id}/playground",
        "compare": f"{root}/chatbots/{speaks.id}/playground",
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
    """Whether whoever looks now sees a whole page there, and no other in its place."""
    answer = context.request.get(path, max_redirects=0)
    is_html = answer.headers.get("content-type", "").startswith("text/html")
    return (
        is_html
        and answer.status == (404 if name == "not_found" else 200)
        and "<html" in answer.text()
    )


def _log_in(page: Page, told: Told) -> None:
    _give_password(page, told)
    page.get_by_role("heading", name="Overview").wait_for()
    page.goto("/confirm?next=/account/2fa")  # what changes how to get in asks for a fresh proof
    page.get_by_label("Password").fill(told.password)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="Two-factor authentication").wait_for()


def _give_password(page: Page, told: Told) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(told.email)
    page.get_by_label("Password").fill(told.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_load_state("networkidle")


def _turn_second_factor_on(told: Told) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    from apps.accounts.models import User

    owner = User.objects.get(email=told.email)
    TOTP.activate(owner, generate_totp_secret())
    RecoveryCodes.activate(owner)


def _say(page: Page) -> None:
    page.get_by_label("Message").fill("Can I change the delivery address?")
    page.get_by_label("Message").press("Enter")
    page.locator(".line-answer[data-state=done]").first.wait_for()


def _compare(page: Page) -> None:
    page.get_by_text("Compare with a draft").click()
    page.get_by_label("System prompt").fill(CHANGED)
    page.get_by_label("Message").fill("Can I change the delivery address?")
    page.get_by_label("Message").press("Enter")
    page.locator("[data-pane=changed] .line-answer[data-state=done]").wait_for()


def _create_key(page: Page) -> None:
    page.get_by_label("Name").fill("Checkout")
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("API key", exact=True).wait_for()


def _find_request(page: Page) -> None:
    from apps.conversations.models import Turn

    page.get_by_label("Request ID").fill(Turn.objects.latest("created_at").request_id)
    page.get_by_role("button", name="Find", exact=True).click()
    page.wait_for_load_state("networkidle")


def _ask_to_erase(page: Page) -> None:
    page.get_by_label("End user ID").fill("visitor-17")
    page.get_by_role("button", name="Erase data").click()


def _open_sidebar(page: Page) -> None:
    opener = page.get_by_role("button", name="Menu")
    if opener.is_visible():
        opener.click()


ACTS: dict[str, Callable[[Page], None]] = {
    "playground": _say,
    "compare": _compare,
    "palette": lambda page: page.keyboard.press("Control+k"),
    "key_created": _create_key,
    "request": _find_request,
    "conversation": lambda page: page.locator(".receipt summary").first.click(),
    "conversation_filters": lambda page: page.get_by_text("More filters").click(),
    "settings_erase": _ask_to_erase,
    "sidebar": _open_sidebar,
}
"""What is done on a page before its picture is taken."""


def _write(context: BrowserContext, page: Page, options: argparse.Namespace, name: str) -> None:
    """The page as a file: WebP, which Chromium makes a fifth of the size of PNG."""
    assert page.viewport_size is not None
    width, height = page.viewport_size["width"], page.viewport_size["height"]
    tall = page.evaluate("document.documentElement.scrollHeight")
    tall = height if name.startswith(OVERLAYS) else max(min(tall, TALLEST), height)
    if not name.startswith(BY_HEIGHT):  # what sticks to the screen then sticks to the page's ends
        page.set_viewport_size({"width": width, "height": tall})
    clip = {"x": 0, "y": 0, "width": width, "height": tall, "scale": 1}
    kind = {"format": "png"} if options.png else {"format": "webp", "quality": QUALITY}
    page.evaluate("scrollTo(0, 0)")
    devtools = context.new_cdp_session(page)
    taken = devtools.send(
        "Page.captureScreenshot", {**kind, "clip": clip, "captureBeyondViewport": True}
    )
    devtools.detach()
    suffix = "png" if options.png else "webp"
    (options.into / f"{name}.{suffix}").write_bytes(base64.b64decode(taken["data"]))
    page.set_viewport_size({"width": width, "height": height})


if __name__ == "__main__":
    main()
