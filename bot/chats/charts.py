"""Draw charts: 1080 by 720 pixels, to be read on a phone held upright, in a dark or a light theme.

The one home of matplotlib, which is imported with this module: import it where a chart is drawn. Only
``Figure`` and Agg are used, so nothing is kept between two drawings, and places are pixels from the lower
left corner. Text is drawn as it is: no part of it is read as a formula.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.lines import Line2D
from matplotlib.transforms import IdentityTransform

from bot.alerts.chart import Chart, FlowChart, PriceChart, Theme
from bot.chats.chart_ticks import Prices, price_marks, time_marks, write_exactly

WIDTH: Final = 1080
HEIGHT: Final = 720
_DPI: Final = 100
_TITLE, _TEXT, _SMALL = 46, 33, 30
"""Heights of letters in pixels."""

_FIRST_WIDE: Final = "\u2e80"
"""From here on are the signs of East Asia."""

_DIGIT: Final = 21
"""How many pixels wide a digit of ``_TEXT`` is."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 28, 24, HEIGHT - 122, 64
_VOLUME: Final = 96
_REACH: Final = 0.8
"""A level is drawn in its place if the prices, stretched by this share of their range, reach it."""

_PIXELS: Final = IdentityTransform()
"""Places are pixels already."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme; ``ink`` is for letters on a coloured tag."""

    paper: str
    grid: str
    text: str
    faint: str
    up: str
    down: str
    level: str
    mark: str
    ink: str


PALETTES: Final[dict[Theme, Palette]] = {
    "dark": Palette(
        "#12161f", "#262d3b", "#eceff5", "#9aa4b6", "#2ebd85", "#f6465d", "#f5b83d", "#ffffff", "#12161f"
    ),
    "light": Palette(
        "#ffffff", "#e6e9f0", "#161a24", "#606b80", "#12986a", "#de3a4f", "#b86e00", "#3a2fd8", "#ffffff"
    ),
}


def draw(chart: Chart) -> bytes:
    """Draw a chart as a PNG."""
    sheet = _Sheet(PALETTES[chart.theme])
    sheet.write(_LEFT, HEIGHT - 30, chart.title, _TITLE, sheet.palette.text, va="top", weight="bold")
    sheet.write(_LEFT, HEIGHT - 84, chart.subtitle, _SMALL, sheet.palette.faint, va="top")
    match chart:
        case PriceChart():
            _Prices(sheet, chart).draw()
        case FlowChart():
            _draw_flows(sheet, chart)
    return sheet.png()


def signs_missing(text: str) -> str:
    """Give those signs of a text that pictures cannot show."""
    faces = [get_font(findfont(FontProperties(face))).get_charmap() for face in _faces(text)]
    return "".join(sign for sign in text if not any(ord(sign) in face for face in faces))


def _faces(text: str) -> list[str]:
    """Name the faces that a text is drawn with, each for what the one before it lacks.

    The Chinese one is read only where it is needed: it is large.
    """
    is_wide = any(sign >= _FIRST_WIDE for sign in text)
    return [*rcParams["font.sans-serif"][:1], *(_wide_faces() if is_wide else ())]


@cache
def _wide_faces() -> tuple[str, ...]:
    """Make the face with Chinese letters known to matplotlib, as bold too, for it has no bold letters.

    It is the data of a package that is not run: that would change the faces of every picture.
    """
    package = find_spec("zhplot")
    folders = (package.submodule_search_locations if package else None) or ()
    paths = [path for folder in folders for path in sorted(Path(folder, "fonts").glob("*.ttf"))]
    for path in paths:
        fontManager.addfont(path)
        fontManager.ttflist.append(replace(fontManager.ttflist[-1], weight="bold"))
    return tuple(FontProperties(fname=path).get_name() for path in paths)


class _Sheet:
    """A picture that is drawn on in pixels; what has a higher ``layer`` lies above.

    All is put on the figure itself: axes, with their ticks and scales that nobody sees, would cost as much as
    the candles.
    """

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self._figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor=palette.paper)
        FigureCanvasAgg(self._figure)  # the figure knows it from now on

    def write(
        self, x: float, y: float, text: str, height: float, colour: str, *, layer: int = 6, **style: Any
    ) -> None:
        """Write a line of text; it is cut at the right edge."""
        style = {"va": "center", "ha": "left"} | style
        points = height * 72 / _DPI * 0.78
        self._figure.text(
            x,
            y,
            text,
            transform=_PIXELS,
            fontsize=points,
            fontfamily=_faces(text),
            color=colour,
            zorder=layer,
            parse_math=False,
            **style,
        )

    def lines(
        self, ends: Iterable[Box], colour: str, width: float, *, layer: int = 1, is_dashed: bool = False
    ) -> None:
        """Draw straight lines."""
        segments = [((x, y), (right, top)) for x, y, right, top in ends]
        style: Any = (0, (3.5, 2.5)) if is_dashed else "solid"
        thick = width * 72 / _DPI
        self._figure.add_artist(
            LineCollection(
                segments, colors=colour, linewidths=thick, linestyles=style, zorder=layer, transform=_PIXELS
            )
        )

    def boxes(
        self,
        boxes: Iterable[Box],
        colour: str,
        *,
        layer: int = 3,
        alpha: float = 1.0,
        is_hatched: bool = False,
    ) -> None:
        """Fill boxes, or outline and hatch them."""
        corners = [[(x, y), (right, y), (right, top), (x, top)] for x, y, right, top in boxes]
        style: dict[str, Any] = {"facecolors": colour, "edgecolors": "none"}
        if is_hatched:
            style = {"facecolors": "none", "edgecolors": colour, "hatch": "//", "linewidths": 2}
        self._figure.add_artist(
            PolyCollection(corners, alpha=alpha, zorder=layer, transform=_PIXELS, **style)
        )

    def tag(self, x: float, y: float, text: str, colour: str) -> None:
        """Write on a coloured tag that begins at ``x``."""
        self.boxes([(x, y - 24, WIDTH - 4, y + 24)], colour, layer=6)
        self.write(x + 12, y, text, _TEXT, self.palette.ink, layer=7, weight="bold")

    def circle(self, x: float, y: float, size: float, colour: str, *, width: float, layer: int) -> None:
        """Draw a circle of a diameter; one without a width is filled."""
        points = 72 / _DPI
        self._figure.add_artist(Line2D(
            [x], [y], transform=_PIXELS, marker="o", markersize=size * points, color=colour, zorder=layer,
            linestyle="none", clip_on=False,
            markerfacecolor="none" if width else colour, markeredgewidth=width * points,
        ))  # fmt: skip

    def png(self) -> bytes:
        """Give the picture as a PNG."""
        picture = io.BytesIO()
        self._figure.savefig(picture, format="png", pil_kwargs={"compress_level": 3})
        return picture.getvalue()


class _Prices:
    """One drawing of candles: how prices and times become places, and what stands there."""

    def __init__(self, sheet: _Sheet, chart: PriceChart) -> None:
        self.sheet, self.chart, self.palette = sheet, chart, sheet.palette
        self.low, self.high = _extent(chart)
        self.marks: Prices = price_marks(self.low, self.high)
        self.last = write_exactly(chart.bars[-1].close, self.high - self.low)
        written = [
            self.last,
            *map(self.marks.write, self.marks.places),
            *(one.written for one in chart.levels),
        ]
        self.edge = WIDTH - 28 - _DIGIT * max(map(len, written)) - 4
        self.has_volume = any(bar.volume for bar in chart.bars)
        self.floor = _BOTTOM + (_VOLUME + 8 if self.has_volume else 0)
        self.count = (chart.bars[-1].at - chart.bars[0].at) // chart.span + 1
        self.step = (self.edge - _LEFT - 10) / (self.count + 1)
        self.width = max(1.0, round(self.step * 0.68))

    def x(self, at: float) -> float:
        """Give the place of the middle of the candle that opens at an instant."""
        place = (at - self.chart.bars[0].at) / self.chart.span + 0.5
        return _LEFT + place * self.step

    def y(self, price: float) -> float:
        """Give the place of a price."""
        return self.floor + (price - self.low) / (self.high - self.low) * (_TOP - self.floor)

    def draw(self) -> None:
        """Draw everything below the title."""
        self.draw_times()
        for is_up in (True, False):
            self.draw_candles(is_up)
        taken = self.draw_levels()
        rose = self.chart.bars[-1].close >= self.chart.bars[-1].open
        place = _aside(self.y(self.chart.bars[-1].close), taken)
        self.sheet.tag(self.edge, place, self.last, self.palette.up if rose else self.palette.down)
        self.draw_prices([*taken, place])
        self.draw_mark()

    def draw_times(self) -> None:
        """Draw the lines of the times, and write them; one that would be cut at an edge is not written."""
        chart, place, room = self.chart, self.mark_place(), 0.0
        if chart.mark is not None and place is not None:
            room = _half(chart.mark.label)
            place = self._within(place, room)
        for at, written in time_marks(chart.bars, chart.span, chart.timezone, chart.language):
            x, half = self.x(at), _half(written)
            self.sheet.lines([(x, _BOTTOM, x, _TOP)], self.palette.grid, 1.5)
            if half < x < self.edge + 30 - half and (place is None or abs(x - place) > half + room):
                self.sheet.write(x, _BOTTOM - 34, written, _SMALL, self.palette.faint, ha="center")

    def draw_candles(self, is_up: bool) -> None:
        """Draw the candles that rose, or those that fell; a body is seen also where it went nowhere."""
        bars = [bar for bar in self.chart.bars if (bar.close >= bar.open) is is_up]
        colour = self.palette.up if is_up else self.palette.down
        half, bodies, wicks, volumes = self.width / 2, [], [], []
        most = max(bar.volume for bar in self.chart.bars) or 1.0
        for bar in bars:
            x = round(self.x(bar.at) - half) + half
            low, high = sorted((self.y(bar.open), self.y(bar.close)))
            spare = max(0.0, 2.5 - (high - low)) / 2
            bodies.append((x - half, low - spare, x + half, high + spare))
            wicks.append((x, self.y(bar.low), x, self.y(bar.high)))
            volumes.append((x - half, _BOTTOM, x + half, _BOTTOM + _VOLUME * bar.volume / most))
        self.sheet.lines(wicks, colour, 2, layer=3)
        self.sheet.boxes(bodies, colour, layer=3)
        if self.has_volume:
            self.sheet.boxes(volumes, colour, layer=2, alpha=0.4)

    def draw_levels(self) -> list[float]:
        """Draw the levels in reach, and name the others at their edge; gives the places of the tags."""
        taken: list[float] = []
        ends = {True: _TOP - 14.0, False: self.floor + 16.0}
        for line in sorted(self.chart.levels, key=lambda one: one.price):
            if self.low <= line.price <= self.high:
                y = self.y(line.price)
                self.sheet.lines([(0, y, self.edge, y)], self.palette.level, 3, layer=4, is_dashed=True)
                taken.append(_aside(y, taken))
                self.sheet.tag(self.edge, taken[-1], line.written, self.palette.level)
                if line.name:
                    self.name(line.name, y)
                continue
            is_above = line.price > self.high
            arrow = "▲" if is_above else "▼"
            text = " ".join(filter(None, (arrow, line.name, line.written)))
            self.sheet.write(_LEFT, ends[is_above], text, _SMALL, self.palette.level)
            ends[is_above] += -36 if is_above else 36
        return taken

    def name(self, name: str, y: float) -> None:
        """Write what a level is called, on its line at the left."""
        self.sheet.write(
            _LEFT, y + 6, name, _SMALL, self.palette.level, va="bottom",
            bbox={"facecolor": self.palette.paper, "edgecolor": "none", "alpha": 0.72, "pad": 1},
        )  # fmt: skip

    def draw_prices(self, taken: Sequence[float]) -> None:
        """Draw the lines of round prices, and write those that no tag covers."""
        for price in self.marks.places:
            y = self.y(price)
            self.sheet.lines([(0, y, self.edge, y)], self.palette.grid, 1.5)
            if all(abs(y - other) > 44 for other in taken) and y < _TOP + 10:
                self.sheet.write(self.edge + 12, y, self.marks.write(price), _TEXT, self.palette.faint)

    def _within(self, x: float, half: float) -> float:
        """Move the middle of a label of half that width so far that it is whole."""
        return min(max(x, half), self.edge - half)

    def mark_place(self) -> float | None:
        """Give the place of the candle in which it rang, if it is on the sheet."""
        mark, first = self.chart.mark, self.chart.bars[0].at
        if mark is None or not 0 <= mark.at - first < self.count * self.chart.span:
            return None
        return self.x(first + (mark.at - first) // self.chart.span * self.chart.span)

    def draw_mark(self) -> None:
        """Circle the ring, and write its time below."""
        mark, x = self.chart.mark, self.mark_place()
        if mark is None or x is None:
            return
        y, colour = self.y(mark.price), self.palette.mark
        self.sheet.circle(x, y, 40, self.palette.paper, width=9, layer=7)
        self.sheet.circle(x, y, 40, colour, width=5, layer=8)
        self.sheet.circle(x, y, 11, colour, width=0, layer=8)
        self.sheet.lines([(x, _BOTTOM, x, y - 22)], colour, 2, layer=2)
        half = _half(mark.label)
        x = self._within(x, half)
        self.sheet.boxes([(x - half, _BOTTOM - 57, x + half, _BOTTOM - 11)], colour, layer=7)
        paper = self.palette.paper
        self.sheet.write(x, _BOTTOM - 34, mark.label, _TEXT, paper, ha="center", layer=8, weight="bold")


def _half(label: str) -> float:
    """Give half the width of a label below the chart."""
    wide = sum(sign >= _FIRST_WIDE for sign in label)
    return (len(label) * _DIGIT + wide * (_TEXT - _DIGIT)) * 0.5 + 12


def _extent(chart: PriceChart) -> tuple[float, float]:
    """Give the prices at the edges: of the bars, and of the levels that are not too far away."""
    low, high = min(bar.low for bar in chart.bars), max(bar.high for bar in chart.bars)
    if chart.mark is not None:
        low, high = min(low, chart.mark.price), max(high, chart.mark.price)
    room = (high - low) * _REACH
    near = [line.price for line in chart.levels if low - room <= line.price <= high + room]
    low, high = min([low, *near]), max([high, *near])
    margin = (high - low) * 0.07 or high * 0.01
    return low - margin, high + margin


def _aside(y: float, taken: Sequence[float]) -> float:
    """Move a tag aside from those that are there, by no more than it must."""
    free = [y, *(other + way * 50 for other in taken for way in (1, -1))]
    return min(
        (one for one in free if all(abs(one - other) >= 49 for other in taken)),
        key=lambda one: abs(one - y),
    )


def _draw_flows(sheet: _Sheet, chart: FlowChart) -> None:
    """Draw the sessions as columns from zero, up or down; one that is not final is hatched."""
    palette = sheet.palette
    floor, top = 118, _TOP - 6
    values = [flow.value for flow in chart.flows if flow.value is not None]
    high, low = max([0.0, *values]), min([0.0, *values])
    above, below = (56 if high > 0 else 16), (56 if low < 0 else 16)
    scale = (top - above - floor - below) / ((high - low) or 1.0)
    zero = floor + below - low * scale
    step = (WIDTH - 2 * _LEFT) / len(chart.flows)
    for number, flow in enumerate(chart.flows):
        x = _LEFT + (number + 0.5) * step
        sheet.write(x, 76, flow.day, _TEXT, palette.text, ha="center")
        is_first = number == 0 or chart.flows[number - 1].month != flow.month
        sheet.write(x, 34, flow.month if is_first else "", _SMALL, palette.faint, ha="center")
        if flow.value is None:
            sheet.write(x, zero + 22, flow.written, _SMALL, palette.faint, ha="center")
            continue
        end = zero + flow.value * scale
        box = (x - step * 0.36, min(zero, end - 1), x + step * 0.36, max(zero, end + 1))
        colour = palette.down if flow.value < 0 else palette.up
        sheet.boxes([box], colour, is_hatched=not flow.is_final)
        y = end - 26 if flow.value < 0 else end + 26
        sheet.write(x, y, flow.written, min(_TEXT, step * 0.31), palette.text, ha="center", weight="bold")
    sheet.lines([(_LEFT, zero, WIDTH - _RIGHT, zero)], palette.faint, 2, layer=4)
    if chart.unsettled and any(not flow.is_final for flow in chart.flows):
        box = (WIDTH - _RIGHT - 46, HEIGHT - 120, WIDTH - _RIGHT, HEIGHT - 86)
        sheet.boxes([box], palette.text, is_hatched=True)
        sheet.write(box[0] - 14, HEIGHT - 102, chart.unsettled, _SMALL, palette.text, ha="right")
