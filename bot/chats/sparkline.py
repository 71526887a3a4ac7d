"""A chart in one line of text, for where there are no pictures. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.alerts.chart import Chart, FlowChart, PriceChart

_BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 50
"""The most columns that a line takes."""


def sparkline(chart: Chart) -> str:
    """Draw a chart in one line: ``▆▇▅▃▁▂``, its lowest value as the lowest block; a gap is a space."""
    match chart:
        case PriceChart(bars=bars):
            return _line([bar.close for bar in bars])
        case FlowChart(flows=flows):
            return _line([flow.value for flow in flows])


def _line(values: Sequence[float | None]) -> str:
    """Draw values; of more than fit, every column shows the last of its share."""
    count = min(len(values), WIDTH)
    shown = [values[(place + 1) * len(values) // count - 1] for place in range(count)]
    known = [value for value in shown if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if one is None else _BLOCKS[round((one - low) * scale)] for one in shown)
