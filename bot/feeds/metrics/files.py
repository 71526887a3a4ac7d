"""History from files: candles and metrics as CSV, checked line by line before any of it is used.

Candles: ``time,open,high,low,close,volume``, the time being the opening of the bar. Metrics:
``as_of,value[,observed_at,final]``. Columns may stand in any order, others beside them are ignored. A time is
ISO 8601, in UTC where it names no zone, or an epoch in seconds or milliseconds.
"""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import NoReturn

from bot.engine.compiler import compile_rule
from bot.engine.past import Past, Unfit
from bot.engine.sessions import DAILY, Calendar, day_of, midnight_of
from bot.feeds.exchanges.candles import EARLIEST
from bot.metrics import MINUTE, Bar, MetricKey, Observation
from bot.ports import TocsinError
from bot.rules import parse, qualify
from bot.rules.tree import Call, Compare, Instrument, Options, Rule

_DAY = 86_400
_CANDLE = ("time", "open", "high", "low", "close", "volume")
_METRIC = ("as_of", "value")
_MILLISECONDS_FROM = 1e11
"""As seconds this is the year 5138, as milliseconds 1973: no candle is that late or that old."""

_SHOWN = 40
_LATEST = 4_102_444_800
"""The first second of 2100."""

_TRUTHS: Mapping[str, bool] = {
    "": True,
    **dict.fromkeys(("true", "1", "yes", "y", "t"), True),
    **dict.fromkeys(("false", "0", "no", "n", "f"), False),
}


class BadFile(TocsinError):
    """A file that cannot be used; the text is one sentence that names the file and the line."""


class CandleFile:
    """The bars of one file, rising; they may be gone through more than once.

    ``span`` is the length of each in seconds: the most frequent step of the file. Holes are unknown. Held in
    arrays, at 48 bytes a bar.
    """

    def __init__(self, span: int, ats: array[int], prices: array[float]) -> None:
        self.span = span
        self._ats = ats
        self._prices = prices

    def __len__(self) -> int:
        return len(self._ats)

    def __iter__(self) -> Iterator[Bar]:
        values = iter(self._prices)
        rows = zip(self._ats, values, values, values, values, values, strict=True)
        for at, opened, high, low, close, volume in rows:
            yield Bar(at, opened, high, low, close, volume, self.span)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a file, as text by column."""

    name: str
    number: int
    values: Mapping[str, str]

    def refuse(self, what: str) -> NoReturn:
        raise BadFile(f"{self.name}, line {self.number}: {what}.")

    def shown(self, column: str) -> str:
        """Give a value as it may stand in a sentence: short, and on one line."""
        text = " ".join(self.values[column].split())
        return f'{column} is "{text if len(text) <= _SHOWN else text[:_SHOWN] + "..."}"'

    def number_of(self, column: str) -> float:
        """Read a finite number."""
        text = self.values[column]
        try:
            value = float(text)
        except ValueError:
            self.refuse(f"{self.shown(column)}, which is no number")
        if not isfinite(value) or "_" in text:
            self.refuse(f"{self.shown(column)}, which is no number")
        return value

    def exact_of(self, column: str) -> Decimal:
        """Read a finite number as it is written."""
        self.number_of(column)
        return Decimal(self.values[column])

    def time_of(self, column: str) -> float:
        """Read an instant, in epoch seconds."""
        stamp = read_time(self.values[column])
        if stamp is None:
            self.refuse(f"{self.shown(column)}, which is no time; write 2025-11-12T19:00Z or an epoch")
        if not EARLIEST <= stamp < _LATEST:
            self.refuse(f"{self.shown(column)}, which is not between 2009 and 2099")
        return stamp


def read_time(text: str) -> float | None:
    """Read an instant as these files write it, in epoch seconds; ``None`` if it is none."""
    try:
        stamp = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        except (ValueError, OverflowError):
            return None
    return stamp / 1000 if abs(stamp) >= _MILLISECONDS_FROM else stamp


def read_history(given: Iterable[str], quote: str) -> Past:
    """Read the files of a backtest, each written as KEY=FILE.csv; ``quote`` is that of ``btc`` alone.

    A metric may be given as candles too (the index of a stock market): then its values are each day's close.
    Raises BadFile, Unfit for a key that is no series, and RuleError for one that cannot be read.
    """
    bars: dict[MetricKey, CandleFile] = {}
    values: dict[MetricKey, list[Observation]] = {}
    for one in given:
        name, equals, file = one.partition("=")
        if not equals:
            raise Unfit(f"Data is given as KEY=FILE.csv, such as btc/usdt=btc.csv, and not as {one}.")
        key, calendar, is_metric = series_of(name, quote)
        if key in bars or key in values:
            raise Unfit(f"Data for {key} is given twice.")
        if is_metric and _has_candles(Path(file)):
            values[key] = _closes(read_candles(Path(file)), key, file)
        elif is_metric:
            values[key] = read_metric(Path(file), key, calendar)
        else:
            bars[key] = read_candles(Path(file))
    return Past(bars, values)


def series_of(text: str, quote: str) -> tuple[MetricKey, Calendar | None, bool]:
    """Read the name of a series as rules name it: ``btc``, ``eth/usd@kraken``, ``etf_flow(btc)``.

    Gives its key, the sessions to which its values belong, and whether it is a metric. Raises RuleError, and
    Unfit for what is computed of a series and is none itself.
    """
    rule = qualify(parse(f"{text} > 1"), quote)
    try:
        life = compile_rule(rule, True, 0, {})
    except ValueError as error:
        raise Unfit(f"{text} cannot be read from a file: {error}.") from error
    match rule:
        case Rule(condition=Compare(left=Instrument() | Call() as named), options=options) if (
            options == Options() and len(life.keys) == 1
        ):
            [key] = life.keys
            if isinstance(named, Instrument) or (key in life.calendars and key.metric == named.function):
                return key, life.calendars.get(key), key in life.calendars
    raise Unfit(f"{text} is no series; write btc, eth/usd or etf_flow(btc).")


def read_candles(path: Path) -> CandleFile:
    """Read a file of candles. Raises BadFile."""
    ats, lines, prices = array("q"), array("q"), array("d")
    for line in _lines(path, _CANDLE):
        at = line.time_of("time")
        if at % MINUTE:
            line.refuse(f"{line.shown('time')}, at which no minute opens")
        if ats and at <= ats[-1]:
            repeats = at == ats[-1]
            line.refuse(
                f"its time is that of line {lines[-1]} again"
                if repeats
                else f"its time is before that of line {lines[-1]}; times must rise"
            )
        opened, high, low, close, volume = (line.number_of(column) for column in _CANDLE[1:])
        if low > high:
            line.refuse(f"low {low:g} is above high {high:g}")
        if not 0 < low <= min(opened, close) <= max(opened, close) <= high:
            line.refuse("prices must be above 0, and open and close between low and high")
        if volume < 0:
            line.refuse(f"volume {volume:g} is below 0")
        ats.append(int(at))
        lines.append(line.number)
        prices.extend((opened, high, low, close, volume))
    return CandleFile(_span(path.name, ats, lines), ats, prices)


def read_metric(path: Path, key: MetricKey, calendar: Calendar | None = None) -> list[Observation]:
    """Read a file of a metric's values, rising by what they are about and when they became known.

    Without ``observed_at`` a value is known when its session of the ``calendar`` (else its UTC day) is
    settled, where ``as_of`` is a day, and else at that instant. A line
    without a value says nothing, and is passed over. Raises BadFile.
    """
    sessions = calendar or DAILY
    words: list[Observation] = []
    before: tuple[int, float] | None = None
    for line in _lines(path, _METRIC):
        if not line.values["value"]:
            continue
        as_of = int(line.time_of("as_of"))
        is_day = as_of % _DAY == 0
        if line.values.get("observed_at"):
            known_at = line.time_of("observed_at")
        else:
            known_at = float(sessions.settles_at(day_of(as_of))) if is_day else float(as_of)
        if known_at < as_of:
            line.refuse("observed_at is before as_of")
        final = line.values.get("final", "").lower()
        if final not in _TRUTHS:
            line.refuse(f"{line.shown('final')}; write true or false")
        if before is not None and (as_of, known_at) <= before:
            is_same = (as_of, known_at) == before
            line.refuse(
                "it says the same as_of again; a correction needs its own observed_at"
                if is_same
                else "lines must rise by as_of, and of one as_of by observed_at"
            )
        revision = words[-1].revision + 1 if words and words[-1].as_of == as_of else 0
        value = line.exact_of("value")
        words.append(Observation(key, as_of, value, known_at, _TRUTHS[final], revision, path.name))
        before = as_of, known_at
    if not words:
        raise BadFile(f"{path.name} holds no values.")
    return words


def _has_candles(path: Path) -> bool:
    """Whether the first line of a file names the columns of candles."""
    with _readable(path), path.open(encoding="utf-8-sig", newline="") as file:
        columns = {column.strip().lower() for column in next(csv.reader(file), [])}
    return columns.issuperset(_CANDLE)


def _closes(candles: Iterable[Bar], key: MetricKey, name: str) -> list[Observation]:
    """Take the last close of each UTC day, known when its bar ends."""
    last = {midnight_of(day_of(bar.at)): bar for bar in candles}
    return [
        Observation(key, at, Decimal(str(bar.close)), float(bar.end), source=name) for at, bar in last.items()
    ]


def _span(name: str, ats: array[int], lines: array[int]) -> int:
    """Find the most frequent step, and see that every candle stands on it."""
    if len(ats) < 2:
        raise BadFile(f"{name} holds {len(ats)} candles: at least two are needed to know how long one is.")
    steps = Counter(later - at for at, later in pairwise(ats))
    most = max(steps.values())
    span = min(step for step, count in steps.items() if count == most)
    if _DAY % span:
        raise BadFile(f"{name} holds candles of {_length(span)}, which do not divide a day.")
    for at, number in zip(ats, lines, strict=True):
        if (at - ats[0]) % span:
            raise BadFile(
                f"{name}, line {number}: its time is not a whole number of {_length(span)} after the first."
            )
    return span


def _length(span: int) -> str:
    for unit, name in ((_DAY, "day"), (3600, "hour"), (MINUTE, "minute")):
        if span % unit == 0:
            count = span // unit
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return f"{span} seconds"


def _lines(path: Path, needed: Iterable[str]) -> Iterator[_Line]:
    """Yield the lines of a file after its first, which names the columns. Raises BadFile."""
    with _readable(path), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, skipinitialspace=True)
        columns = [column.strip().lower() for column in next(reader, [])]
        missing = [column for column in needed if column not in columns]
        if missing:
            wanted = ",".join(needed)
            raise BadFile(f"{path.name} lacks {', '.join(missing)}: its first line must be {wanted}.")
        for row in reader:
            if not any(row):
                continue
            if len(row) != len(columns):
                count = f"{len(row)} values where the first line names {len(columns)}"
                raise BadFile(f"{path.name}, line {reader.line_num}: it has {count}.")
            values = dict(zip(columns, map(str.strip, row), strict=True))
            yield _Line(path.name, reader.line_num, values)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{path.name} is no text in UTF-8.") from error
    except csv.Error as error:
        raise BadFile(f"{path.name} is no CSV: {error}.") from error
