"""Indicators: what TA-Lib says over the full history, of as few candles as that takes, and once for all."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.engine import shelf as shelves
from bot.engine.candles import Candles, Columns
from bot.engine.indicators import candles_needed, compute
from bot.engine.sessions import DAY, HOUR
from bot.engine.shelf import Derived, Shelf
from bot.metrics import MINUTE, Bar, MetricKey

MIDNIGHT = 1_763_337_600
BTC = MetricKey("price", "btc/usdt")
ETH = MetricKey("price", "eth/usdt")

ONES = ["sma", "ema", "rsi", "atr"]
PERIODS = {"sma": (1, 300), "ema": (1, 120), "rsi": (2, 60), "atr": (1, 60), "bb_upper": (2, 100)}


def walk(seed: int, count: int, volatility: float = 0.01, price: float = 100.0, span: int = HOUR) -> Columns:
    """Make a random walk of candles; whoever asks again with the same seed gets the same."""
    random = np.random.default_rng(seed)
    closes = price * np.exp(np.cumsum(random.normal(0, volatility, count)))
    opens = np.concatenate(([price], closes[:-1]))
    highs = np.maximum(opens, closes) * np.exp(random.exponential(volatility / 2, count))
    lows = np.minimum(opens, closes) * np.exp(-random.exponential(volatility / 2, count))
    volumes = random.exponential(10, count)
    return Columns(opens, highs, lows, closes, volumes, MIDNIGHT + span * np.arange(float(count)), span)


def candles_of(columns: Columns) -> list[Bar]:
    rows = zip(*(column.tolist() for column in columns[:-1]), strict=True)
    return [Bar(int(at), o, h, lo, c, v, columns.span) for o, h, lo, c, v, at in rows]


def by_talib(function: str, arguments: tuple[float, ...], of: Columns) -> NDArray[np.float64]:
    """Ask TA-Lib itself, over all there is."""
    match function, arguments:
        case ("sma" | "ema" | "rsi") as name, (n,):
            return getattr(talib, name.upper())(of.closes, n)
        case "atr", (n,):
            return talib.ATR(of.highs, of.lows, of.closes, n)
        case "macd", ():
            return talib.MACD(of.closes, 12, 26, 9)[0]
        case "macd_signal", ():
            return talib.MACD(of.closes, 12, 26, 9)[1]
        case "bb_upper", (n, k):
            return talib.BBANDS(of.closes, n, k, k)[0]
        case "bb_lower", (n, k):
            return talib.BBANDS(of.closes, n, k, k)[2]
    raise AssertionError(function)


@st.composite
def wanted(draw: st.DrawFn) -> tuple[str, tuple[float, ...]]:
    name = draw(st.sampled_from([*ONES, "macd", "macd_signal", "bb_upper", "bb_lower"]))
    if name.startswith("macd"):
        return name, ()
    if name.startswith("bb"):
        return name, (draw(st.integers(*PERIODS["bb_upper"])), draw(st.sampled_from([1.0, 2.0, 2.5])))
    return name, (draw(st.integers(*PERIODS[name])),)


WALKS = st.builds(
    walk,
    seed=st.integers(0, 10**6),
    count=st.just(4000),
    volatility=st.sampled_from([0.0005, 0.005, 0.02]),
    price=st.sampled_from([0.5, 100.0, 97_000.0]),
)


# --- equal to TA-Lib ----------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(of=WALKS, name=wanted())
def test_values_are_those_of_ta_lib_over_the_full_history(
    of: Columns, name: tuple[str, tuple[float, ...]]
) -> None:
    within, least = (1e-6, 1e-6) if name[0].startswith("bb") else (1e-9, 1e-12)  # sums of squares
    np.testing.assert_allclose(
        compute(*name, of), by_talib(*name, of), rtol=within, atol=least * of.closes.max()
    )


@settings(max_examples=150)
@given(of=WALKS, name=wanted(), stop=st.integers(3000, 4000))
def test_the_candles_needed_give_the_value_of_the_full_history(
    of: Columns, name: tuple[str, tuple[float, ...]], stop: int
) -> None:
    needed = candles_needed(*name)
    past = Columns(*(column[:stop] for column in of[:-1]), of.span)
    full, newest = by_talib(*name, past)[-1], compute(*name, past.tail(needed))[-1]
    near_zero = (
        1e-10 * past.closes[-1] if name[0].startswith("macd") else 0
    )  # a difference may be nearly none
    assert newest == pytest.approx(full, rel=1e-6, abs=near_zero)


@pytest.mark.parametrize(
    "name", [("ema", (50,)), ("rsi", (14,)), ("atr", (14,)), ("macd", ()), ("macd_signal", ())]
)
def test_a_third_of_the_candles_needed_would_not_do(name: tuple[str, tuple[float, ...]]) -> None:
    of = walk(7, 4000, volatility=0.02)
    short = compute(*name, of.tail(candles_needed(*name) // 3))[-1]
    assert short != pytest.approx(by_talib(*name, of)[-1], rel=1e-6)


def test_the_memory_of_each_average_is_that_of_its_decay() -> None:
    assert candles_needed("sma", (200,)) == candles_needed("bb_upper", (200, 2.0)) == 200
    assert candles_needed("ema", (1,)) == 1
    assert candles_needed("atr", (1,)) == 2
    for n in (10, 14, 50, 200):
        faded = candles_needed("ema", (n,)) - n
        assert (1 - 2 / (n + 1)) ** faded <= 1e-8 < (1 - 2 / (n + 1)) ** (faded - 1)
        assert candles_needed("rsi", (n,)) == candles_needed("atr", (n,)) < 30 * n
    assert candles_needed("vwap", (), HOUR) == 24
    assert candles_needed("vwap", (), MINUTE) == 1440
    assert candles_needed("vwap", (), 7 * DAY) == 1


@given(of=WALKS.map(lambda one: one.tail(120)), name=wanted())
def test_values_of_earlier_candles_do_not_know_the_later_ones(
    of: Columns, name: tuple[str, tuple[float, ...]]
) -> None:
    whole = compute(*name, of)
    half = compute(*name, Columns(*(column[:60] for column in of[:-1]), of.span))
    np.testing.assert_allclose(half, whole[:60], rtol=1e-6)


@pytest.mark.parametrize(
    "name", [("sma", (20,)), ("rsi", (14,)), ("atr", (14,)), ("bb_lower", (20, 2.0)), ("macd", ())]
)
def test_a_run_that_is_too_short_has_no_value(name: tuple[str, tuple[float, ...]]) -> None:
    for count in range(12):
        values = compute(*name, walk(1, count))
        assert len(values) == count
        assert np.isnan(values).all()


@pytest.mark.parametrize(
    "name",
    [
        ("stochastic", (14,)),
        ("sma", ()),
        ("sma", (0,)),
        ("sma", (2.5,)),
        ("rsi", (1,)),
        ("bb_upper", (20,)),
        ("bb_upper", (1, 2.0)),
        ("bb_upper", (20, math.nan)),
        ("macd", (12,)),
        ("ema", (math.inf,)),
    ],
)
def test_what_is_no_indicator_is_refused(name: tuple[str, tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match=r"no indicator|no meaning|finite"):
        compute(*name, walk(1, 50))
    with pytest.raises(ValueError, match=r"no indicator|no meaning|finite"):
        candles_needed(*name)


# --- where TA-Lib alone would mislead -----------------------------------------------------------------------


@pytest.mark.parametrize("name", [("rsi", (14,)), ("bb_upper", (20, 2.0)), ("bb_lower", (20, 2.0))])
@pytest.mark.parametrize("exponent", [-60, -40, -20, 20])
def test_a_coin_of_a_millionth_is_judged_as_one_of_a_hundred(
    name: tuple[str, tuple[float, ...]], exponent: int
) -> None:
    of, unit = walk(3, 400), 2.0**exponent
    tiny = Columns(*(column * unit for column in of[:4]), of.volumes, of.ats, of.span)
    scale = 1.0 if name[0] == "rsi" else unit
    np.testing.assert_array_equal(compute(*name, tiny), compute(*name, of) * scale)
    assert np.ptp(compute(*name, tiny)[50:]) > 0


def test_rsi_of_a_market_that_stands_still_is_unknown_and_not_the_strongest_fall() -> None:
    flat = walk(1, 60)._replace(closes=np.full(60, 100.0))
    assert np.isnan(compute("rsi", (14,), flat)).all()
    flat.closes[40:] = 101.0
    values = compute("rsi", (14,), flat)
    assert np.isnan(values[:40]).all()
    assert (values[40:] == 100).all()


# --- vwap ---------------------------------------------------------------------------------------------------


def naive_vwap(of: Columns, place: int) -> float:
    """Add up a day's trade from its midnight on."""
    day = of.ats[place] // DAY
    within = [i for i in range(place + 1) if of.ats[i] // DAY == day]
    if of.ats[within[0]] % DAY:
        return math.nan
    worth = sum((of.highs[i] + of.lows[i] + of.closes[i]) / 3 * of.volumes[i] for i in within)
    volume = sum(of.volumes[i] for i in within)
    return worth / volume if volume else math.nan


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10**6),
    span=st.sampled_from([HOUR, 4 * HOUR]),
    skip=st.integers(0, 30),
    quiet=st.sets(st.integers(0, 79)),
)
def test_vwap_is_of_the_day_so_far(seed: int, span: int, skip: int, quiet: set[int]) -> None:
    of = walk(seed, 80, span=span)
    of.volumes[list(quiet)] = 0.0
    of = of.tail(80 - skip)
    expected = [naive_vwap(of, place) for place in range(len(of.ats))]
    np.testing.assert_allclose(compute("vwap", (), of), expected, rtol=1e-12)


def test_vwap_of_a_day_or_more_is_its_typical_price() -> None:
    of = walk(5, 10, span=DAY)
    np.testing.assert_allclose(compute("vwap", (), of), (of.highs + of.lows + of.closes) / 3)


def test_the_candles_needed_give_the_vwap_of_any_time_of_the_day() -> None:
    of = walk(5, 100)
    full = compute("vwap", (), of)
    for stop in range(25, 100):
        past = Columns(*(column[:stop] for column in of[:-1]), of.span)
        needed = candles_needed("vwap", (), HOUR)
        assert compute("vwap", (), past.tail(needed))[-1] == pytest.approx(full[stop - 1], rel=1e-12)


# --- the shelf ----------------------------------------------------------------------------------------------

THREE = [("rsi", (14,)), ("sma", (50,)), ("bb_upper", (20, 2.0))]


def test_a_hundred_rules_over_three_indicators_compute_three_a_candle() -> None:
    bars = candles_of(walk(2, 420))
    candles, shelf = Candles(HOUR), Shelf()
    candles.preload(bars[:400])
    for one in bars[400:]:
        candles.put([one])
        before = shelf.computations
        for minute in range(0, HOUR, 15 * MINUTE):
            for rule in range(100):
                assert (
                    shelf.value(Derived(BTC, HOUR, *THREE[rule % 3]), candles, one.end + minute) is not None
                )
        assert shelf.computations == before + 3
    assert shelf.computations == 60


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    name=st.sampled_from([*THREE, ("ema", (5,)), ("vwap", ())]),
    holes=st.sets(st.integers(0, 449), max_size=3),
    data=st.data(),
)
def test_a_catch_up_reads_what_was_read_live(
    seed: int, name: tuple[str, tuple[float, ...]], holes: set[int], data: st.DataObject
) -> None:
    bars = [one for place, one in enumerate(candles_of(walk(seed, 450))) if place not in holes]
    live, late = (Candles(HOUR), Shelf()), (Candles(HOUR), Shelf())
    at = 0
    lived = {}
    for one in bars:
        live[0].put([one])
        lived[one.end] = live[1].value(Derived(BTC, HOUR, *name), live[0], one.end)
    while at < len(bars):
        stop = at + data.draw(st.integers(1, 200))
        late[0].put(bars[at:stop])
        for one in bars[at:stop]:
            assert late[1].value(Derived(BTC, HOUR, *name), late[0], one.end) == lived[one.end]
        at = stop


def test_a_value_is_unknown_until_enough_candles_are_there() -> None:
    bars = candles_of(walk(4, 400))
    needed = candles_needed("rsi", (14,))
    candles, shelf = Candles(HOUR), Shelf()
    candles.put(bars[-needed + 1 :])
    assert shelf.value(Derived(BTC, HOUR, "rsi", (14,)), candles, bars[-1].end) is None
    candles.preload(bars[:-needed])
    assert (
        shelf.value(Derived(BTC, HOUR, "rsi", (14,)), candles, bars[-1].end) is None
    )  # one is missing between
    candles.preload(bars)
    value = shelf.value(Derived(BTC, HOUR, "rsi", (14,)), candles, bars[-1].end)
    assert value == pytest.approx(by_talib("rsi", (14,), walk(4, 400))[-1], rel=1e-6)


def test_a_young_coin_is_judged_on_all_the_candles_it_has() -> None:
    of = walk(4, 40)
    candles, shelf = Candles(HOUR), Shelf()
    candles.put(candles_of(of))
    assert shelf.value(Derived(BTC, HOUR, "rsi", (14,)), candles, MIDNIGHT + 40 * HOUR) is None
    candles.begin_at(MIDNIGHT)
    values = [
        shelf.value(Derived(BTC, HOUR, "rsi", (14,)), candles, MIDNIGHT + count * HOUR)
        for count in range(1, 41)
    ]
    assert values == [None if math.isnan(one) else one for one in compute("rsi", (14,), of).tolist()]


def test_a_missing_candle_is_unknown_and_not_the_value_before() -> None:
    bars = candles_of(walk(4, 60))
    candles, shelf = Candles(HOUR), Shelf()
    candles.put(bars)
    assert shelf.value(Derived(BTC, HOUR, "sma", (5,)), candles, bars[-1].end + HOUR - 1) is not None
    assert shelf.value(Derived(BTC, HOUR, "sma", (5,)), candles, bars[-1].end + HOUR) is None


def test_history_that_comes_later_replaces_what_was_made_without_it() -> None:
    of = walk(4, 400)
    bars = candles_of(of)
    candles, shelf = Candles(HOUR), Shelf()
    candles.put(bars[350:])
    candles.begin_at(bars[350].at)
    early = shelf.value(Derived(BTC, HOUR, "rsi", (14,)), candles, bars[-1].end)
    candles.preload(bars[:350])
    late = shelf.value(Derived(BTC, HOUR, "rsi", (14,)), candles, bars[-1].end)
    assert early != late
    assert late == pytest.approx(by_talib("rsi", (14,), of)[-1], rel=1e-6)


def test_keys_and_arguments_do_not_share_values() -> None:
    candles, others, shelf = Candles(HOUR), Candles(HOUR), Shelf()
    candles.put(candles_of(walk(4, 60)))
    others.put(candles_of(walk(5, 60)))
    at = MIDNIGHT + 60 * HOUR
    values = {
        shelf.value(Derived(key, HOUR, "sma", (n,)), own, at)
        for key, own in ((BTC, candles), (ETH, others))
        for n in (5, 6)
    }
    assert len(values) == 4
    shelf.forget(BTC)
    assert len(shelf) == 2


def test_the_memory_of_a_shelf_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "_MOST_SHELVES", 5)
    monkeypatch.setattr(shelves, "_MOST_VALUES", 20)
    of = walk(4, 200)
    candles, shelf = Candles(HOUR), Shelf()
    candles.put(candles_of(of))
    for n in range(2, 12):
        expected = compute("sma", (n,), of)
        for count in [*range(n, 201), *range(n, 201)]:
            value = shelf.value(Derived(BTC, HOUR, "sma", (n,)), candles, MIDNIGHT + count * HOUR)
            assert value == pytest.approx(expected[count - 1], rel=1e-12)
        assert len(shelf) <= 5
        assert all(len(one.values) <= 20 for one in shelf._shelves.values())


def test_ta_lib_is_not_loaded_before_an_indicator_is_asked_for() -> None:
    program = (
        "import sys, bot.engine.indicators, bot.engine.candles, bot.engine.history\n"
        "assert not {'talib', 'holidays'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603  # a fixed program
