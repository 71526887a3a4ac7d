"""Kalshi: the odds of a rate cut at the Fed's next meeting, as its markets price them, without a key.

https://docs.kalshi.com (``/markets?series_ticker=KXFEDDECISION``)

The series has an event for each meeting (``KXFEDDECISION-25DEC``), and in it a market for each outcome: cuts
of 25 points (``-C25``) and of more (``-C26``), no change (``-H0``), and hikes (``-H25``, ``-H26``). The next
meeting is the open event that closes first. An outcome is worth the middle between the best bid and the best
ask for "yes", and ``rate_cut()`` is the sum over the cuts, in percent. So that nothing is read out of an
empty or thin book, each outcome must have a bid and an ask within 15 cents, and all of them together must be
worth between 90 cents and 1.15 dollars: else the odds are not known.

When a meeting is over, the odds jump to those of the one after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.provider import Look, Offer, Plug
from bot.metrics import MetricKey, Observation, Want

NAME = "kalshi"

_URL = "https://api.elections.kalshi.com/trade-api/v2/markets"
_SERIES = "KXFEDDECISION"
_TICKER = re.compile(rf"({_SERIES}-[A-Z0-9]+)-([CH])\d+", re.ASCII)
_OPEN = frozenset(["open", "active"])
_MOST_PAGES = 5
_SECONDS = 300.0
_WIDEST = Decimal("0.15")
_TOTALS = (Decimal("0.90"), Decimal("1.15"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One market: its meeting, when it closes, whether it is a cut, and what it is worth, where known."""

    meeting: str
    closes_at: float
    is_cut: bool
    worth: Decimal | None


class Kalshi:
    """Read the open markets of the Fed's decisions."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for all open markets of the series. Raises Fault where the odds are not known."""
        markets: list[object] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            params: dict[str, str | int] = {"series_ticker": _SERIES, "status": "open", "limit": 200}
            if cursor:
                params["cursor"] = cursor
            answer = await self._http.json(NAME, _URL, params=params)
            match answer:
                case {"markets": [*page]}:
                    markets.extend(page)
                case _:
                    raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
            raw = answer.get("cursor")
            cursor = raw if isinstance(raw, str) else ""
            if not cursor:
                break
        odds = odds_of(list(_outcomes(markets)), now)
        key = MetricKey("rate_cut", "")
        return Look(now + _SECONDS, (Observation(key, int(now), odds, now, source=NAME),))


def odds_of(outcomes: Sequence[Outcome], now: float) -> Decimal:
    """Give the odds of a cut at the next meeting, in percent. Raises Fault where they are not known."""
    ahead = [one for one in outcomes if one.closes_at > now]
    if not ahead:
        raise Fault(Trouble.NONSENSE, f"{NAME} lists no market for the Fed's next meeting")
    meeting = min(ahead, key=lambda one: one.closes_at).meeting
    of_next = [one for one in ahead if one.meeting == meeting]
    worths = [one.worth for one in of_next if one.worth is not None]
    if len(worths) < len(of_next):
        raise Fault(Trouble.PASSING, f"{NAME} has too few offers in a market for the Fed's next meeting")
    if not any(one.is_cut for one in of_next) or not _TOTALS[0] <= sum(worths) <= _TOTALS[1]:
        raise Fault(Trouble.NONSENSE, f"{NAME} shows outcomes of the Fed's next meeting that do not add up")
    cuts = sum((one.worth for one in of_next if one.is_cut and one.worth is not None), start=Decimal(0))
    return min(cuts * 100, Decimal(100))


def _outcomes(markets: Sequence[object]) -> Iterator[Outcome]:
    """Read the open markets. Raises Fault for an outcome of a kind that is not known."""
    for market in markets:
        match market:
            case {"ticker": str() as ticker, "status": str() as status, "close_time": str() as raw, **rest}:
                closes_at = _instant(raw)
            case _:
                raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
        if status not in _OPEN:
            continue
        found = _TICKER.fullmatch(ticker)
        if found is None or closes_at is None:
            raise Fault(Trouble.NONSENSE, f"{NAME} lists an outcome of an unknown kind")
        bid, ask = number_of(rest.get("yes_bid_dollars")), number_of(rest.get("yes_ask_dollars"))
        yield Outcome(found[1], closes_at, found[2] == "C", _worth(bid, ask))


def _worth(bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """Give the middle of a book; ``None`` for one that is empty, on a side not told, crossed, or thin."""
    if bid is None or ask is None or not 0 <= bid <= ask <= 1 or ask - bid > _WIDEST:
        return None
    return (bid + ask) / 2


def _instant(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()


PLUG = Plug(
    NAME,
    (
        Offer(
            "rate_cut",
            note="the Fed's next meeting, all cuts together; it jumps to the one after when that is decided",
        ),
    ),
    lambda means: Kalshi(means.http),
)
