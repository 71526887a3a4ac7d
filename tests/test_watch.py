"""From the tape to the chat on the real store: what is committed, what is told, and what is told again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from bot import gauges
from bot.alerts.message import Message
from bot.alerts.models import Telling
from bot.alerts.people import ChatRef
from bot.alerts.translator import ENGLISH
from bot.deliver import Courier
from bot.engine.state import AlertState
from bot.metrics import MINUTE, Bar, Batch, MetricKey, Observation, Print, Seen
from bot.ports import (
    ChatGone,
    Desk,
    Judgement,
    NewArming,
    Outcome,
    Receipt,
    RetryLater,
    StoreTrouble,
    Superseded,
)
from bot.store import SqlStore, open_store
from bot.store.promise import PRIORITY
from bot.watch import Watch
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.markets import BTC, batch, minutes
from tests.storing import caller, follow, refill

ANN = caller("ann", platform="telegram")
START = int(NOON)


@dataclass
class Ear:
    """A chat platform that answers as it is told, and remembers what it was sent."""

    platform: str = "telegram"
    outcomes: list[Outcome] = field(default_factory=list)
    heard: list[tuple[ChatRef, str]] = field(default_factory=list)

    async def run(self, desk: Desk) -> None:
        raise NotImplementedError

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        outcome = self.outcomes.pop(0) if self.outcomes else Receipt("1")
        if isinstance(outcome, Receipt):
            self.heard.append((chat, message.plain()))
        return outcome

    async def is_admin(self, chat: ChatRef, person: str) -> bool:
        return True

    def texts(self) -> list[str]:
        return [text for _, text in self.heard]


@dataclass
class Scene:
    store: SqlStore
    clock: SetClock
    market: HandMarket
    ear: Ear
    watch: Watch
    courier: Courier

    async def arm(self, rule: str, price: float) -> None:
        await self.store.make_alert(ANN, rule, self.arming(rule, price), self.clock.now())

    async def ring_now(self, rule: str, price: float) -> None:
        alert = await self.store.ring_now(ANN.chat, "#1", self.arming(rule, price), self.clock.now())
        assert alert is not None

    def arming(self, rule: str, price: float) -> NewArming:
        now = self.clock.now()
        bar = Bar(int(now // MINUTE) * MINUTE, price, price, price, price)
        return NewArming(refill(rule, {}), {BTC: Seen(now, bar)})

    async def minute(self, *prices: float) -> None:
        """Let a minute pass that traded at these prices in this order."""
        start = int(self.clock.now() // MINUTE) * MINUTE
        self.clock.time = start + MINUTE
        bar = Bar(start, prices[0], max(prices), min(prices), prices[-1])
        await self.watch.take(batch({BTC: [bar]}, at=self.clock.now()))
        await self.courier.drain()

    async def prints(self, price: float) -> None:
        """See one price of the running minute."""
        self.clock.time += 5
        await self.watch.take(batch({}, Print(BTC, price, self.clock.now()), at=self.clock.now()))
        await self.courier.drain()


async def opened(store: SqlStore, clock: SetClock, ear: Ear, is_down: bool = False) -> Scene:
    market = HandMarket(clock, btc=105.0)
    market.is_down = is_down
    watch = Watch(store, market, clock, lambda: None, late_after=140)
    await watch.open()
    return Scene(store, clock, market, ear, watch, Courier(store, ear, clock, lambda *_: ENGLISH))


@pytest.fixture
async def scene(store: SqlStore, clock: SetClock) -> Scene:
    return await opened(store, clock, Ear())


async def test_a_touch_is_told_once(scene: Scene) -> None:
    await scene.arm("btc < 100", 105)
    await scene.minute(105, 104)
    await scene.minute(104, 99, 103)
    await scene.minute(103, 98, 103)
    (text,) = scene.ear.texts()
    assert "#1" in text and "touched 99" in text


async def test_an_early_ring_and_its_final_minute_are_one_message(scene: Scene) -> None:
    await scene.arm("btc < 100", 105)
    await scene.prints(99)
    assert len(scene.ear.texts()) == 1
    await scene.prints(98)
    await scene.minute(105, 98, 101)
    await scene.minute(101, 101)
    assert len(scene.ear.texts()) == 1


async def test_a_figure_that_its_source_corrects_takes_its_ring_back_and_arms_the_alert_again(
    scene: Scene,
) -> None:
    flow = MetricKey("etf_flow", "btc")
    await scene.arm("etf_flow(btc) < -500m", 105)

    async def say(value: int, session: int, revision: int = 0) -> None:
        scene.clock.time += 3600
        as_of, now = (START // 86400 + session) * 86400, scene.clock.now()
        word = Observation(flow, as_of, Decimal(value) * 1_000_000, now, revision=revision, source="made")
        await scene.watch.take(Batch("made", now, observations=(word,)))
        await scene.courier.drain()

    await say(75, -1)
    await say(-600, 0)
    (listed,) = await scene.store.subscriptions(ANN.chat)
    assert listed.state is not None and listed.state.rang_at is not None
    await say(-400, 0, 1)
    (listed,) = await scene.store.subscriptions(ANN.chat)
    assert listed.state is not None and listed.state.is_armed and listed.state.rang_at is None
    await say(-300, 0, 2)
    await say(-700, 1)
    ring, correction, again = scene.ear.texts()
    assert "-600,000,000" in ring
    assert "at -600,000,000 is taken back" in correction and "to -400,000,000" in correction
    assert "-700,000,000" in again and "Late" not in again


async def test_every_price_of_a_batch_is_looked_at_not_only_the_last(scene: Scene) -> None:
    await scene.arm("btc < 100", 105)
    scene.clock.time += 5
    now = scene.clock.now()
    wick = [Print(BTC, price, now + after) for price, after in ((99.0, 0.0), (107.0, 0.1), (104.0, 0.2))]
    await scene.watch.take(batch({}, *wick, at=now))
    await scene.courier.drain()
    (text,) = scene.ear.texts()
    assert "now 99" in text


async def test_how_long_a_ring_took_is_counted_by_the_way_on_which_its_price_came(scene: Scene) -> None:
    before = {one.way: one.count for one in gauges.ring_delays()}
    await scene.arm("btc < 100", 105)
    await scene.arm("btc < 99", 105)
    await scene.arm("btc < 98", 105)
    await scene.prints(99.5)
    now = scene.clock.now() + 1
    streamed = Batch("made", now, prints=(Print(BTC, 98.5, now),), is_streamed=True)
    await scene.watch.take(streamed)
    await scene.minute(97)
    while await scene.courier.drain():
        pass
    counts = {one.way: one.count - before.get(one.way, 0) for one in gauges.ring_delays()}
    assert counts == {"poll": 1, "stream": 1, "minute": 1}


async def test_an_early_ring_that_is_not_borne_out_is_corrected_once(scene: Scene) -> None:
    await scene.arm("btc < 100 repeat", 105)
    await scene.prints(99)
    for _ in range(4):
        await scene.minute(105, 105)
    assert len(scene.ear.texts()) == 2
    assert "not" in scene.ear.texts()[1]
    await scene.prints(99)
    await scene.minute(105, 98)
    assert len(scene.ear.texts()) == 3


async def test_a_restart_after_an_early_ring_still_confirms_it(scene: Scene) -> None:
    await scene.arm("btc < 100", 105)
    await scene.prints(99)
    again = await opened(scene.store, scene.clock, scene.ear)
    await again.minute(105, 98, 101)
    await again.minute(101, 101)
    assert len(scene.ear.texts()) == 1


@pytest.mark.parametrize("rule", ["btc < 100", "btc < 100 for 2m", "close(btc, 1d) < 100"])
async def test_what_is_true_already_is_told_once_where_it_is_asked_for_and_never_by_itself(
    scene: Scene, rule: str
) -> None:
    yesterday = START - START % 86_400 - 86_400
    past = [95.0] * ((START - yesterday) // MINUTE)
    scene.market.feed("btc/usdt", minutes(*past, start=yesterday))
    await scene.arm(rule, 95)
    await scene.minute(95, 95)
    await scene.minute(95, 95)
    assert scene.ear.texts() == []
    await scene.ring_now(rule, 95)
    for _ in range(4):
        await scene.minute(95, 95)
    assert len(scene.ear.texts()) == 1


async def test_an_eager_alert_tells_the_next_print_and_the_minute_confirms_it(scene: Scene) -> None:
    await scene.arm("btc < 100", 95)
    await scene.minute(95, 95)
    scene.clock.time += 20
    await scene.ring_now("btc < 100", 95)
    await scene.prints(95)
    assert len(scene.ear.texts()) == 1
    again = await opened(scene.store, scene.clock, scene.ear)
    await again.minute(95, 95)
    await again.minute(95, 105)
    await again.minute(105, 95)
    assert len(scene.ear.texts()) == 1


async def test_an_eager_alert_goes_on_from_where_it_was_after_a_crash_before_its_first_minute(
    scene: Scene,
) -> None:
    await scene.arm("btc < 100 repeat cooldown 1m", 95)
    await scene.minute(95, 95)
    scene.clock.time += 20
    await scene.ring_now("btc < 100 repeat cooldown 1m", 95)
    await scene.watch.take(batch({}, at=scene.clock.now()))
    again = await opened(scene.store, scene.clock, scene.ear)
    await again.minute(95, 105)
    assert len(scene.ear.texts()) == 1
    await again.minute(105, 105)
    await again.minute(105, 95)
    assert len(scene.ear.texts()) == 2


async def test_a_ring_that_lasts_is_told_again_and_its_end_is_told(scene: Scene) -> None:
    await scene.arm("btc < 100 remind 2m resolve", 105)
    for price in (99, 99, 99, 105, 105):
        await scene.minute(price, price)
    assert len(scene.ear.texts()) == 3


def test_every_telling_has_a_place_in_the_queue() -> None:
    assert set(PRIORITY) == set(Telling)


async def test_what_was_judged_is_not_judged_again_after_a_restart(scene: Scene) -> None:
    await scene.arm("btc < 100 repeat cooldown 1m", 105)
    await scene.minute(105, 99, 103)
    again = await opened(scene.store, scene.clock, scene.ear)
    wants = again.watch.wants()
    assert [(want.key, want.since) for want in wants] == [(BTC, START + MINUTE)]
    await again.watch.take(batch({BTC: [Bar(START, 105, 105, 99, 103)]}, at=again.clock.now()))
    await again.courier.drain()
    assert len(scene.ear.texts()) == 1


async def test_a_state_of_another_version_goes_on_with_a_new_memory_and_that_is_logged(scene: Scene) -> None:
    await scene.arm("btc < 100 for 2m", 105)
    await scene.minute(105, 105)
    [armed] = (await scene.store.changes(0, 0)).made
    epoch = await scene.store.take(0, "another version")
    cursor = START + MINUTE
    state = AlertState(cursor, is_armed=True, memory=(1.0, 2.0, 3.0, 4.0))
    await scene.store.commit(0, epoch, Judgement(scene.clock.now(), {armed.arming.id: state}))
    with capture_logs() as logs:
        again = await opened(scene.store, scene.clock, scene.ear)
    assert [log["event"] for log in logs] == ["a state of another version goes on with a new memory"]
    for _ in range(2):
        await again.minute(95, 95)
    assert len(scene.ear.texts()) == 1


async def test_a_commit_that_fails_drops_the_plan_and_judges_the_batch_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.arm("btc < 100", 105)
    commit: Callable[..., Awaitable[int]] = scene.store.commit
    failures = [StoreTrouble("the disk is full"), StoreTrouble("the disk is full")]

    async def failing(*arguments: object) -> int:
        if failures:
            raise failures.pop()
        return await commit(*arguments)

    monkeypatch.setattr(scene.store, "commit", failing)
    await scene.minute(105, 99)
    assert failures == []
    assert len(scene.ear.texts()) == 1


async def test_a_process_that_was_superseded_writes_nothing(scene: Scene, database: str) -> None:
    await scene.arm("btc < 100", 105)
    other = await open_store(database)
    try:
        successor = await opened(other, SetClock(scene.clock.now()), Ear())
        with pytest.raises(Superseded):
            await scene.minute(105, 99)
        await successor.minute(105, 99)
        assert len(successor.ear.texts()) == 1
    finally:
        await other.close()
    assert scene.ear.texts() == []


async def test_a_deleted_alert_is_silent_although_it_was_judged(scene: Scene) -> None:
    await scene.arm("btc < 100", 105)
    await scene.minute(105, 104)
    await scene.store.delete_alert(ANN.chat, 1, scene.clock.now())
    await scene.minute(104, 99)
    assert scene.ear.texts() == []
    assert scene.watch.wants() == []


async def test_a_message_that_was_refused_for_now_goes_out_later(scene: Scene) -> None:
    scene.ear.outcomes = [RetryLater(30, "flood")]
    await scene.arm("btc < 100", 105)
    await scene.minute(105, 99)
    assert scene.ear.texts() == []
    await scene.courier.drain()
    assert scene.ear.texts() == []
    scene.clock.time += 31
    await scene.courier.drain()
    assert len(scene.ear.texts()) == 1


async def test_a_message_is_not_sent_again_because_its_receipt_could_not_be_kept_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle: Callable[..., Awaitable[None]] = scene.store.settle
    failures = [StoreTrouble("the disk is full"), StoreTrouble("the disk is full")]

    async def failing(*arguments: object) -> None:
        if failures:
            raise failures.pop()
        await settle(*arguments)

    monkeypatch.setattr(scene.store, "settle", failing)
    await scene.arm("btc < 100", 105)
    await scene.minute(105, 99)
    scene.clock.time += 60
    await scene.courier.drain()
    assert failures == []
    assert len(scene.ear.texts()) == 1


async def test_a_chat_that_has_gone_is_told_nothing_until_it_speaks_again(scene: Scene) -> None:
    scene.ear.outcomes = [ChatGone("blocked by its user")]
    await scene.arm("btc < 100 repeat cooldown 1m", 105)
    await scene.minute(105, 99, 105)
    await scene.minute(105, 105)
    await scene.minute(105, 99, 105)
    assert scene.ear.texts() == []
    await scene.store.meet(ANN, scene.clock.now())
    await scene.minute(105, 105)
    await scene.minute(105, 99, 105)
    assert any("99" in text for text in scene.ear.texts())


async def test_history_that_cannot_be_had_yet_is_asked_for_again(scene: Scene) -> None:
    now = scene.clock.now()
    scene.market.feed("btc/usdt", [Bar(START - 3 * MINUTE + i * MINUTE, 95, 95, 95, 95) for i in range(3)])
    scene.market.is_down = True
    await scene.arm("btc < 100 for 4m", 95)
    await scene.watch.take(batch({}, at=now))
    assert scene.watch.wants() == []
    scene.market.is_down = False
    scene.clock.time += 20
    await scene.watch.take(batch({}, at=now))
    await scene.minute(95, 95)
    (text,) = scene.ear.texts()
    assert "4 minutes" in text


async def test_the_minute_before_an_alert_is_waited_for_until_it_is_final(scene: Scene) -> None:
    """Else it would be a hole, and a window over it unknown for as long as it is long."""
    before = [Bar(START - 3 * MINUTE + i * MINUTE, 95, 95, 95, 95) for i in range(2)]
    scene.market.feed("btc/usdt", before)
    scene.clock.time += 2
    await scene.arm("btc < 100 for 4m", 95)
    await scene.watch.take(batch({}, at=scene.clock.now()))
    assert scene.watch.wants() == []
    scene.market.feed("btc/usdt", [Bar(START - MINUTE, 95, 95, 95, 95)])
    scene.clock.time += 3
    await scene.watch.take(batch({}, at=scene.clock.now()))
    assert [want.since for want in scene.watch.wants()] == [START]
    await scene.minute(95)
    (text,) = scene.ear.texts()
    assert "4 minutes" in text


async def test_every_subscriber_of_a_shared_alert_hears_each_ring_once(scene: Scene) -> None:
    operator = caller("olga")
    await scene.store.publish(operator, "floor", "btc < 100", scene.clock.now())
    followers = [caller(f"person{number}") for number in range(20)]
    for one in followers:
        await follow(scene.store, one, "floor", scene.clock.now())
    await scene.minute(101_000, 104)
    await scene.minute(104, 99)
    await scene.courier.drain()
    assert sorted(chat.chat for chat, _ in scene.ear.heard) == sorted(one.chat.chat for one in followers)


async def test_what_waits_for_history_at_a_restart_misses_nothing_that_others_judge_meanwhile(
    scene: Scene,
) -> None:
    scene.market.feed(
        "btc/usdt", [Bar(START - 3 * MINUTE + i * MINUTE, 100, 100, 100, 100) for i in range(3)]
    )
    await scene.arm("btc < 10", 100)
    await scene.arm("btc moves down 5% in 4m", 100)
    await scene.minute(100, 100)
    again = await opened(scene.store, scene.clock, scene.ear, is_down=True)
    past = [Bar(START - 3 * MINUTE + i * MINUTE, 100, 100, 100, 100) for i in range(4)]
    await again.watch.take(batch({}, at=again.clock.now()))
    await again.minute(100, 94, 100)
    third = await opened(scene.store, scene.clock, scene.ear, is_down=True)  # it is killed once more
    third.market.is_down = False
    third.market.feed("btc/usdt", past)
    scene.clock.time += 20
    await third.watch.take(batch({}, at=third.clock.now()))
    (want,) = third.watch.wants()
    assert want.since == START + MINUTE
    await third.watch.take(batch({BTC: [Bar(START + MINUTE, 100, 100, 94, 100)]}, at=third.clock.now()))
    await third.courier.drain()
    (text,) = scene.ear.texts()
    assert "fell 5%" in text


async def test_the_minute_in_which_an_alert_was_made_is_judged_for_it_though_others_had_judged_it_before(
    scene: Scene,
) -> None:
    """Its owner's words are kept as that minute ends: others were judged to its end, and it was not."""
    await scene.arm("btc < 10", 105)
    scene.clock.time += 5
    made_at, arming = scene.clock.now(), scene.arming("btc < 100", 105)
    await scene.minute(105, 99, 105)
    await scene.store.make_alert(ANN, "btc < 100", arming, made_at)
    again = await opened(scene.store, scene.clock, scene.ear)  # it is killed before the next look
    await again.watch.take(batch({}, at=again.clock.now()))
    third = await opened(scene.store, scene.clock, scene.ear)  # and once more after it
    await third.watch.take(batch({}, at=third.clock.now()))
    (want,) = third.watch.wants()
    assert want.since == START
    await third.watch.take(batch({BTC: [Bar(START, 105, 105, 99, 105)]}, at=third.clock.now()))
    await third.courier.drain()
    (text,) = scene.ear.texts()
    assert "#2" in text and "touched 99" in text


async def test_a_message_that_cannot_be_worded_is_told_in_plain_words(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Message:
        raise KeyError("facts of another version")

    monkeypatch.setattr("bot.composing.word", broken)
    await scene.arm("btc < 100", 105)
    await scene.minute(105, 99)
    assert scene.ear.texts() == ["#1 ring: btc < 100"]
