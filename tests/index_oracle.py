"""Arm very many plain alerts, and see that exactly those ring that a loop over all of them says.

``python -m tests.index_oracle [--alerts 100000] [--symbols 2000] [--minutes 60] [--seed 0]``: the market has
minutes that nobody read, prices that are not borne out, jumps, and alerts that are made and deleted while it
goes on. The figure is printed at the end, and before it what differs, minute by minute.

The loop knows the language's page on the life of an alert, and nothing of the bot's code: no index, no node.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bot.engine.partition import Partition
from bot.engine.plan import Plan
from bot.engine.state import Correction, Ring
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Print, runs
from tests.markets import START, life_of

Event = tuple[int, str, float]
"""Of which alert, what (``early``, ``ring``, ``confirmed`` or ``taken back``), and of which minute."""

_AROUND, _TICK = 100.0, 0.5
_COOLDOWN = 15 * MINUTE
_LIVES = {"": None, " repeat": _COOLDOWN, " repeat cooldown 1m": MINUTE, " repeat cooldown 4m": 4 * MINUTE}


@dataclass(slots=True)
class Visited:
    """An alert as the loop knows it; ``cooldown`` is ``None`` for one that rings once.

    It waits for a price between ``floor`` and ``ceiling`` (with the ends where ``has_ends``), or, with a
    ``level``, for a crossing: ``way`` is 1 for upward, -1 for downward and 0 for a reaching.
    """

    rule: str
    symbol: int
    cooldown: int | None
    floor: float = -1.0
    ceiling: float = float("inf")
    has_ends: bool = False
    level: float | None = None
    way: int = 0
    made_at: int = 0
    is_armed: bool = False
    is_spent: bool = False
    quiet_until: int = 0
    side: int | None = None
    early: int | None = None

    def make(self, at: int, price: float) -> None:
        """Begin its life at a price."""
        self.made_at = at
        self.is_armed = self.level is not None or not self._is_inside(price, price)
        if self.level is not None:
            self.side = _side(price, self.level) if not self.way or price != self.level else None

    def visit(self, bar: Bar) -> Iterator[tuple[str, float]]:
        """Live through a final minute."""
        if self.is_spent:
            return
        is_true, opens_clear = self._is_true(bar), self._is_clear(bar.open, bar.open)
        is_late = self.early is not None and bar.at > self.early + MINUTE
        is_overdue = self.early is not None and bar.end >= self.early + 2 * MINUTE
        if is_true and (self.is_armed or opens_clear) and bar.at >= self.quiet_until:
            if is_late:
                yield "taken back", self._told
            yield ("ring" if self.early is None or is_late else "confirmed"), bar.at
            self.is_spent, self.early = self.cooldown is None, None
            self.quiet_until = bar.at + (self.cooldown or 0)
            self.is_armed = self._is_clear(bar.close, bar.close)
        else:
            self.is_armed = self.is_armed or self._is_clear(bar.low, bar.high)
            if is_overdue:
                yield "taken back", self._told
                self.early = None
        self._remember(bar)

    def glimpse(self, price: float, at: float, minute: int) -> bool:
        """See a price of a minute that is not final; gives whether that tells the ring early."""
        shown = Bar(minute, price, price, price, price)
        is_due = self.is_armed and not self.is_spent and self.early is None and at > self.made_at
        if not is_due or minute < self.quiet_until or not self._is_true(shown):
            return False
        self.early = minute
        return True

    @property
    def _told(self) -> float:
        return float(self.early if self.early is not None else 0)

    def _is_inside(self, low: float, high: float) -> bool:
        """Whether some price of a stretch is between the ends."""
        if self.has_ends:
            return high >= self.floor and low <= self.ceiling
        return high > self.floor and low < self.ceiling

    def _is_clear(self, low: float, high: float) -> bool:
        """Whether some price of a stretch is not between the ends; a crossing is over at once."""
        if self.level is not None:
            return True
        if self.has_ends:
            return low < self.floor or high > self.ceiling
        return low <= self.floor or high >= self.ceiling

    def _is_true(self, bar: Bar) -> bool:
        if self.level is None:
            return self._is_inside(bar.low, bar.high)
        if self.way:
            return self._passes(bar)
        came_from_a_side = self.side in (1, -1) and _side(bar.open, self.level) != self.side
        if came_from_a_side:
            return True
        if bar.open != self.level:
            return bar.low <= self.level <= bar.high
        has_left = bar.low != bar.high
        return has_left and (bar.close == self.level or bar.low < self.level < bar.high)

    def _passes(self, bar: Bar) -> bool:
        """Whether the price certainly went from one side to the other: the open is first, the close last."""
        assert self.level is not None
        origin, far = (bar.low, bar.high) if self.way > 0 else (bar.high, bar.low)
        began = self.side == -self.way or _side(bar.open, self.level) == -self.way
        ended = _side(bar.close, self.level) == self.way
        is_beyond, was_before = _side(far, self.level) == self.way, _side(origin, self.level) == -self.way
        return (began and is_beyond) or (was_before and ended)

    def _remember(self, bar: Bar) -> None:
        if self.level is None:
            return
        if not self.way or bar.close != self.level:
            self.side = _side(bar.close, self.level)
        elif bar.low < self.level < bar.high:
            self.side = None
        elif bar.low < bar.high:
            self.side = 1 if bar.high > self.level else -1


def _side(price: float, level: float) -> int:
    return (price > level) - (price < level)


@dataclass(slots=True)
class Found:
    """How much both told, by kind, and what only one of them did."""

    told: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    visited: int = 0
    differing: list[str] = field(default_factory=list)


class Trial:
    """One market, the partition and the loop side by side."""

    def __init__(self, alerts: int, symbols: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._keys = [MetricKey("price", f"c{number}/usdt") for number in range(symbols)]
        self._shares = [1 / (number + 1) for number in range(symbols)]
        self._price = [_AROUND] * symbols
        self._partition = Partition()
        self._alerts: dict[int, Visited] = {}
        self._prints: dict[int, Print] = {}
        self._ends = [START] * symbols
        self._made = 0
        self.found = Found()
        self._arm(alerts, START)

    def live(self, minutes: int, changes: int) -> Found:
        """Let minutes pass: in each, some alerts are made and deleted, and prices are shown early."""
        unread: dict[int, list[Bar]] = {}
        for at in range(START, START + minutes * MINUTE, MINUTE):
            self._disarm(changes)
            self._arm(changes, at)
            bars = [self._bar(symbol, at) for symbol in range(len(self._keys))]
            self._look(at + 30, {}, self._shown(bars))
            for symbol, bar in enumerate(bars):
                if self._random.random() > 0.03:  # else nobody ever reads it
                    unread.setdefault(symbol, []).append(bar)
            if self._random.random() < 0.7:
                self._look(at + MINUTE, unread, ())
                unread = {}
        return self.found

    def _look(self, at: int, bars: dict[int, list[Bar]], prints: Iterable[tuple[int, Print]]) -> None:
        """Let both see what one look brings, and compare what they tell."""
        fresh = dict(prints)
        known = tuple(Bars(self._keys[symbol], run) for symbol, some in bars.items() for run in runs(some))
        self._partition.observe(Batch("made", at, known, tuple(fresh.values())))
        plan = self._partition.plan()
        self._partition.apply(plan)
        told, visited = Counter(_told(plan)), Counter(self._visited(bars, fresh))
        self.found.judged += len(plan.states)
        self.found.told.update(kind for _, kind, _ in visited.elements())
        for one, words in ((told - visited, "only the bot"), (visited - told, "only the loop")):
            for arming, kind, instant in sorted(one):
                rule = self._alerts[arming].rule
                self.found.differing.append(
                    f"{at - START} s: {words}: {kind} {instant - START:g} of {arming}: {rule}"
                )

    def _visited(self, bars: dict[int, list[Bar]], prints: dict[int, Print]) -> Iterator[Event]:
        """Visit every alert with what was seen of its symbol."""
        self._prints |= prints
        for symbol, some in bars.items():
            self._ends[symbol] = some[-1].end
        for arming, alert in self._alerts.items():
            self.found.visited += 1
            for bar in bars.get(alert.symbol, ()):
                if bar.at >= alert.made_at:
                    for kind, instant in alert.visit(bar):
                        yield arming, kind, instant
            shown = self._prints.get(alert.symbol)
            if shown is not None and shown.at >= self._ends[alert.symbol]:
                minute = int(shown.at // MINUTE) * MINUTE
                if alert.glimpse(shown.value, shown.at, minute):
                    yield arming, "early", minute

    def _bar(self, symbol: int, at: int) -> Bar:
        """Draw a minute that begins where the price is; now and then it jumps far, and back or not."""
        draw, price = self._random.random, self._price[symbol]
        reach = 40 if draw() < 0.01 else 3
        steps = [price + _TICK * self._random.randint(-reach, reach) for _ in range(3)]
        close = steps[2]
        self._price[symbol] = close if draw() < 0.9 else close + _TICK * self._random.randint(-6, 6)
        self._price[symbol] += _TICK * _side(_AROUND, self._price[symbol])
        return Bar(at, price, max(price, *steps), min(price, *steps), close)

    def _shown(self, bars: list[Bar]) -> Iterator[tuple[int, Print]]:
        for symbol, bar in enumerate(bars):
            if self._random.random() < 0.3:
                wrong = bar.close + _TICK * self._random.randint(-20, 20)
                prices = (bar.open, bar.low, bar.high, bar.close, wrong)
                yield symbol, Print(self._keys[symbol], self._random.choice(prices), bar.at + 30.0, "made")

    def _arm(self, count: int, at: int) -> None:
        for symbol in self._random.choices(range(len(self._keys)), self._shares, k=count):
            alert, price = self._drawn(symbol), self._price[symbol]
            alert.make(at, price)
            self._alerts[self._made] = alert
            self._partition.add(self._made, life_of(alert.rule, price, made_at=at), None, alert.rule)
            self._made += 1

    def _disarm(self, count: int) -> None:
        for arming in self._random.sample(list(self._alerts), min(count, len(self._alerts))):
            del self._alerts[arming]
            self._partition.remove(arming)

    def _drawn(self, symbol: int) -> Visited:
        """Draw an alert; most are far from the price, and many stand on one number."""
        instrument = self._keys[symbol].instrument
        level = _AROUND + _TICK * round(self._random.gauss(0, 30))
        life = self._random.choice(list(_LIVES))
        kind = self._random.choice(
            ["<", "<=", ">", ">=", "crosses", "crosses above", "crosses below", "between"]
        )
        number, cooldown = f"{level:g}", _LIVES[life]
        has_ends = kind in ("<=", ">=")
        if kind == "between":
            upper = level + _TICK * self._random.randint(1, 12)
            sign, has_ends = self._random.choice([("<", False), ("<=", True)])
            rule = f"{number} {sign} {instrument} {sign} {upper:g}{life}"
            return Visited(rule, symbol, cooldown, level, upper, has_ends)
        rule = f"{instrument} {kind} {number}{life}"
        if kind.startswith("crosses"):
            way = {"crosses above": 1, "crosses below": -1}.get(kind, 0)
            return Visited(rule, symbol, cooldown, level=level, way=way)
        if kind.startswith("<"):
            return Visited(rule, symbol, cooldown, ceiling=level, has_ends=has_ends)
        return Visited(rule, symbol, cooldown, floor=level, has_ends=has_ends)


def _told(plan: Plan) -> Iterator[Event]:
    for arming, one in plan.told:
        match one:
            case Ring(is_early=True, at=at):
                yield arming, "early", at // MINUTE * MINUTE
            case Ring(was_told=was_told, at=at):
                yield arming, ("confirmed" if was_told else "ring"), at
            case Correction(at=at):
                yield arming, "taken back", at // MINUTE * MINUTE
    for arming in plan.broken:
        yield arming, "broken", 0


def main() -> int:
    """Live through one market; gives 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.index_oracle", description=__doc__)
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--symbols", type=int, default=2_000)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    began = time.monotonic()
    found = Trial(asked.alerts, asked.symbols, asked.seed).live(asked.minutes, max(1, asked.alerts // 1000))
    print(*found.differing, sep="\n")  # noqa: T201
    told = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.told.items()))
    print(  # noqa: T201
        f"{asked.alerts:,} alerts on {asked.symbols:,} symbols, {asked.minutes} minutes: {told}; "
        f"{found.visited:,} visits of the loop, {found.judged:,} of the bot; {len(found.differing)} differ "
        f"({time.monotonic() - began:,.0f} s)"
    )
    return bool(found.differing)


if __name__ == "__main__":
    sys.exit(main())
