"""Backtests: the live engine over history, in bars of any length, with gaps."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.backtest import Firing, Replay, Report, needs_of, run
from bot.demo.days import November
from bot.engine.compiler import compile_rule
from bot.engine.minute import Minute
from bot.engine.past import Past, Unfit
from bot.engine.state import Transition
from bot.engine.step import begin, step
from bot.engine.world import World
from bot.metrics import MINUTE, Bar, MetricKey, Observation, Seen, join, point
from bot.rules import RuleError, parse
from tests.markets import BTC, ETH, START, histories, minutes, path

HOUR, DAY = 3600, 86_400


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def backtest(rule: str, **history: Iterable[Bar]) -> Report:
    keys = {"btc": BTC, "eth": ETH}
    return run(parse(rule), Past({keys[name]: bars for name, bars in history.items()}))


@pytest.fixture(scope="module")
def november() -> list[Bar]:
    days = November()
    found = (days.bar("btc/usdt", at, days.end) for at in range(int(days.start), int(days.end), MINUTE))
    return [bar for bar in found if bar is not None]


def days_of(report: Report) -> list[str]:
    return [f"{datetime.fromtimestamp(firing.at, UTC):%d}" for firing in report.firings]


def test_november_breaks_its_levels_on_the_days_on_which_it_did(november: list[Bar]) -> None:
    assert days_of(backtest("btc/usdt < 101300 once", btc=november)) == ["12"]
    assert days_of(backtest("btc/usdt < 100000 once", btc=november)) == ["13"]
    assert days_of(backtest("btc/usdt <= 82000 once", btc=november)) == ["21"]


@pytest.mark.parametrize("span", [300, HOUR, 4 * HOUR, DAY])
def test_coarser_bars_ring_in_the_bar_that_holds_the_minute(november: list[Bar], span: int) -> None:
    coarse = list(join(november, span))
    assert coarse[0].span == span
    for level in (101_300, 100_000, 94_000, 82_000):
        [fine] = backtest(f"btc/usdt < {level} once", btc=november).firings
        [rough] = backtest(f"btc/usdt < {level} once", btc=coarse).firings
        assert rough.at <= fine.at < rough.at + span


def test_a_ring_says_when_at_what_and_why(november: list[Bar]) -> None:
    [firing] = backtest('btc/usdt < 100000 once note "cut"', btc=november).firings
    assert firing == Firing(
        at=instant("2025-11-13T17:22"),
        kind="ring",
        value=99_995.47,
        rule='btc/usdt < 100000 once note "cut"',
        because="BTC/USDT fell below 100,000: touched 99,995.47 (0.005% below)",
    )


def test_a_rule_of_several_terms_names_the_values_that_decided_it() -> None:
    btc, eth = path(110, 90), path(9, 12)
    [firing] = backtest(
        "btc/usdt < 100 and eth/usdt > 10",
        btc=[*path(110, 110), *_later(btc)],
        eth=[
            *path(9, 9),
            *_later(eth),
        ],
    ).firings
    assert firing.because == (
        "BTC/USDT below 100 and ETH/USDT above 10 (BTC/USDT below 100: 90; ETH/USDT above 10: 12)"
    )


def test_a_rule_without_an_option_repeats_and_says_so_by_ringing_again() -> None:
    swings = minutes(*([101.0] + [99.0] + [101.0] * 30) * 3)
    assert len(backtest("btc/usdt < 100", btc=swings).firings) == 3
    assert len(backtest("btc/usdt < 100 once", btc=swings).firings) == 1
    assert len(backtest("btc/usdt < 100 cooldown 1h", btc=swings).firings) == 2


def test_what_is_true_at_the_first_open_waits_to_be_clear() -> None:
    assert backtest("btc/usdt < 100", btc=minutes(99.0, 98.0, 99.0)).firings == ()
    [firing] = backtest("btc/usdt < 100", btc=minutes(99.0, 101.0, 99.0)).firings
    assert firing.at == START + 2 * MINUTE
    [firing] = backtest("btc/usdt < 100", btc=path(101, 99)).firings
    assert firing.at == START


def test_a_gap_is_unknown_and_no_touch_is_made_up_in_it() -> None:
    bars = minutes(101.0, 101.0, 99.0, 101.0, 101.0, 101.0)
    holed = [*bars[:2], *bars[3:]]
    report = backtest("btc/usdt < 100", btc=holed)
    assert (report.firings, report.unknown) == ((), 1)
    assert (report.since, report.until) == (START, START + 6 * MINUTE)
    assert backtest("btc/usdt < 100", btc=bars).unknown == 0


def test_a_hold_goes_on_over_a_gap_shorter_than_itself_but_does_not_count_it() -> None:
    bars = minutes(*[101.0] * 20)
    holed = [bar for place, bar in enumerate(bars) if place not in (3, 4)]
    [firing] = backtest("btc/usdt > 100 for 5m once", btc=minutes(99.0)[:1] + _later(holed)).firings
    assert firing.at == START + MINUTE + 7 * MINUTE


def test_gaps_longer_than_a_piece_are_jumped_over() -> None:
    first, second = minutes(101.0, 101.0), minutes(101.0, 99.0, start=START + 400 * DAY)
    report = backtest("btc/usdt < 100", btc=[*first, *second])
    assert [firing.at for firing in report.firings] == [START + 400 * DAY + MINUTE]
    assert report.unknown == 400 * DAY // MINUTE - 2


def test_two_series_are_read_while_both_are_known() -> None:
    btc = minutes(*[101.0] * 10)
    eth = minutes(*[9.0, 9.0, 11.0, 9.0, 9.0, 11.0], start=START + 3 * MINUTE)
    report = backtest("btc/usdt > 100 and eth/usdt > 10", btc=btc, eth=eth)
    assert (report.since, report.until) == (START + 3 * MINUTE, START + 9 * MINUTE)
    assert [firing.at for firing in report.firings] == [START + 5 * MINUTE]


def test_two_series_of_unlike_bars_are_read_in_the_longer_ones() -> None:
    btc = list(join(minutes(*[101.0] * 90, *[99.0] * 30, start=START), 30 * MINUTE))
    eth = list(join(minutes(*[9.0] * 60, *[11.0] * 60, start=START), 60 * MINUTE))
    report = backtest("btc/usdt < 100 and eth/usdt > 10", btc=btc, eth=eth)
    assert (report.since, report.until) == (START, START + 2 * HOUR)
    assert [firing.at for firing in report.firings] == [START + HOUR]


def test_bars_that_open_beside_each_other_cannot_be_read_together() -> None:
    eth = [replace(bar, at=bar.at + 30 * MINUTE) for bar in _hours(4)]
    with pytest.raises(Unfit, match="open at other times"):
        backtest("btc/usdt > 100 and eth/usdt > 10", btc=_hours(4), eth=eth)


def test_history_before_the_range_fills_the_memories_and_rings_nothing() -> None:
    bars = minutes(99.0, *[101.0] * 20)
    report = run(parse("btc/usdt > 100 for 5m"), Past({BTC: bars}), since=START + 3 * MINUTE)
    assert report.since == START + 3 * MINUTE
    assert [firing.at for firing in report.firings] == [START + 6 * MINUTE]
    fall = minutes(*[110.0] * 9, 101.0, 99.0)
    report = run(parse("btc/usdt moves down 10% in 5m"), Past({BTC: fall}), since=START + 9 * MINUTE)
    assert [firing.at for firing in report.firings] == [START + 10 * MINUTE]


def test_the_range_ends_before_its_end() -> None:
    bars = minutes(101.0, 101.0, 99.0, 101.0)
    report = run(parse("btc/usdt < 100"), Past({BTC: bars}), until=START + 2 * MINUTE)
    assert (report.firings, report.until) == ((), START + 2 * MINUTE)
    assert len(run(parse("btc/usdt < 100"), Past({BTC: bars}), until=START + 3 * MINUTE).firings) == 1


def test_a_relative_until_counts_from_the_first_moment() -> None:
    swings = minutes(*([101.0] + [99.0] + [101.0] * 30) * 3)
    assert len(backtest("btc/usdt < 100 until 40m", btc=swings).firings) == 2
    with pytest.raises(RuleError):
        backtest("btc/usdt < 100 until 2020-01-01", btc=swings)


def test_what_cannot_be_judged_says_why_in_a_sentence() -> None:
    with pytest.raises(Unfit, match=r"There is no history of eth/usdt\."):
        backtest("eth/usdt < 100", btc=minutes(1.0))
    with pytest.raises(Unfit, match=r"Nothing is known of btc/usdt at that time\."):
        backtest("btc/usdt < 100", btc=[])
    with pytest.raises(Unfit, match="Nothing is known"):
        run(parse("btc/usdt < 100"), Past({BTC: minutes(1.0)}), since=START + DAY)
    with pytest.raises(Unfit, match="Nothing is known"):
        run(parse("btc/usdt < 100"), Past({BTC: minutes(1.0)}), until=START)


FLOWS = MetricKey("etf_flow", "btc")


def settled(*days: tuple[str, float]) -> list[Observation]:
    """Make settled sessions of November 2025, known at 05:00 UTC of the next day."""
    return [
        Observation(FLOWS, instant(f"2025-11-{day}"), millions * 1e6, instant(f"2025-11-{day}") + 29 * HOUR)
        for day, millions in days
    ]


LATE_NOVEMBER = settled(
    ("18", -372.8),
    ("19", 75.4),
    ("20", -903.2),
    ("21", 238.4),
    ("24", -151.0),
    ("25", 128.7),
    ("26", 21.1),
    ("28", 71.4),
)


def test_three_sessions_of_inflow_ring_when_the_third_is_known() -> None:
    report = run(parse("etf_flow(btc) > 0 for 3 sessions"), Past(values={FLOWS: LATE_NOVEMBER}))
    assert [firing.at for firing in report.firings] == [instant("2025-11-29T05:00")]
    assert report.firings[0].kind == "ring"
    assert (report.since, report.until) == (instant("2025-11-19T05:00"), instant("2025-11-29T05:00"))


def test_a_day_of_outflow_rings_when_it_is_settled() -> None:
    report = run(parse("etf_flow(btc) < -900m"), Past(values={FLOWS: LATE_NOVEMBER}))
    assert [firing.at for firing in report.firings] == [instant("2025-11-21T05:00")]
    assert report.firings[0].value == -903.2e6


def test_a_figure_that_its_source_corrects_takes_its_ring_back() -> None:
    again = [
        replace(LATE_NOVEMBER[2], value=value, known_at=instant(at), revision=revision)
        for value, at, revision in (
            (-880e6, "2025-11-21T09:00", 1),
            (-910e6, "2025-11-21T11:00", 2),
            (-100e6, "2025-11-25T11:00", 3),
        )
    ]
    past = Past(values={FLOWS: [*LATE_NOVEMBER, *again]})
    report = run(parse("etf_flow(btc) < -900m repeat cooldown 1h"), past)
    assert [(firing.kind, firing.at, firing.value) for firing in report.firings] == [
        ("ring", instant("2025-11-21T05:00"), -903.2e6),
        ("correction", instant("2025-11-21T09:00"), -903.2e6),
        ("ring", instant("2025-11-21T11:00"), -910e6),
    ]
    taken_back, late = report.firings[1:]
    assert taken_back.because == (
        "the source corrected the BTC ETF net flow of Thu Nov 20 from -903,200,000 to -880,000,000"
    )
    assert "Late: the source corrected" in late.because
    assert report.facts()["firings"][1]["kind"] == "correction"


def test_values_before_the_range_are_remembered() -> None:
    past = Past(values={FLOWS: LATE_NOVEMBER})
    since = instant("2025-11-28T12:00")
    report = run(parse("etf_flow(btc) > 0 for 3 sessions"), past, since=since)
    assert (report.since, [firing.at for firing in report.firings]) == (since, [instant("2025-11-29T05:00")])
    report = run(parse("etf_flow(btc) > 0 for 3 sessions"), past, until=instant("2025-11-28"))
    assert report.firings == ()


def test_a_price_and_a_metric_are_read_together(november: list[Bar]) -> None:
    past = Past({BTC: november}, {FLOWS: LATE_NOVEMBER})
    report = run(parse("etf_flow(btc) < -900m and btc/usdt < 84k"), past)
    assert days_of(report) == ["21"]
    assert report.firings[0].at > instant("2025-11-21T05:00")


def test_a_metric_without_history_is_named() -> None:
    with pytest.raises(Unfit, match=r"There is no history of etf_flow\(btc\)\."):
        run(parse("etf_flow(btc) > 0"), Past())
    with pytest.raises(Unfit, match="history is empty"):
        run(parse("etf_flow(btc) > 0"), Past(values={FLOWS: []}))


def test_an_indicator_is_known_as_soon_as_its_candles_are(november: list[Bar]) -> None:
    rule = parse("btc/usdt < sma(btc/usdt, 5, 1d)")
    closes = [bar.close for bar in join(november, DAY)]
    report = run(rule, Past({BTC: november}))
    assert report.firings
    for firing in report.firings:
        day = (int(firing.at) - november[0].at) // DAY
        assert day >= 5
        assert firing.value <= sum(closes[day - 5 : day]) / 5


def test_candles_are_not_made_of_longer_bars(november: list[Bar]) -> None:
    hours = list(join(november, HOUR))
    with pytest.raises(Unfit, match="Candles of 900 seconds cannot be made of bars of 3,600"):
        backtest("btc/usdt > sma(btc/usdt, 5, 15m)", btc=hours)


def test_candles_from_before_the_bars_fill_the_memories(november: list[Bar]) -> None:
    rule = parse("btc/usdt < sma(btc/usdt, 3, 1d)")
    since = november[0].at + 8 * DAY
    whole = run(rule, Past({BTC: november}), since=since)
    stretches = needs_of(rule, since).stretches
    candles = {
        (stretch.key, stretch.span): [
            bar for bar in join(november, stretch.span) if stretch.since <= bar.at < stretch.until
        ]
        for stretch in stretches
        if stretch.span != MINUTE
    }
    after = [bar for bar in november if bar.at >= since]
    assert run(rule, Past({BTC: after}, candles=candles), since=since) == whole
    assert whole.firings
    assert run(rule, Past({BTC: after}), since=since) != whole


def test_a_ring_that_ends_says_so_where_the_rule_asks(november: list[Bar]) -> None:
    report = backtest("btc/usdt < 100000 once resolve", btc=minutes(101e3, 99e3, 101e3, 101e3))
    assert [(firing.kind, firing.at) for firing in report.firings] == [
        ("ring", START + MINUTE),
        ("resolution", START + 3 * MINUTE),
    ]
    assert report.firings[1].because == "BTC/USDT below 100,000 is over: 101,000"
    report = backtest("btc/usdt < 100 remind 5m", btc=minutes(101, *[99.0] * 12))
    assert [firing.kind for firing in report.firings] == ["ring", "reminder", "reminder"]
    assert report.firings[1].because == "BTC/USDT below 100 still holds: 99"


def test_many_rules_in_one_pass_ring_as_each_alone(november: list[Bar]) -> None:
    hours = list(join(november, HOUR))
    rules = [parse(f"btc/usdt < {level}") for level in range(80_000, 110_000, 500)]
    rules += [parse(f"btc/usdt crosses {level} cooldown 6h") for level in range(80_000, 110_000, 500)]
    together: dict[int, list[Transition]] = {place: [] for place in range(len(rules))}
    for place, transition in Replay(rules, Past({BTC: hours})):
        together[place].append(transition)
    for place, rule in enumerate(rules):
        assert together[place] == [transition for _, transition in Replay([rule], Past({BTC: hours}))]
    assert sum(map(len, together.values())) > 100


RULES = (
    "btc/usdt < 100",
    "btc/usdt >= 101 cooldown 3m",
    "btc/usdt crosses 100 cooldown 1m",
    "btc/usdt > 100 for 3m cooldown 5m",
    "btc/usdt moves 3% in 5m cooldown 2m",
    "99 < btc/usdt < 101 cooldown 1m",
    "btc/usdt < 100 once",
)


def by_hand(rule: str, bars: Sequence[Bar]) -> list[Transition]:
    """Fold step() over every bar, one after the other, without a partition."""
    life = compile_rule(
        parse(rule), True, bars[0].at, {BTC: Seen(bars[0].at, point(bars[0].open, bars[0].at))}
    )
    world = World()
    world.follow(BTC, life.spans[BTC])
    state = begin(life, world)
    told: list[Transition] = []
    for bar in bars:
        world.put(BTC, [bar])
        minute = Minute(bar.at, {BTC: bar}, world, max(0, bar.at - state.cursor), bar.span)
        state, transitions = step(state, minute, life)
        told += transitions
    return told


@settings(deadline=None)
@given(
    rule=st.sampled_from(RULES),
    bars=histories(),
    holes=st.sets(st.integers(0, 59)),
    count=st.sampled_from([1, 2, 5]),
)
def test_a_backtest_is_step_folded_over_the_same_bars(
    rule: str, bars: list[Bar], holes: set[int], count: int
) -> None:
    kept = [bar for place, bar in enumerate(bars) if place not in holes]
    known = list(join(kept, count * MINUTE))
    if known:
        found = [transition for _, transition in Replay([parse(rule)], Past({BTC: iter(known)}))]
        assert found == by_hand(rule, known)


@given(bars=histories(), holes=st.sets(st.integers(0, 59)))
def test_known_and_unknown_minutes_are_the_range(bars: list[Bar], holes: set[int]) -> None:
    known = [bar for place, bar in enumerate(bars) if place not in holes]
    if known:
        report = run(parse("btc/usdt < 1"), Past({BTC: known}))
        assert (report.since, report.until) == (known[0].at, known[-1].end)
        assert report.unknown == (report.until - report.since) // MINUTE - len(known)


def test_memory_does_not_grow_with_the_bars() -> None:
    rules = [parse(f"btc/usdt < {level} once") for level in range(80, 120)]

    def peak(hours: int) -> int:
        bars = (Bar(START + hour * HOUR, *(100.0 + hour % 7,) * 4, 1.0, HOUR) for hour in range(hours))
        tracemalloc.start()
        for _ in Replay(rules, Past({BTC: bars})):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(15_000) < 1.5 * peak(5_000)


def _later(bars: Iterable[Bar], by: int = MINUTE) -> list[Bar]:
    return [replace(bar, at=bar.at + by) for bar in bars]


def _hours(count: int) -> list[Bar]:
    return list(join(minutes(*[101.0] * 60 * count), HOUR))
