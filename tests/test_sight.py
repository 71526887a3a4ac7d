"""What can be seen of each series: when it begins to matter, and when it is seen again."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.history import Point, Points
from bot.engine.sessions import DAY, HOUR, XNYS
from bot.engine.sight import HOLD, Loss, Reach, Sight, Turns, metric_reach, price_reach
from bot.engine.unread import Lapse
from bot.metrics import MINUTE, Batch, MetricKey, Observation, Print, Unseen
from tests.markets import BTC, ETH, START

FEAR = MetricKey("fear_greed", "")
DOWN = "binance does not answer in time"


@dataclass
class Run:
    """A fold over batches, with what was told by series, in order."""

    sight: Sight = field(default_factory=Sight)
    ends: dict[MetricKey, int] = field(default_factory=lambda: {BTC: START, ETH: START})
    reaches: dict[MetricKey, Reach] = field(default_factory=dict)
    told: list[tuple[str, MetricKey, float]] = field(default_factory=list)
    unread: set[MetricKey] = field(default_factory=set)

    def take(self, batch: Batch, *lapses: Lapse) -> Turns:
        self.sight.note(batch)
        reaches = {key: price_reach(end, HOLD) for key, end in self.ends.items()} | self.reaches
        turns = self.sight.turns(batch.at, reaches, lapses, lambda key: key not in self.unread)
        self.sight.apply(turns)
        self.told += [("lost", key, batch.at) for key in sorted(turns.fresh)]
        self.told += [("back", key, batch.at) for key in sorted(turns.back)]
        return turns

    def look(self, minute: float, *seen: MetricKey, reason: str = "") -> Turns:
        """Look at the prices so many minutes after the start: some are seen, the others not."""
        at = START + minute * MINUTE
        for key in seen:
            self.ends[key] = int(at) - 65
        prints = tuple(Print(key, 1.0, at, "binance") for key in seen)
        hidden = tuple(Unseen(key, reason) for key in self.ends if key not in seen and reason)
        return self.take(Batch("binance", at, prints=prints, unseen=hidden))

    def restart(self) -> None:
        """Begin again from what was stored."""
        self.sight = Sight(self.sight.lost)


def kinds(run: Run) -> list[tuple[str, str, int]]:
    return [(kind, key.instrument[:3], round((at - START) / MINUTE)) for kind, key, at in run.told]


def test_a_price_begins_to_be_missed_after_its_bound_and_is_told_once() -> None:
    run = Run()
    for minute in range(8):
        run.look(minute, BTC, ETH)
    for minute in range(8, 40):
        run.look(minute, ETH, reason=DOWN)
    assert kinds(run) == [("lost", "btc", 13)]
    assert run.sight.lost[BTC] == Loss(
        START + 7 * MINUTE, DOWN, "binance", f"lost/btc/usdt/{START + 13 * MINUTE}"
    )
    run.look(40, BTC, ETH)
    assert kinds(run)[1:] == [("back", "btc", 40)]
    assert run.sight.lost == {}


def test_what_one_cause_hides_is_told_together() -> None:
    run = Run()
    run.look(0, BTC, ETH)
    run.look(0.2, ETH)  # a trade came by itself
    for step in range(1, 60):
        run.look(0.2 + step / 6, reason=DOWN)
    (first, second) = run.told
    assert first[2] == second[2]
    assert len({loss.notice for loss in run.sight.lost.values()}) == 1


def test_what_two_causes_hide_is_told_apart() -> None:
    run = Run()
    run.look(0, BTC, ETH)
    for minute in range(1, 8):
        unseen = (Unseen(BTC, DOWN), Unseen(ETH, "binance no longer lists ETH/USDT"))
        run.take(Batch("binance", START + minute * MINUTE, unseen=unseen))
    assert len({loss.notice for loss in run.sight.lost.values()}) == 2


def test_prices_alone_do_not_bring_sight_back_while_minutes_are_missing() -> None:
    run = Run()
    for minute in range(7):
        run.look(minute, reason=DOWN)
    run.take(Batch("binance", START + 7 * MINUTE, prints=(Print(BTC, 1.0, START + 7 * MINUTE),)))
    assert BTC in run.sight.lost


def test_the_time_in_which_the_program_did_not_run_is_no_loss() -> None:
    run = Run()
    run.look(0, BTC, ETH)
    run.restart()
    run.look(600, reason=DOWN)
    run.look(604)
    assert run.told == []
    run.look(600 + HOLD / MINUTE + 0.2, reason=DOWN)
    assert {kind for kind, _, _ in run.told} == {"lost"}
    assert run.sight.lost[BTC].since == START - 65


def test_a_program_that_was_asleep_looks_first() -> None:
    run = Run()
    run.look(0, BTC, ETH)
    run.look(600)
    assert run.told == []


def test_a_restart_neither_repeats_a_loss_nor_forgets_it() -> None:
    run = Run()
    for minute in range(7):
        run.look(minute, ETH, reason=DOWN)
    run.restart()
    for minute in range(7, 20):
        run.look(minute, ETH, reason=DOWN)
    assert kinds(run) == [("lost", "btc", 6)]
    run.restart()
    run.look(20, BTC, ETH)
    assert kinds(run)[1:] == [("back", "btc", 20)]


def test_a_series_that_nobody_waits_for_is_not_missed() -> None:
    run = Run(unread={BTC})
    for minute in range(9):
        run.look(minute, ETH)
    assert run.told == []


def test_a_loss_is_let_go_with_the_last_who_reads_it() -> None:
    run = Run()
    for minute in range(7):
        run.look(minute, ETH)
    del run.ends[BTC]
    assert run.look(8, ETH).let_go == {BTC}
    assert run.sight.lost == {}


def test_a_loss_remembers_what_of_it_is_gone() -> None:
    run = Run()
    for minute in range(7):
        run.look(minute, ETH)
    gone = Lapse(BTC, START, START + HOUR, None, None, (1,))
    run.take(Batch("binance", START + 7 * MINUTE), gone)
    assert run.sight.lost[BTC].gone == ((START, START + HOUR),)
    more = Lapse(BTC, START + 2 * HOUR, START + 3 * HOUR, None, None, (1,))
    run.take(Batch("binance", START + 7 * MINUTE + 5), more)
    turns = run.look(8, BTC, ETH)
    assert turns.back[BTC].gone == ((START, START + HOUR), (START + 2 * HOUR, START + 3 * HOUR))


@pytest.mark.parametrize(
    ("points", "lost_at"),
    [
        pytest.param(
            Points([Point(START // DAY * DAY, START, 1.0)], XNYS), 1_763_125_200 - START, id="sessions"
        ),
        pytest.param(
            Points([Point(START // DAY * DAY, START, 1.0)]), START // DAY * DAY + 4 * DAY - START, id="days"
        ),
        pytest.param(Points([Point(START // DAY * DAY, START, 1.0)], lasts=True), 3 * DAY, id="one's own"),
        pytest.param(Points([Point(START + 5, START, 1.0)]), 6 * HOUR, id="hours"),
        pytest.param(Points(), 3 * DAY, id="never heard"),
    ],
)
def test_a_metric_is_missed_once_its_next_value_is_overdue(points: Points, lost_at: float) -> None:
    run = Run(ends={})
    for step in range(0, 5 * DAY, 240):
        run.reaches = {FEAR: metric_reach(points, START + step)}
        run.take(Batch("provider", START + step))
        if run.told:
            break
    (told,) = run.told
    assert lost_at < told[2] - START <= lost_at + 240


@pytest.mark.parametrize("lasts", [True, False])
def test_who_repeats_what_is_long_past_is_heard_only_where_values_last(lasts: bool) -> None:
    run = Run(ends={})
    for hours in range(100):
        at = START + hours * HOUR
        run.reaches = {FEAR: metric_reach(Points([Point(START + 5, START, 1.0)], lasts=lasts), at)}
        same = Observation(FEAR, START, Decimal(20), at)
        run.take(Batch("provider", at, observations=(same,)))
        for step in range(1, 15):
            run.take(Batch("binance", at + step * 240))
    assert (run.told == []) == lasts


@given(
    st.lists(
        st.tuples(
            st.integers(5, 400),
            st.sets(st.sampled_from([BTC, ETH])),
            st.sampled_from(["", DOWN, "kraken is away"]),
            st.booleans(),
        ),
        max_size=80,
    )
)
def test_lost_and_back_alternate_and_nothing_is_told_below_the_bound(
    steps: list[tuple[int, set[MetricKey], str, bool]],
) -> None:
    run = Run()
    at, seen_at = 0, {BTC: START, ETH: START}
    for seconds, seen, reason, has_restarted in steps:
        at += seconds
        if has_restarted:
            run.restart()
        before = len(run.told)
        run.look(at / MINUTE, *sorted(seen), reason=reason)
        for key in seen:
            seen_at[key] = START + at
        for kind, key, when in run.told[before:]:
            assert kind == "lost" or key in seen
            assert kind == "back" or when - seen_at[key] > HOLD
    for key in (BTC, ETH):
        of_key = [kind for kind, one, _ in run.told if one == key]
        assert of_key == [("lost", "back")[place % 2] for place in range(len(of_key))]
        assert (key in run.sight.lost) == (len(of_key) % 2 == 1)
