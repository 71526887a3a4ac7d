"""No platform is asked for more than it bears, and no chat waits for another."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.pacing import LIMITS, Limits, Pacer, Rate, backoff

STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.01, 0.1, 1.0, 5.0])), min_size=1, max_size=120
)


def most_in(instants: list[float], seconds: float) -> int:
    """Count the most messages that went within any stretch of so many seconds."""
    return max(sum(1 for other in instants if start <= other < start + seconds - 1e-9) for start in instants)


@given(STEPS, st.sampled_from(["telegram", "discord"]), st.booleans())
def test_no_stretch_of_time_holds_more_than_rate_and_burst(
    steps: list[tuple[int, float]], platform: str, is_group: bool
) -> None:
    limits = LIMITS[platform]
    pacer = Pacer(limits)
    now, all_sent, by_chat = 0.0, [], defaultdict(list)
    for chat, pause in steps:
        now += pause
        if pacer.ready_at(str(chat), is_group, now) > now + 1:
            continue
        at = pacer.reserve(str(chat), is_group, now)
        assert at >= now
        all_sent.append(at)
        by_chat[chat].append(at)
    rate = limits.group if is_group else limits.private
    for seconds in (1, 10, 60):
        if all_sent:
            assert most_in(all_sent, seconds) <= limits.overall.per_second * seconds + limits.overall.burst
        for sent in by_chat.values():
            assert most_in(sent, seconds) <= rate.per_second * seconds + rate.burst


def test_a_group_takes_twenty_in_a_minute_after_its_burst() -> None:
    pacer = Pacer(LIMITS["telegram"])
    sent = [pacer.reserve("-1", True, 0.0) for _ in range(26)]
    assert sent[4] == 0
    assert sent[-1] - sent[4] == pytest.approx(63)


def test_a_chat_that_was_told_to_wait_does_not_hold_the_others() -> None:
    pacer = Pacer(LIMITS["telegram"])
    pacer.hold("1", False, 30.0)
    assert pacer.ready_at("1", False, 0.0) == pytest.approx(30)
    assert pacer.reserve("2", False, 0.0) == 0


def test_a_platform_that_was_told_to_wait_holds_every_chat() -> None:
    pacer = Pacer(Limits(Rate(10), Rate(10), Rate(10)))
    pacer.hold_all(7.0)
    assert pacer.reserve("1", False, 0.0) == pytest.approx(7)


@given(st.integers(0, 10_000))
def test_backoff_grows_and_is_bounded(attempts: int) -> None:
    assert 2 <= backoff(attempts) <= backoff(attempts + 1) <= 300
