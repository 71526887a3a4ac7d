"""Several processes on one memory: one works, the others stand by, and one of them takes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bot.clock import SystemClock
from bot.duties import ALL
from bot.ports import Damaged, Outdated, StoreTrouble, Superseded
from bot.ports.rota import Turn
from bot.shift import Shift
from bot.store import open_rota
from bot.store.rota import SqlRota

pytestmark = pytest.mark.both

SECONDS = 0.8


@dataclass
class Flaky:
    """A rota whose network can be cut: then every call fails."""

    rota: SqlRota
    is_cut: bool = False

    def __getattr__(self, name: str) -> object:
        if self.is_cut:
            raise StoreTrouble("the database: no answer in time")
        return getattr(self.rota, name)


@dataclass
class One:
    """One process: its shift, and what it did when."""

    shift: Shift
    rota: Flaky
    until: asyncio.Event = field(default_factory=asyncio.Event)
    worked: list[str] = field(default_factory=list)
    raises: BaseException | None = None
    site: list[Sequence[str]] = field(default_factory=list)
    was_over: list[bool] = field(default_factory=list)

    async def work(self, turn: Turn, until: asyncio.Event) -> None:
        self.worked.append("begins")
        if self.raises is not None:
            raised, self.raises = self.raises, None
            raise raised
        await until.wait()
        self.was_over.append(turn.is_over())
        self.worked.append("ends")

    async def run(self) -> None:
        await self.shift.run(self.work, self.until)

    @asynccontextmanager
    async def open_site(self, reasons: Callable[[], Sequence[str]]) -> AsyncIterator[None]:
        self.site.append(reasons())
        yield


async def one_of(rota: SqlRota, name: str) -> One:
    flaky = Flaky(rota)
    one = One(Shift(flaky, SystemClock(), name, "1", SECONDS), flaky)  # type: ignore[arg-type]
    one.shift.site = one.open_site
    return one


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def two(database: str) -> AsyncIterator[tuple[One, One]]:
    """Two processes, the first of which is on duty."""
    rotas = [await open_rota(database) for _ in range(2)]
    both = await one_of(rotas[0], "desk:1"), await one_of(rotas[1], "rack:2")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(both[0].run())
        await until(lambda: both[0].shift.is_on_duty)
        tasks.create_task(both[1].run())
        await until(lambda: bool(both[1].site))
        yield both
        for one in both:
            one.rota.is_cut = False
            one.until.set()
    for rota in rotas:
        await rota.close()


async def test_one_works_and_the_other_stands_by_and_says_why(two: tuple[One, One]) -> None:
    first, second = two
    await asyncio.sleep(SECONDS * 1.5)  # its stand was renewed meanwhile
    assert first.worked == ["begins"]
    assert second.worked == []
    assert first.shift.reasons() == []
    assert second.site == [["it stands by: desk:1 is on duty"]]
    assert second.shift.reasons() == ["it stands by: desk:1 is on duty"]


async def test_who_ends_in_good_order_is_followed_at_once(two: tuple[One, One]) -> None:
    first, second = two
    first.until.set()
    async with asyncio.timeout(SECONDS * 0.9):
        while not second.shift.is_on_duty:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert first.worked == ["begins", "ends"]
    assert first.was_over == [False], "what is under way is told to the end"


async def test_who_is_cut_off_ends_its_work_and_is_followed_and_stands_by_when_it_is_back(
    two: tuple[One, One],
) -> None:
    first, second = two
    await asyncio.sleep(SECONDS / 2)  # it has heard of the other
    first.rota.is_cut = True
    await until(lambda: second.shift.is_on_duty)
    await until(lambda: first.worked == ["begins", "ends"])
    first.rota.is_cut = False
    await until(lambda: first.site[-1:] == [["it stands by: rack:2 is on duty"]])
    assert first.site[0] == ["it stands by: the rota cannot be reached"]
    second.until.set()
    await until(lambda: first.worked == ["begins", "ends", "begins"])


async def test_who_is_alone_works_on_without_the_memory(database: str) -> None:
    rota = await open_rota(database)
    one = await one_of(rota, "desk:1")
    running = asyncio.create_task(one.run())
    await until(lambda: one.shift.is_on_duty)
    one.rota.is_cut = True
    await asyncio.sleep(SECONDS * 1.5)
    assert one.worked == ["begins"]
    one.rota.is_cut = False
    await asyncio.sleep(SECONDS / 2)
    assert one.shift.is_on_duty
    one.until.set()
    await running
    await rota.close()


async def test_who_was_taken_for_dead_while_it_worked_stands_by(two: tuple[One, One]) -> None:
    first, second = two
    await second.rota.rota.leave((await second.rota.rota.roll(0.0)).living[1].id)
    [on_duty] = [one for one in (await first.rota.rota.roll(0.0)).living if ALL in one.duties]
    third = await second.rota.rota.join("room:3", "1", 60.0)
    while await second.rota.rota.take(third, ALL) is None:  # it says that it lives in between
        await first.rota.rota.renew(on_duty.id, -1.0)
    await until(lambda: first.worked == ["begins", "ends"])
    await until(lambda: bool(first.site))
    assert first.was_over == [True], "whatever it believes to have by its own clock"
    await second.rota.rota.leave(third)


REFUSED = Superseded("another process took over")


@pytest.mark.parametrize(
    "error", [REFUSED, ExceptionGroup("a task failed", [REFUSED]), StoreTrouble("no answer in time")]
)
async def test_trouble_with_the_memory_ends_the_work_and_not_the_process(
    database: str, error: Exception
) -> None:
    rota = await open_rota(database)
    one = await one_of(rota, "desk:1")
    one.raises = error
    running = asyncio.create_task(one.run())
    await until(lambda: one.worked == ["begins", "begins"])
    one.until.set()
    await running
    await rota.close()


@pytest.mark.parametrize(
    "error", [RuntimeError("a mistake"), Damaged("it is damaged"), Outdated("it is newer")], ids=type
)
async def test_what_fails_otherwise_ends_the_process_and_frees_the_duty(
    two: tuple[One, One], database: str, error: Exception
) -> None:
    first, second = two
    first.until.set()
    await until(lambda: second.shift.is_on_duty)
    rota = await open_rota(database)
    third = await one_of(rota, "room:3")
    third.raises = error
    running = asyncio.create_task(third.run())
    await until(lambda: bool(third.site))
    second.until.set()
    with pytest.raises(type(error)):
        await running
    assert (await rota.roll(0.0)).living == ()
    await rota.close()


async def test_a_process_that_is_told_to_end_while_it_stands_by_ends(two: tuple[One, One]) -> None:
    first, second = two
    second.until.set()
    roll = await first.rota.rota.roll(0.0)
    while len(roll.living) > 1:
        await asyncio.sleep(0.01)
        roll = await first.rota.rota.roll(0.0)
    assert [one.name for one in roll.living] == ["desk:1"]
    assert second.worked == []
