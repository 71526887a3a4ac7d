"""Draw how a cost grows with the number of alerts, as an SVG of a few lines that needs no library.

``python -m tests.benchmarks.picture FILE.svg < FIGURES.json`` reads a series of seconds by its name and by
the number of alerts: ``{"every alert visited": {"1000": 0.0001, ...}, "by the index": {...}}``. Both scales
are of powers of ten.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from html import escape
from math import ceil, floor, log10
from pathlib import Path

_WIDE, _HIGH = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 150, 20, 46
_COLOURS = ("#de3a4f", "#12986a", "#3a2fd8", "#b86e00")
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))

Series = Mapping[int, float]
"""Seconds, above zero, by the number of alerts."""


def draw(series: Mapping[str, Series]) -> str:
    """Draw every series as a line with its name at its end.

    Raises ValueError where there is nothing to draw.
    """
    counts = [count for one in series.values() for count in one]
    seconds = [cost for one in series.values() for cost in one.values()]
    first, last = log10(min(counts)), log10(max(counts))
    low, high = floor(log10(min(seconds))), ceil(log10(max(seconds)))

    def x(count: float) -> float:
        return _LEFT + (log10(count) - first) / max(last - first, 1e-9) * (_WIDE - _LEFT - _RIGHT)

    def y(cost: float) -> float:
        return _HIGH - _BOTTOM - (log10(cost) - low) / max(high - low, 1) * (_HIGH - _TOP - _BOTTOM)

    def parts() -> Iterator[str]:
        size = f'viewBox="0 0 {_WIDE} {_HIGH}"'
        yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
        yield f'<rect width="{_WIDE}" height="{_HIGH}" fill="#ffffff"/>'
        for power in range(low, high + 1):
            at = y(10.0**power)
            yield f'<path d="M{_LEFT} {at:.1f}H{_WIDE - _RIGHT}" stroke="#e6e9f0"/>'
            yield _text(_LEFT - 8, at + 4, _cost(power), "#606b80", "end")
        for power in range(ceil(first), floor(last) + 1):
            yield _text(x(10.0**power), _HIGH - 24, f"{10**power:,}", "#606b80", "middle")
        yield _text((_LEFT + _WIDE - _RIGHT) / 2, _HIGH - 6, "alerts", "#606b80", "middle")
        for (name, one), colour in zip(series.items(), _COLOURS, strict=False):
            ends = [(x(count), y(cost)) for count, cost in sorted(one.items())]
            line = "L".join(f"{right:.1f} {up:.1f}" for right, up in ends)
            yield f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
            yield from (
                f'<circle cx="{right:.1f}" cy="{up:.1f}" r="3.5" fill="{colour}"/>' for right, up in ends
            )
            yield _text(ends[-1][0] + 10, ends[-1][1] + 4, name, colour, "start")
        yield "</svg>"

    return "\n".join(parts()) + "\n"


def _text(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text {place} font-size="13">{escape(text)}</text>'


def _cost(power: int) -> str:
    size, unit = next(((size, unit) for size, unit in _UNITS if 10.0**power >= size * 0.99), _UNITS[-1])
    return f"{10.0**power / size:g} {unit}"


if __name__ == "__main__":
    told = json.load(sys.stdin)
    drawn = draw({name: {int(count): cost for count, cost in one.items()} for name, one in told.items()})
    Path(sys.argv[1]).write_text(drawn, encoding="utf-8")
