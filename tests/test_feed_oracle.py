"""Touched is rung, untouched is silent, each ring in its own minute: random histories against brute force.

``python -m tests.oracle --histories 100000`` lives through as many as there is time for.
"""

from __future__ import annotations

import sys

import pytest
import structlog

from bot.metrics import MINUTE, Bar
from tests.feed_histories import SYMBOLS, History
from tests.feed_oracle import Alert, Findings, Minute, Told, compare

WORLDS = 28
FIRST = sys.version_info.minor * WORLDS
"""Each Python lives through worlds of its own: what holds on one holds on the other."""


def test_there_are_as_many_histories_as_are_promised_on_the_two_pythons_that_are() -> None:
    assert 2 * WORLDS * SYMBOLS >= 2000


@pytest.mark.parametrize("seed", range(FIRST, FIRST + WORLDS))
async def test_what_is_touched_rings_in_its_minute_and_nothing_else_does(seed: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    history = History(seed)
    found = await history.live()
    assert not found.missed + found.false, "\n".join([history.tale(), *found.missed, *found.false])
    assert found.minutes > 0


# --- that the oracle itself can tell ------------------------------------------------------------------------

START = 1_762_948_800
ALERT = Alert("btc < 100", True, 100.0, None, START, START + 20.0, 105.0, 104.0, 106.0)
STEADY = Alert("btc < 100 repeat cooldown 2m", True, 100.0, 120, START, START + 20.0, 105.0, 104.0, 106.0)


def path(*lows: float) -> list[Minute]:
    return [
        Minute(at, (Bar(at, 105.0, 106.0, low, 105.0),))
        for at, low in ((START + place * MINUTE, low) for place, low in enumerate(lows))
    ]


def found(alert: Alert, minutes: list[Minute], *rings: float, told: Told | None = None) -> Findings:
    findings = Findings()
    told = told or Told()
    told.rings.extend(rings)
    compare(alert, minutes, told, findings)
    return findings


def test_the_oracle_finds_a_ring_that_is_missing_or_late() -> None:
    minutes = path(104, 103, 99, 103)
    assert not found(ALERT, minutes, START + 2 * MINUTE).missed
    assert found(ALERT, minutes).missed
    assert found(ALERT, minutes, START + 3 * MINUTE).missed


def test_the_oracle_names_the_first_minute_in_which_something_else_was_told() -> None:
    minutes = path(104, 99, 103, 103, 99)
    rings = [START + MINUTE, START + 4 * MINUTE]
    assert compare(STEADY, minutes, Told(rings[:1]), Findings()) == START + 4 * MINUTE
    assert compare(STEADY, minutes, Told([START + 2 * MINUTE, *rings]), Findings()) == START + 2 * MINUTE
    assert compare(STEADY, minutes, Told(rings), Findings()) is None


def test_the_oracle_finds_a_ring_that_is_false_or_comes_twice() -> None:
    assert found(ALERT, path(104, 103, 100), START + 2 * MINUTE).false
    assert found(ALERT, path(104, 99, 99), START + MINUTE, START + 2 * MINUTE).false
    assert found(ALERT, path(104, 99), START + MINUTE + 0.5).missed


def test_the_oracle_counts_what_came_after_the_making_and_no_more() -> None:
    seen = Alert("btc < 100", True, 100.0, None, START, START + 20.0, 105.0, 98.0, 106.0)
    assert not found(seen, path(98, 101)).missed
    assert not found(seen, path(97, 101), START + 20).missed
    assert found(seen, path(97, 101)).missed
    fell = path(98, 101)
    fell[0] = Minute(START, fell[0].bars, later=(Bar(START, 105.0, 105.0, 98.5, 105.0),))
    assert found(seen, fell, START + 20).false
    printed = Told(early=[START + 30.0])
    assert not (found(seen, fell, START + 20, told=printed).false or found(seen, fell).missed)


def test_the_oracle_lets_nothing_be_armed_by_what_the_whole_minute_of_its_making_does_not_show() -> None:
    waiting = Alert("btc < 100 repeat cooldown 1m", True, 100.0, 60, START, START + 20.0, 98.0, 98.0, 106.0)
    lows = (98.0, 99.0, 99.0, 99.0)
    minutes = [Minute(START, (Bar(START, 105.0, 106.0, 98.0, 98.0),), later=(Bar(START, 98, 105, 98, 98),))]
    minutes += [
        Minute(at, (Bar(at, 98.0, 106.0, low, 105.0),))
        for at, low in ((START + place * MINUTE, low) for place, low in enumerate(lows[1:], 1))
    ]
    rings = [START + 2 * MINUTE, START + 3 * MINUTE]
    assert not (found(waiting, minutes, *rings).missed or found(waiting, minutes, *rings).false)
    assert found(waiting, minutes, START + MINUTE, *rings).false


def test_the_oracle_keeps_to_a_cooldown() -> None:
    minutes = path(104, 99, 99, 99, 99)
    findings = found(STEADY, minutes, START + MINUTE, START + 3 * MINUTE)
    assert (findings.missed, findings.false, findings.rings) == ([], [], 2)
    assert found(STEADY, minutes, START + MINUTE, START + 2 * MINUTE).false


def test_the_oracle_wants_a_touch_in_a_minute_that_is_gone_to_be_told() -> None:
    minutes = path(104, 99, 103)
    minutes[1] = Minute(START + MINUTE, minutes[1].bars, is_gone=True)
    assert found(ALERT, minutes).missed
    findings = found(ALERT, minutes, told=Told(reaches=[(START + MINUTE, START + 2 * MINUTE)]))
    assert (findings.missed, findings.in_reach) == ([], 1)
    assert found(ALERT, minutes, START + MINUTE).false


def test_the_oracle_wants_a_touch_that_nobody_bears_out_to_be_told() -> None:
    minutes = path(104, 99, 103)
    clipped = Bar(START + MINUTE, 105.0, 106.0, 104.0, 105.0)
    minutes[1] = Minute(START + MINUTE, (*minutes[1].bars, clipped))
    assert found(ALERT, minutes).missed
    findings = found(ALERT, minutes, told=Told(doubts=[START + MINUTE]))
    assert (findings.missed, findings.doubted) == ([], 1)
    assert found(ALERT, minutes, START + MINUTE).rings == 1
