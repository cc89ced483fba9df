"""WCAG 2.2 AA, as far as axe can tell, in both lights."""

from __future__ import annotations

from typing import Any, Literal

from playwright.sync_api import Page

from tests.node_clients import FOLDER, install

AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LIGHTS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RUN = """async ([part, rules]) => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
    const found = await axe.run(part, {
        runOnly: { type: "tag", values: rules },
        resultTypes: ["violations"],  // of what is well it names one place only: half the time
    });
    return found.violations;
}"""
"""When the page has taken on its colours, and what moves has come to rest."""


def assert_accessible(page: Page, part: str = "html") -> None:
    """In light and in dark, axe finds nothing on the page as it stands, or on a part of it (a
    selector: an open menu, which rightly lies upon what is behind it), and nothing sticks out of
    the screen."""
    install()
    if not page.evaluate("'axe' in window"):
        # Through the debugger, as our pages let no stranger's script in.
        page.evaluate(AXE.read_text())
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    before, other = reversed(LIGHTS) if is_dark else LIGHTS
    problems = _problems(page, part, before)
    page.emulate_media(color_scheme=other)
    problems += _problems(page, part, other)
    page.emulate_media(color_scheme=before)
    assert problems == [], "\n".join(problems)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than the screen"


def _problems(page: Page, part: str, light: str) -> list[str]:
    violations: list[dict[str, Any]] = page.evaluate(RUN, [part, RULES])
    return [
        f"{light}: {each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in violations
        for node in each["nodes"]
    ]
