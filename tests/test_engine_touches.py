"""What is told of a plain arming by its numbers is what is told by its condition."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.course import Course, follow, running
from bot.engine.plain import Patterns, Plain
from bot.engine.state import AlertState, Early
from bot.engine.step import glance
from bot.engine.touches import show, touch
from bot.engine.world import World
from bot.metrics import MINUTE, Bar, Print
from bot.rules import parse
from tests.markets import BTC, START

PRICES = st.sampled_from([97.0, 98.5, 99.0, 99.5, 100.0, 100.25, 101.0, 101.5, 103.0])
OPTIONS = (
    "",
    " once",
    " repeat",
    " repeat cooldown 1m",
    " repeat cooldown 0m",
    " repeat rearm 1",
    " rearm 1%",
)
RULES = st.builds(
    "btc/usdt {} {}{}".format,
    st.sampled_from(["<", "<=", ">", ">="]),
    st.sampled_from(["98.5", "99", "100", "100.25", "101"]),
    st.sampled_from([*OPTIONS, " rearm 1% resolve", " repeat resolve", " repeat cooldown 3m rearm 0.5"]),
)
BARS = st.builds(
    lambda first, last, wicks: Bar(START, first, max(first, last, *wicks), min(first, last, *wicks), last),
    PRICES,
    PRICES,
    st.lists(PRICES, min_size=1, max_size=2),
)
PRINTS = st.builds(
    lambda price, second, is_traded: Print(BTC, price, START + second, "binance", is_traded),
    PRICES,
    st.sampled_from([0.0, 0.5, 3.0, 30.0, 59.0]),
    st.booleans(),
)
EARLY = st.none() | st.builds(
    lambda back, second, is_gone: Early(START - back, START - back + second, 99.0, is_gone),
    st.sampled_from([0, 60, 120, 180]),
    st.sampled_from([0.0, 30.0]),
    st.booleans(),
)
RANG = st.none() | st.sampled_from([START - 3600.0, START - 150.0, START - 60.0, START - 1.0])


@st.composite
def states(draw: st.DrawFn) -> AlertState:
    rang_at = draw(RANG)
    return AlertState(
        cursor=START - draw(st.sampled_from([0, 0, 60, 3600])),
        is_armed=draw(st.booleans()),
        is_firing=draw(st.booleans()),
        episode=draw(st.integers(0, 3)),
        rang_at=rang_at,
        corrections=draw(st.integers(0, 2)),
        is_ended=draw(st.sampled_from([False, False, False, True])),
        told_at=rang_at,
        early=draw(EARLY),
    )


def plain_of(rule: str, is_shared: bool, begins_at: float) -> Plain:
    patterns = Patterns()
    numbered = patterns.numbered(str(parse(rule)), is_shared)
    assert numbered is not None
    return Plain(patterns[numbered.pattern], numbered, begins_at)


@settings(max_examples=500)
@given(RULES, st.booleans(), states(), BARS)
def test_a_minute_does_to_a_plain_arming_what_its_condition_says(rule, is_shared, state, bar) -> None:
    plain = plain_of(rule, is_shared, START - 3600.0)
    life = plain.pattern.live(plain.numbered.number, plain.begins_at, {})
    world = World()
    life.follow_in(world)
    world.put(BTC, [bar])
    course = touch(plain, state, bar)
    if course is None:
        assert state.is_ended
        return
    judged = follow(world, life, state.judged_to(START), bar.end)
    rests = judged.rests if judged.rests is not None else course.rests
    assert course == Course(judged.state, judged.told, rests, judged.due)


@settings(max_examples=250)
@given(RULES, st.booleans(), states(), PRINTS)
def test_a_print_does_to_a_plain_arming_what_a_glance_finds(rule, is_shared, state, one) -> None:
    plain = plain_of(rule, is_shared, START - 90.0)
    life = plain.pattern.live(plain.numbered.number, plain.begins_at, {})
    minute, at, since = running(World(), {BTC: (one,)}, life, one)
    assert show(plain, state, one) == glance(state, minute, at, since, life)


def test_a_minute_that_is_not_the_next_is_left_to_be_judged_by_the_condition() -> None:
    plain = plain_of("btc/usdt < 100", False, START - 3600.0)
    bar = Bar(START, 101.0, 101.0, 99.0, 99.0)
    assert touch(plain, AlertState(START + MINUTE, is_armed=True), bar) is None
