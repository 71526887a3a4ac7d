"""mempool.space: the hash rate of Bitcoin and the fee for its next block, without a key.

https://mempool.space/docs/api/rest (``/v1/mining/hashrate/1m``, ``/v1/fees/recommended``)

The hash rate is the mean of a UTC day, computed after its end from the blocks that were found, in EH/s; its
stamp there is the midnight that ends the day. The fee is the recommended one for the next block, in sat/vB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from bot.engine.sessions import DAY
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import instant_of, number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.provider import Look, Offer, Plug
from bot.metrics import MetricKey, Observation, Want

NAME = "mempool.space"

_URL = "https://mempool.space/api/v1/"
_HASHRATE = MetricKey("hashrate", "")
_FEES = MetricKey("fees", "")
_EXA = Decimal(10) ** 18
_SPANS = ((28, "1m"), (88, "3m"), (180, "6m"), (364, "1y"), (729, "2y"), (1094, "3y"))
"""The stretches that may be asked for, each by the days that lie in it for certain."""

_FEES_EVERY = 300.0
_HASHRATE_EVERY = 3600.0


class Mempool:
    """Read the fee at each look, and the hash rate of the past days once an hour."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._asked_at = 0.0
        self._since = 0
        self._days: tuple[Observation, ...] = ()

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for what is wanted. Raises Fault where nothing could be read."""
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        faults: list[Fault] = []
        for want in wants:
            try:
                if want.key == _FEES:
                    found.append(await self._fee(now))
                else:
                    found.extend(await self._hashrates(want, now))
            except Fault as fault:
                faults.append(fault)
                refused[want.key] = fault.reason
        if faults and not found:
            raise faults[0]
        has_fees = any(want.key == _FEES for want in wants)
        return Look(now + (_FEES_EVERY if has_fees or faults else _HASHRATE_EVERY), tuple(found), refused)

    async def _fee(self, now: float) -> Observation:
        match await self._http.json(NAME, f"{_URL}fees/recommended"):
            case {"fastestFee": raw} if (fee := number_of(raw)) is not None and fee > 0:
                return Observation(_FEES, int(now), fee, now, source=NAME)
        raise Fault(Trouble.NONSENSE, f"{NAME} gives no fee that can be read")

    async def _hashrates(self, want: Want, now: float) -> list[Observation]:
        if want.since < self._since or now - self._asked_at >= _HASHRATE_EVERY or not self._days:
            days = (now - want.since) / DAY
            span = next((name for reach, name in _SPANS if days <= reach), "all")
            match await self._http.json(NAME, f"{_URL}mining/hashrate/{span}"):
                case {"hashrates": [*rows]} if found := tuple(_words(rows, now)):
                    self._asked_at, self._since, self._days = now, want.since, found
                case _:
                    raise Fault(Trouble.NONSENSE, f"{NAME} gives no hash rate that can be read")
        return [replace(word, known_at=now) for word in self._days if word.as_of >= want.since]


def _words(rows: Sequence[object], now: float) -> Iterator[Observation]:
    for row in rows:
        match row:
            case {"timestamp": stamp, "avgHashrate": raw}:
                end, rate = instant_of(stamp), number_of(raw)
                if end is not None and end <= now and rate is not None and rate > 0:  # a day of no block is 0
                    midnight = end - end % DAY - DAY
                    yield Observation(_HASHRATE, midnight, round(rate / _EXA, 6), now, source=NAME)


PLUG = Plug(
    NAME,
    (
        Offer("hashrate", note="the mean of each UTC day, in EH/s"),
        Offer("fees", note="recommended for the next block, in sat/vB"),
    ),
    lambda means: Mempool(means.http),
)
