"""Have second sources asked about prices that cannot be trusted, before a batch leaves one exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import structlog

from bot.feeds.exchanges.guard import LEAST_BOUND, Guard, Heard, Range, Showing, Suspicion
from bot.feeds.exchanges.witness import Witness
from bot.feeds.faults import Fault
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Print, Want, runs
from bot.ports import Clock

_SECONDS = 3.0
"""All questions of one batch together take no longer: the prices of others wait with it."""

_TURN = 10.0
"""Seconds for which the minutes of a series wait until somebody could be asked about them."""

_AT_ONCE = 4
_WINDOW = 90
_COARSE_WINDOW = 30
"""So many bars are asked about in one question; coarse ones may have to be read from several shorter ones."""

_QUESTIONS_ABOUT_THE_PAST = 12
"""Who was suspect more often than that moves more than the bound knows, and is taken as it came."""

_MOST_WITNESSES = 3
_BOOK = "its order book"

_IN_ONE_GO = 256
"""So many series are judged before others have their turn."""

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Case:
    """One series of a batch: what came, and how far it was let through."""

    guard: Guard
    bars: tuple[Bar, ...] = ()
    prints: tuple[Print, ...] = ()
    passed: list[Bar] = field(default_factory=list)
    printed: list[Print] = field(default_factory=list)
    heard: dict[int, Heard] = field(default_factory=dict)
    heard_now: list[Showing] = field(default_factory=list)
    nobody: Heard | None = None
    """What counts as heard about minutes that nobody was asked about: ``None`` while somebody may be."""

    @property
    def key(self) -> MetricKey:
        return self.guard.key

    @property
    def held_at(self) -> int | None:
        """The first minute that was not let through."""
        return self.bars[len(self.passed)].at if len(self.passed) < len(self.bars) else None

    def passed_as_far(self) -> tuple[Bar, ...]:
        """Give the bars that were let through, and those after them as they came."""
        return (*self.passed, *self.bars[len(self.passed) :])

    def pass_bars(self) -> Suspicion | None:
        """Let bars through, up to one that somebody must be asked about."""
        for place in range(len(self.passed), len(self.bars)):
            bar = self.bars[place]
            found = self.guard.judge(
                bar, self.bars[place + 1 : place + 3], self.heard.get(bar.at, self.nobody)
            )
            if isinstance(found, Suspicion):
                return found
            self.passed.append(found)
        return None

    def pass_prints(self, heard: Heard | None) -> Suspicion | None:
        """Let prints through, up to one that somebody must be asked about."""
        for place, one in enumerate(self.prints):
            found = self.guard.weigh(one, heard)
            if isinstance(found, Suspicion):
                self.prints = self.prints[place:]
                return found
            if found is not None:
                self.printed.append(found)
        self.prints = ()
        return None


class Inquiry:
    """Keep the guards of one exchange's series, and ask the witnesses that they need.

    ``witnesses`` are all configured exchanges, by name and in their order, this one among them.
    """

    def __init__(self, name: str, clock: Clock, witnesses: Mapping[str, Witness]) -> None:
        self.name = name
        self._clock = clock
        self._witnesses = witnesses
        self._guards: dict[MetricKey, Guard] = {}
        self._waiting: dict[MetricKey, float] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def examine(self, wants: Sequence[Want], batch: Batch) -> Batch:
        """Give a batch with what is trusted of its bars and prints, and with what is doubted.

        Minutes that nobody could be asked about in time, and all that follows them in their series, are left
        out: they come again with the next look.
        """
        now = self._clock.now()
        self._guards = {
            want.key: self._guards.get(want.key) or Guard(want.key, self.name, bool(want.key.venue))
            for want in wants
        }
        for want in wants:
            self._guards[want.key].begin(now, want.since, want.close)
        cases = list(self._cases(batch, now))
        minutes: list[tuple[_Case, Suspicion]] = []
        present: list[tuple[_Case, Suspicion]] = []
        for place, case in enumerate(cases):
            if place % _IN_ONE_GO == 0:
                await asyncio.sleep(0)
            if (suspicion := case.pass_bars()) is not None:
                minutes.append((case, suspicion))
            if (suspicion := case.pass_prints(None)) is not None:
                present.append((case, suspicion))
        if minutes or present:
            await self._ask(minutes, present)
        for case in cases:
            case.pass_bars()
            case.pass_prints(tuple(case.heard_now))
        self._waiting = {
            case.key: self._waiting.get(case.key, now) for case in cases if case.held_at is not None
        }
        doubts = tuple(doubt for guard in self._guards.values() for doubt in guard.doubts())
        held = {case.key: case.held_at for case in cases if case.held_at is not None}
        asked = {run.key: run.asked for run in batch.bars}
        return replace(
            batch,
            bars=tuple(
                Bars(case.key, run, self.name, asked.get(case.key, 0))
                for case in cases
                for run in runs(case.passed)
            ),
            prints=tuple(one for case in cases for one in case.printed),
            bounds=tuple(one for one in batch.bounds if one.since < held.get(one.key, one.until)),
            doubts=batch.doubts + doubts,
        )

    async def vet(self, key: MetricKey, bars: Sequence[Bar]) -> tuple[Bar, ...]:
        """Give rising bars of the past as far as they are trusted, as looks would have given them.

        Of the rest nothing is told here. Once nobody answers in time, nobody is asked any more.
        """
        return (await self._vetted(key, bars)).passed_as_far()

    async def is_borne_out(self, key: MetricKey, bars: Sequence[Bar]) -> bool:
        """Whether the last price of rising bars, which is the present one, can be trusted."""
        case = await self._vetted(key, bars)
        price = bars[-1].close
        if case.passed_as_far()[-1].close == price:
            return True
        case.prints = (Print(key, price, self._clock.now(), self.name),)
        if (suspicion := case.pass_prints(None)) is not None:
            await self._ask([], [(case, suspicion)])
            case.pass_prints(tuple(case.heard_now))
        return bool(case.printed)

    async def _vetted(self, key: MetricKey, bars: Sequence[Bar]) -> _Case:
        case = _Case(Guard(key, self.name, bool(key.venue)), tuple(bars))
        suspicion = case.pass_bars()
        for _ in range(_QUESTIONS_ABOUT_THE_PAST):
            if suspicion is None:
                break
            await self._ask([(case, suspicion)], [])
            if int(suspicion.at) not in case.heard:
                case.nobody = ()
            suspicion = case.pass_bars()
        return case

    def is_trusted(self, one: Print) -> bool:
        """Whether a print needs nobody else; a stranger does, and waits for the next look."""
        guard = self._guards.get(one.key)
        return guard is not None and isinstance(guard.weigh(one, None), Print)

    def _cases(self, batch: Batch, now: float) -> Iterator[_Case]:
        bars: dict[MetricKey, tuple[Bar, ...]] = {}
        prints: dict[MetricKey, tuple[Print, ...]] = {}
        for run in batch.bars:
            bars[run.key] = bars.get(run.key, ()) + run.bars
        for one in batch.prints:
            prints[one.key] = (*prints.get(one.key, ()), one)
        for key in bars | prints:
            nobody = () if now >= self._waiting.get(key, now) + _TURN else None
            yield _Case(self._guards[key], bars.get(key, ()), prints.get(key, ()), nobody=nobody)

    # --- asking -------------------------------------------------------------------------------------------

    async def _ask(
        self, minutes: Sequence[tuple[_Case, Suspicion]], present: Sequence[tuple[_Case, Suspicion]]
    ) -> None:
        """Ask about all, as far as the time allows."""
        questions = [self._ask_about_minutes(case, suspicion) for case, suspicion in minutes]
        tasks = [asyncio.create_task(one) for one in (self._ask_about_prints(present), *questions)]
        try:
            await asyncio.wait(tasks, timeout=_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for case, suspicion in present:
            self._record(suspicion, case.heard_now)

    async def _ask_about_prints(self, present: Sequence[tuple[_Case, Suspicion]]) -> None:
        """Ask every other exchange at once, and the order book where none of them has the instrument."""
        open_to_all = [(case, suspicion) for case, suspicion in present if not case.key.venue]
        instruments = {case.key.instrument for case, _ in open_to_all}

        async def hear(witness: Witness) -> None:
            found = await self._question(witness, partial(witness.prices, instruments))
            for case, suspicion in open_to_all:
                price = (found or {}).get(case.key.instrument)
                if price is not None:
                    showing = Showing(witness.name, Range(price, price))
                    case.heard_now += [showing] if suspicion.concerns(showing) else []

        if open_to_all:
            await _until(
                [hear(witness) for witness in self._others(instruments)],
                lambda: all(any(map(one.is_borne_out, case.heard_now)) for case, one in open_to_all),
            )
        await asyncio.gather(*(self._ask_book(case) for case, _ in present if not case.heard_now))

    async def _ask_book(self, case: _Case) -> None:
        witness = self._witnesses[self.name]
        found = await self._question(witness, partial(witness.book, case.key.instrument))
        if found is not None:
            case.heard_now.append(Showing(_BOOK, found))

    async def _ask_about_minutes(self, case: _Case, suspicion: Suspicion) -> None:
        """Ask one exchange after the other for the minutes from the suspect one on, until one agrees."""
        first, span = int(suspicion.at), case.bars[0].span
        window = (_WINDOW if span == MINUTE else _COARSE_WINDOW) * span
        start, stop = first - span, min(case.bars[-1].end + span, first + window)
        instrument = case.key.instrument
        own = {bar.at: bar for bar in case.bars}
        heard: dict[int, list[Showing]] = {bar.at: [] for bar in case.bars if first <= bar.at < stop - span}
        for witness in self._others([instrument])[:_MOST_WITNESSES]:
            found = await self._question(witness, partial(witness.reaches, instrument, start, stop, span))
            for bar in case.bars:
                # Clocks differ, and so does the second in which a fall arrives: a minute more on either side.
                around = [
                    reach
                    for at, reach in (found or {}).items()
                    if bar.at - span <= at <= bar.end and not is_of_beside(suspicion, bar, own.get(at), reach)
                ]
                if around and bar.at in heard:
                    low, high = min(one.low for one in around), max(one.high for one in around)
                    heard[bar.at].append(Showing(witness.name, Range(low, high)))
            if any(map(suspicion.is_borne_out, heard[first])):
                break
        case.heard.update(heard)
        self._record(suspicion, heard[first])

    def _others(self, instruments: Iterable[str]) -> list[Witness]:
        """Give the other exchanges that may have one of some instruments, the nearest first."""
        names = tuple(instruments)
        near = [
            (min(places), witness)
            for witness in self._witnesses.values()
            if witness.name != self.name
            and (places := [place for name in names if (place := witness.nearness(name)) is not None])
        ]
        return [witness for _, witness in sorted(near, key=lambda one: one[0])]

    async def _question(self, witness: Witness, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Ask, and take a failure for no answer."""
        async with self._room:
            try:
                return await ask()
            except Fault as fault:
                witness.note(fault)
                log.info("no_second_source", exchange=self.name, asked=witness.name, reason=fault.reason)
            except Exception as error:
                log.exception("inquiry_broke", exchange=self.name, exc_info=False, error=type(error).__name__)
        return None

    def _record(self, suspicion: Suspicion, heard: Heard) -> None:
        is_borne_out = any(map(suspicion.is_borne_out, heard))
        log.log(
            20 if is_borne_out else 30,
            "price_borne_out" if is_borne_out else "price_not_borne_out",
            exchange=self.name,
            instrument=suspicion.key.instrument,
            value=suspicion.value,
            trusted=suspicion.trusted.clamp(suspicion.value),
            at=suspicion.at,
            second_source=[one.source for one in heard],
            second_value=[[one.reach.low, one.reach.high] for one in heard],
        )


async def _until(work: Sequence[Awaitable[None]], is_enough: Callable[[], bool]) -> None:
    """Do all at once, until it is all done or enough; what is not done then is left."""
    left = {asyncio.ensure_future(one) for one in work}
    try:
        while left and not is_enough():
            _, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in left:
            one.cancel()


def is_of_beside(suspicion: Suspicion, bar: Bar, beside: Bar | None, reach: Range) -> bool:
    """Whether what another exchange reached in a minute beside a bar is the event of that minute alone.

    It is, if this exchange went as far in that minute too, and was back where it is trusted on the side of
    the bar that is next to it. A fall that begins in one minute goes on in the next; a wick does not.
    """
    if beside is None or beside.at == bar.at:
        return False
    edge = bar.close if beside.at > bar.at else bar.open
    shown = Range(beside.low, beside.high)
    is_shown_there = max(shown.apart(reach.low), shown.apart(reach.high)) <= LEAST_BOUND
    return is_shown_there and suspicion.trusted.apart(edge) <= LEAST_BOUND
