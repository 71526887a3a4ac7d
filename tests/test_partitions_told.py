"""Several judge one store's armings: who is superseded, who hears which news, what chats are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from bot.alerts.translator import ENGLISH
from bot.deliver import Courier
from bot.metrics import MINUTE, Bar, Bars, Batch, Doubt, MetricKey, Observation, Want
from bot.ports import Judgement, Listener, Share, Superseded, Unheard
from bot.store import SqlStore
from bot.watch import SILENCE, Watch
from tests import test_watch_sight as sight
from tests.conftest import NOON, SetClock
from tests.dividing import Bench
from tests.market import HandMarket
from tests.markets import BTC, ETH, minutes
from tests.storing import ANN, BOB, make
from tests.test_partitions import RULES, SEEN, WHALE, tape_of
from tests.test_watch import Ear
from tests.test_watch_sight import Scene

pytestmark = pytest.mark.both
START = int(NOON)


def word(value: int, at: float, source: str = "push", as_of: int = START) -> Observation:
    return Observation(WHALE, as_of, Decimal(value), at, source=source)


# --- who judges what ----------------------------------------------------------------------------------------


async def test_who_goes_on_with_an_old_division_commits_no_more(store: SqlStore, clock: SetClock) -> None:
    bench = Bench(store, clock, tape_of([(100, 100), (97, 100), (97, 100)], [None] * 3))
    for rule in RULES[:4]:
        await bench.arm(ANN, rule, SEEN)
    await bench.divide(1)
    await bench.go(0)
    (old,) = bench.judges
    assert await store.divide(2)
    with pytest.raises(Superseded):
        await old.watch.take(bench.tape[1])
    assert (await bench.outcome())[0] == []
    shares = await store.shares()
    assert [one.partition for one in shares] == [0, 1]
    assert not await store.divide(2), "that is no change"
    assert await store.shares() == shares
    bench.judges = [await bench.open(partition, 1) for partition in range(2)]
    assert [judge.watch.epoch for judge in bench.judges] == [one.epoch + 1 for one in shares]
    await bench.finish()
    assert [row[:2] for row in (await bench.outcome())[0]] == [(1, 1)]
    await make(store, ANN, "btc < 5")
    made = {
        partition: [one.arming.alert_id for one in (await store.changes(partition, 4)).made]
        for partition in range(2)
    }
    assert made == {0: [], 1: [5]}


async def test_shares_say_how_far_each_has_come(store: SqlStore) -> None:
    assert await store.shares() == [Share(0, "", 0, 0)]
    await store.divide(2)
    epoch = await store.take(1, "host/7")
    await store.commit(1, epoch, Judgement(NOON, horizon=START))
    await store.commit(1, epoch, Judgement(NOON, horizon=START - 60))
    assert (await store.shares())[1] == Share(1, "host/7", epoch, START)
    with pytest.raises(ValueError, match="one partition"):
        await store.divide(0)


# --- news ---------------------------------------------------------------------------------------------------


async def test_every_partition_hears_every_word_once_whoever_notes_it(store: SqlStore) -> None:
    places = [0] * 3
    heard: list[list[Decimal]] = [[] for _ in places]

    async def note(partition: int, read_at: float, *said: Observation) -> None:
        listener = Listener(read_at, places[partition], int(read_at))
        noted = await store.note(said, int(read_at) + 1, listener)
        places[partition] = noted.place
        heard[partition].extend(one.value for one in noted.news)

    looks = [(NOON + 10 * place, word(place, NOON + 10 * place)) for place in range(1, 6)]
    for partition in range(2):  # the second comes to each look when the first is far ahead
        for read_at, said in looks:
            await note(partition, read_at, said)
    await asyncio.gather(*(note(2, *look) for look in looks[:1]), note(0, NOON + 60, word(6, NOON + 60)))
    for partition in (2, 1):
        await note(partition, NOON + 60, word(6, NOON + 60))
    assert heard == [[Decimal(value) for value in range(1, 7)]] * 3
    assert [one.revision for one in await store.recall(WHALE)] == list(range(6))


async def test_words_noted_at_once_are_heard_by_all(store: SqlStore) -> None:
    async def hear_all(partition: int) -> list[int]:
        place, heard = 0, []
        for turn in range(8):
            said = [word(partition, NOON, as_of=START + 100 * partition + turn)]
            noted = await store.note(said, START + 1000 * turn, Listener(NOON, place, START))
            place = noted.place
            heard += [one.as_of for one in noted.news]
        return heard + [one.as_of for one in (await store.note([], 0, Listener(NOON, place, 0))).news]

    several = await asyncio.gather(*map(hear_all, range(3)))
    rest = [one.as_of for one in await store.recall(WHALE)]
    assert len(rest) == 24
    for heard in several:
        assert len(heard) == len(set(heard))
    assert max(map(len, several)) == 24


async def test_who_speaks_instead_is_seen_by_each(store: SqlStore) -> None:
    await store.note([word(1, NOON)], START)
    place = await store.newest_place()
    late = START + 8 * 3600
    noted = await store.note([word(2, late, "other", late)], late, Listener(float(late), place, START))
    assert noted.moved == (WHALE,)
    again = await store.note([word(2, late, "other", late)], late, Listener(float(late), place, START))
    assert again == noted
    assert (await store.note([], late, Listener(float(late), noted.place, START))).moved == ()


async def test_what_is_known_since_before_it_judged_is_heard_before_a_partition_keeps_anything(
    store: SqlStore, clock: SetClock
) -> None:
    await store.divide(2)
    epoch = await store.take(1, "other")
    noted = await store.note([word(7, NOON + 5)], START + 5, Listener(NOON + 5, 0, START))
    with pytest.raises(Unheard):
        await store.commit(1, epoch, Judgement(NOON + 30, horizon=START + 30))
    assert (await store.shares())[1].judged_to == 0
    await store.commit(1, epoch, Judgement(NOON + 30, horizon=START + 4))
    await store.commit(1, epoch, Judgement(NOON + 30, horizon=START + 30, heard=noted.place))
    later = await store.note([word(8, NOON + 6)], START + 6, Listener(NOON + 6, 0, START))
    assert later.at == START + 31, "nobody has kept anything that it could have changed"


async def test_who_had_come_further_judges_a_word_once_and_a_restart_too(
    store: SqlStore, clock: SetClock
) -> None:
    bench = Bench(store, clock)
    for rule in ("btc < 5", "metric(whale) > 5 repeat", "btc < 98"):
        await bench.arm(ANN, rule, SEEN)
    await bench.divide(2)
    ahead = bench.judges[1]
    await store.note([word(1, NOON + 1)], START + 1, Listener(NOON + 1, 0, START))
    bench.tape = [
        Batch("push", NOON + 1, observations=(word(1, NOON + 1),)),
        *(Batch("made", NOON + at, (Bars(BTC, tuple(minutes(100))),)) for at in (10, 20, 30)),
    ]
    await bench.go(1, 4)
    await bench.go(0, 1)
    await store.note([word(9, NOON + 2)], START + 2, Listener(NOON + 2, 0, START + 1))
    bench.tape = [*bench.tape, Batch("made", NOON + 62, (Bars(BTC, tuple(minutes(100, 97))),))]
    await bench.go(1, 1)
    assert ahead is bench.judges[1]
    await bench.finish()
    bench.judges = [await bench.open(partition, 0) for partition in range(2)]
    await bench.finish()
    rang = [row[:2] for row in (await bench.outcome())[0]]
    assert rang == [(2, 1), (3, 1)]


# --- what chats are told ------------------------------------------------------------------------------------


@dataclass
class Crew:
    """All who judge, as if they were one."""

    watches: Sequence[Watch]

    def wants(self) -> list[Want]:
        return list({want.key: want for watch in self.watches for want in watch.wants()}.values())

    async def take(self, batch: Batch) -> None:
        for watch in self.watches:
            await watch.take(batch)


async def crewed(store: SqlStore, clock: SetClock, count: int) -> Scene:
    await store.divide(count)
    market, ear = HandMarket(clock, btc=105.0, eth=50.0), Ear()
    watches = [Watch(store, market, clock, lambda: None, 140, partition) for partition in range(count)]
    for watch in watches:
        await watch.open()
    crew: Watch = Crew(watches)  # type: ignore[assignment]
    return Scene(store, clock, market, ear, crew, Courier(store, ear, clock, lambda *_: ENGLISH))


@pytest.mark.parametrize(
    "tell",
    [
        sight.test_a_loss_is_told_once_with_its_reason_and_so_is_its_end,
        sight.test_a_chat_is_told_of_what_its_own_alerts_read,
        sight.test_each_follower_of_a_shared_alert_is_told_and_the_end_only_to_them,
        sight.test_bounds_say_whose_level_lay_in_reach,
        sight.test_minutes_that_are_gone_are_told_to_whom_they_may_have_mattered,
        sight.test_the_end_of_a_loss_says_what_of_it_is_gone,
    ],
)
async def test_chats_are_told_what_one_would_tell(
    store: SqlStore, clock: SetClock, tell: Callable[[Scene], Awaitable[None]]
) -> None:
    await tell(await crewed(store, clock, 2))


async def test_a_chat_with_alerts_in_several_partitions_is_told_once_with_all_of_them(
    store: SqlStore, clock: SetClock
) -> None:
    scene = await crewed(store, clock, 3)
    for level in (100, 99, 98):
        await scene.arm(f"btc < {level}")
    await scene.arm("eth < 40")
    await scene.arm("btc < 97", BOB)
    await scene.minutes(4, BTC, ETH)
    await scene.take(Doubt(BTC, 82.0, clock.now(), "binance", "kraken shows 105"))
    await scene.minutes(20)
    doubt, lost = scene.texts()
    assert "#1, #2, and #3 have not rung for it" in doubt
    assert lost.startswith("I cannot see BTC/USDT and ETH/USDT since 12:04")
    assert "#1, #2, #3, and #4 cannot ring" in lost
    assert {loss.since for loss in (await store.losses()).values()} == {START + 4 * MINUTE}

    first, *others = scene.watch.watches  # type: ignore[attr-defined]
    crew, scene.watch = scene.watch, first
    await scene.catch_up(ETH, START + 4 * MINUTE)
    await scene.catch_up(BTC, START + 4 * MINUTE)
    assert len(scene.texts()) == 2, "others have not seen it yet"
    assert set(await store.losses()) == {BTC, ETH}
    scene.watch = crew
    await scene.catch_up(ETH, START + 4 * MINUTE)
    await scene.catch_up(BTC, START + 4 * MINUTE)
    assert sorted(text.split("/")[0] for text in scene.texts()[2:]) == ["BTC", "ETH"]
    assert await store.losses() == {}
    assert [text.split()[0] for text in scene.texts(BOB)][-2:] == ["I", "BTC/USDT"]
    assert len(others) == 2


async def test_whoever_is_late_with_a_loss_tells_nobody_who_knows(store: SqlStore, clock: SetClock) -> None:
    scene = await crewed(store, clock, 2)
    for rule in ("btc < 100", "btc < 99"):
        await scene.arm(rule)
    await scene.arm("eth < 40")
    await scene.minutes(2, BTC, ETH)
    crew, scene.watch = scene.watch, scene.watch.watches[1]  # type: ignore[attr-defined]
    await scene.minutes(8, ETH)
    assert len(scene.texts()) == 1 and "#1 cannot ring" in scene.texts()[0]
    scene.watch = crew
    await scene.minutes(10, ETH)
    assert len(scene.texts()) == 1
    await scene.catch_up(BTC, START + 2 * MINUTE)
    assert [text.split()[0] for text in scene.texts()] == ["I", "BTC/USDT"]


async def test_whoever_is_late_with_a_doubt_names_its_own_alerts_of_the_same_price_alone(
    store: SqlStore, clock: SetClock
) -> None:
    scene = await crewed(store, clock, 2)
    for level in (100, 99, 98):
        await scene.arm(f"btc < {level}")
    await scene.minutes(4, BTC)
    crew, parts = scene.watch, scene.watch.watches  # type: ignore[attr-defined]
    at = clock.now()
    for watch in parts:
        scene.watch = watch
        for again in (0, 0, 1):
            await scene.take(Doubt(BTC, 82.0 + again, at + again, "binance", "kraken shows 105"))
    scene.watch = crew
    await scene.take(Doubt(BTC, 82.0, at + 2, "binance", "kraken shows 105"))
    said = "Unconfirmed: Binance showed 82 for BTC/USDT at 12:04 UTC; Kraken shows 105.\n"
    assert scene.texts() == [f"{said}#2 has not rung for it.", f"{said}#1 and #3 have not rung for it."]


# --- silence ------------------------------------------------------------------------------------------------


async def test_where_nothing_comes_at_all_it_is_told_that_nothing_is_seen(
    store: SqlStore, clock: SetClock
) -> None:
    scene = await crewed(store, clock, 2)
    for rule in ("btc < 100", "btc < 99"):
        await scene.arm(rule)
    await scene.minutes(3, BTC)

    async def heed(seconds: float) -> None:
        for _ in range(int(seconds // 30)):
            clock.time += 30
            for watch in scene.watch.watches:  # type: ignore[attr-defined]
                await watch.heed_silence()
            await scene.courier.drain()

    await heed(SILENCE)
    assert scene.texts() == []
    await heed(10 * MINUTE)
    (lost,) = scene.texts()
    assert lost.startswith("I cannot see BTC/USDT since 12:03 UTC") and "#1 and #2 cannot ring" in lost

    gone = clock.now()
    for at in range(START + 4 * MINUTE, int(gone), MINUTE):  # what was put on the tape meanwhile
        shown = Bars(BTC, (Bar(at - MINUTE, *[105.0] * 4),), "binance")
        await scene.watch.take(Batch("binance", at + 2.0, (shown,)))
        await scene.courier.drain()
    back = scene.texts()[1:]
    assert len(back) == 1 and back[0].startswith("BTC/USDT can be seen again since 12:14")


async def test_a_backlog_that_is_read_late_is_no_blindness(store: SqlStore, clock: SetClock) -> None:
    scene = await crewed(store, clock, 2)
    await scene.arm("btc < 100")
    await scene.minutes(3, BTC)
    clock.time += 20 * MINUTE
    for at in range(START + 4 * MINUTE, int(clock.now()), MINUTE):
        shown = Bars(BTC, (Bar(at - MINUTE, *[105.0] * 4),), "binance")
        for watch in scene.watch.watches:  # type: ignore[attr-defined]
            await watch.take(Batch("binance", at + 2.0, (shown,)))
            await watch.heed_silence()
    await scene.courier.drain()
    assert scene.texts() == []
    assert MetricKey("price", "btc/usdt") == BTC
