"""Random histories of prices, faults and downtimes, lived through by the real feeds and the real watch.

One world is a few exchanges and many symbols under one schedule of looks, faults, downtimes and restarts.
Each symbol has a path and alerts of its own, and is one history. All of it follows from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isclose, log

import numpy as np

from bot.alerts.facts import items_of, text_of
from bot.alerts.message import Facts
from bot.alerts.models import Arming, Telling
from bot.engine.state import Correction, Ring
from bot.feeds.exchanges import Exchanges, build_feeds
from bot.metrics import MINUTE, Bar, Batch, MetricKey, Seen, minute_of, point
from bot.ports import StoreTrouble, Unseeable
from bot.watch import Watch
from tests.conftest import SetClock
from tests.feed_faults import CANDLES, FAULTS, GARBLED
from tests.feed_oracle import Alert, Findings, Minute, Told, compare
from tests.feed_states import Killed, States
from tests.wire import memory
from tests.wire.exchanges import EXCHANGES, Weather
from tests.wire.walks import Walk, Walks, walk

BEGIN = 1_762_948_800
SYMBOLS = 36
"""How many symbols a world has; each is one history."""

SENTINELS = ("btc/usdt", "btc/usd")
_PAST = 5400
_HOUR = 3600
_FINEST = 0.01
_CLOCK_ERROR = 1.0
"""How far an exchange's clock is known, in seconds: its answers name whole ones.

A print without a time of its own that is seen that close to the end of a minute may be of the next."""
_SAME_LEVEL = 0.001
"""How far two levels may lie apart, as a logarithm, beside what a price moves after its last print."""


@dataclass
class Step:
    """One look: how long after the one before, what begins, and whether the program was away meanwhile."""

    wait: float
    faults: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    is_restart: bool = False
    slow: float = 0.0
    mode: int = 0


@dataclass
class History:
    """One world: lived through, and then compared with the oracle."""

    seed: int
    symbols: int = SYMBOLS
    clock: SetClock = field(default_factory=lambda: SetClock(float(BEGIN + 20)))
    states: States = field(default_factory=States)
    findings: Findings = field(default_factory=Findings)
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        draw = self._draw
        count = draw.choice([1, 1, 2, 2, 3])
        self.names = tuple(
            draw.sample(["binance", "binance", "kraken", "kraken", "okx", "coinbase", "bybit"], 5)
        )
        self.names = tuple(dict.fromkeys(self.names))[:count]
        self.skew = draw.choice([0.0, 0.0, 0.0, -170.0, 95.0])
        self.lag = draw.choice([0.0, 1.0, 4.3])
        self.day_lag = draw.choice([0.0, 45.0])
        self.poll = 120.0 ** draw.random()
        self.steps = list(self._schedule())
        self.end = self.clock.time + sum(step.wait for step in self.steps) + 1.3 * _HOUR
        self.keys: dict[MetricKey, int] = {}
        self.alerts: dict[int, tuple[Alert, MetricKey]] = {}
        self._faults: dict[str, tuple[str, float]] = {}
        self._shown: dict[tuple[MetricKey, int], list[tuple[str, float, bool]]] = {}
        self._arrived: dict[tuple[MetricKey, int], tuple[str, float]] = {}
        self._prints: dict[tuple[MetricKey, float], tuple[str, float]] = {}
        self._adrift: set[MetricKey] = set()
        self._build()

    # --- what is drawn --------------------------------------------------------------------------------------

    def _schedule(self) -> Iterator[Step]:
        draw = self._draw
        looks = int(min(90, max(20, 1000 / (self.poll + 6))))
        has_outages = draw.random() < 0.75
        long_away = draw.randrange(looks) if draw.random() < 0.15 else None
        for number in range(looks):
            step = Step(self.poll * draw.uniform(0.7, 1.3), mode=draw.randrange(3))
            if number == long_away:
                step.wait += draw.choice([1.0, 4.0, 11.5, 12.5, 14.0]) * _HOUR * draw.uniform(0.8, 1.1)
                step.is_restart = draw.random() < 0.6
            elif draw.random() < 0.04:
                step.wait += draw.uniform(1, 15) * MINUTE
                step.is_restart = draw.random() < 0.5
            elif draw.random() < 0.03:
                step.is_restart = True
            if has_outages and draw.random() < 0.08:
                name = draw.choice(self.names)
                fault = draw.choice(list(FAULTS))
                lasts = draw.choice([self.poll, 90.0, 4 * MINUTE, 10 * MINUTE, 3 * _HOUR])
                only = draw.choice(["", "", "", CANDLES[name]])
                step.faults[name] = fault, CANDLES[name] if fault in GARBLED else only, lasts
            if draw.random() < 0.05:
                step.slow = draw.uniform(0.1, 2.5)
            yield step

    def _build(self) -> None:
        draw, numbers = self._draw, np.random.default_rng(self.seed)
        start = BEGIN - _PAST + minute_of(self.skew)
        minutes = int(self.end + 10 * MINUTE + max(0.0, self.skew) - start) // MINUTE
        listed = [f"c{number:02}/usdt" for number in range(self.symbols)]
        walks: dict[str, dict[str, Walk]] = {name: {} for name in self.names}
        self.sigmas: dict[str, float] = {}
        self.factors = {name: draw.uniform(0.994, 1.006) for name in self.names}
        for symbol in (*SENTINELS, *listed):
            sigma = self.sigmas[symbol] = 10 ** draw.uniform(-4, -2.75)
            base = walk(numbers, minutes, 10 ** draw.uniform(1.7, 5), sigma)
            offsets = (0.5, *sorted(draw.sample(range(2, 58), 2)), 59.6)
            crashes: frozenset[int] = frozenset()
            if symbol in listed and draw.random() < 0.15:
                place = draw.randrange(_PAST // MINUTE, minutes)
                base[place:, :] += draw.choice([-1, 1]) * draw.uniform(0.05, 0.2)
                crashes = frozenset({start + place * MINUTE})
            liar = draw.choice(self.names)
            for name in self.names:
                own = base + log(self.factors[name]) + numbers.normal(0, sigma / 5, base.shape)
                trades = np.round(np.exp(own), 2)
                quiet = self._minutes(start, minutes, 0.3) if draw.random() < 0.15 else frozenset()
                wicks = frozenset()
                if name == liar and symbol in listed and draw.random() < 0.3:
                    wicks = self._minutes(start, minutes, 0.01) - quiet
                    for minute in wicks:
                        trades[(minute - start) // MINUTE, 2] *= draw.choice([0.5, 0.85, 1.15, 2.0])
                    trades = np.round(trades, 2)
                walks[name][symbol] = Walk(start, offsets, trades, quiet - crashes, wicks, crashes)
        self.paths = {
            name: Walks(walks[name], self.exchange_now, self.lag, self.day_lag) for name in self.names
        }
        self.weather = {name: Weather() for name in self.names}
        missing = {name: set(draw.sample(listed, self.symbols // 9)) for name in self.names[1:]}
        self.servers = {
            name: EXCHANGES[name](
                self.paths[name],
                [one for one in (*SENTINELS, *listed) if one not in missing.get(name, ())],
                self.exchange_now,
                opened_at=float(start),
            )
            for name in self.names
        }
        for name, server in self.servers.items():
            server.book = self.paths[name].book  # type: ignore[method-assign]
        self.wire = memory.Wire({name: (self.servers[name], self.weather[name]) for name in self.names})

    def _minutes(self, start: int, minutes: int, share: float) -> frozenset[int]:
        count = max(1, int(share * (minutes - 5)))
        return frozenset(start + place * MINUTE for place in self._draw.sample(range(3, minutes - 2), count))

    def exchange_now(self) -> float:
        return self.clock.time + self.skew

    # --- how it is lived through ----------------------------------------------------------------------------

    async def live(self) -> Findings:
        """Live through it all, and compare."""
        await self._open()
        for number, step in enumerate(self.steps):
            self.clock.time += step.wait
            self._change_faults(step)
            if step.is_restart:
                await self._restart("a restart")
            if number == 0 or self._draw.random() < 0.12:
                await self._arm(number)
            await self._look(step)
        await self._recover()
        await self.exchanges.close()
        self._compare()
        return self.findings

    async def _open(self) -> None:
        self.exchanges: Exchanges = memory.joined(
            build_feeds(self.names, "usdt", self.clock, throttle=False, jitter=lambda: 0.5), self.wire
        )
        self.watch = Watch(self.states, self.exchanges.market, self.clock, lambda: None, late_after=240)  # type: ignore[arg-type]
        self.states.mishap = self._mishap
        await self.watch.open()

    async def _restart(self, why: str) -> None:
        self._tell(why)
        await self.exchanges.close()
        self._arrived.clear()
        while True:
            try:
                await self._open()
            except Killed:
                continue
            return

    def _mishap(self) -> Exception | None:
        chance = self._draw.random()
        if chance < 0.004:
            return StoreTrouble("the database is locked")
        return Killed() if chance < 0.008 else None

    def _change_faults(self, step: Step) -> None:
        now = self.clock.time
        for name, (_, until) in list(self._faults.items()):
            if now >= until:
                del self._faults[name]
                self.weather[name].clear()
        for name, (fault, only, lasts) in step.faults.items():
            self._tell(f"{name}: {fault} {only} for {lasts:.0f} s")
            self._faults[name] = fault, now + lasts
            self.weather[name].trouble, self.weather[name].only = FAULTS[fault], only  # type: ignore[assignment]
        slow = step.slow

        def delay() -> None:
            self.clock.time += slow * self._draw.random()

        self.wire.delay = delay if slow else lambda: None

    async def _look(self, step: Step) -> None:
        seen: list[tuple[Batch, dict[MetricKey, float]]] = []
        wants = self.watch.wants()
        for feed in self.exchanges.feeds:
            wants = self.watch.wants() if step.mode == 0 else wants
            self._adrift |= {want.key for want in wants if want.close is None}
            batch = await feed.poll(wants)
            shown = {one.key for one in (*batch.bars, *batch.bounds, *batch.prints)}
            seen.append((batch, {key: self._ratio(key, feed.name) for key in shown}))
            if step.mode == 0:
                await self._take(*seen.pop())
        if step.mode == 2:
            self._draw.shuffle(seen)
        for batch, ratios in seen:
            await self._take(batch, ratios)

    async def _take(self, batch: Batch, ratios: Mapping[MetricKey, float]) -> None:
        before = {want.key: want.since for want in self.watch.wants()}
        for run in batch.bars:
            for bar in run.bars:
                if bar.at >= before.get(run.key, bar.end):
                    self._arrived.setdefault((run.key, bar.at), (batch.source, ratios.get(run.key, 1.0)))
        for one in batch.prints:
            self._prints[one.key, one.at] = batch.source, ratios[one.key]
        try:
            await self.watch.take(batch)
        except Killed:
            self._note(batch, before, dict(self.states.ends), ratios)
            await self._restart("killed just after a commit")
            return
        self._note(batch, before, {want.key: want.since for want in self.watch.wants()}, ratios)

    def _note(
        self,
        batch: Batch,
        before: Mapping[MetricKey, int],
        after: Mapping[MetricKey, int],
        ratios: Mapping[MetricKey, float],
    ) -> None:
        """Note who showed each minute that was passed."""
        for key, end in after.items():
            for minute in range(before.get(key, end), end, MINUTE):
                arrived = self._arrived.pop((key, minute), None)
                shown = (*arrived, False) if arrived else (batch.source, ratios.get(key, 1.0), True)
                is_gone = shown[2] and self._may_be_gone(batch.source, minute)
                self._shown.setdefault((key, minute), []).append((*shown[:2], is_gone))

    def _ratio(self, key: MetricKey, source: str) -> float:
        serving = self.exchanges.market.serving(key)
        return serving.ratio if serving is not None and serving.venue == source else 1.0

    async def _recover(self) -> None:
        """Let all faults end, and look until everything is read."""
        self._faults.clear()
        for weather in self.weather.values():
            weather.clear()
        self.wire.delay = lambda: None
        self.states.mishap = lambda: None
        for _ in range(60):
            self.clock.time += 45
            await self._look(Step(0))
            behind = [want for want in self.watch.wants() if want.since < self.exchange_now() - 130]
            if not behind:
                return
            if behind and self.clock.time > self.end - 10 * MINUTE:
                break
            self.clock.time += 30
        self.findings.missed.append(f"not well again: {[feed.health() for feed in self.exchanges.feeds]}")

    def tale(self) -> str:
        """Tell what happened, so that it can be told again by its seed."""
        about = f"poll {self.poll:.1f} s, booked {self.lag} s late, clocks {self.skew:+.0f} s apart"
        return "\n".join([f"seed {self.seed}: {', '.join(self.names)}; {about}", *self.story])

    def _tell(self, what: str) -> None:
        self.story.append(f"{self.clock.time - BEGIN:9.1f} s  {what}")

    # --- alerts ---------------------------------------------------------------------------------------------

    async def _arm(self, number: int) -> None:
        draw = self._draw
        symbols = [one for one in self.servers[self.names[0]].symbols if one not in SENTINELS]
        chosen = symbols if number == 0 else draw.sample(symbols, 3)
        left = sum(step.wait for step in self.steps[number + 1 :])
        for symbol in chosen:
            venue = draw.choice(self.names) if draw.random() < 0.15 else ""
            if venue and symbol not in self.servers[venue].symbols:
                venue = ""
            key = MetricKey("price", symbol, venue)
            asked = self.exchange_now()
            try:
                seen = {key: await self.exchanges.market.seen(key)}
            except Unseeable:
                seen = {}
            for _ in range(draw.choice([1, 1, 2])):
                self._alert(key, seen, left, asked)

    def _alert(self, key: MetricKey, seen: Mapping[MetricKey, Seen], left: float, asked: float) -> None:
        draw = self._draw
        home = self.paths[key.venue or self.names[0]].walks[key.instrument]
        now = minute_of(self.exchange_now())
        is_below = draw.random() < 0.5
        if draw.random() < 0.7:
            first = now + MINUTE * draw.randrange(int(left) // MINUTE + 1)
            stop = first + MINUTE * draw.choice([1, 2, 5, 30])
            bars = [home.whole(minute) for minute in range(first, stop, MINUTE)]
            edge = min(bar.low for bar in bars) if is_below else max(bar.high for bar in bars)
            level = edge + draw.choice([-_FINEST, 0.0, _FINEST])
        else:
            level = home.price(now) * (1 + draw.choice([-1, 1]) * 10 ** draw.uniform(-4, -1.3))
        level = float(f"{level:.2f}")
        cooldown = draw.choice([None, None, 0, 180, 900])
        options = "" if cooldown is None else f" repeat cooldown {cooldown // MINUTE}m"
        rule = f"{key} {'<' if is_below else '>'} {level:.2f}{options}"
        made_at, number = self.clock.time, len(self.states.armings) + 1
        self.states.armings.append(Arming(number, number, rule, False, made_at, dict(seen)))
        shown = seen.get(key)
        if shown is None:
            alert = Alert(rule, is_below, level, cooldown, minute_of(made_at) + MINUTE, made_at)
        else:
            bar = shown.bar
            alert = Alert(
                rule, is_below, level, cooldown, bar.at, shown.at, shown.price, bar.low, bar.high, asked
            )
        self.alerts[number] = alert, key

    # --- what came of it ------------------------------------------------------------------------------------

    def _compare(self) -> None:
        told = {number: Told() for number in self.alerts}
        open_rings: dict[tuple[int, int, int], float] = {}
        for judgement in self.states.judgements:
            for one in judgement.told:
                match one.transition:
                    case Ring(is_early=True) as ring:
                        told[one.arming_id].early.append(ring.at)
                        open_rings[one.arming_id, ring.episode, ring.corrections] = ring.at
                        self._judge_early(one.arming_id, ring)
                    case Ring() as ring:
                        told[one.arming_id].rings.append(ring.at)
                        if ring.was_told:
                            del open_rings[one.arming_id, ring.episode, ring.corrections]
                    case Correction() as correction:
                        del open_rings[one.arming_id, correction.episode, correction.corrections]
                        self._judge_correction(one.arming_id, correction, one.facts)
            for notice in judgement.notices:
                for number in notice.armings:
                    if notice.kind is Telling.LAPSE:
                        since, until = notice.facts["since"], notice.facts["until"]
                        told[number].reaches.append((since, until))  # type: ignore[arg-type]
                    elif notice.kind is Telling.DOUBT:
                        told[number].doubts.append(minute_of(notice.facts["at"]))  # type: ignore[arg-type]
        ends = {want.key: want.since for want in self.watch.wants()}
        for number, (alert, key) in self.alerts.items():
            minutes = [self._minute(key, at) for at in range(alert.first, ends[key], MINUTE)]
            if alert.price is not None and minutes:
                later = self._later(key, alert, alert.price, told[number].early)
                minutes[0] = replace(minutes[0], later=later)
            compare(alert, minutes, told[number], self.findings)
        for (number, *_), at in open_rings.items():
            alert, key = self.alerts[number]
            if ends[key] >= minute_of(at) + 2 * MINUTE:
                self.findings.missed.append(
                    f"{alert.rule}: rang early at {at}, neither confirmed nor taken back"
                )
        self._compare_levels()

    def _compare_levels(self) -> None:
        """Prices go on at one level, whoever shows them: how far exchanges differ is no news.

        Only where the last price before some minutes is not known, nobody can tell at which level it was.
        """
        levels: dict[MetricKey, float] = {}
        for (key, at), shown in sorted(self._shown.items(), key=lambda one: one[0][1]):
            for source, ratio, _ in shown:
                level = log(self.factors[source] * ratio)
                apart = abs(level - levels.setdefault(key, level))
                if key not in self._adrift and apart > _SAME_LEVEL + 6 * self.sigmas[key.instrument]:
                    self.findings.false.append(f"{key} goes on at another level at {at}: {source}, {ratio}")
                    self._adrift.add(key)

    def _judge_early(self, number: int, ring: Ring) -> None:
        """A ring was told from a print: the exchange in force at that moment must have been there."""
        alert, key = self.alerts[number]
        source, ratio = self._prints[key, ring.at]
        home, minute = self.paths[source].walks[key.instrument], minute_of(ring.at)
        bars = [bar for at in _around(minute) for bar in self._bars(home, at, bool(key.venue))]
        price = ring.value / ratio
        was_there = any(bar.low - _FINEST / 2 < price < bar.high + _FINEST / 2 for bar in bars)
        if not was_there or not alert.is_touched(point(ring.value, minute)):
            self.findings.false.append(f"{alert.rule}: rang early at {ring.at}, where {source} never was")

    def _judge_correction(self, number: int, correction: Correction, facts: Facts) -> None:
        """A ring was told from a print, and taken back: only who stood in meanwhile may be the cause.

        The final minutes of whoever showed the price must not show it, and those of another be named as his.
        """
        alert, key = self.alerts[number]
        minutes = [at for at in _around(minute_of(correction.at))[1:] if (key, at) in self._shown]
        shown = [one for at in minutes for one in self._shown[key, at]]
        is_gone = any(gone for *_, gone in shown)
        if is_gone and not correction.is_gone:
            self.findings.false.append(f"{alert.rule}: said to be false at {correction.at}, which is gone")
        source, ratio = self._prints[key, correction.at]
        is_same = all(one == source and isclose(other, ratio) for one, other, _ in shown)
        if is_same and not is_gone and all(len(self._minute(key, at).bars) == 1 for at in minutes):
            self.findings.false.append(f"{alert.rule}: rang early at {correction.at}, and was taken back")
        named, venues = (
            {text_of(one, "venue") for one in items_of(facts, "finals")},
            {one for one, *_ in shown},
        )
        if not is_gone and named != venues:
            what = f"the minutes of {venues} are said to be those of {named}"
            self.findings.false.append(f"{alert.rule}: at {correction.at} {what}")

    def _minute(self, key: MetricKey, at: int) -> Minute:
        """Give a minute as each who may be in force showed it."""
        shown = self._shown.get((key, at), [])
        if not shown:
            raise AssertionError(f"nobody passed {key} at {at}")
        gone = [was_gone for *_, was_gone in shown]
        bars = [
            scaled(bar, ratio)
            for source, ratio, was_gone in shown
            if all(gone) or not was_gone
            for bar in self._bars(self.paths[source].walks[key.instrument], at, bool(key.venue))
        ]
        return Minute(at, tuple(dict.fromkeys(bars)), all(gone), any(gone) and not all(gone))

    def _later(self, key: MetricKey, alert: Alert, price: float, early: Sequence[float]) -> tuple[Bar, ...]:
        """Give what each who may be in force showed of an alert's first minute after it was made.

        That is who showed the minute in the end, and who showed the prints that rang in it. Who stands in
        since then shows his own last price first, as far from the home's as the two just are.
        """
        booked = max(alert.asked - self.lag, alert.first)
        end = alert.first + MINUTE
        is_edge = any(one == key and end - _CLOCK_ERROR <= at < end for one, at in self._prints)
        over = _CLOCK_ERROR if is_edge else 0.0
        shown = {(source, ratio) for source, ratio, _ in self._shown[key, alert.first]}
        shown |= {self._prints[key, at] for at in early if alert.first <= at < end}
        return tuple(
            scaled(walk.after(booked, price / ratio, source != (key.venue or self.names[0]), over), ratio)
            for source, ratio in shown
            for walk in (self.paths[source].walks[key.instrument],)
        )

    def _bars(self, home: Walk, at: int, is_named: bool) -> list[Bar]:
        """Give a minute as it may be seen: the true bar first, then what is trusted without a witness."""
        if is_named:
            return [home.whole(at)]
        true = home.honest(at)
        bars = [true]
        before = home.honest(at - MINUTE).close
        if at in home.wicks:
            sure = [true.open, true.close, before]
            least = Bar(at, true.open, max(true.open, true.close), min(true.open, true.close), true.close)
            most = Bar(at, true.open, max(*sure, true.high), min(*sure, true.low), true.close)
            bars += [least, most]
        for crash in home.crashes:
            if crash <= at <= home.settled_at(crash):
                flat = home.honest(crash - MINUTE).close
                bars += [
                    Bar(at, flat, flat, flat, flat),
                    Bar(at, flat, max(flat, true.high), min(flat, true.low), true.close),
                ]
        return bars

    def _may_be_gone(self, source: str, at: int) -> bool:
        """Whether an exchange cannot give a minute any more: it is too old for it, or its row is garbage."""
        is_too_old = source == "kraken" and at < self.exchange_now() - 718 * MINUTE
        return is_too_old or self._faults.get(source, ("", 0.0))[0] in GARBLED


def _around(minute: int) -> tuple[int, int, int]:
    """Give a minute between its neighbours."""
    return minute - MINUTE, minute, minute + MINUTE


def scaled(bar: Bar, ratio: float) -> Bar:
    """Multiply the prices of a bar, as a stand-in's are."""
    return Bar(bar.at, bar.open * ratio, bar.high * ratio, bar.low * ratio, bar.close * ratio)
