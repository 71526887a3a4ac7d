"""The websockets of the exchanges, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Websocket:
    """What an exchange's websocket of trades bears, and how it shows that it lives.

    Trades are read, not tickers: each price that was traded at is among them, a wick too. ``silence`` is
    after how many seconds without any frame a connection is dead: three of our own pings, or many of the
    exchange's heartbeats. ``most`` is how many markets of a kind one connection is asked for, ``at_once`` how
    many in one request. ``params`` and ``options`` are for ccxt. ``leaves`` says that ccxt can leave a market
    while others stay; ``heartbeats`` names a channel that keeps a quiet connection open.
    """

    most: int = 200
    at_once: int = 100
    silence: float = 35.0
    params: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    leaves: bool = True
    heartbeats: str = ""


WEBSOCKETS: Mapping[str, Websocket] = {
    # Spot allows 1,024 streams on a connection and perpetuals 200, with five messages a second.
    "binance": Websocket(
        # One message for all that an order took at one price: every price, in fewer messages.
        params={"name": "aggTrade"},
        # ccxt would open a connection for every new set of markets: all of a kind go over one.
        options={
            "streamLimits": {"spot": 1, "linear": 1},
            "subscriptionLimitByStream": {"spot": 1_000_000, "linear": 1_000_000},
        },
    ),
    # A heartbeat every second while nothing else comes.
    "kraken": Websocket(silence=15.0, params={"snapshot": False}, leaves=False),
    # 64 KB a request, 480 requests an hour; closed after 30 seconds without a ping.
    "okx": Websocket(),
    # Closed after a minute without an update, but for the heartbeats: one every second.
    "coinbase": Websocket(silence=15.0, leaves=False, heartbeats="heartbeats"),
    # Ten topics a request on spot.
    "bybit": Websocket(at_once=10),
}
