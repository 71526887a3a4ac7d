"""One exchange as a Feed: whatever loop asks, the work is done in the thread of ccxt."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from bot.feeds.exchanges.listing import Listed
from bot.feeds.exchanges.lookout import Lookout
from bot.feeds.exchanges.tidings import Tidings
from bot.feeds.exchanges.venues import PRICE
from bot.feeds.faults import Fault
from bot.feeds.thread import LoopThread
from bot.metrics import Bar, Batch, Health, MetricKey, Seen, Want
from bot.ports import Unseeable

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


class ExchangeFeed:
    """Look at one exchange; the questions that a Market is asked go the same way."""

    def __init__(self, lookout: Lookout, thread: LoopThread) -> None:
        self.name = lookout.name
        self._lookout = lookout
        self._thread = thread
        self._is_open = True
        thread.enter()

    def begin(self) -> None:
        """Have the exchange asked what it lists, before the first look needs to know; waits for nothing."""
        self._thread.begin(self._lookout.begin)

    def keep(self) -> None:
        """Have the exchange asked what it lists, where that is old or not known; waits for nothing."""
        if self._is_open:
            self._thread.begin(self._lookout.keep)

    async def follow(self, wants: Sequence[Want]) -> None:
        """Note what is wanted, without looking."""
        if self._is_open:
            traded = tuple(want for want in wants if _is_traded(want.key))
            await self._thread.run(lambda: self._lookout.follow(traded))

    async def tell(self) -> Tidings | None:
        """Say what other processes must know of the exchange, once it was looked at here."""
        return await self._thread.run(self._lookout.tell) if self._is_open else None

    async def hear(self, tidings: Tidings) -> None:
        """Take in what another process told of the exchange."""
        if self._is_open:
            await self._thread.run(lambda: self._lookout.hear(tidings))

    async def poll(self, wants: Sequence[Want]) -> Batch:
        """Look once; wants that another exchange serves are left to it. Never raises for the world."""
        if not self._is_open:
            return Batch(self.name, self._lookout.clock.now())
        traded = tuple(want for want in wants if _is_traded(want.key))
        return await self._thread.run(lambda: self._lookout.look(traded))

    async def ready(self) -> None:
        """Know what the exchange lists. Raises Unseeable."""
        await self._ask(self._lookout.ready)

    async def ahead(self) -> float:
        """Say how many seconds the exchange's clock is ahead of ours. Raises Unseeable."""
        return await self._ask(self._lookout.ahead)

    async def refresh(self) -> None:
        """Renew a listing that is not fresh. Raises Unseeable; the old listing stays in use then."""
        await self._ask(self._lookout.refresh)

    async def seen(self, key: MetricKey, listed: Listed) -> Seen:
        """Give the present price with the running minute so far. Raises Unseeable."""
        return await self._ask(lambda: self._lookout.see(key, listed))

    async def bars(
        self, key: MetricKey, listed: Listed, since: int, until: int, span: int
    ) -> tuple[Bar, ...]:
        """Give the newest final bars of ``[since, until)`` without a hole. Raises Unseeable."""
        return await self._ask(lambda: self._lookout.page(key, listed, since, until, span))

    def health(self) -> Health:
        """Say how the feed is."""
        return self._lookout.health()

    async def close(self) -> None:
        """Let go of the connections, and of the thread if nobody else needs it."""
        if self._is_open:
            self._is_open = False
            await self._thread.run(self._lookout.close)
            await self._thread.leave()

    async def _ask(self, question: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        async def guarded() -> Answer:
            try:
                return await question()
            except Fault as fault:
                self._lookout.note(fault)
                raise Unseeable(fault.reason) from None
            except Exception as error:
                log.exception(
                    "question_broke", exchange=self.name, exc_info=False, error=type(error).__name__
                )
                raise Unseeable(f"{self.name} was asked wrongly by a mistake of this program") from error

        if not self._is_open:
            raise Unseeable(f"{self.name} is not looked at any more")
        return await self._thread.run(guarded)


def _is_traded(key: MetricKey) -> bool:
    """Whether a key is a price on exchanges: an index or a stock has no quote, and no exchange lists it."""
    return key.metric == PRICE and "/" in key.instrument
