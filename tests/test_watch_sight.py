"""What people are told when the bot cannot see: from the tape to the chat, on the real store."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bot.alerts.translator import ENGLISH
from bot.deliver import Courier
from bot.engine.closes import Closes
from bot.metrics import MINUTE, Bar, Bars, Batch, Bounds, Doubt, MetricKey, Print, Seen, Unseen, runs
from bot.ports import ChatGone, NewArming, Serving, StoreTrouble
from bot.store import SqlStore
from bot.watch import Watch
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.markets import BTC, ETH
from tests.storing import ANN, BOB, caller, follow, refill
from tests.test_watch import Ear

START = int(NOON)
OPERATOR = caller("operator")
SEEN = {key: Seen(NOON, Bar(START, *[price] * 4)) for key, price in ((BTC, 105.0), (ETH, 50.0))}
DOWN = "binance does not answer in time"


@dataclass
class Scene:
    store: SqlStore
    clock: SetClock
    market: HandMarket
    ear: Ear
    watch: Watch
    courier: Courier

    async def arm(self, rule: str, who=ANN) -> None:  # type: ignore[no-untyped-def]
        arming = NewArming(refill(rule, {}), SEEN)
        await self.store.make_alert(who, rule, arming, self.clock.now())

    async def take(self, *things: object, reason: str = DOWN, source: str = "binance") -> None:
        """Let a look end that brought these things, and nothing of what else is wanted."""
        by_key: dict[MetricKey, list[Bar]] = {}
        for thing in things:
            if isinstance(thing, tuple):
                by_key.setdefault(thing[0], []).append(thing[1])
        prints = tuple(one for one in things if isinstance(one, Print))
        shown = {*by_key, *(one.key for one in prints)}
        batch = Batch(
            source,
            self.clock.now(),
            tuple(Bars(key, run, source) for key, bars in by_key.items() for run in runs(bars)),
            prints,
            bounds=tuple(one for one in things if isinstance(one, Bounds)),
            doubts=tuple(one for one in things if isinstance(one, Doubt)),
            unseen=tuple(Unseen(want.key, reason) for want in self.watch.wants() if want.key not in shown),
        )
        await self.watch.take(batch)
        for _ in range(4):
            await self.courier.drain()

    async def minutes(self, count: int, *keys: MetricKey, price: float = 105.0) -> None:
        """Let minutes pass in which these series are seen, and the others not."""
        for _ in range(count):
            start = int(self.clock.now() // MINUTE) * MINUTE
            self.clock.time = start + MINUTE
            await self.take(*((key, Bar(start, price, price, price, price)) for key in keys))

    async def catch_up(self, key: MetricKey, since: int, *, low: float = 105.0) -> None:
        """Read all minutes of a series since an instant; the second of them goes as low as this."""
        count = (int(self.clock.now()) - since) // MINUTE
        bars = [Bar(since + place * MINUTE, *[105.0] * 4) for place in range(count)]
        bars[1] = Bar(bars[1].at, 105.0, 105.0, low, 105.0)
        await self.take(*((key, bar) for bar in bars))

    def texts(self, who=ANN) -> list[str]:  # type: ignore[no-untyped-def]
        return [text for chat, text in self.ear.heard if chat == who.chat]


async def opened(store: SqlStore, clock: SetClock, ear: Ear, *, is_down: bool = False) -> Scene:
    market = HandMarket(clock, btc=105.0, eth=50.0)
    market.is_down = is_down
    watch = Watch(store, market, clock, lambda: None, late_after=140)
    await watch.open()
    return Scene(store, clock, market, ear, watch, Courier(store, ear, clock, lambda *_: ENGLISH))


@pytest.fixture
async def scene(store: SqlStore, clock: SetClock) -> Scene:
    return await opened(store, clock, Ear())


async def test_a_loss_is_told_once_with_its_reason_and_so_is_its_end(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.arm("eth < 40")
    await scene.minutes(4, BTC, ETH)
    await scene.minutes(27)
    assert scene.texts() == [
        "I cannot see BTC/USDT and ETH/USDT since 12:04 UTC: Binance does not answer in time.\n"
        "#1 and #2 cannot ring until it is seen again; what is missed is looked through then."
    ]
    await scene.catch_up(ETH, START + 4 * MINUTE)
    await scene.catch_up(BTC, START + 4 * MINUTE)
    assert scene.texts()[1:] == [
        f"{name}/USDT can be seen again since 12:31 UTC.\n"
        "What happened in the 27 minutes between was read: nothing is missed."
        for name in ("ETH", "BTC")
    ]
    await scene.minutes(3, BTC, ETH)
    assert len(scene.texts()) == 3


async def test_where_nobody_brings_anything_that_is_told_too_and_what_is_read_late_is_looked_through(
    scene: Scene,
) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(4, BTC)
    for _ in range(20):
        scene.clock.time += MINUTE
        await scene.watch.heed_silence()
        await scene.courier.drain()
    (told,) = scene.texts()
    assert told.startswith("I cannot see BTC/USDT since 12:04 UTC")
    await scene.catch_up(BTC, START + 4 * MINUTE, low=99.0)
    assert [text.split(" ")[0] for text in scene.texts()[1:]] in (["#1", "BTC/USDT"], ["BTC/USDT", "#1"])


async def test_a_chat_is_told_of_what_its_own_alerts_read(scene: Scene) -> None:
    await scene.arm("btc < 100", ANN)
    await scene.arm("eth < 40", BOB)
    await scene.minutes(3, BTC, ETH)
    await scene.minutes(8, ETH)
    assert scene.texts(BOB) == []
    assert "BTC/USDT since 12:03" in scene.texts(ANN)[0]
    await scene.catch_up(BTC, START + 3 * MINUTE)
    assert scene.texts(BOB) == []
    assert len(scene.texts(ANN)) == 2


async def test_each_follower_of_a_shared_alert_is_told_and_the_end_only_to_them(scene: Scene) -> None:
    await scene.store.publish(OPERATOR, "floor", "btc < 100", NOON)
    await follow(scene.store, ANN, "floor")
    await scene.minutes(2, BTC, price=101_000)
    await scene.minutes(8)
    await follow(scene.store, BOB, "floor")
    await scene.catch_up(BTC, START + 2 * MINUTE)
    assert [text.split()[0] for text in scene.texts(ANN)] == ["I", "BTC/USDT"]
    assert "floor cannot ring" in scene.texts(ANN)[0]
    assert scene.texts(BOB) == []


async def test_a_ring_found_after_a_loss_is_a_ring_of_its_own_and_late(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(4, BTC)
    await scene.minutes(27)
    await scene.catch_up(BTC, START + 4 * MINUTE, low=99.0)
    assert len(scene.texts()) == 3
    assert "touched 99 at 12:05 UTC, seen at 12:31; now 105. Binance." in scene.texts()[1]
    assert "seen again since 12:31" in scene.texts()[2]


async def test_neither_a_restart_nor_a_failed_commit_repeats_or_forgets_a_loss(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(4, BTC)
    commit, failures = scene.store.commit, [StoreTrouble("locked"), StoreTrouble("locked")]

    async def failing(*args: object) -> int:
        if failures:
            raise failures.pop()
        return await commit(*args)  # type: ignore[arg-type]

    scene.clock.time += 6 * MINUTE
    monkeypatch.setattr(scene.store, "commit", failing)
    await scene.minutes(1)
    await scene.minutes(6)
    again = await opened(scene.store, scene.clock, scene.ear)
    await again.minutes(20)
    assert len(scene.texts()) == 1
    last = await opened(scene.store, scene.clock, scene.ear)
    await last.catch_up(BTC, START + 4 * MINUTE)
    assert len(scene.texts()) == 2


async def test_the_bots_own_time_away_is_no_loss_and_is_caught_up(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(2, BTC)
    scene.clock.time += 12 * 3600
    again = await opened(scene.store, scene.clock, scene.ear)
    await again.take()
    await again.catch_up(BTC, START + 2 * MINUTE)
    assert scene.texts() == []


async def test_what_waits_for_its_history_since_a_restart_is_missed_too(scene: Scene) -> None:
    await scene.arm("btc moves down 5% in 1h")
    await scene.minutes(4, BTC)
    again = await opened(scene.store, scene.clock, scene.ear, is_down=True)
    await again.minutes(8)
    assert again.watch.wants() == []
    (text,) = scene.texts()
    assert text.startswith("I cannot see BTC/USDT since 12:04 UTC: no exchange answers.\n#1 cannot ring")
    again.market.is_down = False
    await again.minutes(1)
    await again.catch_up(BTC, START + 4 * MINUTE)
    assert "BTC/USDT can be seen again" in scene.texts()[1]
    assert len(scene.texts()) == 2


async def test_a_chat_that_cannot_be_written_to_is_not_told(scene: Scene) -> None:
    await scene.arm("btc < 50")
    await scene.arm("btc < 100")
    await scene.minutes(2, BTC)
    scene.ear.outcomes = [ChatGone("blocked")]
    await scene.minutes(1, BTC, price=90.0)
    await scene.minutes(20)
    await scene.catch_up(BTC, START + 3 * MINUTE)
    assert scene.texts() == []


async def test_an_alert_that_rang_for_good_waits_for_nothing(scene: Scene) -> None:
    await scene.arm("btc < 100 once")
    await scene.minutes(1, BTC, price=90.0)
    assert len(scene.texts()) == 1
    await scene.minutes(20)
    assert len(scene.texts()) == 1


async def test_minutes_that_are_gone_are_told_to_whom_they_may_have_mattered(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.arm("eth < 40", BOB)
    await scene.minutes(2, BTC, ETH)
    scene.clock.time = START + 11 * 3600
    await scene.take()
    at = START + 10 * 3600
    for _ in range(2):  # the second time they are known
        await scene.take(*((BTC, Bar(at + place * MINUTE, *[105.0] * 4)) for place in range(60)))
    assert scene.texts() == [
        "Between 12:02 and 22:00 UTC I could not see BTC/USDT, and its minutes are gone.\n"
        "#1 (btc/usdt < 100) may have been touched."
    ]
    assert scene.texts(BOB) == []


async def test_bounds_say_whose_level_lay_in_reach(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.arm("btc < 90")
    await scene.minutes(2, BTC)
    scene.clock.time = START + 3600
    hidden = Bounds(BTC, START + 2 * MINUTE, START + 3600 - MINUTE, 97, 110, "binance")
    await scene.take(hidden, (BTC, Bar(START + 3600 - MINUTE, *[105.0] * 4)))
    assert scene.texts() == [
        "Between 12:02 and 12:59 UTC I could not see BTC/USDT, and its minutes are gone.\n"
        "It stayed between 97 and 110.\n"
        "#1 (btc/usdt < 100): its level 100 lay in reach."
    ]


async def test_bounds_that_concern_nobody_are_not_told(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(2, BTC)
    scene.clock.time = START + 3600
    hidden = Bounds(BTC, START + 2 * MINUTE, START + 3600 - MINUTE, 101, 110, "binance")
    await scene.take(hidden, (BTC, Bar(START + 3600 - MINUTE, *[105.0] * 4)))
    assert scene.texts() == []


async def test_the_end_of_a_loss_says_what_of_it_is_gone(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(2, BTC)
    await scene.minutes(58)
    await scene.catch_up(BTC, START + 1800)
    lost, lapse, back = scene.texts()
    assert "I cannot see" in lost
    assert "#1 (btc/usdt < 100) may have been touched" in lapse
    assert back == (
        "BTC/USDT can be seen again since 13:00 UTC.\n"
        "Between 12:02 and 12:30 UTC the minutes of BTC/USDT are gone."
    )


async def test_a_price_that_nobody_bears_out_is_told_once_and_moves_nothing(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(4, BTC)
    states = [one.state for one in await scene.store.subscriptions(ANN.chat)]
    for value in (82.0, 82.5, 81.0):
        await scene.take(Doubt(BTC, value, scene.clock.now(), "binance", "kraken shows 105"))
    assert scene.texts() == [
        "Unconfirmed: Binance showed 82 for BTC/USDT at 12:04 UTC; Kraken shows 105.\n#1 has not rung for it."
    ]
    assert [one.state for one in await scene.store.subscriptions(ANN.chat)] == states
    await scene.take(Doubt(BTC, 60.0, scene.clock.now(), "binance", "kraken shows 105"))
    assert len(scene.texts()) == 2


async def test_a_ring_names_who_stood_in_for_whom(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(2, BTC)
    scene.market.stand_ins[BTC] = Serving("kraken", "binance", 1.001, NOON, DOWN)
    bar = Bar(START + 2 * MINUTE, 105.0, 105.0, 99.0, 104.0)
    scene.clock.time += MINUTE
    await scene.take((BTC, bar), source="kraken")
    (text,) = scene.texts()
    assert "Kraken, standing in for Binance, which does not answer in time, 12:02 UTC, told" in text


async def test_a_ring_of_the_home_exchanges_minutes_names_no_stand_in(scene: Scene) -> None:
    await scene.arm("btc < 100")
    scene.market.stand_ins[BTC] = Serving("kraken", "binance", 1.001, NOON, DOWN)
    await scene.minutes(1, BTC, price=99.0)
    (text,) = scene.texts()
    assert "Kraken" not in text


@pytest.mark.parametrize(
    ("sources", "because"),
    [
        (("binance", "binance"), "the final minutes of the exchange do not show it"),
        (
            ("kraken", "kraken"),
            "Binance showed it, but the final minutes came from Kraken and do not show it",
        ),
        (
            ("kraken", "binance"),
            "Binance showed it, but the final minutes came from Kraken and Binance and do not show it",
        ),
    ],
)
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_correction_names_whose_final_minutes_were_read_where_another_had_shown_the_price(
    scene: Scene, sources: tuple[str, str], because: str, is_restarted: bool
) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(2, BTC)
    scene.clock.time += 20
    await scene.take(Print(BTC, 99.0, scene.clock.now(), "binance"))
    minute = START + 2 * MINUTE
    for source in sources:
        if is_restarted:
            scene = await opened(scene.store, scene.clock, scene.ear)
        scene.clock.time = minute + MINUTE
        await scene.take((BTC, Bar(minute, 105.0, 105.0, 104.0, 104.0)), source=source)
        minute += MINUTE
    _, correction = scene.texts()
    assert correction == (
        f"Correction to #1: the ring of 12:02 UTC at 99 is taken back: {because}.\n"
        "The alert is as it was before that ring."
    )


def test_who_showed_a_minute_is_known_where_many_others_came_with_it() -> None:
    closes = Closes()
    closes.note_print(Print(BTC, 99.0, NOON + 20, "binance"))
    run = Bars(BTC, tuple(Bar(START + place * MINUTE, *[105.0] * 4) for place in range(40)), "kraken")
    closes.note_bars(run)
    assert closes.shown_by(BTC, START, [run]) == ["kraken"]


async def test_a_restart_goes_on_from_the_last_price_and_who_gave_it(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(2, BTC)
    again = await opened(scene.store, scene.clock, scene.ear)
    await again.take()
    (want,) = again.watch.wants()
    assert (want.since, want.close, want.source) == (START + 2 * MINUTE, 105.0, "binance")
    assert want.home == "binance"


async def test_a_restart_keeps_the_level_at_which_an_alert_began(scene: Scene) -> None:
    """Whoever showed the price then gave it at its own level, whoever the series would belong to by now."""
    seen = {BTC: replace(SEEN[BTC], home="kraken")}
    await scene.store.make_alert(ANN, "btc < 100", NewArming(refill("btc < 100", {}), seen), NOON)
    await scene.take()
    again = await opened(scene.store, scene.clock, scene.ear)
    await again.take()
    (want,) = again.watch.wants()
    assert (want.close, want.home) == (105.0, "kraken")


async def test_the_level_at_which_an_alert_began_is_wanted_as_long_as_prices_come(scene: Scene) -> None:
    seen = {BTC: replace(SEEN[BTC], home="kraken")}
    await scene.store.make_alert(ANN, "btc < 100", NewArming(refill("btc < 100", {}), seen), NOON)
    for _ in range(40):
        await scene.take(Print(BTC, 105.0, scene.clock.time + 1, "binance"))
        await scene.minutes(1, BTC)
        (want,) = scene.watch.wants()
        assert (want.since, want.source, want.home) == (scene.clock.time, "binance", "kraken")
    again = await opened(scene.store, scene.clock, scene.ear)
    assert [want.home for want in again.watch.wants()] == ["kraken"]


async def test_who_was_told_is_known_by_the_store(scene: Scene) -> None:
    await scene.arm("btc < 100")
    await scene.minutes(2, BTC)
    await scene.minutes(8)
    losses = await scene.store.losses()
    assert {key: (loss.since, loss.reason) for key, loss in losses.items()} == {
        BTC: (START + 2 * MINUTE, DOWN)
    }
    assert await scene.store.losses(1) == {}
    await scene.store.delete_alert(ANN.chat, 1, scene.clock.now())
    await scene.minutes(1)
    assert await scene.store.losses() == {}


async def test_hundreds_of_chats_are_told_in_one_transaction(scene: Scene) -> None:
    await scene.store.publish(OPERATOR, "floor", "btc < 100", NOON)
    for number in range(250):
        await follow(scene.store, caller(number), "floor")
    await scene.minutes(2, BTC, price=101_000)
    await scene.minutes(6)
    rows = await scene.store.lease("telegram", scene.clock.now() + 100, 2000)
    heard = {chat for chat, _ in scene.ear.heard}
    assert len({row.chat for row in rows} | heard) == 250
