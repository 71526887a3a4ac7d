"""What is let go of a metric's past: nothing that any reader could have read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.history import Point, Points
from bot.engine.news import REACH
from bot.engine.retention import KEPT, floor_of, replaced
from bot.engine.sessions import DAY, XNYS, Calendar
from bot.engine.state import AlertState, Grounds
from bot.metrics import MetricKey, Observation
from bot.store import SqlStore
from bot.watch import Watch
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.storing import ANN, arming_of, judged, make
from tests.test_archive import FLOW, FUNDING, INDEX, TODAY, word
from tests.test_watch_metrics import Scene, flow, night, scene

pytestmark = pytest.mark.both

__all__ = ["scene"]
NOW = int(NOON)


@st.composite
def pasts(draw: st.DrawFn) -> list[Observation]:
    """Draw words about some days, each said several times, final or not, now and then days later."""
    words = []
    for day in range(draw(st.integers(1, 9))):
        known = TODAY + day * DAY + draw(st.integers(0, 2 * DAY))
        for revision in range(draw(st.integers(0, 4))):
            is_final = draw(st.booleans())
            value = Decimal(draw(st.integers(-3, 3)))
            words.append(Observation(FLOW, TODAY + day * DAY, value, float(known), is_final, revision))
            known += draw(st.sampled_from([0, 60, 3600, DAY, 4 * DAY]))
    return words


def points_of(words: list[Observation], calendar: Calendar | None) -> Points:
    said = (Point(one.as_of, one.known_at, float(one.value), one.is_final, one.revision) for one in words)
    return Points(said, calendar)


@settings(max_examples=400, deadline=None)
@given(pasts(), st.integers(0, 14 * DAY), st.booleans())
def test_no_reader_sees_a_difference_from_the_cut_on(
    words: list[Observation], after: int, has_sessions: bool
) -> None:
    cut = float(TODAY + after)
    calendar = XNYS if has_sessions else None
    floor = floor_of(words, cut, calendar)
    spare = [] if floor is None else replaced(words, floor)
    before = points_of(words, calendar)
    left = points_of([one for one in words if one not in spare], calendar)
    instants = {cut, cut + 1, *(one.known_at + shift for one in words for shift in (0, 0.5))}
    for now in sorted(at for at in instants if at >= cut):
        for provisional in (False, True):
            assert left.asof(now, provisional) == before.asof(now, provisional)
            assert left.current(now, provisional) == before.current(now, provisional)
            for since in (TODAY, TODAY + 3 * DAY):
                window = left.window(now, since, provisional)
                assert window == before.window(now, since, provisional)
    for provisional in (False, True):
        newest = before.latest(cut, provisional)
        if newest is not None:
            assert left.said_of(newest.as_of, 1e12, provisional) == before.said_of(
                newest.as_of, 1e12, provisional
            )


@given(pasts(), st.integers(0, 14 * DAY))
def test_the_last_word_about_each_day_stays_and_so_does_the_last_final_one(
    words: list[Observation], after: int
) -> None:
    floor = floor_of(words, float(TODAY + after))
    spare = [] if floor is None else replaced(words, floor)
    for as_of in {one.as_of for one in words}:
        about = [one for one in words if one.as_of == as_of]
        assert about[-1] not in spare
        assert not (finals := [one for one in about if one.is_final]) or finals[-1] not in spare


def test_a_row_of_a_holiday_is_no_newest_session() -> None:
    saturday = Observation(FLOW, TODAY + 3 * DAY, Decimal(0), NOON)
    assert floor_of([word(1, "5"), saturday], NOON, XNYS) == floor_of([word(1, "5")], NOON, XNYS)


def test_a_night_of_unfinished_totals_leaves_its_final_one() -> None:
    night_long = [
        word(9, "-300", is_final=False, known_at=NOON - 9 * DAY),
        word(9, "-547", is_final=False, revision=1, known_at=NOON - 9 * DAY + 60),
        word(9, "-903", revision=2, known_at=NOON - 9 * DAY + 120),
        word(9, "-904", revision=3, known_at=NOON - 8 * DAY),
        word(7, "5", known_at=NOON - 6 * DAY),
    ]
    floor = floor_of(night_long, NOON)
    assert floor is not None
    assert [one.revision for one in replaced(night_long, floor)] == [0, 1, 2]
    assert replaced(night_long, floor, resting={night_long[0].as_of}) == []


async def days_of(store: SqlStore, key: MetricKey = FLOW) -> list[tuple[int, int]]:
    return sorted(((TODAY - one.as_of) // DAY, one.revision) for one in await store.recall(key))


async def test_the_archive_keeps_what_is_final_and_drops_what_was_replaced(store: SqlStore) -> None:
    for day in (301, 203, 98, 7):
        for place, (value, is_final) in enumerate([("1", False), ("2", False), ("3", True)]):
            at = int(NOON) - day * DAY + place
            await store.note([word(day, value, is_final=is_final)], at)
    assert await store.forget(NOON - KEPT, NOW) == 2
    assert await days_of(store) == [
        (7, 0),
        (7, 1),
        (7, 2),
        (98, 0),
        (98, 1),
        (98, 2),
        *((203, place) for place in range(3)),
        (301, 2),
    ]
    assert await store.forget(NOON - KEPT, NOW) == 0, "a second time there is nothing to do"
    noted = await store.note([word(301, "3")], NOW)
    assert noted.news == (), "what was said before is still no news"


async def test_what_no_window_reaches_goes_and_the_newest_stays_however_old(store: SqlStore) -> None:
    long_ago = REACH // DAY + 40
    for day in (long_ago + 1, long_ago, 5):
        await store.note([word(day, "25", INDEX)], int(NOON) - day * DAY)
        await store.note([word(day, "25", FLOW)], int(NOON) - day * DAY)
    await store.note([word(long_ago, "0.01", FUNDING, source="binance")], int(NOON) - long_ago * DAY)
    await store.forget(NOON - KEPT, NOW)
    assert await days_of(store, INDEX) == [(5, 0)]
    assert [day for day, _ in await days_of(store, FLOW)] == [5, long_ago, long_ago + 1]
    assert await days_of(store, FUNDING) == [(long_ago, 0)]


async def test_what_another_provider_said_is_bounded_too(store: SqlStore) -> None:
    for place, source in enumerate(("sosovalue", "farside")):
        for day in (203, 202, 7):
            for again in range(3):
                at = int(NOON) - day * DAY + 10 * place + again
                await store.note([word(day, str(again), is_final=again > 1, source=source)], at)
    assert await store.forget(NOON - KEPT, NOW) == 4, "of each the unfinished words about the oldest day"


async def test_a_session_that_a_ring_rests_on_keeps_every_word(store: SqlStore) -> None:
    await make(store, ANN, "etf_flow(btc) < 0")
    arming = await arming_of(store, ANN)
    for day in (301, 203, 7):
        for place, (value, is_final) in enumerate([("1", False), ("-3", True)]):
            await store.note([word(day, value, is_final=is_final)], int(NOON) - day * DAY + place)
    grounds = Grounds(NOW, 0, 0, -3.0, 0, (TODAY - 301 * DAY, None), (), ())
    state = AlertState(NOW, episode=1, grounds=grounds)
    await store.commit(0, await store.take(0, "test"), judged(states={arming: state}))
    assert await store.forget(NOON - 100 * DAY, NOW) == 0
    state = replace(state, grounds=None)
    await store.commit(0, await store.take(0, "test"), judged(states={arming: state}))
    assert await store.forget(NOON - 100 * DAY, NOW) == 1


async def test_a_day_of_tidying_up_changes_no_ring(scene: Scene) -> None:
    """The rule counts three sessions, of which the first had been revised before the archive was tidied."""
    await scene.look(flow(18, "-372.8"), flow(19, "75.4", is_final=False), at=night(19, 2))
    await scene.look(flow(19, "75.4"), at=night(19))
    await scene.arm("etf_flow(btc) > 0 for 3 sessions")
    await scene.look(flow(20, "10", is_final=False), at=night(20, 2))
    await scene.look(flow(20, "11"), at=night(20))
    await scene.watch.tidy()
    assert await scene.store.forget(scene.clock.now(), int(scene.clock.now())) == 1
    await scene.restart()
    await scene.look(flow(21, "238.4"), at=night(21))
    await scene.minute()
    (text,) = scene.texts()
    assert "Sessions of Wed Nov 19, Thu Nov 20, and Fri Nov 21." in text


async def test_of_several_partitions_the_first_clears_the_archive_for_all(
    store: SqlStore, clock: SetClock
) -> None:
    for day in (203, 202, 7):
        for again in range(3):
            await store.note([word(day, str(again), is_final=again > 1)], int(NOON) - day * DAY + again)
    await store.divide(2)
    watches = [Watch(store, HandMarket(clock), clock, lambda: None, 140, partition) for partition in (0, 1)]
    for watch in watches:
        await watch.open()
    before = await days_of(store, FLOW)
    await watches[1].tidy()
    assert await days_of(store, FLOW) == before
    await watches[0].tidy()
    assert len(await days_of(store, FLOW)) < len(before)


def test_the_scheduler_tidies_up_once_a_day_in_the_morning() -> None:
    from apscheduler.triggers.cron import CronTrigger

    from bot.house import _QUIET_HOUR
    from bot.rhythm import OnClock
    from tests.conftest import SetClock

    clock = SetClock()
    trigger = OnClock(CronTrigger(hour=_QUIET_HOUR, minute=20, timezone=UTC), clock)
    real = datetime(2031, 1, 1, tzinfo=UTC)
    first = trigger.get_next_fire_time(None, real)
    assert first is not None
    assert (first - real).total_seconds() == 21 * 3600 + 20 * 60
    clock.time += 21 * 3600 + 20 * 60
    second = trigger.get_next_fire_time(first, first)
    assert second is not None and (second - first).total_seconds() == pytest.approx(DAY)
