"""What processes tell each other over a real NATS server: what is said in a chat goes to who tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import pytest
from structlog.testing import capture_logs

from bot.alerts.lots import Lots
from bot.alerts.people import ChatRef
from bot.clock import SystemClock
from bot.colleagues import Colleagues
from bot.metrics import Want
from bot.tape.jetstream import Terms, open_tape
from tests.nats import Server, started

NAMES = (f"colleagues-{number}" for number in count())
THERE = ChatRef("telegram", next(str(n) for n in range(9) if Lots(of=2).part_of(str(n)) == 1))


class Machine(SystemClock):
    """A machine's clock, which may be wrong."""

    wrong_by = 0.0

    def now(self) -> float:
        return super().now() + self.wrong_by


@dataclass
class Quiet:
    """Feeds that have nothing to tell, and a tape on which nothing is wanted."""

    async def words(self) -> Mapping[str, bytes]:
        return {}

    async def hear(self, name: str, word: bytes) -> None:
        """Hear nothing."""

    async def follow(self, wants: frozenset[Want]) -> None:
        """Follow nothing."""

    async def wants(self) -> frozenset[Want]:
        return frozenset()


@dataclass
class Ear:
    """A chat that notes what it takes over."""

    platform: str = "telegram"
    is_ready: bool = True
    seconds: float = 0.0
    is_broken: bool = False
    heard: list[bytes] = field(default_factory=list)

    async def take_over(self, said: bytes) -> bool:
        await asyncio.sleep(self.seconds)
        if self.is_broken:
            raise KeyError("message")
        if self.is_ready:
            self.heard.append(said)
        return self.is_ready


@pytest.fixture(scope="module")
def nats() -> Iterator[Server]:
    with started() as server:
        yield server


@dataclass
class Pair:
    """One that hears what is said, and one that tells the chat ``THERE``, with clocks of their own."""

    hears: Colleagues
    tells: Colleagues
    ear: Ear
    clocks: tuple[Machine, Machine]


@asynccontextmanager
async def pair(nats: Server, *, keys: tuple[bytes, bytes] = (b"token", b"token")) -> AsyncIterator[Pair]:
    terms, ear, quiet = Terms(next(NAMES)), Ear(), Quiet()
    clocks = Machine(), Machine()
    async with AsyncExitStack() as stack:
        made = []
        for part in (0, 1):
            tape = await stack.enter_async_context(open_tape(nats.url, f"p{part}", terms))
            lots = {"telegram": Lots((part,), 2)}
            how = (clocks[part], f"p{part}", quiet, quiet, lots, keys[part])
            made.append(Colleagues(tape.talk, quiet, *how))  # type: ignore[arg-type]
        hears, tells = made
        tells.serve(dict, [], [ear])  # type: ignore[list-item]
        running = asyncio.create_task(tells.run())
        stack.callback(running.cancel)
        await asyncio.sleep(0.2)
        yield Pair(hears, tells, ear, clocks)
        assert not running.done()


async def test_what_is_said_is_taken_over_by_who_tells_the_chat(nats: Server) -> None:
    async with pair(nats) as two:
        assert await two.hears.hand_on(THERE, b'{"update_id": 1, "text": "\xc3\xa4"}')
        two.ear.is_ready = False
        assert not await two.hears.hand_on(THERE, b'{"update_id": 2}')
    assert two.ear.heard == [b'{"update_id": 1, "text": "\xc3\xa4"}']


async def test_what_comes_later_than_it_was_waited_for_is_not_taken(nats: Server) -> None:
    async with pair(nats) as two:
        two.clocks[1].wrong_by = 30  # it stood still, and finds the word when it goes on
        assert not await two.hears.hand_on(THERE, b"late")
    assert two.ear.heard == []


async def test_nothing_is_done_in_the_name_of_somebody_that_was_not_sealed(nats: Server) -> None:
    async with pair(nats, keys=(b"guessed", b"token")) as two:
        with capture_logs() as lines:
            assert not await two.hears.hand_on(THERE, b"/alert btc < 1")
            await two.hears.talk.ask("said/telegram/1", b"x" * 99, 1.0)
    assert two.ear.heard == []
    assert any("not sealed" in str(line.get("reason")) for line in lines)


async def test_nobody_waits_again_for_who_did_not_answer(nats: Server) -> None:
    async with pair(nats) as two:
        two.ear.seconds = 5.0
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert not await two.hears.hand_on(THERE, b"first")
        assert 0.9 < loop.time() - began < 3
        began = loop.time()
        assert not await two.hears.hand_on(THERE, b"second")
        assert loop.time() - began < 0.5
        alone = ChatRef("discord", THERE.chat)
        assert not await two.hears.hand_on(alone, b"third"), "nobody tells that platform"


async def test_who_was_taken_for_dead_hands_nothing_on_and_takes_nothing_over(nats: Server) -> None:
    async with pair(nats) as two:
        two.hears.is_over = lambda: True  # whoever hears now hears the same again, from the platform
        assert not await two.hears.hand_on(THERE, b"of the past")
        two.hears.is_over, two.tells.is_over = two.tells.is_over, two.hears.is_over
        assert not await two.hears.hand_on(THERE, b"to somebody of the past")
        two.tells.is_over = lambda: False
        assert await two.hears.hand_on(THERE, b"now")
    assert two.ear.heard == [b"now"]


async def test_what_was_overheard_cannot_be_said_again(nats: Server) -> None:
    overheard: asyncio.Queue[bytes] = asyncio.Queue()

    async def overhear(_name: str, word: bytes) -> None:
        await overheard.put(word)

    async with pair(nats) as two:
        await two.hears.talk.listen("said/telegram/1", overhear)
        assert await two.hears.hand_on(THERE, b"/alert btc < 1")
        async with asyncio.timeout(5):
            word = await overheard.get()
        assert not await two.hears.talk.ask("said/telegram/1", word, 1.0)
        assert await two.hears.hand_on(THERE, b"/alert btc < 1"), "the same, said once more"
    assert len(two.ear.heard) == 2


async def test_a_defect_of_who_takes_over_keeps_nobody_waiting(nats: Server) -> None:
    async with pair(nats) as two:
        two.ear.is_broken = True
        with capture_logs() as lines:
            assert not await two.hears.hand_on(THERE, b"first")
        assert any(line["event"] == "what was handed on met a defect" for line in lines)
        two.ear.is_broken = False
        assert await two.hears.hand_on(THERE, b"second"), "and the next is handed on at once"
