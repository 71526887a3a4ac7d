"""Let thousands of rings go out over everything that platforms and disks do to a bot.

``python -m tests.fault_tape --rings 10000 [--seed N]`` takes the real store and the real courier of each
platform, on a clock that passes as soon as everybody waits. The platforms answer as their adapters report it
(tests/test_telegram.py and tests/test_discord.py hold them to that): limits of a chat and of the whole bot,
403, 400, 5xx, resets before and after the message is shown, hangs, groups that move, and ten minutes of
outage each. The database is locked now and then. All rings must be told but those that a 400 refuses, each
chat's in their order.

And no time may be wasted: the seconds in which something waited that might be sent are set against those that
the platform's documented limit allows for what was sent in them, retries among it. Something may be sent
while the platform is there and asks for no pause, and a chat has something waiting whose last request is
answered, and which neither asked for a pause nor had its share. The ratio must not be above 1.1.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select

from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.alerts.translator import ENGLISH
from bot.deliver import Courier
from bot.ports import ChatGone, ChatMoved, Outcome, Receipt, Rejected, RetryLater, StoreTrouble
from bot.store import SqlStore, open_store, upgrade
from bot.store.tables import chats, outbox
from tests.storing import NOON, arming_of, follow, ring, tell

CHATS = 400
EVERY = 45.0
"""Seconds between two rings of the alert that all chats follow."""

OUTAGE = 600.0
OUTAGES = {"telegram": NOON + 180, "discord": NOON + 360}
LIMIT = {"telegram": 30, "discord": 45}
"""Messages a second: Telegram's limit, and what is used of Discord's."""

PAUSE = {"telegram": (1.0, 3.0), "discord": (1.0, 1.0)}
"""Seconds between two messages of a private chat, and of a group."""

SLOWEST = 1.1
Span = tuple[float, float]
_RING = re.compile(r"(?:now|touched) 99,(\d{3})\b")


class Idle:
    """A clock that passes only while everybody waits: for it, and for no answer of the database."""

    def __init__(self) -> None:
        self.time = NOON
        self.busy = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> float:
        return self.time

    def steady(self) -> float:
        return self.time

    def real(self, seconds: float) -> float:
        return seconds

    def still(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            waiting = asyncio.get_running_loop().create_future()
            heapq.heappush(self._sleepers, (self.time + seconds, next(self._order), waiting))
            await waiting

    async def run(self) -> None:
        """Let time pass, until cancelled."""
        while True:
            quiet = 0
            while quiet < 12 or not self._sleepers:  # whoever was let through goes as far as it can
                await asyncio.sleep(0.0005 if self.busy or not self._sleepers else 0)
                quiet = 0 if self.busy else quiet + 1
            at, _, waiting = heapq.heappop(self._sleepers)
            if not waiting.done():
                self.time = max(self.time, at)
                waiting.set_result(None)


class Disk:
    """The store's outbox; now and then the database is locked, before a call has done anything."""

    def __init__(self, store: SqlStore, clock: Idle, draw: random.Random, share: float) -> None:
        self._store, self._clock, self._draw, self._share = store, clock, draw, share
        self.locked = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._store, name)

        async def tried(*args: Any, **more: Any) -> Any:
            if self._draw.random() < self._share:
                self.locked += 1
                raise StoreTrouble("database is locked")
            self._clock.busy += 1
            try:
                return await call(*args, **more)
            finally:
                self._clock.busy -= 1

        return tried


FAULTS: dict[str, float] = {
    "429 of a chat": 0.02,
    "429 of all": 0.002,
    "5xx": 0.02,
    "reset": 0.02,
    "answer lost": 0.02,
    "hang": 0.005,
    "403": 0.004,
    "400": 0.001,
}


@dataclass(frozen=True)
class Request:
    """One request of a chat, from when to when it lasted, and until when the chat asked for a pause."""

    chat: str
    at: float
    end: float
    pause_until: float


@dataclass
class Platform:
    """A platform as its adapter reports it; Discord shows a message once for each nonce."""

    platform: str
    clock: Idle
    draw: random.Random
    faults: dict[str, float]
    outage: float = OUTAGE
    adds_charts: bool = True
    met: Counter[str] = field(default_factory=Counter)
    shown: dict[str, list[tuple[float, list[int], str]]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, list[list[int]]] = field(default_factory=lambda: defaultdict(list))
    blocked: dict[str, float] = field(default_factory=dict)
    away: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    back: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    moved: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    stops: list[Span] = field(default_factory=list)
    _nonces: set[tuple[str, str]] = field(default_factory=set)

    async def send(
        self, chat: ChatRef, message: Message, dedupe: str = "", *, is_paid: bool = False
    ) -> Outcome:
        began = self.clock.now()
        outcome = await self._take(chat, message, dedupe)
        now = self.clock.now()
        pause = outcome.after if isinstance(outcome, RetryLater) else 0.0
        if isinstance(outcome, RetryLater) and outcome.is_global:
            self.stops.append((now, now + pause))
        self.requests.append(Request(chat.chat, began, now, now + pause))
        return outcome

    async def _take(self, chat: ChatRef, message: Message, dedupe: str) -> Outcome:
        since = OUTAGES[self.platform]
        if since <= self.clock.now() < since + self.outage:
            self.met["outage"] += 1
            return RetryLater(2.0, "unreachable", is_global=True)
        if chat.chat in self.moved:
            self.met["moved"] += 1
            return ChatMoved(ChatRef(self.platform, self.moved[chat.chat]))
        if self.clock.now() < self.blocked.get(chat.chat, 0.0):
            return ChatGone("blocked")
        await self.clock.sleep(0.05)
        (fault,) = self.draw.choices(
            [*self.faults, ""], [*self.faults.values(), 1 - sum(self.faults.values())]
        )
        self.met[fault] += 1
        match fault:
            case "429 of a chat":
                return RetryLater(3.0, "slow down")
            case "429 of all":
                return RetryLater(5.0, "slow down", is_global=True)
            case "5xx" | "reset":
                return RetryLater(2.0, fault)
            case "403":
                self.blocked[chat.chat] = self.clock.now() + 120
                self.away[chat.chat].append(self.clock.now())
                return ChatGone("blocked")
            case "400":
                self.refused[chat.chat].append(_numbers(message))
                return Rejected("no")
        if self.platform == "telegram" or (chat.chat, dedupe) not in self._nonces:
            self._nonces.add((chat.chat, dedupe))
            self.shown[chat.chat].append((self.clock.now(), _numbers(message), dedupe))
        if fault == "hang":
            await self.clock.sleep(15.0)
        return RetryLater(2.0, "no answer") if fault else Receipt(dedupe)

    async def illustrate(self, chat: ChatRef, sent: str, message: Message) -> Outcome:
        return Rejected("no chart")


def _numbers(message: Message) -> list[int]:
    """Name the rings that a message tells."""
    return [int(number) for number in _RING.findall("\n".join([message.title, *message.lines]))]


@dataclass(frozen=True)
class Drain:
    """What was sent while much waited: how many requests, in how many seconds, and in how many at best."""

    sent: int
    took: float
    best: float

    @property
    def ratio(self) -> float:
        return self.took / self.best if self.best else 0.0

    def __str__(self) -> str:
        return (
            f"{self.sent} requests in {self.took:.1f} s, {self.best:.1f} s at the limit: "
            f"ratio {self.ratio:.3f}"
        )


@dataclass
class Figures:
    """What a tape came to."""

    rings: int = 0
    told: int = 0
    refused: int = 0
    away: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    met: dict[str, Counter[str]] = field(default_factory=dict)
    locked: int = 0
    drains: dict[str, Drain] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [*self.lost, *self.disordered, *self.slow]

    def lines(self) -> Iterator[str]:
        yield f"rings {self.rings}: told {self.told}, refused by a 400 {self.refused}"
        yield f"rung while their chat was blocked {self.away}"
        yield f"database locked {self.locked} times"
        yield f"messages {dict(self.messages)}, of them repeated {dict(self.repeated)}"
        for platform, met in self.met.items():
            yield f"{platform}: {dict(met)}"
        yield from (f"{name}: {drain}" for name, drain in self.drains.items())
        yield f"chats that lost a ring: {len(self.lost)}"
        yield f"chats told out of order: {len(self.disordered)}"
        yield f"drains slower than {SLOWEST} times the limit: {len(self.slow)}"
        yield from self.faults[:20]


def _person(number: int) -> Caller:
    platform = "telegram" if number % 2 else "discord"
    is_group = number % 8 == 1
    kind = ChatKind.GROUP if is_group else ChatKind.PRIVATE
    chat = f"-{number}" if is_group else str(number)
    return Caller(ChatRef(platform, chat), kind, f"person-{number}", f"name-{number}")


async def run(rings: int, seed: int, folder: Path, outage: float = OUTAGE) -> Figures:
    """Live through a tape, and compare."""
    draw, clock, figures = random.Random(seed), Idle(), Figures()
    url = f"sqlite+aiosqlite:///{folder / 'tocsin.db'}"
    await upgrade(url)
    store = await open_store(url)
    try:
        platforms = {name: Platform(name, clock, draw, dict(FAULTS), outage) for name in OUTAGES}
        people = [_person(number) for number in range(min(CHATS, max(8, rings // 25)))]
        await store.publish(people[0], "one", "btc < 100000", NOON)
        for who in people:
            await follow(store, who, "one")
        disk = Disk(store, clock, draw, 0.01)
        episodes = -(-rings // len(people))
        passing = asyncio.create_task(clock.run())
        couriers = [
            Courier(disk, one, clock, lambda *_: ENGLISH)  # type: ignore[arg-type]
            for one in platforms.values()
        ]
        working = [asyncio.create_task(courier.run()) for courier in couriers]
        try:
            await _ring(store, clock, platforms, people, episodes, couriers)
            await _settled(store, clock, platforms, people)
        finally:
            for task in (*working, passing):
                task.cancel()
            await asyncio.gather(*working, passing, return_exceptions=True)
        waited = await _waited(store)
    finally:
        await store.close()
    figures.rings, figures.locked = episodes * len(people), disk.locked
    for one in platforms.values():
        _compare(one, [who for who in people if who.chat.platform == one.platform], episodes, figures)
        _time(one, waited[one.platform], figures)
    return figures


async def _ring(  # noqa: PLR0917 - the whole scene
    store: SqlStore,
    clock: Idle,
    platforms: dict[str, Platform],
    people: list[Caller],
    episodes: int,
    couriers: list[Courier],
) -> None:
    """Ring again and again; some groups move, and who was blocked comes back."""
    arming = await arming_of(store, people[0], "one")
    for episode in range(1, episodes + 1):
        clock.busy += 1
        price = 99_000.0 + episode  # by which a message tells which ring it is
        told = ring(arming, episode, at=clock.now(), value=price)
        told = replace(told, facts={"value": price, "now": price, "at": clock.now()})
        await tell(store, told, at=clock.now())
        await _meet(store, clock, platforms, people)
        if episode % 5 == 0:
            groups = [who for who in people if who.kind is ChatKind.GROUP]
            moving = groups[episode // 5 % len(groups)].chat
            platforms[moving.platform].moved.setdefault(moving.chat, f"-100{moving.chat[1:]}")
        for courier in couriers:
            courier.wake()
        clock.busy -= 1
        await clock.sleep(EVERY)


async def _meet(store: SqlStore, clock: Idle, platforms: dict[str, Platform], people: list[Caller]) -> None:
    for who in people:
        one = platforms[who.chat.platform]
        place = one.moved.get(who.chat.chat, who.chat.chat)
        if one.blocked.get(place, clock.now()) < clock.now():
            del one.blocked[place]
            one.back[place].append((one.away[place][-1], clock.now()))
            back = Caller(ChatRef(who.chat.platform, place), who.kind, who.person, who.name)
            await store.meet(back, clock.now())


async def _settled(
    store: SqlStore, clock: Idle, platforms: dict[str, Platform], people: list[Caller]
) -> None:
    """Wait until nothing is due any more."""
    quiet = 0
    while quiet < 5:
        await clock.sleep(60.0)
        clock.busy += 1
        await _meet(store, clock, platforms, people)
        due = [await store.next_due(name, clock.now()) for name in platforms]
        is_quiet = due == [None, None] and not any(one.blocked for one in platforms.values())
        quiet = quiet + 1 if is_quiet else 0
        clock.busy -= 1


def _compare(one: Platform, people: list[Caller], episodes: int, figures: Figures) -> None:
    figures.met[one.platform] = one.met
    for who in people:
        places = [who.chat.chat, *([one.moved[who.chat.chat]] if who.chat.chat in one.moved else [])]
        messages = [told for place in places for told in one.shown[place]]
        first: list[int] = []
        for _, numbers, _ in messages:
            figures.messages[one.platform] += 1
            new = [number for number in numbers if number not in first]
            figures.repeated[one.platform] += not new
            first += new
        refused = {number for place in places for numbers in one.refused[place] for number in numbers}
        figures.told += len(first)
        left = [at for place in places for at in one.away[place]]
        gone = set(range(1, episodes + 1)) - set(first)
        owed_not = {  # who has blocked the bot is promised nothing until they are back
            number for number in gone for at in left if 0 <= NOON + (number - 1) * EVERY - at < 240
        }
        figures.away += len(owed_not - refused)
        gone -= owed_not - refused
        figures.refused += len(gone & refused)
        if gone - refused:
            figures.lost.append(f"{who.chat}: {sorted(gone - refused)} were never told")
        if first != sorted(first):
            figures.disordered.append(f"{who.chat}: told in the order {first}")


# --- the time it took ---------------------------------------------------------------------------------------


async def _waited(store: SqlStore) -> dict[str, dict[int, list[Span]]]:
    """Read of each person's chat from when until when each message waited."""
    waited: dict[str, dict[int, list[Span]]] = defaultdict(lambda: defaultdict(list))
    query = select(outbox, chats.c.chat).join(chats, outbox.c.chat_id == chats.c.id)
    async with store._database.reading() as connection:
        for row in await connection.execute(query):
            end = row.given_up_at if row.sent_at is None else row.sent_at
            waited[row.platform][_number_of(row.chat)].append((row.made_at, end))
    return waited


def _number_of(chat: str) -> int:
    """Say whose chat it is, also after it has moved."""
    return int(chat.removeprefix("-100").removeprefix("-"))


def _time(one: Platform, waited: dict[int, list[Span]], figures: Figures) -> None:
    """Set the time in which something might be sent against the limit: over all, and after the outage."""
    since = OUTAGES[one.platform]
    stops = [*one.stops, (since, since + one.outage)]
    requests: dict[int, list[Request]] = defaultdict(list)
    for request in one.requests:
        requests[_number_of(request.chat)].append(request)
    away = {_number_of(chat): spans for chat, spans in one.back.items()}
    idle: list[Span] = []
    for number, spans in waited.items():
        pause = PAUSE[one.platform][number % 8 == 1]
        shut = [*stops, *away.get(number, [])]
        shut += [(ask.at, max(ask.end, ask.pause_until, ask.at + pause)) for ask in requests[number]]
        idle += _without(spans, shut)
    dams = [span for span in _joined(idle) if _drain(one, [span]).best >= _DAM]
    after = [span for span in dams if span[0] >= since + one.outage][:1]
    for name, part in ((one.platform, dams), (f"{one.platform}, after its outage", after)):
        if part:
            drain = figures.drains[name] = _drain(one, part)
            if drain.ratio > SLOWEST:
                figures.slow.append(f"{name}: {drain}")


def _drain(one: Platform, dams: list[Span]) -> Drain:
    sent = sum(start <= request.at <= end for start, end in dams for request in one.requests)
    return Drain(sent, sum(end - start for start, end in dams), sent / LIMIT[one.platform])


def _joined(spans: list[Span]) -> list[Span]:
    """Join spans that overlap."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _without(spans: list[Span], others: list[Span]) -> list[Span]:
    """Give what of some spans is in none of the others."""
    left: list[Span] = []
    cuts = _joined(others)
    for start, end in _joined(spans):
        at = start
        for cut, resumed in cuts:
            if resumed > at and cut < end:
                if cut > at:
                    left.append((at, cut))
                at = resumed
        if at < end:
            left.append((at, end))
    return left


_DAM = 1.0
"""Seconds at the limit that are more than a moment's work."""


def main() -> int:
    """Read how many rings, and print the figures; the exit code says whether all is well."""
    parser = argparse.ArgumentParser(description="tell rings over all faults of platforms and disk")
    parser.add_argument("--rings", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(run(given.rings, given.seed, Path(folder)))
    print("\n".join(figures.lines()))
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
