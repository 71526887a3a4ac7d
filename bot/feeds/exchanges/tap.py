"""One connection to an exchange's websocket: the real ccxt.pro behind it, checked trades in front of it.

A tap lives until its first fault and is not used again: the next connection is a new tap. All of it runs in
the thread of ccxt.

ccxt waits for ever on a connection that fell silent, stops reading for ever after one frame that is no JSON,
and opens a new connection by itself where an old one broke. So nothing here awaits its answers: trades are
read where it keeps them, every frame is heard on its way in, and what breaks ends the tap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any

from bot.feeds.exchanges.listing import Listed
from bot.feeds.exchanges.quotes import positive
from bot.feeds.exchanges.table import Kind
from bot.feeds.exchanges.websockets import Websocket
from bot.feeds.exchanges.wicks import Trade
from bot.feeds.faults import Fault, Trouble, fault_of_error, fault_of_status

OPTIONS = {"tradesLimit": 10_000}
"""ccxt keeps so many trades of a market; they are drawn off several times a second."""

_PING_SECONDS = 10
_GOODBYE_SECONDS = 1.0
_NO_WEBSOCKET = {400, 404, 405, 426, 501}
_CONTROL_FRAMES = {"PING", "PONG"}
_BEATS = {"heartbeat", "heartbeats", "status"}


class Tap:
    """Subscribe, and draw trades off.

    ``now`` is our clock; ``arrived`` is called when something other than a heartbeat was heard. ``heard_at``
    is the instant of the last sound frame, ``opened_at`` that of the connection, ``None`` before it stands;
    ``is_answered`` says that the exchange said anything but heartbeats. ``frames`` counts what was heard,
    ``refused`` what was no frame.
    """

    def __init__(
        self,
        name: str,
        about: Websocket,
        instance: Any,
        now: Callable[[], float],
        arrived: Callable[[], None],
    ) -> None:
        self._name = name
        self._about = about
        self._ccxt = instance
        self._now = now
        self._arrived = arrived
        self._clients: list[Any] = []
        self._asking: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self.fault: Fault | None = None
        self.begun_at = self.heard_at = now()
        self.opened_at: float | None = None
        self.is_answered = False
        self.frames = 0
        self.refused = 0
        instance.streaming["keepAlive"] = min(instance.streaming["keepAlive"], _PING_SECONDS * 1000)
        self._listen()

    def watch(self, markets: Sequence[Listed]) -> None:
        """Subscribe to the trades of markets that are not watched yet."""
        for symbols in self._requests(markets):
            params = dict(self._about.params)
            self._ask(self._ccxt.watch_trades_for_symbols(symbols, None, None, params))
        if self._about.heartbeats:
            self._ask(self._ccxt.subscribe(self._about.heartbeats, False))

    def leave(self, markets: Sequence[Listed]) -> None:
        """Unsubscribe from markets that are watched."""
        for symbols in self._requests(markets):
            self._ask(self._ccxt.un_watch_trades_for_symbols(symbols, dict(self._about.params)))

    def draw(self) -> Iterator[Trade]:
        """Give the trades since the last time, in their order; what is no trade is left out."""
        drawn, self._ccxt.trades = self._ccxt.trades, {}
        for symbol, trades in drawn.items():
            for trade in trades:
                price, stamp = positive(trade.get("price")), positive(trade.get("timestamp"))
                if price is None or stamp is None:
                    self.refused += 1
                else:
                    yield Trade(symbol, price, stamp / 1000)

    async def close(self) -> None:
        """Let go of the connection; who does not answer the goodbye is left without one."""
        self._is_closing = True
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        for client in self._clients:
            with suppress(Exception):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await client.close()
        self._ccxt.clients = {}
        with suppress(Exception):
            await self._ccxt.close()

    # --- subscribing ----------------------------------------------------------------------------------------

    def _requests(self, markets: Sequence[Listed]) -> Iterator[list[str]]:
        """Split markets into requests: of one kind each, and no longer than the exchange takes."""
        kinds: tuple[Kind, ...] = ("spot", "swap")
        for kind in kinds:
            symbols = [market.symbol for market in markets if market.kind == kind]
            for start in range(0, len(symbols), self._about.at_once):
                yield symbols[start : start + self._about.at_once]

    def _ask(self, question: Coroutine[Any, Any, object]) -> None:
        """Put a question, and take in nothing of its answer but a refusal."""

        async def asked() -> None:
            try:
                await question
            except Exception as error:
                if type(error).__name__ != "UnsubscribeError":  # what a subscription hears that was left
                    self._break(fault_of_error(self._name, error))

        task = asyncio.create_task(asked())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    # --- hearing --------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Hear every frame and every break before ccxt does."""
        instance = self._ccxt
        make_client, read_message = instance.client, instance.handle_message

        def client(url: str) -> Any:
            if url in instance.clients:
                return instance.clients[url]
            made = make_client(url)
            take = made.handle_message
            made.handle_message = lambda frame: self._take(take, frame)
            self._clients.append(made)
            return made

        def handle_message(client: Any, message: object) -> None:
            if message != "pong" and not isinstance(message, dict | list):
                raise ValueError("a frame that is no JSON")
            read_message(client, message)
            self._hear()
            if not _is_beat(message):
                self.is_answered = True
                self._arrived()

        def on_connected(*_: object) -> None:
            self.opened_at = self._now()
            self._hear()

        def on_error(_: object, error: Exception) -> None:
            self._break(_fault_of_dial(self._name, error))

        def on_close(*_: object) -> None:
            self._break(Fault(Trouble.PASSING, f"{self._name} closed the stream"))

        instance.client = client
        instance.handle_message = handle_message
        instance.on_connected, instance.on_error, instance.on_close = on_connected, on_error, on_close

    def _take(self, take: Callable[[Any], None], frame: Any) -> None:
        try:
            take(frame)
        except Exception:  # let it out, and ccxt would read nothing more
            self.refused += 1
        else:
            if frame.type.name in _CONTROL_FRAMES:
                self._hear()

    def _hear(self) -> None:
        self.frames += 1
        self.heard_at = self._now()

    def _break(self, fault: Fault) -> None:
        if self.fault is None and not self._is_closing:
            self.fault = fault
            self._arrived()


def _is_beat(message: object) -> bool:
    if not isinstance(message, dict):
        return message == "pong"
    words = {message.get("method"), message.get("op"), message.get("ret_msg")}
    return bool(words & {"ping", "pong"}) or message.get("channel") in _BEATS


def _fault_of_dial(name: str, error: Exception) -> Fault:
    """Judge why no connection came about: by the status of the handshake where there was one."""
    cause = error.args[0] if error.args else None
    status = getattr(cause, "status", None)
    if not isinstance(status, int):
        return fault_of_error(name, error)
    if status in _NO_WEBSOCKET:
        return Fault(Trouble.ABSENT, f"{name} has no stream here (HTTP {status})")
    fault = fault_of_status(name, status, getattr(cause, "headers", None) or {}, "")
    return fault or Fault(Trouble.PASSING, f"{name} refuses the stream (HTTP {status})")
