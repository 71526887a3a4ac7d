"""What a stream of trades comes down to between two batches: its extremes and its last price. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade of a market, by ccxt's symbol; ``at`` is the exchange's instant in epoch seconds."""

    symbol: str
    price: float
    at: float


@dataclass(frozen=True, slots=True)
class _Wick:
    low: Trade
    high: Trade
    last: Trade

    def with_trade(self, trade: Trade) -> _Wick:
        low = trade if trade.price < self.low.price else self.low
        high = trade if trade.price > self.high.price else self.high
        return replace(self, low=low, high=high, last=trade if trade.at >= self.last.at else self.last)


class Wicks:
    """The trades since the last taking, in bounded memory: three of each market, however many there were."""

    def __init__(self) -> None:
        self._wicks: dict[str, _Wick] = {}

    def note(self, trades: Iterable[Trade]) -> None:
        """Take trades in."""
        for trade in trades:
            known = self._wicks.get(trade.symbol)
            self._wicks[trade.symbol] = (
                _Wick(trade, trade, trade) if known is None else known.with_trade(trade)
            )

    def take(self) -> list[Trade]:
        """Give the lowest, the highest and the last of each market, in the order of time, and forget them."""
        taken, self._wicks = self._wicks, {}
        last = {wick.last for wick in taken.values()}
        told = last.union(*({wick.low, wick.high} for wick in taken.values()))
        return sorted(told, key=lambda trade: (trade.at, trade in last, trade.price))
