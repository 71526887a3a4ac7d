"""Several processes divide the work: feeds, engines and chats apart, on one PostgreSQL and one NATS server.

They run in one loop here, each with its own stand on the rota, its own connections and its own house;
tests/failover.py does the same with processes, and harms them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bot.alerts.lots import Lots
from bot.app import open_house
from bot.clock import SystemClock
from bot.demo.clock import FastClock
from bot.demo.exchange import BinanceExchange
from bot.house import House
from bot.parts import build_chats, plan_of
from bot.ports.rota import Turn
from bot.settings import Settings
from bot.shift import Shift
from bot.store import open_rota
from tests.conftest import NOON
from tests.nats import Server, started
from tests.postgres import Server as Postgres
from tests.wire.prices import Ticks
from tests.wire.telegram import TelegramServer

ANN = 1001
_RING = re.compile(r"(#\d+) (?:BTC|ETH)/USDT fell below")
RATE = 40
SECONDS = 2.0


@dataclass
class Machine:
    """One process of those that divide the work: its roles, and its house while it has anything to do."""

    settings: Settings
    shift: Shift
    clock: FastClock
    house: House | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, turn: Turn, until: asyncio.Event) -> None:
        chats = build_chats(self.settings, self.clock, turn=turn)
        how = {"turn": turn, "rota": self.shift.rota, "throttle": False, "tells_operators": False}
        async with open_house(self.settings, self.clock, chats, **how) as house:  # type: ignore[arg-type]
            self.house = house
            try:
                await house.run(until)
            finally:
                self.house = None

    def has(self, *duties: str) -> bool:
        """Ask whether it does just that now."""
        return self.house is not None and self.house.tape.trouble == "" and self.duties == set(duties)

    @property
    def duties(self) -> set[str]:
        if self.house is None:
            return set()
        charge = self.house.charge
        return {
            *(f"feed/{name}" for name in charge.exchanges),
            *(["feed/metrics"] if charge.asks_providers else []),
            *(f"engine/{partition}" for partition in charge.partitions),
            *(f"chat/{platform}/{part}" for platform, lots in charge.lots.items() for part in lots.parts),
            *(["chat/upkeep"] if charge.has_upkeep else []),
        }


@dataclass
class Deployment:
    """All that there is: a market, a platform, and the machines."""

    ticks: Ticks
    telegram: TelegramServer
    machines: dict[str, Machine]

    async def until(self, is_so: Callable[[], object], within: float = 40.0) -> None:
        try:
            async with asyncio.timeout(within):
                while not is_so():  # noqa: ASYNC110 - what is waited for has no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            had = {name: sorted(one.duties) for name, one in self.machines.items()}
            raise AssertionError(f"it did not come about; {had}; {self.telegram.texts(ANN)}") from None

    async def say(self, text: str, who: int = ANN) -> str:
        """Say something to the bot, and give what it answers first."""
        before = len(self.telegram.texts(who))
        await self.telegram.say(who, who, text)
        await self.until(lambda: len(self.telegram.texts(who)) > before)
        return self.telegram.texts(who)[before]

    async def divided(self, one: str, other: str) -> tuple[str, str]:
        """Wait until two divide the chats, and are heard by each other; gives who hears what is said."""
        pair = [self.machines[one], self.machines[other]]
        await self.until(lambda: sorted(len(each.duties) for each in pair) == [1, 2])
        houses = [each.house for each in pair]
        await self.until(lambda: all(house and not house.reasons() for house in houses))
        await asyncio.sleep(0.5)  # until then a word finds nobody, and is answered where it was heard
        return (one, other) if len(pair[0].duties) == 2 else (other, one)

    def rings(self, who: int = ANN) -> list[str]:
        """Give which alerts rang, one by one or in a list."""
        return [number for text in self.telegram.texts(who) for number in _RING.findall(text)]

    def spoke(self, machine: str) -> set[int]:
        """Name those to whom a machine spoke."""
        host = self.machines[machine].settings.telegram_api or ""
        return {
            int(call.params["chat_id"])
            for call in self.telegram.calls
            if call.method.lower() == "sendmessage" and call.host in host
        }


@pytest.fixture
def nats() -> Iterator[Server]:
    with started() as server:
        yield server


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database(is_empty=True) as url:
        yield url


@asynccontextmanager
async def deployed(url: str, nats: str, **roles: tuple[str, ...]) -> AsyncIterator[Deployment]:
    clock = FastClock(NOON, RATE)
    ticks = Ticks(clock, 100_500)
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(TelegramServer())
        telegram.private(ANN, "Ann")
        exchange = await stack.enter_async_context(
            BinanceExchange(ticks, ["btc/usdt", "eth/usdt"], clock.now)
        )
        machines: dict[str, Machine] = {}
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for name, chosen in roles.items():
            # The platform is called by another name where that tells who calls.
            root = telegram.root.replace("127.0.0.1", "localhost") if name == "two" else telegram.root
            settings = Settings(
                database_url=url,
                nats_url=nats,
                roles=chosen,
                partitions=4,
                exchanges=("binance",),
                providers=(),
                feed_gateway=exchange.root,
                poll_seconds=20.0,
                stream=False,
                telegram_token=telegram.token,
                telegram_api=root,
                admins=frozenset({("telegram", str(ANN))}),
            )
            rota = await open_rota(url)
            stack.push_async_callback(rota.close)
            how = {"plan": plan_of(settings), "roles": chosen}
            shift = Shift(rota, SystemClock(), name, "1", SECONDS, **how)  # type: ignore[arg-type]
            machines[name] = machine = Machine(settings, shift, clock)
            tasks.create_task(shift.run(machine.work, machine.stop))
        try:
            yield Deployment(ticks, telegram, machines)
        finally:
            for machine in machines.values():
                machine.stop.set()


async def test_what_is_said_to_one_process_is_judged_by_another_and_seen_by_a_third(
    url: str, nats: Server
) -> None:
    roles = {"eye": ("feed",), "one": ("engine",), "two": ("engine",), "mouth": ("chat",)}
    async with deployed(url, nats.url, **roles) as town:
        judges = [town.machines["one"], town.machines["two"]]
        await town.until(lambda: town.machines["eye"].has("feed/binance", "feed/metrics"))
        mouth = ("chat/telegram/0", "chat/telegram/1", "chat/upkeep")
        await town.until(lambda: town.machines["mouth"].has(*mouth))
        await town.until(lambda: [len(one.duties) for one in judges] == [2, 2])
        for number, level in enumerate((100_000, 99_900, 99_800, 99_700), 1):
            assert f"#{number} armed" in await town.say(f"/alert btc < {level}")
        held = [town.machines["mouth"].house, *(one.house for one in judges)]
        town.ticks.set(99_500)
        await town.until(lambda: len(town.rings()) == 4)
        assert held == [town.machines["mouth"].house, *(one.house for one in judges)], "none began anew"

        status = await town.say("/status")
        for words in ("eye", "feed/binance", "one", "engine/", "two", "mouth", "chat/telegram/0-1"):
            assert words in status

        nats.stop()
        await town.until(lambda: all("NATS" in " ".join(one.house.reasons()) for one in judges if one.house))
        town.ticks.set(100_500)
        assert "#5 armed" in await town.say("/alert eth < 100k")
        nats.start()
        town.ticks.set(99_000)
        await town.until(lambda: len(town.rings()) == 5)
    assert sorted(town.rings()) == ["#1", "#2", "#3", "#4", "#5"]


async def test_who_leaves_hands_over_to_whoever_may_do_its_work(url: str, nats: Server) -> None:
    everything = ("feed", "engine", "chat")
    async with deployed(url, nats.url, first=everything, second=everything) as town:
        both = list(town.machines.values())
        await town.until(lambda: all(one.duties for one in both))
        await town.until(lambda: len(both[0].duties | both[1].duties) == 9)
        assert not both[0].duties & both[1].duties
        assert "#1 armed" in await town.say("/alert btc < 100k")
        both[0].stop.set()
        await town.until(lambda: len(both[1].duties) == 9)
        town.ticks.set(99_500)
        await town.until(town.rings)
        assert "#2 armed" in await town.say("/alert eth > 120k")
    assert len(town.rings()) == 1


async def test_two_who_tell_have_their_own_chats_and_one_alone_has_all(url: str, nats: Server) -> None:
    crowd = {ANN + number: Lots(of=2).part_of(str(ANN + number)) for number in range(8)}
    async with deployed(url, nats.url, rest=("feed", "engine"), one=("chat",), two=("chat",)) as town:
        for who in crowd:
            town.telegram.private(who, f"Person {who}")
        hears, other = await town.divided("one", "two")
        assert town.machines[hears].duties == {"chat/telegram/0", "chat/upkeep"}
        assert town.machines[other].duties == {"chat/telegram/1"}
        for who in crowd:
            assert "#1 armed" in await town.say("/alert btc < 100k", who)
        town.ticks.set(99_500)
        await town.until(lambda: all(town.rings(who) for who in crowd))
        assert town.spoke(hears) == {who for who, part in crowd.items() if part == 0}
        assert town.spoke(other) == {who for who, part in crowd.items() if part == 1}

        town.machines[hears].stop.set()
        await town.until(lambda: len(town.machines[other].duties) == 3)
        for who in crowd:
            assert "#2 armed" in await town.say("/alert eth < 99k", who)
        town.ticks.set(98_500)
        await town.until(lambda: all(len(town.rings(who)) == 2 for who in crowd))
        assert town.spoke(other) == set(crowd)
    assert {who: sorted(town.rings(who)) for who in crowd} == {who: ["#1", "#2"] for who in crowd}


async def test_what_is_said_where_nobody_takes_it_over_is_answered_by_who_heard_it(
    url: str, nats: Server
) -> None:
    there = next(ANN + number for number in range(8) if Lots(of=2).part_of(str(ANN + number)) == 1)
    async with deployed(url, nats.url, rest=("feed", "engine"), one=("chat",), two=("chat",)) as town:
        town.telegram.private(there, "Somebody")
        hears, other = await town.divided("one", "two")
        assert "#1 armed" in await town.say("/alert btc < 100k", there)
        assert town.spoke(other) == {there}
        nats.stop()
        assert "#2 armed" in await town.say("/alert btc < 99k", there)
        assert town.spoke(hears) == {there}
        nats.start()
        town.ticks.set(98_500)
        await town.until(lambda: len(town.rings(there)) == 2)
