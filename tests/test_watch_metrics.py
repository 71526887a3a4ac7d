"""Metrics from a look to the chat: kept before they are judged, judged once, and told when they are final."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from bot.alerts.translator import ENGLISH
from bot.deliver import Courier
from bot.engine.sessions import DAY, HOUR
from bot.metrics import Bar, Batch, MetricKey, Observation, Seen
from bot.ports import NewArming
from bot.store import SqlStore, open_store
from bot.watch import Watch
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.markets import BTC, batch
from tests.storing import caller, refill
from tests.test_watch import Ear

ANN = caller("ann", platform="telegram")
FLOW = MetricKey("etf_flow", "btc")
NOVEMBER = 1_761_955_200
"""1 November 2025, 00:00 UTC, a Saturday."""


def night(day: int, hour: float = 5) -> float:
    """Give the instant so many hours into the UTC day after a day of November, when its flows settle."""
    return NOVEMBER + day * DAY + hour * HOUR


def flow(day: int, millions: str, is_final: bool = True, source: str = "sosovalue") -> Observation:
    """Say the flow of a day of November 2025."""
    as_of = NOVEMBER + (day - 1) * DAY
    value = Decimal(millions) * 1_000_000
    return Observation(FLOW, as_of, value, 0.0, is_final, source=source)


@dataclass
class Scene:
    database: str
    store: SqlStore
    clock: SetClock
    ear: Ear
    watch: Watch
    courier: Courier

    async def arm(self, rule: str) -> None:
        now = self.clock.now()
        await self.store.make_alert(ANN, rule, NewArming(refill(rule, {}), self.seen()), now)

    def seen(self) -> dict[MetricKey, Seen]:
        now, minute = self.clock.now(), int(self.clock.now() // 60) * 60
        return {BTC: Seen(now, Bar(minute, 90_000.0, 90_000.0, 90_000.0, 90_000.0))}

    async def look(self, *words: Observation, at: float | None = None) -> None:
        """Let a look bring what a provider says now."""
        self.clock.time = self.clock.time if at is None else at
        source = words[0].source if words else "sosovalue"
        await self.watch.take(Batch(source, self.clock.now(), observations=words))
        await self.courier.drain()

    async def minute(self) -> None:
        """Let a minute of prices pass."""
        start = int(self.clock.now() // 60) * 60
        self.clock.time = start + 60.0
        bar = Bar(start, 90_000.0, 90_000.0, 90_000.0, 90_000.0)
        await self.watch.take(batch({BTC: [bar]}, at=self.clock.now()))
        await self.courier.drain()

    async def restart(self) -> None:
        """End as a kill does, without a word, and begin again on what was kept."""
        await self.store.close()
        self.store = await open_store(self.database)
        await self.begin()

    async def begin(self) -> None:
        market = HandMarket(self.clock, btc=90_000.0)
        self.watch = Watch(self.store, market, self.clock, lambda: None, late_after=140)
        await self.watch.open()
        self.courier = Courier(self.store, self.ear, self.clock, lambda *_: ENGLISH)

    def texts(self) -> list[str]:
        return self.ear.texts()


@pytest.fixture
async def scene(store: SqlStore, database: str) -> AsyncIterator[Scene]:
    clock, ear = SetClock(night(12, 12)), Ear()
    courier = Courier(store, ear, clock, lambda *_: ENGLISH)
    watch = Watch(store, HandMarket(clock), clock, lambda: None, late_after=140)
    scene = Scene(database, store, clock, ear, watch, courier)
    await scene.begin()
    yield scene
    await scene.store.close()


async def test_a_day_of_half_hourly_reads_rings_once_and_only_when_final(scene: Scene) -> None:
    await scene.look(flow(18, "-372.8"), flow(19, "75.4"), at=night(19))
    await scene.arm("etf_flow(btc) < -900m")
    await scene.look(flow(19, "75.4"), flow(20, "0.0", is_final=False), at=night(20, -12))
    await scene.look(flow(20, "-547.7", is_final=False), at=night(20, 2.5))
    await scene.look(flow(20, "-903.2", is_final=False), at=night(20, 4))
    assert scene.texts() == []
    await scene.look(flow(20, "-903.2"), at=night(20, 5))
    for hour in (6, 8, 12):
        await scene.look(flow(19, "75.4"), flow(20, "-903.2"), at=night(20, hour))
    (text,) = scene.texts()
    assert "#1" in text and "903" in text


async def test_three_days_of_inflow_ring_after_the_half_day(scene: Scene) -> None:
    await scene.look(flow(20, "-903.2"), flow(21, "238.4"), flow(24, "-151.0"), at=night(24))
    await scene.arm("etf_flow(btc) > 0 for 3 sessions")
    await scene.look(flow(25, "128.7"), at=night(25))
    await scene.look(flow(26, "21.1"), at=night(26))
    await scene.look(flow(27, "0.0"), at=night(27))
    assert scene.texts() == []
    await scene.look(flow(28, "71.4"), at=night(28))
    assert len(scene.texts()) == 1


async def test_what_was_missed_while_away_is_judged_session_by_session(scene: Scene) -> None:
    await scene.look(flow(18, "-372.8"), at=night(18))
    await scene.arm("etf_flow(btc) < -900m")
    await scene.minute()
    await scene.restart()
    await scene.look(
        flow(18, "-372.8"), flow(19, "75.4"), flow(20, "-903.2"), flow(21, "238.4"), at=night(21)
    )
    for _ in range(2):
        await scene.minute()
    assert len(scene.texts()) == 1, "the day before the newest rings too"


async def test_a_kill_between_keeping_and_judging_loses_nothing(scene: Scene) -> None:
    await scene.look(flow(19, "75.4"), at=night(19))
    await scene.arm("etf_flow(btc) < -900m")
    await scene.minute()
    await scene.look(flow(19, "75.4"), at=night(20, 4))
    scene.clock.time = night(20)
    await scene.store.note([flow(20, "-903.2")], int(scene.clock.now()))
    await scene.restart()
    await scene.look(flow(19, "75.4"), flow(20, "-903.2"), at=night(20) + 1)
    await scene.minute()
    assert len(scene.texts()) == 1
    await scene.restart()
    await scene.look(flow(20, "-903.2"), at=night(20, 6))
    assert len(scene.texts()) == 1, "and tells nothing twice"


async def test_a_commit_that_fails_does_not_swallow_the_news(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.ports import StoreTrouble

    await scene.look(flow(19, "75.4"), at=night(19))
    await scene.arm("etf_flow(btc) < -900m")
    await scene.minute()
    commit, failures = scene.store.commit, [StoreTrouble("the database is locked")] * 2

    async def failing(*judgement: object) -> int:
        if failures:
            raise failures.pop()
        return await commit(*judgement)  # type: ignore[arg-type]

    monkeypatch.setattr(scene.store, "commit", failing)
    await scene.look(flow(20, "-903.2"), at=night(20))
    assert len(scene.texts()) == 1


async def test_what_is_true_already_when_it_is_made_waits(scene: Scene) -> None:
    await scene.look(flow(20, "-903.2"), at=night(20))
    await scene.arm("etf_flow(btc) < -900m")
    await scene.look(flow(20, "-903.2"), at=night(20, 6))
    await scene.look(flow(21, "-950"), at=night(21))
    assert scene.texts() == []
    await scene.look(flow(24, "10"), at=night(24))
    await scene.look(flow(25, "-901"), at=night(25))
    assert len(scene.texts()) == 1


async def test_a_first_value_that_is_clear_arms_what_waited_for_it(scene: Scene) -> None:
    await scene.arm("etf_flow(btc) < -900m")
    await scene.minute()
    await scene.look(flow(18, "-372.8"), flow(19, "75.4"), at=night(19, 7))
    await scene.look(flow(20, "-903.2"), at=night(20))
    assert len(scene.texts()) == 1


async def test_values_are_kept_where_nobody_has_an_alert(scene: Scene) -> None:
    await scene.look(flow(18, "-372.8"), at=night(18))
    assert [one.value for one in await scene.store.recall(FLOW)] == [-372_800_000]


async def test_a_metric_beside_a_price_is_judged_at_prices(scene: Scene) -> None:
    await scene.look(flow(19, "75.4"), at=night(19))
    await scene.arm("etf_flow(btc) < -900m and btc < 95k")
    await scene.minute()
    await scene.minute()
    await scene.look(flow(20, "-903.2"), at=night(20))
    assert scene.texts() == []
    await scene.minute()
    await scene.minute()
    ring, lapse = scene.texts()
    assert "#1 came true" in ring
    assert "BTC/USDT" in lapse and "its minutes are gone" in lapse, "a day of prices was not seen"


async def test_the_history_of_another_source_takes_the_place_of_the_first_whole(scene: Scene) -> None:
    await scene.look(flow(11, "-1"), flow(12, "1"), at=night(12))
    await scene.arm("etf_flow(btc) > 0 for 3 sessions")
    await scene.look(flow(13, "1"), at=night(13))
    others = [
        flow(day, value, source="farside") for day, value in ((12, "-1"), (13, "-1"), (14, "2"), (17, "2"))
    ]
    await scene.look(*others, at=night(17, 1))
    assert scene.texts() == []
    assert {one.source for one in await scene.store.recall(FLOW)} == {"farside"}
    await scene.look(*others, flow(18, "2", source="farside"), at=night(18))
    (text,) = scene.texts()
    assert "#1" in text


async def test_wants_name_the_metrics_that_rules_read(scene: Scene) -> None:
    assert scene.watch.wants() == []
    await scene.arm("etf_flow(btc) < -900m and btc < 95k")
    await scene.minute()
    assert {want.key for want in scene.watch.wants()} == {FLOW, BTC}
