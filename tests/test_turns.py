"""Messages wait in one line: who may go is decided when it may, by what is asked for then."""

from __future__ import annotations

import asyncio

import pytest

from bot.pacing import Limits, Pacer, Rank, below
from bot.turns import TooLong, Turns
from tests.fault_tape import Idle

LIMITS = Limits(below(10), below(600, 60), below(600, 60))


class Queue:
    """A line, and who went when."""

    def __init__(self) -> None:
        self.clock = Idle()
        self.start = self.clock.now()
        self.turns = Turns(Pacer(LIMITS), self.clock)
        self.went: list[tuple[str, float]] = []

    async def send(self, chat: str, rank: Rank = Rank.ALERT, patience: float = 60.0) -> None:
        await self.turns.wait(chat, False, rank, patience)
        self.went.append((chat, self.clock.now() - self.start))

    async def run(self, *sends: object) -> list[object]:
        passing = asyncio.create_task(self.clock.run())
        try:
            return list(await asyncio.gather(*sends, return_exceptions=True))  # type: ignore[call-overload]
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)


async def test_what_is_more_urgent_goes_first_however_late_it_comes() -> None:
    queue = Queue()

    async def ring_later() -> None:
        await queue.clock.sleep(0.25)
        await queue.send("ring")

    broadcasts = [queue.send(f"news {number}", Rank.BROADCAST) for number in range(9)]
    await queue.run(*broadcasts, queue.send("answer", Rank.ANSWER), ring_later())
    names = [name for name, _ in queue.went]
    assert names[:2] == ["news 0", "answer"]
    ring_at = dict(queue.went)["ring"]
    assert 0.25 <= ring_at <= 0.25 + 1 / (0.95 * 10) + 1e-6
    assert names[-1] == "news 8"


async def test_a_stop_that_comes_while_some_wait_holds_them_to_its_end() -> None:
    queue = Queue()

    async def stop() -> None:
        await queue.clock.sleep(0.15)
        queue.turns.pacer.hold_all(queue.clock.now() + 5.0)

    await queue.run(*(queue.send(str(number)) for number in range(6)), stop())
    ats = [at for _, at in queue.went]
    assert not [at for at in ats if 0.15 < at < 5.15]
    assert len([at for at in ats if at >= 5.15]) >= 3


async def test_who_cannot_wait_so_long_is_told_so_and_takes_nobody_s_turn() -> None:
    queue = Queue()
    queue.turns.pacer.hold("slow", False, queue.clock.now() + 30.0, queue.clock.now())
    [slow, quick] = await queue.run(queue.send("slow", patience=5.0), queue.send("quick"))
    assert isinstance(slow, TooLong)
    assert quick is None
    assert queue.clock.now() - queue.start == pytest.approx(5.0)
    await queue.run(queue.send("slow"))
    assert queue.went[-1] == ("slow", pytest.approx(30.0))


async def test_who_gives_up_leaves_the_line() -> None:
    queue = Queue()
    waits = [asyncio.create_task(queue.send(str(number))) for number in range(4)]
    await asyncio.sleep(0)
    waits[1].cancel()
    await queue.run(*waits)
    assert [name for name, _ in queue.went] == ["0", "2", "3"]
    assert queue.went[-1][1] == pytest.approx(2 / (0.95 * 10))
