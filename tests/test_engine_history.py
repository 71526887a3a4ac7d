"""What was known of a metric, and when; the sessions it belongs to; the figures of a window."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine import measures
from bot.engine.history import Point, Points, streak
from bot.engine.sessions import DAILY, DAY, HOUR, XNYS, Calendar, day_of, midnight_of

FLOWS = {
    "2025-11-17": -254.6,
    "2025-11-18": -372.8,
    "2025-11-19": 75.4,
    "2025-11-20": -903.2,
    "2025-11-21": 238.4,
    "2025-11-24": -151.0,
    "2025-11-25": 128.7,
    "2025-11-26": 21.1,
    "2025-11-28": 71.4,
}
"""Net flows of the US spot Bitcoin funds, in millions of dollars; the 27th was Thanksgiving."""


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def settled(flows: dict[str, float]) -> list[Point]:
    days = {date.fromisoformat(text): value for text, value in flows.items()}
    return [Point(midnight_of(day), XNYS.settles_at(day), value) for day, value in days.items()]


def flows() -> Points:
    return Points(settled(FLOWS), XNYS)


# --- sessions -----------------------------------------------------------------------------------------------


def test_days_are_those_of_utc() -> None:
    assert day_of(instant("2025-11-20T23:59:59") + 0.9) == date(2025, 11, 20)
    assert midnight_of(date(2025, 11, 20)) == instant("2025-11-20T00:00")


@pytest.mark.parametrize(
    ("day", "is_open"),
    [
        ("2025-11-26", True),
        ("2025-11-27", False),  # Thanksgiving
        ("2025-11-28", True),  # a half day
        ("2025-11-29", False),  # Saturday
        ("2025-01-09", False),  # a day of mourning
        ("2025-06-19", False),  # Juneteenth
        ("2024-05-27", False),  # Memorial Day
        ("2026-07-03", False),  # the 4th is a Saturday
        ("2021-12-31", True),  # New Year's Day is a Saturday, and Friday is no holiday then
        ("2012-10-29", False),  # the storm
    ],
)
def test_the_sessions_are_those_of_new_york(day: str, is_open: bool) -> None:
    assert XNYS.is_session(date.fromisoformat(day)) is is_open


def test_a_year_has_the_sessions_that_it_had() -> None:
    counts = [len(XNYS.sessions_between(date(year, 1, 1), date(year, 12, 31))) for year in range(2019, 2026)]
    assert counts == [252, 253, 252, 251, 250, 252, 250]


def test_a_settlement_is_at_five_of_the_next_calendar_day() -> None:
    assert XNYS.settles_at(date(2025, 11, 28)) == instant("2025-11-29T05:00")
    assert XNYS.latest_settled(instant("2025-11-29T04:59:59")) == date(2025, 11, 26)
    assert XNYS.latest_settled(instant("2025-11-29T05:00")) == date(2025, 11, 28)
    assert XNYS.latest_settled(instant("2025-12-01T23:00")) == date(2025, 11, 28)


def test_a_session_is_overdue_some_hours_after_it_should_have_settled() -> None:
    wednesday = date(2025, 11, 26)
    assert XNYS.overdue_at(wednesday) == instant("2025-11-29T13:00")
    assert not XNYS.is_overdue(wednesday, instant("2025-11-29T12:59"))
    assert XNYS.is_overdue(wednesday, instant("2025-11-29T13:00"))


@pytest.mark.parametrize("calendar", [XNYS, DAILY, Calendar("XNYS", settles_after=DAY)])
@given(day=st.dates(date(2015, 1, 1), date(2029, 12, 31)), count=st.integers(0, 40))
def test_sessions_come_before_and_after_each_other(calendar: Calendar, day: date, count: int) -> None:
    last = day + timedelta(days=count)
    naive = [
        day + timedelta(days=k) for k in range(count + 1) if calendar.is_session(day + timedelta(days=k))
    ]
    assert calendar.sessions_between(day, last) == naive
    before, after = calendar.previous_session(day), calendar.next_session(day)
    assert before < day < after
    assert calendar.sessions_between(before, after) == [
        before,
        *([day] if calendar.is_session(day) else []),
        after,
    ]
    assert calendar.next_session(before) == (day if calendar.is_session(day) else after)
    assert calendar.latest_settled(calendar.settles_at(after)) == after
    assert calendar.latest_settled(calendar.settles_at(after) - 1) < after


def test_the_record_run_of_nineteen_sessions_goes_across_memorial_day() -> None:
    assert len(XNYS.sessions_between(date(2024, 5, 13), date(2024, 6, 7))) == 19
    assert len(XNYS.sessions_between(date(2025, 6, 9), date(2025, 6, 30))) == 15


# --- as of --------------------------------------------------------------------------------------------------

POINTS = st.lists(
    st.builds(
        Point,
        as_of=st.integers(0, 12).map(lambda day: midnight_of(date(2025, 11, 17)) + day * DAY),
        known_at=st.integers(0, 30).map(lambda half: float(instant("2025-11-17T00:00") + half * DAY // 2)),
        value=st.integers(-3, 3).map(float),
        is_final=st.booleans(),
        revision=st.integers(0, 3),
    ),
    max_size=40,
    unique_by=lambda point: (point.as_of, point.known_at, point.revision),
)


def naive_asof(points: list[Point], now: float, provisional: bool) -> list[Point]:
    """Read every word that was said by ``now``, in order; one about a day before the newest waits."""
    said: dict[int, Point] = {}
    waiting: dict[int, Point] = {}
    words = [one for one in points if one.known_at <= now and (provisional or one.is_final)]
    for known_at in sorted({one.known_at for one in words}):
        together = sorted((one for one in words if one.known_at == known_at), key=lambda one: one.revision)
        newest = max(said, default=-1)
        waiting |= {one.as_of: one for one in together if one.as_of != newest}
        said |= {one.as_of: one for one in together if one.as_of == newest}
        if max(waiting, default=-1) > newest:
            said, waiting = said | waiting, {}
    return [said[as_of] for as_of in sorted(said)]


@settings(max_examples=200)
@given(
    data=st.data(), points=POINTS, provisional=st.booleans(), calendar=st.sampled_from([None, DAILY, XNYS])
)
def test_what_was_known_is_what_had_been_said(
    data: st.DataObject, points: list[Point], provisional: bool, calendar: Calendar | None
) -> None:
    known = Points(data.draw(st.permutations(points)), calendar)
    known.put(points[:5])
    if calendar:
        points = [point for point in points if calendar.is_session(day_of(point.as_of))]
    assert len(known) == len(points)
    for half in range(-1, 32, 3):
        now = instant("2025-11-17T00:00") + half * DAY / 2
        expected = naive_asof(points, now, provisional)
        assert known.asof(now, provisional) == expected
        assert known.latest(now, provisional) == (expected[-1] if expected else None)
        since = instant("2025-11-20T00:00")
        before = [one for one in expected if one.as_of < since][-1:]
        window = [*before, *(one for one in expected if one.as_of >= since)]
        steps = [later.as_of - earlier.as_of for earlier, later in pairwise(window)]
        near = since if calendar or not steps else since + statistics.median(steps)  # the 20th was a session
        is_reached = bool(window) and window[0].as_of <= near
        assert known.window(now, since, provisional) == (window if is_reached else [])
        values = {day_of(one.as_of): one.value for one in expected}
        if calendar and values:
            sessions = calendar.sessions_between(min(values), max(values))
            row = [values.get(day, math.nan) for day in sessions]
        else:
            row = list(values.values())
        for count in (1, 3, 30):
            np.testing.assert_array_equal(known.values(now, count, provisional), row[-count:])


@given(points=POINTS, since=st.integers(-1, 31), length=st.integers(0, 10))
def test_arrivals_are_told_in_their_order(points: list[Point], since: int, length: int) -> None:
    first = instant("2025-11-17T00:00") + since * DAY // 2
    until = first + length * DAY // 2
    arrived = Points(points).arrivals(first, until)
    assert sorted(arrived, key=lambda one: one.known_at) == arrived
    assert set(arrived) == {one for one in points if first <= one.known_at < until}


@given(points=POINTS, before=st.integers(-1, 14).map(lambda day: instant("2025-11-17T00:00") + day * DAY))
def test_what_is_forgotten_is_old_and_never_the_newest(points: list[Point], before: int) -> None:
    known = Points(points)
    late = instant("2026-01-01T00:00")
    whole, days = known.asof(late, provisional=True), sorted({point.as_of for point in points})
    known.forget(before)
    kept = sorted({point.as_of for point in known.arrivals(0, late)})
    assert kept == days[len(days) - len(kept) :]
    assert kept[-1:] == days[-1:]
    assert [day for day in kept if day >= before] == [day for day in days if day >= before]
    assert 4 * sum(day < before for day in kept[:-1]) <= len(days)
    assert set(known.arrivals(0, late)) == {one for one in points if one.as_of in kept}
    assert known.asof(late, provisional=True) == [one for one in whole if one.as_of in kept]


def test_a_zero_printed_on_a_holiday_is_no_value() -> None:
    known = flows()
    thanksgiving = midnight_of(date(2025, 11, 27))
    known.put([Point(thanksgiving, thanksgiving + 29 * HOUR, 0.0)])
    now = instant("2025-11-29T05:00")
    assert known.values(now, 3).tolist() == [128.7, 21.1, 71.4]


def test_an_unfinished_day_is_seen_only_by_who_asks_for_it() -> None:
    day = midnight_of(date(2025, 11, 20))
    known = Points(
        [
            *settled({"2025-11-19": 75.4}),
            Point(day, instant("2025-11-21T02:30"), -547.7, is_final=False),
            Point(day, instant("2025-11-21T05:00"), -903.2, revision=1),
        ],
        XNYS,
    )
    early, late = instant("2025-11-21T03:00"), instant("2025-11-21T05:00")
    assert [known.values(now, 1).tolist() for now in (early, late)] == [[75.4], [-903.2]]
    assert [known.values(now, 1, provisional=True).tolist() for now in (early, late)] == [[-547.7], [-903.2]]


def test_a_correction_of_the_newest_session_is_known_from_its_arrival_on() -> None:
    known = flows()
    day = midnight_of(date(2025, 11, 20))
    known.put([Point(day, instant("2025-11-21T18:00"), -880.0, revision=1)])
    assert known.asof(instant("2025-11-21T17:59"))[3].value == -903.2
    assert known.asof(instant("2025-11-21T18:00"))[3].value == -880.0


def test_a_correction_of_an_older_session_counts_from_the_next_session_on() -> None:
    known = flows()
    day = midnight_of(date(2025, 11, 20))
    known.put([Point(day, instant("2025-11-22T18:00"), -880.0, revision=1)])
    assert known.values(instant("2025-11-25T04:59"), 2).tolist() == [-903.2, 238.4]
    assert known.values(instant("2025-11-25T05:00"), 3).tolist() == [-880.0, 238.4, -151.0]


def test_what_stood_at_an_instant_is_seen_as_it_stood_whenever_it_is_asked_for() -> None:
    known = flows()
    day, settled_at = midnight_of(date(2025, 11, 20)), instant("2025-11-21T05:00")
    known.put([Point(day, instant("2025-11-22T12:00"), -880.0, revision=1)])  # the 21st is known already
    known.put([Point(day, instant("2025-11-22T04:00"), -890.0, revision=2)])
    until = known.newest_until(day, instant("2025-12-01T00:00"))
    assert instant("2025-11-22T04:59") < until < instant("2025-11-22T05:00")
    view = known.frozen(until)
    assert [view.values(at, 1).tolist() for at in (settled_at, until + DAY)] == [[-890.0], [-890.0]]
    assert known.values(settled_at, 1).tolist() == [-903.2]
    assert [one.value for one in known.said_of(day, until)] == [-903.2, -890.0]


def test_a_value_stands_until_the_next_is_overdue_across_a_weekend_and_a_holiday() -> None:
    known = flows()
    wednesday = settled(FLOWS)[-2]
    assert known.current(instant("2025-11-27T05:00")) == wednesday
    assert known.current(instant("2025-11-29T04:59")) == wednesday
    friday = settled(FLOWS)[-1]
    assert known.current(instant("2025-11-29T05:00")) == friday
    assert known.current(instant("2025-12-02T12:59")) == friday
    assert known.overdue_at(instant("2025-12-02T12:59")) == instant("2025-12-02T13:00")
    assert known.current(instant("2025-12-02T13:00")) is None
    assert known.latest(instant("2025-12-02T13:00")) == friday


def test_nothing_known_is_unknown() -> None:
    assert Points(calendar=XNYS).current(instant("2025-11-20T00:00")) is None
    assert Points(calendar=XNYS).overdue_at(instant("2025-11-20T00:00")) is None
    funding = Points([Point(instant("2025-11-20T08:00"), instant("2025-11-20T08:00") + 0.5, 0.01)])
    assert funding.current(instant("2025-11-20T08:00")) is None


@pytest.mark.parametrize(
    ("step", "count", "stands"),
    [
        pytest.param(300, 20, 6 * HOUR, id="every five minutes: six hours"),
        pytest.param(8 * HOUR, 20, 24 * HOUR, id="every eight hours: three of them"),
        pytest.param(300, 1, 6 * HOUR, id="a single one: six hours"),
        pytest.param(DAY, 9, 4 * DAY, id="by day: four days"),
        pytest.param(7 * DAY, 9, 21 * DAY, id="by week: three weeks"),
    ],
)
def test_a_value_without_a_session_stands_until_the_next_is_long_late(
    step: int, count: int, stands: int
) -> None:
    begin = midnight_of(date(2025, 11, 3)) + (0 if step % DAY == 0 else 60)
    ats = [begin + place * step for place in range(count)]
    known, own = (Points([Point(at, at, 1.0) for at in ats], lasts=lasts) for lasts in (False, True))
    assert known.current(ats[-1] + stands - 1) is not None
    assert known.current(ats[-1] + stands) is None
    assert known.overdue_at(ats[-1] + stands) == ats[-1] + stands
    assert own.current(ats[-1] + 400 * DAY) is not None and own.overdue_at(ats[-1] + 400 * DAY) is None


def test_a_day_named_by_any_of_its_hours_is_one_session() -> None:
    known = Points(calendar=XNYS)
    noon = instant("2025-11-20T12:00")
    known.put([Point(noon, noon + DAY, 1.0), Point(noon - 12 * HOUR, noon + 2 * DAY, 2.0)])
    assert known.values(noon + 3 * DAY, 9).tolist() == [2.0]


# --- streaks ------------------------------------------------------------------------------------------------


def naive_streak(values: list[float]) -> int:
    """Count back from the newest value, one by one."""
    count = 0
    for value in reversed(values):
        if math.isnan(value):
            continue
        if value == 0 or (count and (value > 0) != (count > 0)):
            break
        count += 1 if value > 0 else -1
    return count


@given(st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.5, 2.0, 2.0, 2.0, math.nan])))
def test_a_streak_counts_back_to_the_first_other_sign(values: list[float]) -> None:
    assert streak(np.array(values)) == naive_streak(values)


def test_three_days_of_inflow_are_known_on_the_29th_across_thanksgiving() -> None:
    known = flows()
    before, after = instant("2025-11-29T04:59"), instant("2025-11-29T05:00")
    assert streak(known.values(before, 400)) == 2
    assert streak(known.values(after, 400)) == 3


def test_a_true_zero_breaks_a_streak_and_a_missing_session_does_not() -> None:
    assert streak(np.array([1.0, 0.0, 2.0, 3.0])) == 2
    assert streak(np.array([1.0, 2.0, 0.0])) == 0
    missing = {day: value for day, value in FLOWS.items() if day != "2025-11-26"}
    known = Points(settled(missing), XNYS)
    values = known.values(instant("2025-11-29T05:00"), 3)
    np.testing.assert_array_equal(values, [128.7, math.nan, 71.4])
    assert streak(values) == 2


# --- figures ------------------------------------------------------------------------------------------------

VALUES = st.lists(st.floats(0.001, 1e9), max_size=30)


@given(VALUES)
def test_figures_are_what_slow_sums_say(values: list[float]) -> None:
    array = np.array(values)
    if len(values) < 2:
        assert measures.change(array) is measures.delta(array) is measures.zscore(array) is None
    else:
        assert measures.change(array) == pytest.approx((values[-1] / values[0] - 1) * 100, rel=1e-9, abs=1e-9)
        assert measures.delta(array) == values[-1] - values[0]
    if values:
        assert measures.average(array) == pytest.approx(statistics.fmean(values))
        drawdown = measures.drawdown(array)
        assert drawdown == pytest.approx((1 - values[-1] / max(values)) * 100, abs=1e-9)
        assert drawdown >= 0
    else:
        assert measures.average(array) is measures.drawdown(array) is None


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30))
def test_a_zscore_is_in_deviations_of_the_window_itself(values: list[int]) -> None:
    zscore = measures.zscore(np.array(values, dtype=np.float64))
    if len(set(values)) == 1:
        assert zscore is None
    else:
        expected = (values[-1] - statistics.fmean(values)) / statistics.pstdev(values)
        assert zscore == pytest.approx(expected, abs=1e-9)
        assert abs(zscore) <= math.sqrt(len(values) - 1) + 1e-9


@given(st.lists(st.tuples(st.floats(0.5, 2.0), st.floats(0.5, 2.0)), max_size=30))
def test_a_correlation_is_pearsons_of_log_returns(pairs: list[tuple[float, float]]) -> None:
    left, right = [one for one, _ in pairs], [other for _, other in pairs]
    moves = [returns(left), returns(right)]
    corr = measures.corr(np.array(left), np.array(right))
    if len(pairs) < 4 or any(max(row) - min(row) <= 1e-8 for row in moves):
        assert corr is None or len(pairs) >= 4
    else:
        assert corr == pytest.approx(statistics.correlation(*moves), abs=1e-6)
        assert -1 <= corr <= 1


def test_a_correlation_is_of_returns_over_shared_sessions_and_not_of_prices() -> None:
    spx = {3: 6851.97, 4: 6771.55, 5: 6796.29, 6: 6720.32, 7: 6728.80, 10: 6832.43, 11: 6846.61, 12: 6850.92}
    spx |= {13: 6737.49, 14: 6734.11, 17: 6672.41, 18: 6617.32, 19: 6642.16, 20: 6538.76}
    closes = [110098, 110541, 106583, 101497, 103885, 101346, 103339, 102313, 104723, 106011, 103059, 101654]
    closes += [99692, 94594, 95596, 94261, 92215, 92961, 91555, 86637]
    btc = dict(enumerate(map(float, closes), start=1))
    left, right = measures.shared(
        *map(np.array, (list(btc), list(btc.values()), list(spx), list(spx.values())))
    )
    assert right.tolist() == list(spx.values())
    assert left.tolist() == [btc[day] for day in spx]
    assert measures.corr(left, right) == pytest.approx(statistics.correlation(returns(left), returns(right)))
    assert measures.corr(left, right) == pytest.approx(0.598, abs=0.001)
    filled = [spx[max(session for session in spx if session <= day)] for day in range(3, 21)]
    every_day = [btc[day] for day in range(3, 21)]
    assert measures.corr(np.array(every_day), np.array(filled)) == pytest.approx(0.538, abs=0.001)
    assert statistics.correlation(left.tolist(), right.tolist()) > 0.8


def returns(values: Iterable[float]) -> list[float]:
    return [math.log(after / before) for before, after in pairwise(values)]


@given(VALUES.filter(lambda values: len(values) >= 5), st.integers(0, 4))
def test_one_missing_value_makes_a_figure_unknown(values: list[float], place: int) -> None:
    array = np.array(values)
    array[place] = math.nan
    for figure in (measures.average, measures.drawdown, measures.zscore):
        assert figure(array) is None
    assert measures.corr(array, np.array(values)) is None


def test_a_share_of_nothing_is_unknown_and_a_share_of_a_loss_keeps_its_direction() -> None:
    assert measures.change(np.array([0.0, 5.0])) is None
    assert measures.change(np.array([-100.0, -150.0])) == -50
    assert measures.change(np.array([-100.0, 50.0])) == 150
    assert measures.drawdown(np.array([-5.0, -7.0])) is None
    assert measures.drawdown(np.array([0.0, -7.0])) is None


def test_what_never_moves_or_only_grows_alike_has_no_correlation() -> None:
    grows = 100 * 1.01 ** np.arange(30.0)
    moves = 100 + np.arange(30.0) % 3
    assert measures.corr(np.full(30, 5.0), moves) is None
    assert measures.corr(grows, moves) is None
    assert measures.corr(moves, -moves) is None
    with pytest.raises(ValueError, match="cannot be paired"):
        measures.corr(moves, moves[1:])
