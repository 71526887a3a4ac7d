"""Several processes on one memory divide the duties: evenly, each one's at a time, whoever comes and goes."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from bot.clock import SystemClock
from bot.duties import ROLES, duties_of, role_of
from bot.ports import Superseded
from bot.ports.rota import Turn
from bot.shift import Shift
from bot.store import open_rota
from bot.store.rota import SqlRota
from tests.test_shift import Flaky, until

pytestmark = pytest.mark.both

SECONDS = 0.8
DUTIES = duties_of(("binance", "kraken"), 4, {"telegram": 1})
ALONE = {"feed": 3, "engine": 4, "chat": 2}


@dataclass
class World:
    """Processes on one memory, and what was amiss: two at one duty, or one at what is not its by the rota."""

    database: str
    rota: SqlRota
    stack: AsyncExitStack
    tasks: asyncio.TaskGroup
    everyone: list[One] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    async def begin(
        self,
        name: str,
        roles: tuple[str, ...] = ROLES,
        plan: tuple[str, ...] = DUTIES,
        seconds: float = SECONDS,
    ) -> One:
        rota = await open_rota(self.database)
        self.stack.push_async_callback(rota.close)
        flaky = Flaky(rota)
        shift = Shift(flaky, SystemClock(), name, "1", seconds, plan=plan, roles=roles)  # type: ignore[arg-type]
        one = One(self, shift, flaky)
        self.everyone.append(one)
        self.tasks.create_task(one.run())
        return one


@dataclass
class One:
    """One process: what it works on just now, and how often it began."""

    world: World
    shift: Shift
    rota: Flaky
    is_to_end: asyncio.Event = field(default_factory=asyncio.Event)
    process: str = ""
    at_work: frozenset[str] = frozenset()
    begun: int = 0
    ago: float = 0.0
    seconds_to_settle: float = 0.05
    raises: Exception | None = None

    async def run(self) -> None:
        await self.shift.run(self.work, self.is_to_end)

    async def work(self, turn: Turn, end: asyncio.Event) -> None:
        self.begun += 1
        self.process, self.at_work = turn.process, frozenset(turn.duties)
        self.ago = max(duty.ago for duty in turn.duties.values())
        await self.compare()
        await end.wait()
        await asyncio.sleep(self.seconds_to_settle)
        await self.compare()
        self.at_work = frozenset()
        if self.raises is not None:
            raised, self.raises = self.raises, None
            raise raised

    async def compare(self) -> None:
        """Look whether others do the same, and what the rota says; who stands there no more is fenced off."""
        standing = {one.id: one for one in (await self.world.rota.roll(0.0)).living}
        if self.process not in standing:
            return
        for other in self.world.everyone:
            if other is not self and other.process in standing and (same := other.at_work & self.at_work):
                self.world.faults.append(f"{self.shift.name} and {other.shift.name} work on {set(same)}")
        if strange := self.at_work.difference(standing[self.process].duties):
            self.world.faults.append(f"{self.shift.name} works on {set(strange)}")

    async def comes_to(self, **counts: int) -> None:
        """Wait until it works on so many duties of each role."""
        try:
            await until(lambda: Counter(map(role_of, self.at_work)) == counts)
        except TimeoutError:
            raise AssertionError(f"{self.shift.name} works on {set(self.at_work)}, not {counts}") from None


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        rota = await open_rota(database)
        stack.push_async_callback(rota.close)
        async with asyncio.TaskGroup() as tasks:
            made = World(database, rota, stack, tasks)
            yield made
            for one in made.everyone:
                one.rota.is_cut = False
                one.is_to_end.set()
        assert made.faults == []


async def test_who_joins_is_handed_its_share_and_who_ends_hands_it_back(world: World) -> None:
    patient = {
        "seconds": 2.0
    }  # nobody is taken for dead, whatever else the machine does: beginnings are counted
    first = await world.begin("desk:1", **patient)
    await first.comes_to(**ALONE)
    second = await world.begin("rack:2", **patient)
    await second.comes_to(feed=1, engine=2, chat=1)
    await first.comes_to(feed=2, engine=2, chat=1)
    assert (first.begun, second.begun) == (2, 1)
    kept = second.at_work
    third = await world.begin("room:3", **patient)
    await third.comes_to(feed=1, engine=2)
    await asyncio.gather(*(one.comes_to(feed=1, engine=1, chat=1) for one in (first, second)))
    assert second.at_work < kept
    assert (first.begun, second.begun) == (3, 2)
    assert third.begun <= 2
    first.is_to_end.set()
    await asyncio.gather(second.comes_to(feed=2, engine=2, chat=1), third.comes_to(feed=1, engine=2, chat=1))


async def test_who_begins_anew_had_its_duties_itself_until_then(world: World) -> None:
    first = await world.begin("desk:1")
    await first.comes_to(**ALONE)
    assert first.ago == math.inf, "nobody had them before"
    await asyncio.sleep(SECONDS)
    await world.begin("rack:2")
    await first.comes_to(feed=2, engine=2, chat=1)
    assert first.ago < SECONDS


async def test_of_one_that_is_cut_off_the_others_have_all_and_it_has_its_share_when_it_is_back(
    world: World,
) -> None:
    first, second = await world.begin("desk:1"), await world.begin("rack:2")
    await asyncio.gather(first.comes_to(feed=2, engine=2, chat=1), second.comes_to(feed=1, engine=2, chat=1))
    await until(lambda: bool(first.shift.others))  # whoever knows of no other goes on
    first.rota.is_cut = True
    await asyncio.gather(second.comes_to(**ALONE), first.comes_to())
    first.rota.is_cut = False
    await asyncio.gather(first.comes_to(feed=1, engine=2, chat=1), second.comes_to(feed=2, engine=2, chat=1))


async def test_each_does_what_its_roles_are_and_one_of_every_role_stands_by_for_them(world: World) -> None:
    feed, chat = await world.begin("feed:1", ("feed",)), await world.begin("chat:1", ("chat",))
    engines = [await world.begin(f"engine:{number}", ("engine",)) for number in range(2)]
    spare = await world.begin("spare:1", ("engine", "chat"))
    await asyncio.gather(feed.comes_to(feed=3), chat.comes_to(chat=1), spare.comes_to(chat=1, engine=1))
    await until(lambda: sorted(len(one.at_work) for one in engines) == [1, 2])
    others = [await world.begin("feed:2", ("feed",)) for _ in range(3)]
    await until(lambda: sum(bool(one.at_work) for one in others) == 2)
    [idle] = [one for one in (feed, *others) if not one.at_work]
    [reason] = idle.shift.reasons()
    assert reason.startswith("it stands by: feed:")
    assert "; engine:0 has engine/" in reason


async def test_who_divides_the_alerts_otherwise_stands_by_until_the_rest_ends_and_says_why(
    world: World,
) -> None:
    feed, rest = await world.begin("desk:1", ("feed",)), await world.begin("rack:2", ("engine", "chat"))
    await asyncio.gather(feed.comes_to(feed=3), rest.comes_to(engine=4, chat=2))
    others = duties_of(("binance", "kraken"), 8, {"telegram": 1})
    strange = await world.begin("room:3", ("feed",), others)
    await until(lambda: len(strange.shift.others) == 2)
    feed.is_to_end.set()
    await until(lambda: len(strange.shift.others) == 1)
    await asyncio.sleep(SECONDS / 2)
    assert strange.at_work == set()
    assert strange.shift.reasons() == [
        "it stands by: rack:2 has engine/0-3, chat/telegram/0, chat/upkeep, "
        "with other TOCSIN_PARTITIONS or TOCSIN_SENDERS, or as another version, and has to end first"
    ]
    rest.is_to_end.set()
    await strange.comes_to(feed=3)


async def test_a_work_that_settles_slowly_keeps_its_duties_until_it_has(world: World) -> None:
    first = await world.begin("desk:1")
    first.seconds_to_settle = SECONDS
    await first.comes_to(**ALONE)
    second = await world.begin("rack:2")
    await second.comes_to(feed=1, engine=2, chat=1)
    assert second.begun == 1
    [before] = [one.id for one in (await world.rota.roll(0.0)).living if one.name == "desk:1"]
    first.seconds_to_settle = 2 * SECONDS  # it says that it lives until it has ended
    first.is_to_end.set()
    await second.comes_to(**ALONE)
    assert [one.id for one in (await world.rota.roll(0.0)).ended if not one.was_lost] == [before]


async def test_who_was_thought_dead_joins_as_another_and_is_handed_its_share(world: World) -> None:
    first, second = await world.begin("desk:1"), await world.begin("rack:2")
    await asyncio.gather(first.comes_to(feed=2, engine=2, chat=1), second.comes_to(feed=1, engine=2, chat=1))
    [before] = [one.id for one in (await world.rota.roll(0.0)).living if one.name == "desk:1"]
    first.raises = Superseded("another process took over")
    with pytest.raises(Superseded):
        while True:  # it says that it lives in between
            await world.rota.renew(before, -1.0)
            await asyncio.sleep(0.01)
    await until(lambda: first.begun == 2 or not first.at_work)
    await asyncio.gather(first.comes_to(feed=1, engine=2, chat=1), second.comes_to(feed=2, engine=2, chat=1))
    roll = await world.rota.roll(0.0)
    assert before not in [one.id for one in roll.living]
    assert [one.id for one in roll.ended if one.was_lost] == [before]
