"""The only builder: settings -> parts -> house -> run.

Nothing is built at import, and nobody else builds. What differs between the bot and its demonstration (the
clock, the chats, how often an exchange is asked) is handed in; all else is the same program.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from bot import web
from bot.afterwards import Afterwards
from bot.agenda import Agenda
from bot.alerts.people import Caller, ChatRef
from bot.alerts.rings import Rung
from bot.alerts.wording import PATIENCE
from bot.catalogues import read_languages
from bot.charge import Charge
from bot.chats.studio import Studio
from bot.clock import SystemClock
from bot.colleagues import Colleagues
from bot.collector import settle_memory
from bot.commands import Office, make_desk
from bot.commands.preview import fetch
from bot.deliver import Courier
from bot.engine.past import Past, Unfit
from bot.feeds.exchanges import Exchanges
from bot.feeds.metrics.providers import push
from bot.heartbeat import Heartbeat
from bot.house import House
from bot.illustrate import Illustrator
from bot.metrics import Batch, minute_of
from bot.parts import (
    all_duties,
    build_chats,
    build_exchanges,
    build_lines,
    build_providers,
    charge_at,
    plan_of,
)
from bot.ports import Chat, Clock, Desk, Replies, TapeTrouble, UnknownInstrument
from bot.ports.partitions import Partitions
from bot.ports.places import Place
from bot.ports.rota import Rota, Turn
from bot.rules import instruments
from bot.rules.tree import Rule
from bot.shelf import read_shelf
from bot.shift import Shift
from bot.store import claim, open_rota, open_store, path_of, upgrade
from bot.tape import MemoryTape
from bot.turns import answering
from bot.watch import Watch

if TYPE_CHECKING:
    from bot.ports import Tape
    from bot.settings import Settings
    from bot.tape.talk import Talk

log = structlog.get_logger(__name__)

_POLLS_UNTIL_LATE = 2
_SECONDS_TO_KEEP = 15.0
_LONGEST_REST_APART = 5.0
"""Seconds without a look into the outbox, where others promise too, and their word for it may be lost."""

_MONTH = 30 * 86_400
SECONDS_OF_A_TURN = 0.001
"""How long the thread of the exchanges may go on while the chats wait for their turn; 0.005 is usual."""

_SECONDS_UNTIL_FINAL = 130.0
"""From a touch to the delivery of its final minute: the minute itself, its settling, and a margin."""


@asynccontextmanager
async def open_house(
    settings: Settings,
    clock: Clock,
    chats: Sequence[Chat],
    exchanges: Exchanges | None = None,
    *,
    throttle: bool = True,
    longest_rest: float = 60.0,
    warming: Sequence[Callable[[], object]] = (),
    tells_operators: bool = True,
    tells_delay: bool = True,
    turn: Turn | None = None,
    rota: Rota | None = None,
) -> AsyncIterator[House]:
    """Build all parts from the settings, and let go of them at the end.

    ``exchanges`` are those of the settings; without, they are built here. ``throttle`` keeps ccxt below each
    one's limits. ``longest_rest`` is how many seconds of the clock pass at most without a look into the
    outbox. ``warming`` is called in another thread, when the start is over. ``tells_operators`` lets them
    hear of what is unwell, ``tells_delay`` a ring say how long it took, which a fast clock does not measure.
    ``turn`` is what is done here, where there is a ``rota``: as soon as the process stands there no more, all
    that it writes is refused. ``chats`` and ``exchanges`` are of that turn.
    """
    charge = charge_at(settings, turn)
    async with AsyncExitStack() as stack:
        exchanges = exchanges or build_exchanges(settings, clock, throttle, watched=charge.exchanges)
        stack.push_async_callback(exchanges.close)
        await upgrade(settings.database_url)
        store = await open_store(settings.database_url, turn.process if turn else "")
        stack.push_async_callback(store.close)
        metrics = build_providers(settings, clock, exchanges, store, charge.asks_providers)
        stack.push_async_callback(metrics.close)
        late_after = _SECONDS_UNTIL_FINAL + _POLLS_UNTIL_LATE * settings.poll_seconds
        patience = max(PATIENCE, late_after)
        languages = read_languages()
        illustrate = Illustrator(exchanges.market).complete
        lines = build_lines(settings, clock, chats, turn)
        tape, talk = await stack.enter_async_context(_tape(settings, turn, charge, store))
        if talk is not None:
            longest_rest = min(longest_rest, _LONGEST_REST_APART)
        couriers = [
            Courier(
                store,
                chat,
                clock,
                languages.translator,
                patience,
                longest_rest,
                illustrate,
                exchanges.market,
                tells_delay,
                line,
            )
            for chat, line in zip(chats, lines.values(), strict=True)
        ]

        colleagues: Colleagues | None = None

        def wake() -> None:
            for courier in couriers:
                courier.wake()
            if colleagues is not None:
                colleagues.ring()

        agenda = Agenda(store, store, exchanges.market, clock, wake, longest_rest, metrics.ask)

        def wake_all() -> None:
            wake()
            agenda.wake()

        shelf = cache(partial(read_shelf, settings.playbooks_dir))
        if charge.partitions:
            await store.divide(charge.division)
        watches = [
            Watch(store, exchanges.market, clock, wake, late_after, partition, _holder())
            for partition in charge.partitions
        ]
        for watch in watches:
            await watch.open(await tape.epoch(watch.partition))
        for watch in watches:
            tape.tell_wants(watch.partition, watch.wants)
        office = Office(
            register=store,
            market=exchanges.market,
            metrics=metrics,
            clock=clock,
            quote=settings.quote,
            operators=settings.admins,
            allowed=settings.allow,
            is_admin=_asking(chats),
            find_place=_finding(chats),
            languages=languages,
            link=_linking(chats),
            version=version("tocsin"),
            invitation=_inviting(chats),
            late_after=late_after,
            shelf=shelf,
            rota=rota,
        )
        desk = replace(_waking(make_desk(office), wake_all), turn=answering(lines))
        if talk is not None:
            own = charge.lots, settings.seal_key, turn.is_over if turn else lambda: False
            colleagues = Colleagues(talk, tape, clock, _topic(turn), exchanges, metrics, *own)
            desk = replace(desk, hand_on=colleagues.hand_on)
        house = House(
            clock=clock,
            chats=chats,
            couriers=couriers,
            desk=desk,
            exchanges=exchanges,
            metrics=metrics,
            tape=tape,
            watches=watches,
            agenda=agenda,
            afterwards=Afterwards(store, exchanges.market, clock, max(3600, int(longest_rest))),
            poll_seconds=settings.poll_seconds,
            outbox=store,
            infirmary=store,
            clearing=store,
            charge=charge,
            colleagues=colleagues,
            rota=rota,
            plan=all_duties(settings),
            operators=settings.admins if tells_operators else (),
            heartbeat=_heartbeat(settings),
            warming=(shelf, *warming),
        )
        if colleagues is not None:
            colleagues.serve(house.organs, [*(one.wake for one in couriers), agenda.wake], chats)
        if settings.http:
            host, port = settings.http
            intake = _intake(settings, clock, tape)
            hook = _hook(settings, chats)
            await stack.enter_async_context(web.serve(host, port, house.reasons, intake, hook))
        yield house


async def run(settings: Settings) -> None:
    """Run the bot with what is configured until SIGINT or SIGTERM; without a token, on the console."""
    clock = SystemClock()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    is_shared = path_of(settings.database_url) is None
    async with claim(settings.database_url, _holder(), is_shared=is_shared):
        if is_shared:
            await _take_turns(settings, clock, stop)
        else:
            await work(settings, clock, stop)
    log.info("stopped")


async def _take_turns(settings: Settings, clock: Clock, until: asyncio.Event) -> None:
    """Do what is this process's share among those that have the database together, until the event is set."""
    rota = await open_rota(settings.database_url)
    try:
        site = partial(web.serve, *settings.http) if settings.http else nullcontext
        how: dict[str, Any] = {"site": site, "plan": plan_of(settings), "roles": settings.roles}
        shift = Shift(rota, clock, _holder(), version("tocsin"), **how)
        await shift.run(lambda turn, end: work(settings, clock, end, turn, rota), until)
    finally:
        await rota.close()


async def work(
    settings: Settings, clock: Clock, until: asyncio.Event, turn: Turn | None = None, rota: Rota | None = None
) -> None:
    """Let a house work until the event is set, and another wherever the machine's clock was set.

    ``turn`` is what it works by, where several processes take turns by a ``rota``.
    """
    charge = charge_at(settings, turn)
    while not until.is_set():
        studio = Studio()
        how: dict[str, Any] = {"after_listing": settle_memory, "watched": charge.exchanges}
        exchanges = build_exchanges(settings, clock, **how)
        exchanges.begin()  # to import the libraries of the chats takes no less than they to answer
        chats = build_chats(settings, clock, studio, turn)
        warming = (studio.warm, settle_memory)
        opening = open_house(settings, clock, chats, exchanges, warming=warming, turn=turn, rota=rota)
        async with opening as house:
            sys.setswitchinterval(SECONDS_OF_A_TURN)  # until now nobody waited for a turn
            log.info("started", chats=[chat.platform for chat in chats], exchanges=list(charge.exchanges))
            await house.run(until)


async def fetch_history(
    settings: Settings, rule: Rule, since: int | None, until: int | None
) -> tuple[Past, int]:
    """Fetch the history for a backtest of a qualified rule from the exchanges, else of the last 30 days.

    Gives it with its first moment. Raises Unfit for what no exchange has, and Unseeable.
    """
    clock = SystemClock()
    exchanges = build_exchanges(settings, clock)
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


def _topic(turn: Turn | None) -> str:
    """Name a process as no other is named, in a word."""
    return turn.process.replace(".", "-") if turn else "alone"


@asynccontextmanager
async def _tape(
    settings: Settings, turn: Turn | None, charge: Charge, store: Partitions
) -> AsyncIterator[tuple[Tape, Talk | None]]:
    """Open the tape between the feeds and watch: in memory, or over NATS where the work is divided.

    Gives it with the talk between the processes, where there are several.
    """
    if settings.nats_url is None:
        yield MemoryTape(), None
        return
    from bot.tape.jetstream import Terms, open_tape

    terms = Terms(f"tocsin-{await store.deployment()}", partitions=charge.division)
    async with open_tape(settings.nats_url.get_secret_value(), _topic(turn), terms) as tape:
        yield tape, tape.talk


def _heartbeat(settings: Settings) -> Heartbeat | None:
    return Heartbeat(settings.heartbeat_url.get_secret_value()) if settings.heartbeat_url else None


def _intake(settings: Settings, clock: Clock, tape: Tape) -> web.Intake | None:
    """Take an operator's own values in, where a token is set; they are kept when that is answered."""
    if settings.push_token is None:
        return None

    async def take(name: str, body: str) -> int:
        words = tuple(push.read_push(name, body, clock.now()))
        async with asyncio.timeout(_SECONDS_TO_KEEP):
            try:
                await tape.put(Batch(push.NAME, clock.now(), observations=words))
                await tape.judged()
            except TapeTrouble as trouble:
                raise TimeoutError from trouble
        return len(words)

    return web.Intake(settings.push_token.get_secret_value(), take)


def _hook(settings: Settings, chats: Sequence[Chat]) -> web.Hook | None:
    """Let Telegram deliver what people say, where it is told to; the path is the one that it asks for."""
    if settings.telegram_webhook is None:
        return None
    from bot.chats.telegram import SECRET_HEADER, TelegramChat

    chat = next((one for one in chats if isinstance(one, TelegramChat)), None)
    if chat is None:
        return None  # another process hears it
    path = urlsplit(settings.telegram_webhook).path
    return web.Hook(path, SECRET_HEADER, settings.telegram_secret, chat.accept)


def _finding(chats: Sequence[Chat]) -> Callable[[ChatRef, str, str], Any]:
    by_platform = {chat.platform: chat for chat in chats}

    async def find_place(asking: ChatRef, name: str, person: str) -> Place | None:
        return await by_platform[asking.platform].find_place(name, asking, person)

    return find_place


def _asking(chats: Sequence[Chat]) -> Callable[[ChatRef, str, bool], Any]:
    by_platform = {chat.platform: chat for chat in chats}

    async def is_admin(chat: ChatRef, person: str, is_fresh: bool) -> bool:
        return await by_platform[chat.platform].is_admin(chat, person, is_fresh)

    return is_admin


def _linking(chats: Sequence[Chat]) -> Callable[[Rung], str]:
    by_platform = {chat.platform: chat for chat in chats}

    def link(rung: Rung) -> str:
        chat = by_platform.get(rung.chat.platform)
        return chat.link(rung.chat, rung.message, rung.is_private) if chat and rung.message else ""

    return link


def _inviting(chats: Sequence[Chat]) -> Callable[[str, str], str]:
    by_platform = {chat.platform: chat for chat in chats}
    return lambda platform, token: by_platform[platform].invitation(token)


def _waking(desk: Desk, wake: Callable[[], None]) -> Desk:
    """Wake whoever delivers or plans after each command: some promise messages, or are told by the clock."""

    async def dispatch(caller: Caller, words: str) -> Replies:
        async for reply in desk.dispatch(caller, words):
            yield reply
        wake()

    return replace(desk, dispatch=dispatch)


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
