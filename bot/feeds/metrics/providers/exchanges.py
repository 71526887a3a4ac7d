"""What the watched exchanges tell of their contracts: funding, open interest, share of longs, and basis.

Each series is at home in the first watched exchange that lists such a contract, and is told by it alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import structlog

from bot.engine.sessions import DAY
from bot.feeds.exchanges.door import Door
from bot.feeds.faults import Fault, Pause, Trouble, fault_of_error
from bot.feeds.metrics.contracts import (
    CONTRACTS,
    SOONEST_EXPIRY,
    Contract,
    Contracts,
    Figure,
    Gauge,
    future_of,
    perpetual_of,
)
from bot.feeds.metrics.provider import Look, Means, Offer, Plug, Provider
from bot.feeds.thread import LoopThread
from bot.metrics import MetricKey, Observation, Want
from bot.ports import Clock
from bot.rules.phrases import to_say

NAME = "exchanges"

_SECONDS = 300.0
"""From one look to the next: what exchanges tell of contracts is of five minutes."""

_FIRST = 11 * DAY
"""Whoever is asked for what is further back is asked for the first time."""

_SOON = 60.0
_OLDEST = 1800
_AHEAD = 60
_INSTRUMENT = re.compile(r"([a-z0-9]+/(?:usdt|usdc|usd)(?::(?:usdt|usdc|usd))?)(?:@([a-z]+))?")

_NOTES: Mapping[Gauge, str] = {
    "funding": to_say("in percent per funding interval: 8 hours on most perpetuals, 4 or 1 on some"),
    "open_interest": to_say("of one perpetual on one exchange"),
    "long_share": to_say("the share of accounts, whatever they hold"),
    "basis": f"of the first dated future with {SOONEST_EXPIRY // DAY} or more days to run, simple interest",
}
log = structlog.get_logger(__name__)

_DIGITS: Mapping[Gauge, int] = {"funding": 6, "open_interest": 2, "long_share": 4, "basis": 4}


class Unlisted(Exception):
    """No watched exchange lists such a contract; the text says who was looked at, without full stop."""


@dataclass(slots=True)
class _Round:
    """What is known in one look: the exchanges that are asked, those that failed, those that list nothing."""

    now: float
    asked: dict[str, Contracts] = field(default_factory=dict)
    failed: dict[str, Fault] = field(default_factory=dict)
    silent: dict[str, Fault] = field(default_factory=dict)


class ExchangeProvider:
    """Ask the exchanges behind some doors, in their order."""

    def __init__(self, doors: Mapping[str, Door], thread: LoopThread, clock: Clock) -> None:
        self._clock = clock
        self._doors = {name: door for name, door in doors.items() if name in CONTRACTS}
        self._thread = thread
        self._homes: dict[MetricKey, str] = {}
        self._pauses = dict.fromkeys(self._doors, Pause())
        self._reasons: dict[str, str] = {}

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for each figure; what an exchange tells of all contracts at once is asked once.

        Raises Fault where nothing could be read, and an exchange is the reason.
        """
        return await self._thread.run(lambda: self._read(wants, now))

    async def _read(self, wants: Sequence[Want], now: float) -> Look:
        this = _Round(now)
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        fault: Fault | None = None
        for want in wants:
            try:
                found += await self._observe(want, this)
            except Unlisted as absence:
                refused[want.key] = str(absence)
            except Fault as trouble:
                refused[want.key] = trouble.reason
                fault = fault or trouble
        self._rest(this)
        if fault is not None and not found and len(refused) == len(wants):
            raise fault
        return Look(now + (_SOON if fault else _SECONDS), tuple(found), refused)

    async def _observe(self, want: Want, this: _Round) -> list[Observation]:
        """Ask for one figure, on a first look for those of the hours before too. Raises Unlisted, Fault."""
        key, gauge = want.key, _GAUGES[want.key.metric]
        name, contract = await self._find(key, gauge, this)
        if this.now < self._pauses[name].until:
            raise Fault(Trouble.PASSING, self._reasons[name])
        if name in this.failed:
            raise this.failed[name]
        asked = this.asked.setdefault(name, CONTRACTS[name](self._doors[name], name, this.now))
        try:
            figure = await asked.figure(gauge, contract)
        except Exception as error:
            fault = fault_of_error(name, error)
            if fault.trouble in {Trouble.SYMBOL, Trouble.ABSENT}:
                raise Unlisted(fault.reason) from None
            if fault.is_of_all:
                this.failed[name] = fault
            raise fault from None
        now = self._clock.now()  # an answer may have taken its time
        as_of = _instant(name, figure, now)
        known = {as_of: figure.value}
        if want.since < this.now - _FIRST:
            known |= await self._past(asked, gauge, contract, as_of)
        return [
            Observation(key, at, round(value, _DIGITS[gauge]), now, source=name)
            for at, value in sorted(known.items())
        ]

    async def _past(
        self, asked: Contracts, gauge: Gauge, contract: Contract, until: int
    ) -> dict[int, Decimal]:
        """Ask for the hours before an instant; who cannot tell them tells the present all the same."""
        try:
            past = await asked.past(gauge, contract)
        except Exception as error:
            fault = fault_of_error(asked.name, error)
            log.info("no_past", exchange=asked.name, metric=gauge, reason=fault.reason)
            return {}
        return {figure.at: figure.value for figure in past if figure.at is not None and figure.at < until}

    async def _find(self, key: MetricKey, gauge: Gauge, this: _Round) -> tuple[str, Contract]:
        """Find the exchange at which a series is at home, and the contract there. Raises Unlisted, Fault.

        While one that comes earlier has not said what it lists, nobody knows.
        """
        match = _INSTRUMENT.fullmatch(key.instrument)
        if match is None:
            raise Unlisted(f"{key.instrument} is no instrument with contracts")
        instrument, venue = match.groups()
        home = venue or self._homes.get(key)
        for name in [home] if home else self._doors:
            if name not in self._doors:
                raise Unlisted(f"{name} is not among the exchanges that are watched for contracts")
            contract = await self._listed(name, gauge, instrument, this)
            if contract is not None:
                self._homes[key] = name
                return name, contract
        thing = "dated future" if gauge == "basis" else "perpetual"
        asked = home or " or ".join(self._doors)
        raise Unlisted(f"there is no {thing} on {instrument.upper()} at {asked}")

    async def _listed(self, name: str, gauge: Gauge, instrument: str, this: _Round) -> Contract | None:
        if name in this.silent:
            raise this.silent[name]
        try:
            markets = await self._doors[name].listed()
        except Fault as fault:
            this.silent[name] = fault
            raise
        if gauge == "basis":
            return future_of(markets, instrument, this.now)
        return perpetual_of(markets, instrument)

    def _rest(self, this: _Round) -> None:
        """Leave those alone for a while that failed, as long as they ask."""
        for name, fault in this.failed.items():
            self._pauses[name] = self._pauses[name].after(fault, this.now, _no_jitter)
            self._reasons[name] = fault.reason
        for name in this.asked.keys() - this.failed.keys():
            self._pauses[name] = Pause()


def _no_jitter() -> float:
    return 0.0  # the looks themselves are apart by chance


_GAUGES: Mapping[str, Gauge] = {gauge: gauge for gauge in _NOTES}


def _instant(name: str, figure: Figure, now: float) -> int:
    """Say what instant a figure is of. Raises Fault for one that is of the future, or long past."""
    at = int(now) if figure.at is None else figure.at
    if at > now + _AHEAD:
        raise Fault(Trouble.NONSENSE, f"{name} gives a figure of the future")
    if at < now - _OLDEST:
        raise Fault(Trouble.NONSENSE, f"{name} gives a figure that is {(now - at) / 60:,.0f} minutes old")
    return min(at, int(now))


def _build(means: Means) -> Provider:
    if means.thread is None:
        raise ValueError("exchanges are asked in a thread of their own, and there is none")
    return ExchangeProvider(means.doors, means.thread, means.clock)


PLUG = Plug(
    NAME,
    tuple(
        Offer(
            gauge,
            (),
            lambda instrument: _INSTRUMENT.fullmatch(instrument) is not None,
            example=f"{gauge}(btc)",
            note=note,
        )
        for gauge, note in _NOTES.items()
    ),
    _build,
    needs="TOCSIN_EXCHANGES",
    hint=f"with {', '.join(list(CONTRACTS)[:-1])} or {list(CONTRACTS)[-1]} among them",
    is_met=lambda means: bool(means.doors.keys() & CONTRACTS.keys()),
)
