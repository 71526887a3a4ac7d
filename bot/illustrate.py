"""Illustrate: ask the market for the candles of a message's chart, once for all chats that are told the same.

A chart is an extra: what cannot be had in time, or while the exchanges are asked for many, is left out, and
the message goes as it is.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bot.alerts.chart import PriceChart, Sketch
from bot.metrics import MINUTE, Bar
from bot.ports import Unseeable

if TYPE_CHECKING:
    from bot.alerts.message import Message
    from bot.ports import Market

log = structlog.get_logger(__name__)

PATIENCE = 1.5
"""Seconds that a message waits for its candles."""

AT_ONCE = 4
"""For how many charts the market is asked at once: what exchanges allow is for the rings themselves."""

_KEPT = 256
_LONGEST = 15.0


class Illustrator:
    """Fill the sketches of messages, of at most ``at_once`` together.

    ``patience`` is in seconds of the machine, not of the bot's clock.
    """

    def __init__(self, market: Market, patience: float = PATIENCE, at_once: int = AT_ONCE) -> None:
        self._market = market
        self._patience = patience
        self._at_once = at_once
        self._filled: OrderedDict[Sketch, asyncio.Future[PriceChart | None]] = OrderedDict()
        self._asked = 0

    async def complete(self, message: Message, patience: float | None = None) -> Message:
        """Give a message with its chart; without one where that does not come in time.

        With a ``patience`` of 0 it is begun to be asked for, and given only where it is there already.
        """
        if not isinstance(message.chart, Sketch):
            return message
        return replace(message, chart=await self.fill(message.chart, patience))

    async def fill(self, sketch: Sketch, patience: float | None = None) -> PriceChart | None:
        """Give the chart of a sketch, or ``None``."""
        filling = self._filled.get(sketch)
        if filling is None:
            if self._asked >= self._at_once:
                return None
            self._asked += 1
            filling = self._filled[sketch] = asyncio.ensure_future(self._fill(sketch))
            while len(self._filled) > _KEPT:
                self._filled.popitem(last=False)
        if patience != 0:
            await asyncio.wait({filling}, timeout=self._patience if patience is None else patience)
        return filling.result() if filling.done() and not filling.cancelled() else None

    async def _fill(self, sketch: Sketch) -> PriceChart | None:
        try:
            async with asyncio.timeout(_LONGEST):
                bars, minutes = await asyncio.gather(
                    self._market.bars(sketch.key, sketch.since, sketch.until, sketch.span),
                    self._minutes(sketch),
                )
        except (Unseeable, TimeoutError) as trouble:
            log.info("no candles for a chart", key=str(sketch.key), reason=str(trouble))
            return None
        except Exception:  # a message goes without its chart rather than not at all
            log.exception("a chart cannot be filled", key=str(sketch.key))
            return None
        finally:
            self._asked -= 1
        return sketch.filled(bars, minutes)

    async def _minutes(self, sketch: Sketch) -> tuple[Bar, ...]:
        """Ask for what is final of the candle that is not over."""
        if sketch.span <= MINUTE or sketch.until - sketch.running_since < MINUTE:
            return ()
        try:
            return await self._market.bars(sketch.key, sketch.running_since, sketch.until, MINUTE)
        except Unseeable:
            return ()
