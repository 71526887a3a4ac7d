"""Charts as data: what a picture in a message shows, before anybody draws it.

All words in it are ready, in the person's language; who draws adds none. Equal charts are equal pictures, so
that one drawing serves every chat that is told the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bot.metrics import Bar, MetricKey, opening_of

Theme = Literal["dark", "light"]

CANDLES = 100
"""About how many candles a chart has."""


@dataclass(frozen=True, slots=True)
class Line:
    """A level: a price, how it is written, and what it is called (``@etf_cost``, ``#3``), if anything."""

    price: float
    written: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """The moment at which an alert rang, and the price of it; ``label`` is the time as it is written."""

    at: float
    price: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class PriceChart:
    """Candles of one instrument, the levels that matter, and where an alert rang.

    ``bars`` rise without a hole, each opening at a multiple of ``span`` seconds; the last may be shorter, of
    what is known of a candle that is not over. ``timezone`` is the IANA name of the clock below them,
    ``language`` the tag of that in which its days are written.
    """

    title: str
    subtitle: str
    span: int
    bars: tuple[Bar, ...] = ()
    levels: tuple[Line, ...] = ()
    mark: Mark | None = None
    timezone: str = "UTC"
    theme: Theme = "dark"
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Flow:
    """One session: its day of the month, its month, and its flow; ``None`` where it is missing."""

    day: str
    month: str
    value: float | None
    written: str = ""
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class FlowChart:
    """The flows of sessions, the oldest first; ``unsettled`` says what a session is that is not final."""

    title: str
    subtitle: str
    flows: tuple[Flow, ...]
    unsettled: str = ""
    theme: Theme = "dark"


Chart = PriceChart | FlowChart


@dataclass(frozen=True, slots=True)
class Sketch:
    """A price chart whose candles are to be asked of the market: of ``key``, from ``since`` to ``until``.

    Both are epoch seconds. What is final of the candle that holds ``until`` is asked for in minutes.
    """

    key: MetricKey
    since: int
    until: int
    frame: PriceChart

    @property
    def span(self) -> int:
        """The length of a candle in seconds."""
        return self.frame.span

    @property
    def running_since(self) -> int:
        """The opening of the candle that is not over at ``until``."""
        return opening_of(self.until, self.span)

    def filled(self, bars: Iterable[Bar], minutes: Sequence[Bar] = ()) -> PriceChart | None:
        """Fill in the candles and the minutes after them; ``None`` where there are too few to show anything.

        The price of the mark is one that was traded, so it counts where its minute is not final yet.
        """
        candles = [bar for bar in bars if bar.at < self.running_since]
        running = [bar for bar in minutes if bar.at >= self.running_since]
        mark = self.frame.mark
        seen_to = running[-1].end if running else self.running_since
        if mark and seen_to <= mark.at < self.running_since + self.span:
            opened = running[-1].close if running else (candles[-1].close if candles else mark.price)
            low, high = sorted((opened, mark.price))
            running.append(Bar(self.running_since, opened, high, low, mark.price))
        if running:
            candles.append(_running(running, self.running_since, self.span))
        return replace(self.frame, bars=tuple(candles)) if len(candles) > 2 else None


def _running(parts: Sequence[Bar], opening: int, span: int) -> Bar:
    """Join what is known of a candle that is not over."""
    high, low = max(part.high for part in parts), min(part.low for part in parts)
    volume = sum(part.volume for part in parts)
    return Bar(opening, parts[0].open, high, low, parts[-1].close, volume, span)
