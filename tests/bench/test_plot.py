"""Tests of the chart that `make bench` draws."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.chart import draw_chart
from bench.targets import FLOOR, PARLEY

SVG = "{http://www.w3.org/2000/svg}"


def test_plot_draws_medians_as_bars_and_rounds_as_dots() -> None:
    rounds = {
        PARLEY: [{"json_rate": rate} for rate in (300.0, 400.0, 500.0)],
        FLOOR: [{"json_rate": 200.0}],
    }
    drawn = ElementTree.fromstring(draw_chart(rounds))  # noqa: S314 - our own
    bars = [one for one in drawn.iter(f"{SVG}rect") if one.get("rx")]
    assert [one.get("class") for one in bars] == ["ours", "least"]
    ours, least = (float(one.get("width", "0")) for one in bars)
    assert round(ours / least, 2) == 2.0
    assert len(list(drawn.iter(f"{SVG}circle"))) == 4
    texts = ["".join(one.itertext()) for one in drawn.iter(f"{SVG}text")]
    assert texts[1:] == ["Parley", "400", "the floor", "200"]
