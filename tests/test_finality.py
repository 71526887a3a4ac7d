"""When a day's flow is final: the law that every provider of flows is judged by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.sessions import XNYS, day_of
from bot.feeds.metrics.finality import APART, LEAST, MOST, Flow, Judged, judge, words, wrong_of
from bot.feeds.metrics.hours import FILLING, SETTLING, next_look
from bot.metrics import MetricKey
from tests.etf import DAY, HOUR, NOVEMBER, Row, at, date_of, row

KEY = MetricKey("etf_flow", "btc")
BEFORE = row("2025-11-19", "68.9", "10", "-5", "1.5")
FULL = row("2025-11-20", "-355.5", "-300.2", "52.9", "-300.4")
PARTIAL = row("2025-11-20", "-", "-300.2", "52.9", "-300.4")
ZEROS = row("2025-11-20", "0", "0", "0", "0")
NIGHT = at("2025-11-21 05:05")


def flow(one: Row, is_in: bool | None = None, has_funds: bool = True) -> Flow:
    shares = {name: None if share is None else share * 1_000_000 for name, share in one.shares.items()}
    return Flow(one.as_of, one.total * 1_000_000, shares if has_funds else {}, is_in)


def reads(*looks: tuple[float, Iterable[Flow]]) -> dict[int, Judged]:
    """Read again and again; gives how the days stand after the last."""
    days: dict[int, Judged] = {}
    for when, flows in looks:
        days = judge(flows, days, when)
    return days


def last(*looks: tuple[float, Flow]) -> Judged:
    """Read one day beside the one before it, again and again."""
    days = reads(*((when, [flow(BEFORE), one]) for when, one in looks))
    return days[FULL.as_of]


def test_a_complete_day_is_final_when_two_reads_agree() -> None:
    first = last((NIGHT, flow(FULL)))
    assert (first.is_final, first.pending, first.awaits_read) == (False, (), True)
    assert last((NIGHT, flow(FULL)), (NIGHT + APART, flow(FULL))).is_final


def test_two_reads_at_one_moment_are_one() -> None:
    assert not last((NIGHT, flow(FULL)), (NIGHT + 60, flow(FULL))).is_final


def test_a_total_that_moves_between_two_reads_is_not_final() -> None:
    moved = flow(row("2025-11-20", "-355.6", "-300.2", "52.9", "-300.4"))
    assert not last((NIGHT, flow(FULL)), (NIGHT + APART, moved)).is_final


def test_shares_that_move_between_funds_are_not_the_same_though_their_sum_is() -> None:
    moved = flow(row("2025-11-20", "-345.5", "-310.2", "52.9", "-300.4"))
    assert moved.total == flow(FULL).total
    assert not last((NIGHT, flow(FULL)), (NIGHT + APART, moved)).is_final


def test_the_providers_own_word_makes_a_day_final_at_once() -> None:
    assert last((NIGHT, flow(FULL, is_in=True))).is_final


def test_nothing_is_final_before_four_in_the_morning() -> None:
    early = at("2025-11-21 03:59")
    assert not last((early - HOUR, flow(FULL, is_in=True)), (early, flow(FULL, is_in=True))).is_final
    assert last((early, flow(FULL)), (early + APART, flow(FULL))).is_final


@pytest.mark.parametrize(("silent", "is_awaited"), [(2, True), (3, False)])
def test_a_fund_that_reported_in_one_of_three_sessions_before_is_waited_for(
    silent: int, is_awaited: bool
) -> None:
    dates = ["2025-11-14", "2025-11-17", "2025-11-18", "2025-11-19"][3 - silent :]
    shares = ["5", *["-"] * silent]
    table = [flow(row(day, share, "1", "2", "3")) for day, share in zip(dates, shares, strict=True)]
    judged = reads((NIGHT, [*table, flow(PARTIAL)]))[FULL.as_of]
    assert judged.pending == (("IBIT",) if is_awaited else ())


def test_a_day_that_a_fund_did_not_report_waits_for_it_by_name() -> None:
    judged = last(*((NIGHT + turn * HOUR, flow(PARTIAL)) for turn in range(12)))
    assert (judged.is_final, judged.pending) == (False, ("IBIT",))


def test_a_fund_that_the_answer_leaves_out_is_waited_for_too() -> None:
    without = flow(PARTIAL)
    without = replace(without, funds={name: one for name, one in without.funds.items() if name != "IBIT"})
    assert last((NIGHT, without), (NIGHT + HOUR, without)).pending == ("IBIT",)


def test_a_fund_that_never_reported_is_not_waited_for() -> None:
    def launched(one: Row) -> Flow:
        return replace(flow(one), funds={**flow(one).funds, "MSBT": None})

    days = reads(*((NIGHT + turn * HOUR, [launched(BEFORE), launched(FULL)]) for turn in range(2)))
    assert days[FULL.as_of].is_final


def test_of_a_first_day_all_funds_are_waited_for() -> None:
    assert reads((NIGHT, [flow(PARTIAL)]))[FULL.as_of].pending == ("IBIT",)


def test_a_provider_that_says_pending_is_believed() -> None:
    assert not last((NIGHT, flow(FULL, is_in=False)), (NIGHT + HOUR, flow(FULL, is_in=False))).is_final


def test_a_day_of_nothing_but_zeros_is_unfinished_until_it_stood_to_noon() -> None:
    looks = [(at(f"2025-11-21 {hour}"), flow(ZEROS, is_in=True)) for hour in ("04:05", "06:05", "11:59")]
    zero = last(*looks)
    assert (zero.is_final, zero.awaits_read, zero.flow.total) == (False, False, 0)
    (unfinished,) = words(KEY, {FULL.as_of: zero}, NIGHT, "made")
    assert (unfinished.value, unfinished.is_final) == (0, False)
    assert last(*looks, (at("2025-11-21 12:05"), flow(ZEROS))).is_final, "ETH had a true zero"


def test_a_row_in_which_no_fund_reported_says_nothing() -> None:
    empty = flow(row("2025-11-20", "-", "-", "-", "-"))
    days = reads((at("2025-11-20 12:30"), [flow(BEFORE), empty]))
    assert [word.as_of for word in words(KEY, days, NIGHT, "made")] == [BEFORE.as_of]
    late = reads((at("2025-11-28 12:30"), [flow(BEFORE), empty]))
    assert [word.as_of for word in words(KEY, late, NIGHT, "made")] == [BEFORE.as_of], "nor ever will it"


def test_a_zero_row_of_a_holiday_is_no_session() -> None:
    holiday = flow(row("2025-11-27", "0", "0", "0", "0"))
    assert reads((at("2025-11-29 05:05"), [holiday])) == {}


@pytest.mark.parametrize(("said", "is_final"), [("-903.4", True), ("-903.5", False), ("903.2", False)])
def test_the_sum_of_the_funds_is_the_total_but_for_rounding(said: str, is_final: bool) -> None:
    odd = flow(replace(FULL, said=Decimal(said)))
    assert last((NIGHT, odd), (NIGHT + HOUR, odd)).is_final == is_final


def test_a_sum_that_is_not_the_total_never_becomes_final_by_age() -> None:
    odd = flow(replace(FULL, said=Decimal("-703.2")))
    assert not last((NIGHT, odd), (NIGHT + 9 * DAY, odd)).is_final


def test_a_provider_that_calls_final_what_does_not_add_up_is_asked_twice() -> None:
    odd = flow(replace(FULL, said=Decimal("-703.2")), is_in=True)
    assert not last((NIGHT, odd)).is_final
    assert last((NIGHT, odd), (NIGHT + HOUR, odd)).is_final


def test_a_total_that_nothing_vouches_for_must_have_stood_until_noon() -> None:
    bare = flow(FULL, has_funds=False)
    assert not last((NIGHT, bare), (NIGHT + HOUR, bare)).is_final
    assert not last((at("2025-11-21 12:05"), bare)).is_final
    stood = last((at("2025-11-21 08:05"), bare), (at("2025-11-21 12:05"), bare))
    assert (stood.is_final, stood.pending) == (True, ()), "no fund is waited for where none is shown"


def test_a_bare_zero_is_no_value_before_it_is_final() -> None:
    bare = Flow(FULL.as_of, Decimal(0))
    early = reads((NIGHT, [bare]))
    assert words(KEY, early, NIGHT, "made") == []
    late = judge([bare], early, at("2025-11-21 12:05"))
    assert [(word.value, word.is_final) for word in words(KEY, late, NIGHT, "made")] == [(0, True)]


def test_a_day_is_final_by_one_read_once_the_next_session_is_settled() -> None:
    friday = flow(row("2025-11-21", "251.9", "10", "-5", "1.5"))
    days = reads((at("2025-11-22 05:05"), [flow(BEFORE), flow(FULL), friday]))
    assert [days[as_of].is_final for as_of in sorted(days)] == [True, True, False]
    partial = reads((at("2025-11-22 05:05"), [flow(BEFORE), flow(PARTIAL), friday]))
    assert partial[FULL.as_of].pending == ("IBIT",), "but a fund is waited for over three sessions"
    assert reads((at("2025-11-27 05:05"), [flow(BEFORE), flow(PARTIAL)]))[FULL.as_of].is_final


def test_another_total_of_a_final_day_is_a_revision_and_final() -> None:
    revised = flow(row("2025-11-20", "-357.5", "-300.2", "52.9", "-300.4"))
    looks = [(NIGHT, flow(FULL)), (NIGHT + HOUR, flow(FULL))]
    after = last(*looks, (NIGHT + 2 * HOUR, revised))
    assert (after.is_final, after.flow.total) == (True, -905_200_000)


@pytest.mark.parametrize("later", [flow(ZEROS), flow(PARTIAL)])
def test_a_final_day_that_turns_to_zeros_or_loses_a_fund_is_not_revised(later: Flow) -> None:
    looks = [(NIGHT, flow(FULL)), (NIGHT + HOUR, flow(FULL))]
    assert not last(*looks, (NIGHT + 2 * HOUR, later)).is_final


def test_a_flow_beyond_all_experience_is_wrong_and_so_are_two_of_one_day() -> None:
    most = Flow(FULL.as_of, MOST)
    assert wrong_of([most, most], NIGHT) == ""
    assert wrong_of([Flow(FULL.as_of, -MOST - 1)], NIGHT) == (
        "it gives a flow of -3,000,000,001 USD for 2025-11-20, which cannot be"
    )
    assert wrong_of([Flow(FULL.as_of, Decimal(-903))], NIGHT) == (
        "it gives a flow of -903 USD for 2025-11-20, which cannot be"
    ), "millions for dollars"
    assert wrong_of([Flow(FULL.as_of, Decimal(0)), Flow(FULL.as_of - DAY, -LEAST)], NIGHT) == ""
    assert wrong_of([flow(FULL)], FULL.as_of - 1) == "it gives a flow for 2025-11-20, which is in the future"
    assert wrong_of([flow(FULL), flow(PARTIAL)], NIGHT) == "it gives two flows for 2025-11-20"


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.integers(at("2025-11-17"), at("2025-12-02")),
)
def test_what_is_final_was_complete_and_late_enough_whatever_is_read_when(
    steps: list[int], start: int
) -> None:
    """Over random reads of November: nothing final is zero, partial, a holiday's, or early."""
    days: dict[int, Judged] = {}
    finals = {one.as_of: sum(one.shares.values()) * 1_000_000 for one in NOVEMBER.days}
    corrected = {
        one.as_of: finals[one.as_of] + one.corrected[1] * 1_000_000 for one in NOVEMBER.days if one.corrected
    }
    now = start
    for step in steps:
        now += step * 900
        days = judge([flow(one) for one in NOVEMBER.rows(now)], days, now)
        for as_of, one in days.items():
            assert XNYS.is_session(day_of(as_of))
            if one.is_final:
                assert one.flow.total in {finals[as_of], corrected.get(as_of)}, date_of(as_of)
                assert now >= as_of + 28 * HOUR and not one.pending


def test_looks_are_at_five_past_the_hours_that_matter_and_at_noon_every_day() -> None:
    looks = [at("2025-11-20 13:00")]
    while looks[-1] < at("2025-11-25"):
        looks.append(next_look(looks[-1], (*FILLING, *SETTLING)))
    friday = [look for look in looks if at("2025-11-20 22:00") < look < at("2025-11-21 13:00")]
    assert [look - at("2025-11-20") for look in friday] == [
        hour * HOUR + 300 for hour in (22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 36)
    ]
    weekend = [look for look in looks if at("2025-11-22 13:00") < look < at("2025-11-24 22:00")]
    assert weekend == [at("2025-11-23 12:05"), at("2025-11-24 12:05")]
