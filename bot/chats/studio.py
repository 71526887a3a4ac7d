"""Have charts drawn: beside the event loop, each once, and never more than can be waited for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from bot.alerts.chart import Chart, Flow, FlowChart, PriceChart, Sketch

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PATIENCE = 2.0
"""Seconds that a message waits for its picture; after that it goes without."""

ANSWER_PATIENCE = 8.0
"""Seconds that an answer waits for its picture: somebody asked for it."""

MOST_WAITING = 6
"""How many charts may wait to be drawn; who comes then goes without, so that a storm of rings stays fast."""

KEPT = 64
"""How many pictures are kept, of some 40 kB each: a ring goes to all its chats within seconds."""


def draw(chart: Chart) -> bytes:
    """Draw a chart; the first one loads the drawing library and looks for its fonts."""
    from bot.chats import charts

    return charts.draw(chart)


class Studio:
    """Draw in one thread; charts that are equal are drawn once, for all platforms and chats."""

    def __init__(self, draw: Callable[[Chart], bytes] = draw, patience: float = PATIENCE) -> None:
        self._draw = draw
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, "charts")
        self._pictures: OrderedDict[Chart, asyncio.Future[bytes | None]] = OrderedDict()
        self._waiting = 0

    def warm(self) -> None:
        """Draw something, so that the first chart of a message need not wait for the library."""
        self._thread.submit(self._draw, FlowChart("0", "0", (Flow("0", "0", None),))).result()

    async def picture(self, chart: Chart | Sketch | None, patience: float | None = None) -> bytes | None:
        """Give the PNG of a chart; ``None`` where there is none to draw, or it does not come in time.

        ``patience`` is in seconds; with 0 it is begun, and given only where it is drawn already.
        """
        if not isinstance(chart, PriceChart | FlowChart):
            return None
        drawing = self._pictures.get(chart)
        if drawing is None:
            if self._waiting >= MOST_WAITING:
                log.info("no chart, too many are being drawn")
                return None
            self._waiting += 1
            drawing = self._pictures[chart] = asyncio.ensure_future(self._drawn(chart))
            while len(self._pictures) > KEPT:
                self._pictures.popitem(last=False)
        self._pictures.move_to_end(chart)
        if patience != 0:
            await asyncio.wait({drawing}, timeout=self._patience if patience is None else patience)
        return drawing.result() if drawing.done() and not drawing.cancelled() else None

    async def _drawn(self, chart: Chart) -> bytes | None:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._draw, chart)
        except Exception:  # a message goes without its picture rather than not at all
            log.exception("a chart cannot be drawn")
            return None
        finally:
            self._waiting -= 1
