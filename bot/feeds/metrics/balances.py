"""Stablecoins on exchanges, from a list of balances by exchange with what they changed by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.engine.sessions import DAY, HOUR
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import number_of
from bot.feeds.metrics.provider import Look
from bot.metrics import Observation, Want
from bot.rules.phrases import to_say

NOTE_OF_BALANCES = to_say(
    "USDT and USDC on the exchanges that are known there, a coin as a dollar: a lower bound"
)

_COINS = (("USDT", "USDT(ETH)"), ("USDC", "USDC(ETH)"))
"""The coins that are counted, each by the names under which it may be listed: the first that is, holds."""

_PATH = "/api/exchange/balance/list"
_PASTS: Mapping[str, int] = {
    "balance_change_1d": DAY,
    "balance_change_7d": 7 * DAY,
    "balance_change_30d": 30 * DAY,
}
_AFTER_THE_HOUR = 300
_NOTABLE = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Balance:
    """What one exchange holds of a coin, and what it held before, by how many seconds ago."""

    exchange: str
    now: Decimal
    before: Mapping[int, Decimal]


class Balances:
    """Read the sum over exchanges and coins, of each hour, with what it was a day, a week and a month before.

    These are from the same list, so that an exchange which is new in it is no flow of money. One with a
    notable share that was there in the look before and is not there now makes the list doubtful, for a day.
    """

    def __init__(self, name: str, ask: Callable[..., Awaitable[Any]]) -> None:
        self._name = name
        self._ask = ask
        self._held: dict[tuple[str, str], Decimal] = {}
        self._whole_at: float | None = None

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for each coin. Raises Fault."""
        held: dict[tuple[str, str], Balance] = {}
        for names in _COINS:
            for balance in await self._list(names):
                held[names[0], balance.exchange] = balance
        if not held:
            raise Fault(Trouble.NONSENSE, f"{self._name} shows no balance that can be read")
        self._check(held, now)
        as_of = int(now) // HOUR * HOUR
        totals = {as_of - ago: total for ago, total in _totals(held.values())}
        found = tuple(
            Observation(want.key, at, round(total, 2), now, source=self._name)
            for want in wants
            for at, total in sorted(totals.items())
        )
        return Look(float(as_of + HOUR + _AFTER_THE_HOUR), found)

    async def _list(self, names: Sequence[str]) -> list[Balance]:
        """Ask for a coin by the name under which it is listed; nothing where it is not listed at all."""
        for name in names:
            try:
                return self._read(await self._ask(_PATH, {"symbol": name}), name)
            except Fault as fault:
                if fault.trouble is not Trouble.SYMBOL:
                    raise
        return []

    def _read(self, rows: object, coin: str) -> list[Balance]:
        found = list(_balances(rows if isinstance(rows, list) else ()))
        if not found or any(balance.now < 0 for balance in found):
            raise Fault(Trouble.NONSENSE, f"{self._name} shows balances of {coin} that cannot be")
        if len({balance.exchange for balance in found}) < len(found):
            raise Fault(Trouble.NONSENSE, f"{self._name} shows an exchange twice")
        return found

    def _check(self, held: Mapping[tuple[str, str], Balance], now: float) -> None:
        missing = {place: amount for place, amount in self._held.items() if place not in held}
        is_notable = sum(missing.values()) > _NOTABLE * sum(self._held.values())
        if is_notable and self._whole_at is not None and now < self._whole_at + DAY:
            exchange = max(missing, key=lambda place: missing[place])[1]
            raise Fault(Trouble.NONSENSE, f"{self._name} leaves out {exchange}, which was there before")
        self._held = {place: balance.now for place, balance in held.items()}
        self._whole_at = now


def _balances(rows: Iterable[object]) -> Iterator[Balance]:
    for row in rows:
        match row:
            case {"exchange_name": str() as name, "total_balance": raw, **rest} if name:
                total = number_of(raw)
                changes = {ago: number_of(rest.get(column)) for column, ago in _PASTS.items()}
                if total is not None:
                    before = {ago: total - one for ago, one in changes.items() if one is not None}
                    yield Balance(name, total, before)


def _totals(balances: Iterable[Balance]) -> Iterator[tuple[int, Decimal]]:
    """Sum up the present, and each past that every exchange tells of."""
    known = list(balances)
    yield 0, sum((one.now for one in known), Decimal(0))
    for ago in _PASTS.values():
        if all(ago in one.before for one in known):
            yield ago, sum((one.before[ago] for one in known), Decimal(0))
