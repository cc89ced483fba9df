"""Check WCAG 2.2 AA with axe, in light and dark mode."""

from __future__ import annotations

from typing import Any, Literal

from playwright.sync_api import Page

from tests.node_clients import FOLDER, install_packages

AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOR_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
AXE_SCRIPT = """async ([part, rules]) => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
    const found = await axe.run(part, {
        runOnly: { type: "tag", values: rules },
        resultTypes: ["violations"],  // one node per passed rule: halves the run time
    });
    return found.violations;
}"""
"""Waits for style changes and animations to finish, then runs axe."""


def assert_accessible(page: Page, part: str = "html") -> None:
    """Assert that axe finds no violations in light and dark mode, and nothing overflows the screen.

    `part` is a CSS selector to check only that element, such as an open menu that covers others.
    """
    install_packages()
    if not page.evaluate("'axe' in window"):
        # Through the debugger: the pages' CSP allows no foreign scripts.
        page.evaluate(AXE.read_text())
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    before, other = reversed(COLOR_SCHEMES) if is_dark else COLOR_SCHEMES
    problems = _problems(page, part, before)
    page.emulate_media(color_scheme=other)
    problems += _problems(page, part, other)
    page.emulate_media(color_scheme=before)
    assert problems == [], "\n".join(problems)
    assert_fits_screen(page)


def assert_fits_screen(page: Page) -> None:
    """Assert that the page scrolls up and down alone."""
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, f"{page.url} is {overflow} px wider than the screen"


def _problems(page: Page, part: str, scheme: str) -> list[str]:
    violations: list[dict[str, Any]] = page.evaluate(AXE_SCRIPT, [part, RULES])
    return [
        f"{scheme}: {each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in violations
        for node in each["nodes"]
    ]
