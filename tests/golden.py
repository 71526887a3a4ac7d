"""Golden cases, as ``tests/rules`` holds them: rules, the market they are judged on, and what comes of it.

A case is a table of a TOML file::

    row = "btc breaks 100k"         the phrase of the language that it stands for
    text = "btc breaks 100k"        what is typed; a list where several lines mean the same
    canonical = "btc crosses ..."   left out where the text is canonical
    sentence = "BTC reaching ..."
    levels = { floor = 98000 }
    series."btc" = "101k | 100.5k 99.9k/100.2k/99k/99.5k - 100k*3 100k@7"
    values."etf_flow(btc)" = "11-24 -151m; 11-25 128.7m known 11-26 02:30 provisional; 11-26: 1b 2b (-1m)*5"
    verdicts = "F TF ? T*3"
    asked = "11-26 12:59 T; 11-26 13:00 ?"
    why = ["11-26 13:00 its next value is overdue since 2025-11-26 13:00 UTC"]
    told = ["00:02 99.9k", "resolution 00:07 101k"]

Series are bars of a minute, or of the length before a colon (``1h: ...``): a close (the bar opens at the
close before it), or open/high/low/close; ``-`` is a hole, ``@7`` the volume (else 1), ``*3`` three times,
also behind brackets. The alert is made at the bar ``|``, else at the first: at 2025-11-10 00:00 UTC, unless
the case says ``made``. ``demo`` is the path of the demonstration, ``facts`` what the cases of a file share.

Values are what they are about, the figure, and when it was known if that was not at its settlement; after
``11-26:`` they are those of that session and the next ones, or of that day where there are no sessions.

Verdicts are *may* and *must*, in one letter where they are equal, for each bar; for a rule of closed candles
and metrics, for each instant at which a candle closes or a value arrives. ``asked`` are other instants.

``why`` is what is said of a minute or an instant whose verdict is unknown: when, and the reasons in English.

``told`` is all that a shared alert tells: the kind if it is no ring, when, and the figures that decided it.
``first`` is the beginning of the first ring's time alone, and the market ends with that day.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from bot import backtest
from bot.backtest import Replay, needs_of
from bot.demo.days import November
from bot.engine.compiler import compile_rule
from bot.engine.judge import Node, Slots
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.past import Past
from bot.engine.reasons import Reason, reasons
from bot.engine.sessions import DAILY, Calendar, day_of
from bot.engine.state import Evidence, Memory, Ring, Transition
from bot.engine.truth import UNKNOWN, Tri, Truth
from bot.engine.world import World
from bot.feeds.metrics.files import series_of
from bot.metrics import MINUTE, Bar, MetricKey, Observation, opening_of
from bot.rules import english, fill, parse, qualify
from bot.rules.tree import Rule

DIRECTORY = Path(__file__).parent / "rules"
FILES = ("typed", "functions", "conditions", "november")
MADE = datetime(2025, 11, 10, tzinfo=UTC)

_SPANS = {"m": MINUTE, "h": 3600, "d": 86_400}
_FACTORS = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9}
_LETTERS: Mapping[Tri, str] = {True: "T", False: "F", None: "?"}
_WHEN = r"(?:(?:\d{4}-)?\d\d-\d\d)?(?: ?\d\d:\d\d)?"
_TOLD = re.compile(rf"(?:([a-z]+) )?({_WHEN})((?: \S+)*)")
_EXPLAINED = re.compile(rf"({_WHEN}) ")
_GROUP = re.compile(r"\(([^()]*)\)\*(\d+)")
_WORD = re.compile(rf"({_WHEN}) (\S+)(?: known ({_WHEN}))?( provisional)?")

Told = tuple[str, str, tuple[float, ...]]


@cache
def _document(name: str) -> dict[str, Any]:
    return tomllib.loads((DIRECTORY / f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Case:
    """One golden case as its file has it, and the ``facts`` of that file."""

    table: Mapping[str, Any]
    facts: Mapping[str, str]

    @property
    def texts(self) -> list[str]:
        """What is typed."""
        text = self.table["text"]
        return [text] if isinstance(text, str) else text

    @property
    def canonical(self) -> str:
        """The canonical text."""
        return str(self.table.get("canonical", self.texts[0]))

    @property
    def rule(self) -> Rule:
        """The rule as an arming reads it: filled in and qualified."""
        levels = {name: Decimal(str(value)) for name, value in self.table.get("levels", {}).items()}
        return qualify(fill(parse(self.canonical), levels), "usdt")

    @property
    def made(self) -> int:
        """The instant at which bars begin to be judged."""
        return _instant(self.table["made"]) if "made" in self.table else int(MADE.timestamp())

    def past(self) -> Past:
        """Give the market of the case, with what was before the alert was made."""
        bars = {
            series_of(name, "usdt")[0]: self._bars(name, text) for name, text in self._given("series").items()
        }
        values = {
            series_of(name, "usdt")[0]: self._words(name, text)
            for name, text in self._given("values").items()
        }
        return Past(bars, values)

    def _given(self, what: str) -> dict[str, str]:
        return {
            name: self.facts[name] if text == "facts" else text
            for name, text in self.table.get(what, {}).items()
        }

    def _bars(self, name: str, text: str) -> Sequence[Bar]:
        return _demo() if text == "demo" else list(_read_bars(text, self.made))

    def _words(self, name: str, text: str) -> list[Observation]:
        key, calendar, _ = series_of(name, "usdt")
        words: list[Observation] = []
        for part in _rows(text, calendar or DAILY):
            found = _WORD.fullmatch(part.strip())
            assert found, part
            as_of = _instant(found[1])
            is_day = ":" not in found[1]
            settled = float((calendar or DAILY).settles_at(day_of(as_of)) if is_day else as_of)
            known = _instant(found[3]) if found[3] else settled
            revision = sum(one.as_of == as_of for one in words)
            words.append(Observation(key, as_of, _number(found[2]), known, not found[4], revision))
        return words


def cases(*names: str) -> list[Any]:
    """List the cases of some files, each named by its row and text."""
    found = []
    for name in names or FILES:
        document = _document(name)
        for table in document["case"]:
            case = Case(table, document.get("facts", {}))
            found.append(pytest.param(case, id=f"{name}: {table.get('about', table['row'])}"))
    return found


def rows() -> list[tuple[str, str]]:
    """List the rows that the files promise to hold, each with its file."""
    return [(name, row) for name in FILES for row in _document(name)["rows"]]


# --- judging ------------------------------------------------------------------------------------------------


def told(case: Case) -> list[Transition]:
    """Judge the case as a backtest does; gives all that was told."""
    return [transition for _, transition in _replay(case)]


def _replay(case: Case) -> Replay:
    since = _instant(case.table["made"]) if "made" in case.table else None
    if case.table.get("series") and "demo" not in case.table["series"].values():
        since = case.made
    until = _instant(case.table["first"].partition(" ")[0]) + 86_400 if "first" in case.table else None
    return Replay((case.rule,), case.past(), since, until)


@dataclass(slots=True)
class Tap:
    """A node that notes what another one answered, the first time for each minute."""

    node: Node
    is_still: bool
    heard: dict[int, Truth]
    world: World | None = None

    def judge(self, minute: Minute, memory: Memory, out: Slots) -> Truth:
        truth = self.node.judge(minute, memory, out)
        if minute.is_over or self.is_still:  # an alert is made within a minute, and that of a metric between
            self.heard.setdefault(minute.at, truth)
        self.world = minute.world
        return truth

    def evidence(self, minute: Minute, memory: Memory) -> Iterator[Evidence]:
        return self.node.evidence(minute, memory)

    def instant(self, minute: Minute, memory: Memory) -> int:
        return self.node.instant(minute, memory)

    def levels(self, minute: Minute) -> Iterator[tuple[MetricKey, float | None]]:
        return self.node.levels(minute)


def listen(case: Case, taps: list[Tap] | None = None) -> tuple[list[str], list[str], list[Transition]]:
    """Judge every minute of the case, also those at which the index would let an alert rest.

    Gives the verdicts of each bar or point, those at the instants asked for, and all that was told.
    """
    taps = [] if taps is None else taps

    def compile_tapped(*arguments: Any) -> Life:
        life = compile_rule(*arguments)
        tap = Tap(life.node, life.is_still, {})
        taps.append(tap)
        clear: Node = tap if life.clear is life.node else life.clear
        return replace(life, node=tap, clear=clear, is_restless=True)

    replay = _replay(case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "compile_rule", compile_tapped)
        transitions = [transition for _, transition in replay]
    tap = taps[-1]
    verdicts = [_letters(tap.heard.get(at, UNKNOWN)) for at in _moments(case, replay, tap.is_still)]
    return verdicts, [_letters(_asked(tap, at, case)) for at, _ in asked(case)], transitions


def _moments(case: Case, replay: Replay, is_still: bool) -> list[int]:
    past, needs = case.past(), needs_of(case.rule, replay.since)
    if not is_still:
        span = max(bar.span for key in needs.prices for bar in past.bars[key])
        return list(range(replay.since, replay.until, span))
    found: set[int] = set()
    for name in case.table.get("values", {}):
        key, calendar, _ = series_of(name, "usdt")
        said = (one for one in past.values[key] if (calendar or DAILY).is_session(day_of(one.as_of)))
        found.update(ceil(one.known_at) for one in said)
    for frame in needs.frames:
        first = opening_of(replay.since, frame) + frame
        found.update(range(first, replay.until + 1, frame))
    return sorted(at for at in found if replay.since <= at <= replay.until)


def whys(case: Case) -> list[str]:
    """Say for each instant that the case wants explained why its verdict is unknown."""
    taps: list[Tap] = []
    listen(case, taps)
    found = []
    for line in case.table["why"]:
        match = _EXPLAINED.match(line)
        assert match, line
        said = dict.fromkeys(english(one.why) for one in _reasons(case, taps[-1], _instant(match[1])))
        found.append(f"{match[1]} {'; '.join(said)}")
    return found


def unexplained(case: Case) -> list[str]:
    """List the bars or points whose verdict is unknown and for which there is no reason."""
    taps: list[Tap] = []
    listen(case, taps)
    moments = _moments(case, _replayed(case), taps[-1].is_still)
    open_ones = (at for at in moments if taps[-1].heard.get(at, UNKNOWN).may is None)
    return [written(at) for at in open_ones if not _reasons(case, taps[-1], at)]


def _replayed(case: Case) -> Replay:
    replay = _replay(case)
    for _ in replay:
        pass
    return replay


def _reasons(case: Case, tap: Tap, at: int) -> Sequence[Reason]:
    life = compile_rule(case.rule, True, at, {})
    known = ((key, bar) for key, run in case.past().bars.items() for bar in run if bar.at == at)
    bars = {key: bar for key, bar in known if key in life.priced and not life.is_still}
    span = 0 if life.is_still else max((bar.span for bar in bars.values()), default=MINUTE)
    assert tap.world
    return reasons(life, Minute(at, bars, tap.world, span=span))


def _asked(tap: Tap, at: int, case: Case) -> Truth:
    assert tap.is_still, f"{case.canonical} is judged in every minute: write its verdicts"
    life = compile_rule(case.rule, True, at, {})
    assert tap.world
    return life.node.judge(Minute(at, {}, tap.world, span=0), (None,) * life.slots, [])


# --- reading ------------------------------------------------------------------------------------------------


def asked(case: Case) -> list[tuple[int, str]]:
    """Read the instants asked for, each with its verdict."""
    parts = [part.strip().rpartition(" ") for part in case.table.get("asked", "").split(";") if part.strip()]
    return [(_instant(when), letters) for when, _, letters in parts]


def expected_verdicts(case: Case) -> list[str]:
    """Read the verdicts, with what repeats written out."""
    return _expanded(case.table["verdicts"])


def expected_told(case: Case) -> list[Told]:
    """Read what is to be told."""
    found = []
    for line in case.table["told"]:
        match = _TOLD.fullmatch(line)
        assert match, line
        kind, when, figures = match.groups()
        found.append((kind or "ring", written(_instant(when)), tuple(map(_number, figures.split()))))
    return found


def shown(transitions: Sequence[Transition], like: Sequence[Told]) -> list[Told]:
    """Write down what was told as the expected is: all figures where that names several, else the first."""
    found: list[Told] = []
    for place, one in enumerate(transitions):
        wanted = len(like[place][2]) if place < len(like) else 1
        values = [part.value for part in one.evidence] if isinstance(one, Ring) and wanted > 1 else []
        values = values or ([] if wanted == 0 else [getattr(one, "value", 0.0)])
        figures = tuple(float(f"{value:.9g}") for value in values)
        found.append((type(one).__name__.lower(), written(one.at), figures))
    return found


def written(at: float) -> str:
    """Write an instant, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _letters(truth: Truth) -> str:
    may, must = (_LETTERS[half] for half in truth)
    return may if may == must else may + must


def _rows(text: str, calendar: Calendar) -> Iterator[str]:
    """List the words about a metric, with those of a run of sessions written out."""
    for part in text.split(";"):
        first, colon, figures = part.strip().partition(": ")
        day = day_of(_instant(first)) if colon else None
        if day is None:
            yield first
            continue
        for figure in _expanded(figures):
            yield f"{day.isoformat()} {figure}"
            day = calendar.next_session(day)


def _expanded(text: str) -> list[str]:
    """List words, with what repeats written out."""
    text = _GROUP.sub(lambda match: " ".join([match[1]] * int(match[2])), text)
    words = (word.partition("*") for word in text.split())
    return [word for word, _, times in words for _ in range(int(times or 1))]


def _number(text: str) -> float:
    suffix = text[-1] if text[-1] in _FACTORS else ""
    return float(f"{float(text.removesuffix(suffix)) * _FACTORS[suffix]:.9g}")


def _instant(text: str) -> int:
    day, _, clock = text.rpartition(" ") if ":" in text else (text, "", "00:00")
    day = day or MADE.strftime("%m-%d")
    full = day if len(day) > len("11-10") else f"{MADE.year}-{day}"
    return int(datetime.fromisoformat(f"{full}T{clock}+00:00").timestamp())


def _read_bars(text: str, made: int) -> Iterator[Bar]:
    length, colon, rest = text.partition(":")
    span = int(length[:-1]) * _SPANS[length[-1]] if colon else MINUTE
    earlier, bar, later = (rest if colon else text).rpartition("|")
    history = _expanded(earlier) if bar else []
    tokens, before = history + _expanded(later), len(history)
    close: float | None = None
    for place, token in enumerate(tokens):
        at = made + (place - before) * span
        if token == "-":
            close = None
            continue
        prices, _, volume = token.partition("@")
        figures = [_number(price) for price in prices.split("/")]
        if len(figures) == 1:
            opened = figures[0] if close is None else close
            figures = [opened, max(opened, figures[0]), min(opened, figures[0]), figures[0]]
        yield Bar(at, *figures, volume=float(volume or 1), span=span)
        close = figures[-1]


@cache
def _demo() -> tuple[Bar, ...]:
    """Give Bitcoin's minutes from the 10th to the 29th of November 2025, as the demonstration has them."""
    path = November()
    opens = range(int(path.start), int(path.end), MINUTE)
    return tuple(bar for at in opens if (bar := path.bar("btc/usdt", at, at + MINUTE)) is not None)
