"""Plain armings at rest are rows of numbers, and nobody can tell them from others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.compiler import compile_rule
from bot.engine.index import Gap
from bot.engine.partition import Partition
from bot.engine.plain import Patterns
from bot.engine.plan import Plan
from bot.engine.restoring import Resting
from bot.engine.roll import Roll
from bot.engine.state import AlertState
from bot.metrics import MINUTE, Bar, Batch, Close, Doubt, Print
from bot.rules import parse
from tests.markets import BTC, START, batch, histories, life_of

OPTIONS = st.sampled_from(
    [
        *("", " once", " repeat", " repeat cooldown 1m", " repeat cooldown 0m", " repeat rearm 1", " urgent"),
        *(" rearm 1% resolve", " repeat cooldown 3m rearm 0.5", ' note "n"', " repeat remind 2m"),
    ]
)
RULES = st.builds(
    "{} {} {}{}".format,
    st.just("btc/usdt"),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.sampled_from(["97", "98.5", "99", "100", "100.25", "101", "103"]),
    OPTIONS,
)


@given(RULES, st.booleans(), st.decimals(Decimal("0.000001"), 10**9, places=6))
def test_a_plain_rule_with_another_number_is_the_rule_of_that_text(rule, is_shared, number) -> None:
    patterns, canonical = Patterns(), str(parse(rule))
    known = patterns.numbered(canonical, is_shared)
    if known is None:
        assert "note" in canonical or "remind" in canonical
        return
    pattern = patterns[known.pattern]
    assert pattern.rule(known.number) == canonical
    other = parse(pattern.rule(number))
    again = patterns.numbered(str(other), is_shared)
    assert again is not None
    assert again.pattern == known.pattern
    assert again.number == number
    assert again.level == float(number)
    assert pattern.live(again.number, 5.0, {}) == compile_rule(other, is_shared, 5.0, {})


@pytest.mark.parametrize(
    "rule",
    [
        "btc/usdt < 100 for 5m",
        "btc/usdt < 100 and btc/usdt > 90",
        "rsi(btc/usdt, 14, 4h) < 30",
        "etf_flow(btc) < -500000000",
        "btc/usdt < @floor",
        "btc/usdt < 100 until 2025-11-12T12:02Z",
        "btc/usdt < 100 remind 1h",
        "btc/usdt < 1234567890.123456789",
        "btc/usdt < 0",
        "nowhere < < 5",
    ],
)
def test_what_more_than_a_price_moves_or_nobody_can_read_or_hold_is_not_plain(rule: str) -> None:
    assert Patterns().numbered(rule, is_shared=False) is None


def judged(partition: Partition, one: Batch) -> Plan:
    partition.observe(one)
    plan = partition.plan()
    partition.apply(plan)
    return plan


def seen_from_outside(partition: Partition, armings: Sequence[int]) -> object:
    """Give all that others ask a partition about its armings."""
    return (
        len(partition),
        sorted(partition),
        partition.wants(),
        partition.readers(BTC),
        [replace(partition.state(one), cursor=0) for one in armings],
    )


@settings(max_examples=150, deadline=None)
@given(bars=histories(most=25), rules=st.lists(RULES, min_size=1, max_size=6), data=st.data())
def test_an_arming_that_may_become_a_row_lives_as_one_that_stays_objects(
    bars: list[Bar], rules: list[str], data: st.DataObject
) -> None:
    rows, objects = Partition(), Partition()
    for number, rule in enumerate(rules):
        text, is_shared = str(parse(rule)), data.draw(st.booleans())
        life = life_of(text, bars[0].open, is_shared)
        rows.add(number, life, None, text, is_shared)
        objects.add(number, life, None)
    armings = list(range(len(rules)))
    while bars:
        count = data.draw(st.integers(1, 4))
        some, bars = bars[:count], bars[count:]
        prints, doubts = [], ()
        if bars and data.draw(st.booleans()):
            price = float(data.draw(st.integers(96, 104)))
            prints = [Print(BTC, price, bars[0].at + data.draw(st.integers(6, 50)))]
        if data.draw(st.integers(0, 3)) == 0:
            doubts = (Doubt(BTC, float(data.draw(st.integers(90, 110))), some[0].at, "made", "nobody else"),)
        one = replace(batch({BTC: some}, *prints), doubts=doubts)
        plans = [judged(partition, one) for partition in (rows, objects)]
        for plan in plans:
            plan.states = {arming: replace(state, cursor=0) for arming, state in plan.states.items()}
            plan.dues = {arming: due for arming, due in plan.dues.items() if due < math.inf}
        assert plans[0] == plans[1]
        assert seen_from_outside(rows, armings) == seen_from_outside(objects, armings)
        if len(armings) > 1 and data.draw(st.integers(0, 5)) == 0:
            gone = armings.pop(data.draw(st.integers(0, len(armings) - 1)))
            rows.remove(gone)
            objects.remove(gone)


@settings(max_examples=200, deadline=None)
@given(bars=histories(most=30), rules=st.lists(RULES, min_size=1, max_size=6), data=st.data())
def test_who_is_put_to_rest_at_a_start_lives_on_as_who_is_taken_in_one_by_one(
    bars: list[Bar], rules: list[str], data: st.DataObject
) -> None:
    before, lives = Partition(), {}
    for number, rule in enumerate(rules):
        text = str(parse(rule))
        lives[number] = text, life_of(text, bars[0].open)
        before.add(number, lives[number][1], None)
    count = data.draw(st.integers(0, len(bars) - 1))
    plan = judged(before, batch({BTC: bars[:count]}))
    judged_to, close = plan.judged_to, before.closes.at(BTC, plan.judged_to[BTC])
    rows, objects = Partition(), Partition()
    for partition in (rows, objects):
        if close is not None:
            partition.closes.restore(BTC, close)
    kept = [
        Resting(
            number,
            text,
            False,
            life.begins_at,
            *(state.cursor, state.is_armed, state.is_firing, state.episode, state.rang_at),
            *(state.corrections, state.is_ended),
        )
        for number, (text, life) in lives.items()
        for state in (before.state(number),)
        if state.early is None and state.told_at == state.rang_at
    ]
    restoring = rows.restoring(judged_to)
    middle = data.draw(st.integers(0, len(kept)))
    resting = restoring.take(kept[:middle]) | restoring.take(kept[middle:])
    rows.restored(restoring)
    assert count > 1 or not resting, "of the minutes of its making nobody rests yet"
    for number, (text, life) in lives.items():
        state = before.state(number)
        objects.add(number, life, objects.resume_from(life, state, judged_to))
        if number not in resting:
            rows.add(number, life, rows.resume_from(life, state, judged_to), text)
    for bar in bars[count:]:
        plans = [judged(partition, batch({BTC: [bar]})) for partition in (rows, objects)]
        assert plans[0].told == plans[1].told
        for number in lives:
            assert replace(rows.state(number), cursor=0) == replace(objects.state(number), cursor=0)


def test_who_rests_for_certain_is_put_to_rest_and_others_are_not() -> None:
    partition = Partition()
    partition.closes.restore(BTC, Close(START + 10 * MINUTE, 100.0, "made"))
    clear = Resting(1, "btc/usdt < 90", False, START, START, True, False, 0, None, 0, False)
    kept = [
        clear,
        clear._replace(arming=2, rule="btc/usdt < 110"),
        clear._replace(arming=3, rule="btc/usdt < 110", is_armed=False),
        clear._replace(arming=4, rule="btc/usdt < 100"),
        clear._replace(arming=5, begins_at=START + 9.5 * MINUTE),
        clear._replace(arming=6, rule="rsi(btc/usdt, 14, 4h) < 30"),
        clear._replace(arming=7, rule="eth/usdt < 90"),
        clear._replace(arming=8, rule="btc/usdt > 110 repeat rearm 1%", rang_at=START + 60.0, episode=2),
        clear._replace(arming=9, is_ended=True),
    ]
    judged_to = {BTC: START + 10 * MINUTE}
    restoring = partition.restoring(judged_to)
    assert restoring.take(kept) == {1, 3, 8}
    partition.restored(restoring)
    assert sorted(partition) == [1, 3, 8]
    [want] = partition.wants()
    assert (want.floor, want.ceiling) == (90, 108.9)
    assert partition.state(8).rang_at == START + 60.0


def test_a_row_gives_the_rule_and_the_state_of_which_it_was_made() -> None:
    roll, life = Roll(), life_of("btc/usdt < 100.50 repeat cooldown 1h", 105.0)
    state = AlertState(START + 5 * MINUTE, True, False, 3, START + 60.5, (), None, 2, False, START + 60.5)
    for arming in (7, 5, 9):
        rule = str(parse("btc/usdt < 100.50 repeat cooldown 1h"))
        roll.add(
            arming, life, replace(state, episode=arming), {BTC: Gap(100.5, 200)}, rule=rule, is_shared=False
        )
        roll.put(arming, replace(state, episode=arming), None)
        assert roll.rule(arming) == rule
    assert list(roll.lively) == []
    assert sorted(roll) == [5, 7, 9]
    assert [roll.state(arming).episode for arming in roll] == [5, 7, 9]
    assert roll.gaps(7) == {BTC: Gap(100.5, 200)}
    assert replace(roll.life(7), made_at=life.made_at, seen=life.seen) == life
    roll.remove(5)
    assert 5 not in roll
    assert sorted(roll) == [7, 9]
    with pytest.raises(KeyError):
        roll.state(5)
