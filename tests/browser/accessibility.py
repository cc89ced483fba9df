"""WCAG 2.2 AA, as far as axe can tell."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.node_clients import FOLDER, install

AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def assert_accessible(page: Page, part: str = "html") -> None:
    """Axe finds nothing on the page as it stands, or on a part of it (a selector: an open menu,
    which rightly lies upon what is behind it), and nothing sticks out of the screen."""
    install()
    # Through the debugger, as our pages let no stranger's script in.
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "([part, rules]) => axe.run(part, {runOnly: {type: 'tag', values: rules}})", [part, RULES]
    )
    problems = [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert problems == [], "\n".join(problems)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than the screen"
