"""What looking at an exchange costs it, in its own unit of request weight, and whose turn it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import inf

from bot.feeds.exchanges.table import Exchange, Kind
from bot.metrics import MINUTE

ROWS_OF_A_MINUTE = 12
"""Rows that a question for the newest minute asks for: ten known ones, it, and the running one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What watching costs in a minute: requests, weight, and the share of what the exchange allows."""

    requests: float
    weight: float
    share: float


def cost_of(
    exchange: Exchange, symbols: int, kind: Kind = "spot", looks: float = 12, excluded: float = 0.0
) -> Cost:
    """Say what so many symbols of a kind cost in a minute of so many looks.

    ``excluded`` is the share of them that the extremes of a day exclude in a minute, so that no candles are
    asked for. A look that does not ask for these extremes asks for the prices alone.
    """
    costs = exchange.costs[kind]
    candles = costs.of_candles(ROWS_OF_A_MINUTE)
    whole = Cost(looks + symbols, looks * costs.prices + symbols * candles, 0.0)
    if costs.days is not None:
        left = symbols * (1 - excluded)
        sifted = Cost(looks + left, (looks - 1) * costs.prices + costs.days + left * candles, 0.0)
        whole = min(whole, sifted, key=lambda one: one.weight)
    return Cost(whole.requests, whole.weight, whole.weight / costs.a_minute)


@dataclass(frozen=True, slots=True)
class Due:
    """A series that waits to be asked for: ``distance`` to the nearest level, ``asked`` when it last was."""

    symbol: str
    distance: float
    asked: float = -inf


def in_turn(waiting: Sequence[Due], room: int) -> list[str]:
    """Name those that may be asked for now, at most ``room``.

    The nearest to their levels and those that waited longest come by turns, so that nobody starves.
    """
    nearest = sorted(waiting, key=lambda one: (one.distance, one.asked, one.symbol))
    oldest = sorted(waiting, key=lambda one: (one.asked, one.distance, one.symbol))
    order = (one.symbol for pair in zip_longest(nearest, oldest) for one in pair if one is not None)
    return list(dict.fromkeys(order))[: max(0, room)]


def distance_to(price: float | None, floor: float, ceiling: float) -> float:
    """Give how far, as a share of itself, a price is from where it concerns somebody; 0 where it does."""
    if price is None or not floor < price < ceiling:
        return 0.0
    return min(price - floor, ceiling - price) / price


def room_of(exchange: Exchange, kind: Kind, spent: float, elapsed: float, least: int) -> int:
    """Say how many questions for candles one look may ask: what the time since the last one allows.

    A part of the allowance is left to the questions of people. ``least`` are always allowed.
    """
    costs = exchange.costs[kind]
    left = min(_SHARE * costs.a_minute - spent, costs.a_minute * min(elapsed, MINUTE) / MINUTE)
    return max(least, int(left / costs.of_candles(ROWS_OF_A_MINUTE)))


_SHARE = 0.8
