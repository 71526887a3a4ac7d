"""The only builder: settings -> parts -> scheduler -> run.

Nothing is built at import, and nobody else builds. What differs between the bot and its demonstration (the
clock, the chats, how often an exchange is asked) is handed in; all else is the same program.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot import gauges, web
from bot.alerts.people import Caller, ChatRef
from bot.alerts.translator import ENGLISH, Translator
from bot.alerts.wording import PATIENCE
from bot.commands import COMMANDS, Office, make_desk
from bot.commands.preview import fetch
from bot.deliver import Courier
from bot.engine.past import Past, Unfit
from bot.feeds import Exchanges, Stream, build_feeds
from bot.feeds.metric_feed import MetricFeed
from bot.feeds.metrics import MetricFeeds, build_metrics
from bot.metrics import Want, minute_of
from bot.ports import Chat, Choice, Clock, Desk, Feed, Replies, UnknownInstrument
from bot.rules import instruments
from bot.rules.tree import Rule
from bot.store import open_store, upgrade
from bot.tape import MemoryTape
from bot.watch import Watch

if TYPE_CHECKING:
    from bot.settings import Settings

log = structlog.get_logger(__name__)

_SECONDS_TO_SETTLE = 8.0
_POLLS_UNTIL_LATE = 2
_POLLS_UNTIL_SILENT = 3
_SECONDS_FOR_A_LOOK = 30.0
_SECONDS_BETWEEN_FIRST_LOOKS = 2.0
_MONTH = 30 * 86_400
_SECONDS_UNTIL_FINAL = 130.0
"""From a touch to the delivery of its final minute: the minute itself, its settling, and a margin."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Give the present instant, in epoch seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds))

    def real(self, seconds: float) -> float:
        """Give the seconds as they are."""
        return seconds

    def still(self) -> AbstractContextManager[None]:
        """Let time go on: this clock cannot be held."""
        return nullcontext()


class OnClock(BaseTrigger):  # type: ignore[misc]  # apscheduler is not typed
    """A trigger that runs on our clock: APScheduler asks in real time, and is answered in real time.

    The inner trigger is asked and answers in the clock's time. Where the clock was held in between, a job
    comes a little early by its own clock; the next one is reckoned from the plan, so that none is lost.
    APScheduler asks twice what follows one run; the answer to both is the same run.
    """

    def __init__(self, inner: BaseTrigger, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._planned: dict[datetime, datetime] = {}

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Answer APScheduler: the real instant of the next run."""
        here = self._clock.now()
        previous = self._planned.get(previous_fire_time) if previous_fire_time else None
        due = self._inner.get_next_fire_time(previous, datetime.fromtimestamp(here, UTC))
        if due is None:
            return None
        answer = now + timedelta(seconds=self._clock.real(due.timestamp() - here))
        known = {previous_fire_time: previous} if previous_fire_time and previous else {}
        self._planned = {**known, answer: due}
        return answer


@dataclass(slots=True)
class House:
    """The running parts of one process."""

    clock: Clock
    chats: Sequence[Chat]
    couriers: Sequence[Courier]
    desk: Desk
    exchanges: Exchanges
    metrics: MetricFeeds
    tape: MemoryTape
    watch: Watch
    poll_seconds: float
    scheduler: AsyncIOScheduler = field(default_factory=lambda: AsyncIOScheduler(timezone=UTC))
    _planned: dict[str, float] = field(default_factory=dict, init=False)

    async def run(self, until: asyncio.Event) -> None:
        """Work until the event is set. A part that fails ends the others, and its error is raised.

        At the end no new message is begun, and those under way are settled before the chats close: only a
        kill repeats what was in flight.
        """
        async with asyncio.TaskGroup() as tasks:
            carrying = [tasks.create_task(courier.run()) for courier in self.couriers]
            judging = tasks.create_task(self.watch.run(self.tape))
            others = [tasks.create_task(chat.run(self.desk)) for chat in self.chats]
            following = [tasks.create_task(self._follow(stream)) for stream in self.exchanges.streams]
            self._schedule()
            try:
                await until.wait()
            finally:
                self.scheduler.shutdown(wait=False)
            for task in following:
                task.cancel()
            for courier in self.couriers:
                courier.close()
            self.tape.close()  # a batch under way is committed: nothing is cut off inside a transaction
            await asyncio.wait((*carrying, judging), timeout=_SECONDS_TO_SETTLE)
            for task in (*carrying, judging, *others):
                task.cancel()

    def reasons(self) -> list[str]:
        """Say what keeps the bot from its work now, for ``/readyz``."""
        oldest = self.clock.now() - _POLLS_UNTIL_SILENT * self.poll_seconds - _SECONDS_FOR_A_LOOK
        return [
            f"{health.source} brings no data: {health.reason or 'it was not asked yet'}"
            for health in self.exchanges.market.health()
            if not health.is_well or (health.seen_at or 0) < oldest
        ]

    def _schedule(self) -> None:
        start = datetime.fromtimestamp(self.clock.now(), UTC)
        for feed in self.exchanges.feeds:
            every = IntervalTrigger(seconds=self.poll_seconds, start_date=start, timezone=UTC)
            self.scheduler.add_job(
                self._look,
                OnClock(every, self.clock),
                args=[feed],
                id=f"look at {feed.name}",
                max_instances=1,
                coalesce=True,
                next_run_time=datetime.now(UTC),
                misfire_grace_time=None,
            )
        self.scheduler.start()
        for place, provider in enumerate(self.metrics.feeds):  # who is preferred speaks first
            self._plan(provider, self.watch.wants(), self.clock.now() + place * _SECONDS_BETWEEN_FIRST_LOOKS)

    def _plan(self, feed: MetricFeed, wants: Sequence[Want], earliest: float = 0.0) -> None:
        """Plan the next look at a provider for when it wants to be asked, if anything is wanted of it.

        Where the clock was held in between, the look comes early, asks nothing, and is planned again.
        """
        due = max(feed.due_at(wants), earliest)
        self._planned[feed.name] = due
        if due < math.inf:
            wait = self.clock.real(max(0.0, due - self.clock.now()))
            self.scheduler.add_job(
                self._look_at_provider,
                DateTrigger(datetime.now(UTC) + timedelta(seconds=wait)),
                args=[feed],
                id=f"look at {feed.name}",
                replace_existing=True,
                max_instances=2,  # the next look is planned at the end of the one before, which still counts
                misfire_grace_time=None,
            )

    async def _look_at_provider(self, feed: MetricFeed) -> None:
        self._planned.pop(feed.name, None)  # while it runs, nobody hurries it
        try:
            await self._look(feed)
        finally:
            if self.scheduler.running:
                self._plan(feed, self.watch.wants())

    def _hurry(self, wants: Sequence[Want]) -> None:
        """Plan an earlier look at a provider of which something new is wanted."""
        for feed in self.metrics.feeds:
            planned = self._planned.get(feed.name)
            if planned is not None and planned > self.clock.now() and feed.due_at(wants) < planned:
                self._plan(feed, wants)

    async def _look(self, feed: Feed) -> None:
        began = time.perf_counter()
        wants = self.watch.wants()
        self._hurry(wants)
        try:
            batch = await feed.poll(wants)
        except asyncio.CancelledError:
            return  # the scheduler ends; it would log a look that it cancels as a failure
        health = feed.health()
        gauges.count_poll(feed.name, time.perf_counter() - began, health.seen_at if health.is_well else None)
        gauges.count_bars(feed.name, sum(len(run.bars) for run in batch.bars))
        for stream in self.exchanges.streams:
            stream.compare(batch)
        await self.tape.put(batch)

    async def _follow(self, stream: Stream) -> None:
        """Hand over what a stream tells, whenever nothing waits to be judged: looks go first."""
        while (batch := await stream.collect(self.watch.wants())) is not None:
            if batch.prints:
                await self.tape.put(batch)
            await self.tape.judged()


@asynccontextmanager
async def open_house(
    settings: Settings, clock: Clock, chats: Sequence[Chat], throttle: bool = True, longest_rest: float = 60.0
) -> AsyncIterator[House]:
    """Build all parts from the settings, and let go of them at the end.

    ``throttle`` keeps ccxt below each exchange's limits. ``longest_rest`` is how many seconds of the clock
    pass at most without a look into the outbox.
    """
    async with AsyncExitStack() as stack:
        await upgrade(settings.database_url)
        store = await open_store(settings.database_url)
        stack.push_async_callback(store.close)
        exchanges = build_feeds(
            settings.exchanges,
            settings.quote,
            clock,
            gateway=settings.feed_gateway,
            throttle=throttle,
            streams=settings.stream,
        )
        stack.push_async_callback(exchanges.close)
        metrics = build_metrics(
            settings.providers,
            settings.for_providers(),
            clock,
            gateway=settings.feed_gateway,
            doors=exchanges.doors,
            thread=exchanges.thread,
        )
        stack.push_async_callback(metrics.close)
        late_after = _SECONDS_UNTIL_FINAL + _POLLS_UNTIL_LATE * settings.poll_seconds
        patience = max(PATIENCE, late_after)
        couriers = [Courier(store, chat, clock, translator, patience, longest_rest) for chat in chats]

        def wake() -> None:
            for courier in couriers:
                courier.wake()

        watch = Watch(store, exchanges.market, clock, wake, late_after, holder=_holder())
        await watch.open()
        office = Office(
            register=store,
            market=exchanges.market,
            metrics=metrics,
            clock=clock,
            quote=settings.quote,
            operators=settings.admins,
            is_admin=_asking(chats),
            translator_for=translator,
            version=version("tocsin"),
            late_after=late_after,
        )
        desk = _waking(make_desk(office), wake)
        tape = MemoryTape()
        house = House(clock, chats, couriers, desk, exchanges, metrics, tape, watch, settings.poll_seconds)
        if settings.http:
            await stack.enter_async_context(web.serve(settings.http.host, settings.http.port, house.reasons))
        yield house


async def run(settings: Settings) -> None:
    """Run the bot with what is configured until SIGINT or SIGTERM; without a token, on the console."""
    clock = SystemClock()
    stop = asyncio.Event()
    chats = build_chats(settings, clock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_house(settings, clock, chats) as house:
        log.info("started", chats=[chat.platform for chat in chats], exchanges=list(settings.exchanges))
        await house.run(stop)
    log.info("stopped")


async def fetch_history(
    settings: Settings, rule: Rule, since: int | None, until: int | None
) -> tuple[Past, int]:
    """Fetch the history for a backtest of a qualified rule from the exchanges, else of the last 30 days.

    Gives it with its first moment. Raises Unfit for what no exchange has, and Unseeable.
    """
    clock = SystemClock()
    exchanges = build_feeds(settings.exchanges, settings.quote, clock, gateway=settings.feed_gateway)
    last = until if until is not None else minute_of(clock.now())
    try:
        for instrument in instruments(rule):
            await exchanges.market.resolve(instrument)
        return await fetch(exchanges.market, rule, since if since is not None else last - _MONTH, last)
    except UnknownInstrument as error:
        nearest = f" Nearest: {', '.join(error.nearest)}." if error.nearest else ""
        raise Unfit(f"No exchange that I watch lists {error.name}.{nearest}") from error
    finally:
        await exchanges.close()


def build_chats(settings: Settings, clock: Clock) -> list[Chat]:
    """Build a chat for each token that is configured, or the console where there is none."""
    chats: list[Chat] = []
    if settings.telegram_token:
        from bot.chats.telegram import TelegramChat

        roots: dict[str, Any] = {"root": settings.telegram_api} if settings.telegram_api else {}
        menu = [(command.name, command.summary, command.changes) for command in COMMANDS]
        token = settings.telegram_token.get_secret_value()
        chats.append(TelegramChat(token, clock, menu=menu, **roots))
    if settings.discord_token:
        from bot.chats.discord import DiscordChat

        token = settings.discord_token.get_secret_value()
        api, gateway = settings.discord_api, settings.discord_gateway
        chats.append(DiscordChat(token, COMMANDS, api=api, gateway=gateway))
    if not chats:
        from bot.chats.console import ConsoleChat

        chats.append(ConsoleChat(clock))
    return chats


@lru_cache(maxsize=256)
def translator(language: str, timezone: str) -> Translator:
    """Give the words of a language in a time zone; English where there is no catalogue."""
    return ENGLISH.in_timezone(timezone)


def _asking(chats: Sequence[Chat]) -> Callable[[ChatRef, str], Any]:
    by_platform = {chat.platform: chat for chat in chats}

    async def is_admin(chat: ChatRef, person: str) -> bool:
        return await by_platform[chat.platform].is_admin(chat, person)

    return is_admin


def _waking(desk: Desk, wake: Callable[[], None]) -> Desk:
    """Wake whoever delivers after each command: some of them promise messages to other chats."""

    async def dispatch(caller: Caller, words: str) -> Replies:
        async for reply in desk.dispatch(caller, words):
            yield reply
        wake()

    async def complete(caller: Caller, command: str, option: str, prefix: str) -> list[Choice]:
        return await desk.complete(caller, command, option, prefix)

    return Desk(dispatch, complete)


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
