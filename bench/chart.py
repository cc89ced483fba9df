"""Draw the results of `make bench` as an SVG bar chart, for light and dark mode.

A bar is the median of the rounds; the dots are the single rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.targets import FLOOR, LITELLM, PARLEY, TWICE, Rounds, median_of

WIDTH, NAMES, NUMBERS = 720, 150, 70
BAR, STEP, TITLE, GAP = 16, 26, 30, 22
COLOURS = {PARLEY: "ours", TWICE: "ours", LITELLM: "theirs", FLOOR: "least"}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.note { fill: #59636e }
.ground { fill: #ffffff }
.ours { fill: #3b6fd4 } .theirs { fill: #b4552d } .least { fill: #8b949e }
.round { fill: #1f2328; fill-opacity: .55 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9198a1 } .ground { fill: #0d1117 }
  .ours { fill: #6c9bf2 } .theirs { fill: #e08a5b } .least { fill: #6e7681 }
  .round { fill: #ffffff; fill-opacity: .65 }
}
"""


@dataclass(frozen=True)
class Panel:
    """The bars of one figure, one for each server."""

    figure: str
    title: str
    note: str


PANELS = (
    Panel("json_rate", "JSON turns a second", "more is better"),
    Panel("few_cpu_us_a_token", "Server CPU a streamed token, µs", "20 streams; less is better"),
    Panel("many_gap_p99_ms", "p99 of the gap between tokens, ms", "many streams; 27.8 intended"),
    Panel("many_memory_kib", "Memory a stream, KiB", "many streams; less is better"),
    Panel("first_added_ms", "Added to the first token, ms", "idle; less is better"),
)


def draw_chart(rounds: Rounds) -> str:
    """Return the SVG text, with a panel for each figure that was measured."""
    y, panels = 16, list[str]()
    for panel in PANELS:
        names = [name for name in rounds if median_of(rounds, name, panel.figure) is not None]
        if names:
            panels.append(_draw_panel(rounds, panel, names, y))
            y += TITLE + STEP * len(names) + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="Parley, LiteLLM and the floor, measured in one run">'
        f'<style>{STYLE}</style><rect class="ground" width="{WIDTH}" height="{y}"/>'
        + "".join(panels)
        + "</svg>\n"
    )


def _draw_panel(rounds: Rounds, panel: Panel, names: Sequence[str], top: int) -> str:
    values = {name: [one[panel.figure] for one in rounds[name]] for name in names}
    maximum = max(max(rounds) for rounds in values.values()) or 1.0
    scale = (WIDTH - NAMES - NUMBERS - 16) / maximum
    note = f'<tspan class="note" font-weight="400" dx="10">{escape(panel.note)}</tspan>'
    parts = [f'<text class="title" x="16" y="{top + 14}">{escape(panel.title)}{note}</text>']
    for row, name in enumerate(names):
        y = top + TITLE + STEP * row
        median = median_of(rounds, name, panel.figure) or 0.0
        width = max(1.0, median * scale)
        right = NAMES + max(width, max(values[name]) * scale)
        parts.append(
            f'<text x="16" y="{y + 13}">{escape(name)}</text>'
            f'<rect class="{COLOURS.get(name, "least")}" x="{NAMES}" y="{y}" '
            f'width="{width:.1f}" height="{BAR}" rx="3"/>'
        )
        parts += [
            f'<circle class="round" cx="{NAMES + one * scale:.1f}" cy="{y + BAR / 2}" r="2.5"/>'
            for one in values[name]
        ]
        parts.append(f'<text x="{right + 8:.1f}" y="{y + 13}">{_format_number(median)}</text>')
    return "".join(parts)


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
