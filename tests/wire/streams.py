"""Websockets of trades on loopback, beside the same exchange's REST addresses, for the unmodified ccxt.pro.

Each speaks the frames, acknowledgements, heartbeats and limits of its public documentation. A test pushes a
trade at an instant, and switches on what real connections do: falling silent, never acknowledging, breaking,
garbage, refusing the handshake.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from math import inf
from typing import Any, ClassVar

from aiohttp import WSCloseCode, WSMsgType, web

from bot.demo.exchange import LoopbackExchange


@dataclass(eq=False)
class Line:
    """One open connection: the address it came to, and what it subscribed."""

    socket: web.WebSocketResponse
    request: web.Request
    topics: set[str] = field(default_factory=set)
    heard: deque[float] = field(default_factory=deque)

    @property
    def path(self) -> str:
        return self.request.path

    async def say(self, frame: object) -> None:
        """Send a frame: text as it is, all else as JSON."""
        if not self.socket.closed:
            await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))


class Streams:
    """The websockets of one exchange. Subclasses say the addresses and the frames."""

    paths: ClassVar[tuple[str, ...]]
    beat_seconds: ClassVar[float] = 0.0
    """Real seconds between what the server sends by itself to show that it lives; 0 for nothing."""

    most_a_second: ClassVar[float] = inf
    """How many messages a second it takes; a connection that sends more is closed."""

    def __init__(self, exchange: LoopbackExchange) -> None:
        self.exchange = exchange
        self.lines: list[Line] = []
        self.dialled = 0
        self.asked: list[Any] = []
        self.refusal: int | None = None
        self.is_silent = False
        self.is_mute = False
        self._numbers = count(1)

    # --- what a test does -----------------------------------------------------------------------------------

    async def trade(self, symbol: str, *prices: float, at: float | None = None) -> None:
        """Trade at these prices, one after the other, at one instant (epoch seconds; now)."""
        for price in prices:
            traded_at = self.exchange.now() if at is None else at
            for line in list(self.lines):
                if self.is_silent or self.is_mute:
                    continue
                for frame in self.frames(line, symbol, price, traded_at, next(self._numbers)):
                    await line.say(frame)

    async def garble(self, *frames: str) -> None:
        """Send frames as they are to everybody."""
        for line in list(self.lines):
            for frame in frames:
                await line.say(frame)

    def drop(self) -> None:
        """Break every connection without a goodbye."""
        for line in list(self.lines):
            if line.request.transport is not None:
                line.request.transport.abort()

    def watched(self) -> set[str]:
        """Name the markets, in lower case, whose trades are subscribed on any connection."""
        return {
            symbol
            for symbol in self.exchange.symbols
            for line in self.lines
            if any(True for _ in self.frames(line, symbol, 1.0, 1.0, 1))
        }

    # --- what the exchange does -----------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses of the websockets."""
        return [web.get(path, self._serve) for path in self.paths]

    async def greet(self, line: Line) -> None:
        """Say what a new connection hears first."""

    async def beat(self, line: Line) -> None:
        """Show that the connection lives."""

    async def hear(self, line: Line, text: str) -> None:
        """Take a message of the client's and answer it."""
        raise NotImplementedError

    def frames(self, line: Line, symbol: str, price: float, at: float, number: int) -> Iterator[object]:
        """Give the frames that tell a connection of a trade: none where it is not subscribed."""
        raise NotImplementedError

    def listed(self, name: str, names: list[str]) -> bool:
        """Whether a name is one of the unified names of markets, in any case."""
        return name.lower() in names

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.dialled += 1
        if self.refusal is not None:
            return web.Response(status=self.refusal)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        line = Line(socket, request)
        self.lines.append(line)
        beating = asyncio.create_task(self._beating(line)) if self.beat_seconds else None
        try:
            await self.greet(line)
            async for message in socket:
                await self._take(line, message.type, message.data)
        except ConnectionError:
            pass
        finally:
            self.lines.remove(line)
            if beating is not None:
                beating.cancel()
        return socket

    async def _take(self, line: Line, kind: WSMsgType, data: Any) -> None:
        now = time.monotonic()
        line.heard.append(now)
        while line.heard[0] < now - 1:
            line.heard.popleft()
        if len(line.heard) > self.most_a_second:
            await line.socket.close(code=WSCloseCode.POLICY_VIOLATION)
        elif kind is WSMsgType.PING:
            if not self.is_silent:
                await line.socket.pong(data)
        elif kind is WSMsgType.TEXT:
            self.asked.append(data)
            await self.hear(line, data)

    async def _beating(self, line: Line) -> None:
        while True:
            await asyncio.sleep(self.beat_seconds)
            if not self.is_silent and not line.socket.closed:
                await self.beat(line)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class BinanceStreams(Streams):
    """Binance: raw streams; a ping frame every 20 seconds, five messages a second, 1,024 streams."""

    paths = ("/stream.binance.com:9443/ws/{number}", "/fstream.binance.com/market/ws/{number}")
    beat_seconds = 20.0
    most_a_second = 5

    async def beat(self, line: Line) -> None:
        await line.socket.ping(str(int(time.time())).encode())

    async def hear(self, line: Line, text: str) -> None:
        try:
            ask = json.loads(text)
            method, params, number = ask["method"], ask["params"], ask["id"]
        except (ValueError, TypeError, KeyError):
            await line.say({"error": {"code": 2, "msg": "Invalid request: missing field"}})
            return
        if self.is_mute:
            return
        topics = set(params)
        line.topics = line.topics | topics if method == "SUBSCRIBE" else line.topics - topics
        if len(line.topics) > 1024:
            await line.socket.close(code=WSCloseCode.POLICY_VIOLATION)
        else:
            await line.say({"result": None, "id": number})

    def frames(self, line: Line, symbol: str, price: float, at: float, number: int) -> Iterator[object]:
        is_swap = ":" in symbol
        if is_swap is not line.path.startswith("/fstream"):
            return
        name = symbol.partition(":")[0].replace("/", "")
        stamp = int(at * 1000)
        frame = {"E": stamp, "s": name.upper(), "p": f"{price:.8f}", "q": "0.01000000", "T": stamp, "m": True}
        if f"{name}@aggTrade" in line.topics:
            yield {"e": "aggTrade", **frame, "a": number, "f": number, "l": number, "M": True}
        if f"{name}@trade" in line.topics:
            yield {"e": "trade", **frame, "t": number, "M": True}


class KrakenStreams(Streams):
    """Kraken, version 2: one acknowledgement for each symbol, a snapshot, a heartbeat every second."""

    paths = ("/ws.kraken.com/v2",)
    beat_seconds = 1.0

    async def greet(self, line: Line) -> None:
        about = {"system": "online", "api_version": "v2", "connection_id": 1, "version": "2.0.10"}
        await line.say({"channel": "status", "type": "update", "data": [about]})

    async def beat(self, line: Line) -> None:
        if line.topics:
            await line.say({"channel": "heartbeat"})

    async def hear(self, line: Line, text: str) -> None:
        ask = json.loads(text)
        stamp = _iso(time.time())
        times = {"time_in": stamp, "time_out": stamp}
        if ask["method"] == "ping":
            if not self.is_silent:
                await line.say({"method": "pong", **times})
            return
        if self.is_mute:
            return
        about = ask["params"]
        for symbol in about["symbol"]:
            answer = {"method": ask["method"], "req_id": ask.get("req_id"), **times}
            if not self.listed(symbol, self.exchange.spot()):
                error = f"Currency pair not supported {symbol}"
                await line.say({**answer, "success": False, "error": error, "symbol": symbol})
                continue
            has_snapshot = about.get("snapshot", True)
            result = {"channel": "trade", "snapshot": has_snapshot, "symbol": symbol}
            await line.say({**answer, "success": True, "result": result})
            if ask["method"] == "unsubscribe":
                line.topics.discard(symbol)
                continue
            line.topics.add(symbol)
            if has_snapshot:
                now = self.exchange.now()
                price = self.exchange.path.price(symbol.lower(), now - 40)
                await line.say(self._trades("snapshot", symbol, price, now - 40, 1))

    def frames(self, line: Line, symbol: str, price: float, at: float, number: int) -> Iterator[object]:
        if symbol.upper() in line.topics:
            yield self._trades("update", symbol.upper(), price, at, number)

    def _trades(self, kind: str, symbol: str, price: float, at: float, number: int) -> object:
        trade = {
            "symbol": symbol,
            "side": "sell",
            "price": price,
            "qty": 0.01,
            "ord_type": "market",
            "trade_id": number,
            "timestamp": _iso(at),
        }
        return {"channel": "trade", "type": kind, "data": [trade]}


class OkxStreams(Streams):
    """OKX: an acknowledgement for each topic, and ``ping`` in plain text."""

    paths = ("/ws.okx.com:443/ws/v5/public",)

    async def hear(self, line: Line, text: str) -> None:
        if text == "ping":
            if not self.is_silent:
                await line.say("pong")
            return
        if self.is_mute:
            return
        ask = json.loads(text)
        for topic in ask["args"]:
            if not any(_okx_id(symbol) == topic["instId"] for symbol in self.exchange.symbols):
                message = f"{topic['channel']},instId:{topic['instId']} doesn't exist"
                await line.say({"event": "error", "msg": message, "code": "60018", "connId": "a4d3ae55"})
                continue
            known = {topic["instId"]}
            line.topics = line.topics | known if ask["op"] == "subscribe" else line.topics - known
            await line.say({"event": ask["op"], "arg": topic, "connId": "a4d3ae55"})

    def frames(self, line: Line, symbol: str, price: float, at: float, number: int) -> Iterator[object]:
        name = _okx_id(symbol)
        if name not in line.topics:
            return
        trade = {
            "instId": name,
            "tradeId": str(number),
            "px": f"{price:.2f}",
            "sz": "0.01",
            "side": "sell",
            "ts": str(int(at * 1000)),
            "count": "1",
            "seqId": number,
        }
        yield {"arg": {"channel": "trades", "instId": name}, "data": [trade]}


def _okx_id(symbol: str) -> str:
    pair, _, settle = symbol.upper().partition(":")
    return pair.replace("/", "-") + ("-SWAP" if settle else "")


class CoinbaseStreams(Streams):
    """Coinbase: a snapshot of trades, newest first; a heartbeat every second to who subscribes to it."""

    paths = ("/advanced-trade-ws.coinbase.com",)
    beat_seconds = 1.0

    async def beat(self, line: Line) -> None:
        if "heartbeats" in line.topics:
            now = f"{datetime.fromtimestamp(time.time(), UTC)} m=+1.0"
            await line.say(self._frame("heartbeats", {"current_time": now, "heartbeat_counter": 7}))

    async def hear(self, line: Line, text: str) -> None:
        if self.is_mute:
            return
        ask = json.loads(text)
        topics = set(ask["product_ids"]) if ask["channel"] == "market_trades" else {ask["channel"]}
        line.topics = line.topics | topics if ask["type"] == "subscribe" else line.topics - topics
        await line.say(self._frame("subscriptions", {"subscriptions": {ask["channel"]: sorted(topics)}}))
        now = self.exchange.now()
        for symbol in self.exchange.spot():
            if ask["type"] == "subscribe" and _coinbase_id(symbol) in topics:
                trade = self._trade(symbol, self.exchange.path.price(symbol, now - 40), now - 40, 1)
                await line.say(self._frame("market_trades", {"type": "snapshot", "trades": [trade]}))

    def frames(self, line: Line, symbol: str, price: float, at: float, number: int) -> Iterator[object]:
        if _coinbase_id(symbol) in line.topics:
            trade = self._trade(symbol, price, at, number)
            yield self._frame("market_trades", {"type": "update", "trades": [trade]})

    def _trade(self, symbol: str, price: float, at: float, number: int) -> object:
        about = {"trade_id": str(number), "product_id": _coinbase_id(symbol), "price": f"{price:.2f}"}
        return {**about, "size": "0.01", "side": "SELL", "time": _iso(at)}

    def _frame(self, channel: str, event: object) -> object:
        about = {"channel": channel, "client_id": "", "timestamp": _iso(time.time())}
        return {**about, "sequence_num": next(self._numbers), "events": [event]}


def _coinbase_id(symbol: str) -> str:
    return symbol.upper().replace("/", "-")


class BybitStreams(Streams):
    """Bybit: ten topics a request on spot, and ``ping`` as an operation."""

    paths = ("/stream.bybit.com/v5/public/spot", "/stream.bybit.com/v5/public/linear")

    async def hear(self, line: Line, text: str) -> None:
        ask = json.loads(text)
        answer = {"success": True, "ret_msg": "", "conn_id": "db3158a0", "req_id": str(ask.get("req_id", ""))}
        if ask["op"] == "ping":
            if not self.is_silent:
                await line.say({**answer, "ret_msg": "pong", "op": "ping"})
            return
        if self.is_mute:
            return
        if len(ask["args"]) > 10 and line.path.endswith("spot"):
            await line.say({**answer, "success": False, "ret_msg": "args size >10", "op": ask["op"]})
            return
        topics = set(ask["args"])
        line.topics = line.topics | topics if ask["op"] == "subscribe" else line.topics - topics
        await line.say({**answer, "op": ask["op"]})

    def frames(self, line: Line, symbol: str, price: float, at: float, number: int) -> Iterator[object]:
        pair, _, settle = symbol.upper().partition(":")
        name = pair.replace("/", "")
        if bool(settle) is line.path.endswith("spot") or f"publicTrade.{name}" not in line.topics:
            return
        stamp = int(at * 1000)
        trade = {"T": stamp, "s": name, "S": "Sell", "v": "0.01", "p": f"{price:.2f}", "i": str(number)}
        yield {
            "topic": f"publicTrade.{name}",
            "type": "snapshot",
            "ts": stamp,
            "data": [{**trade, "L": "MinusTick", "BT": False}],
        }


STREAMS: dict[str, type[Streams]] = {
    "binance": BinanceStreams,
    "kraken": KrakenStreams,
    "okx": OkxStreams,
    "coinbase": CoinbaseStreams,
    "bybit": BybitStreams,
}


class StreamingExchange(LoopbackExchange):
    """An exchange with its websockets behind one root."""

    def __init__(self, behind: LoopbackExchange, streams: Streams) -> None:
        super().__init__(behind.path, behind.symbols, behind.now, behind._middlewares)
        self.behind = behind
        self.streams = streams

    def routes(self) -> list[web.RouteDef]:
        return [*self.behind.routes(), *self.streams.routes()]

    async def close(self) -> None:
        self.streams.drop()
        await super().close()
