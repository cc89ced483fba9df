"""What is done on a page before its screenshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

from tests.browser.screenshot_model import DRAFT_PROMPT


def _send_message(page: Page) -> None:
    page.get_by_label("Message").fill("Can I change the delivery address?")
    page.get_by_label("Message").press("Enter")
    page.locator(".line-answer[data-state=done]").first.wait_for()


def _compare(page: Page) -> None:
    page.get_by_text("Compare with a draft").click()
    page.get_by_label("System prompt").fill(DRAFT_PROMPT)
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


def _search_knowledge(page: Page) -> None:
    page.get_by_label("Question").fill("What does express delivery cost?")
    page.get_by_role("button", name="Search", exact=True).click()
    page.locator(".passage").first.wait_for()


def _open_erase_dialog(page: Page) -> None:
    page.get_by_label("End user ID").fill("visitor-17")
    page.get_by_role("button", name="Erase data").click()


def _open_sidebar(page: Page) -> None:
    menu_button = page.get_by_role("button", name="Menu")
    if menu_button.is_visible():
        menu_button.click()


ACTIONS: dict[str, Callable[[Page], None]] = {
    "playground": _send_message,
    "compare": _compare,
    "palette": lambda page: page.keyboard.press("Control+k"),
    "key_created": _create_key,
    "request": _find_request,
    "conversation": lambda page: page.locator(".receipt summary").first.click(),
    "answer_sources": lambda page: page.locator("a.cite").first.click(),
    "search_knowledge": _search_knowledge,
    "conversation_filters": lambda page: page.get_by_text("More filters").click(),
    "settings_erase": _open_erase_dialog,
    "sidebar": _open_sidebar,
}
"""Steps performed on a page before it is captured."""
