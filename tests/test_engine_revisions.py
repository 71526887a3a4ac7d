"""What a source says again of a session: late rings, rings taken back, what waits for the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.grounds import ground
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.partition import Partition
from bot.engine.sessions import XNYS, day_of, midnight_of
from bot.engine.state import AlertState, Correction, Resolution, Revised, Ring, Transition
from bot.engine.step import step
from bot.engine.world import World
from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Observation, point
from bot.store.rows import read_state, written_state
from tests.markets import BTC, life_of

HOUR, DAY = 3600, 86400
FLOW, ETHER = MetricKey("etf_flow", "btc"), MetricKey("etf_flow", "eth")
MONDAY = int(np.datetime64("2025-11-17", "s").astype(int))
SESSIONS = [midnight_of(day) for day in XNYS.sessions_between(day_of(MONDAY), day_of(MONDAY + 20 * DAY))]


def said(
    session: int,
    value: float,
    after: float = 0,
    *,
    key: MetricKey = FLOW,
    is_final: bool = True,
    revision: int = 0,
) -> Observation:
    """Say a value of the n-th session, so many hours after it settles."""
    as_of = SESSIONS[session]
    known_at = XNYS.settles_at(day_of(as_of)) + after * HOUR
    return Observation(key, as_of, Decimal(str(value)), known_at, is_final, revision)


@dataclass
class Run:
    """An arming over what becomes known; what was stored goes through rows at each restart."""

    life: Life
    told: list[Transition] = field(default_factory=list)
    partition: Partition = field(default_factory=Partition)
    words: list[Observation] = field(default_factory=list)
    judged_to: dict[MetricKey, int] = field(default_factory=dict)
    stored: AlertState | None = None

    def __post_init__(self) -> None:
        self.stored = self.partition.add(1, self.life, None)

    def take(self, at: float, words: Sequence[Observation] = (), bars: Sequence[Bar] = ()) -> None:
        """Judge one batch."""
        self.words.extend(words)
        runs = (Bars(BTC, tuple(bars)),) if bars else ()
        self.partition.observe(Batch("made", at, runs, observations=tuple(words)))
        plan = self.partition.plan()
        assert not plan.broken
        self.told.extend(transition for _, transition in plan.told)
        if plan.changed:
            self.stored = plan.states[1]
        self.judged_to.update(plan.judged_to)
        self.partition.apply(plan)

    def restart(self) -> None:
        """Begin again from what was stored."""
        assert self.stored is not None
        state = read_state(Stored(written_state(1, self.stored)))
        assert state == self.stored
        self.partition = Partition()
        self.partition.recall(self.life, self.words)
        state = self.partition.resume_from(self.life, state, self.judged_to)
        self.partition.add(1, self.life, state)


class Stored(dict[str, object]):
    """A row as the store gives it."""

    __getattr__ = dict.__getitem__


def run(rule: str, *words: Observation) -> list[Transition]:
    """Make an alert before anything is known, and judge each word as it comes."""
    one = Run(life_of(rule, made_at=SESSIONS[0]))
    for at in sorted({word.known_at for word in words}):
        one.take(at, [word for word in words if word.known_at == at])
        one.restart()
    return one.told


def kinds(told: Sequence[Transition]) -> list[tuple[str, int, float]]:
    return [(type(one).__name__, one.episode, getattr(one, "value", 0.0)) for one in told]


BEFORE = said(0, 75.4)


@pytest.mark.parametrize(
    ("rule", "words", "expected"),
    [
        pytest.param(
            "etf_flow(btc) < -500",
            (said(1, -600), said(1, -400, 2), said(2, -700)),
            [("Ring", 1, -600), ("Correction", 1, -600), ("Ring", 2, -700)],
            id="a ring made untrue is taken back, and an alert of one ring is armed again",
        ),
        pytest.param(
            "etf_flow(btc) < -500",
            (said(1, -600), said(1, -400, 2), said(1, -300, 3)),
            [("Ring", 1, -600), ("Correction", 1, -600)],
            id="it is taken back once",
        ),
        pytest.param(
            "etf_flow(btc) < -500",
            (said(1, -600), said(1, -650, 2), said(2, -700)),
            [("Ring", 1, -600)],
            id="a correction that leaves it true tells nothing",
        ),
        pytest.param(
            "etf_flow(btc) < -500",
            (said(1, -400), said(1, -600, 2)),
            [("Ring", 1, -600)],
            id="a correction that makes it true rings",
        ),
        pytest.param(
            "etf_flow(btc) < -500 repeat cooldown 7d",
            (said(1, -600), said(1, -400, 2), said(1, -600, 3)),
            [("Ring", 1, -600), ("Correction", 1, -600), ("Ring", 2, -600)],
            id="a ring that was taken back has no cooldown",
        ),
        pytest.param(
            "etf_flow(btc) < -500",
            (said(1, -600), said(2, -100), said(1, -400, 26)),
            [("Ring", 1, -600)],
            id="an older session takes nothing back",
        ),
        pytest.param(
            "etf_flow(btc) < -500",
            (said(1, -600), said(2, -100), said(1, -400, 24)),
            [("Ring", 1, -600)],
            id="a session is older from the very instant at which the next one is known",
        ),
        pytest.param(
            "etf_flow(btc) < -500 resolve",
            (said(1, -600), said(1, -400, 2)),
            [("Ring", 1, -600), ("Correction", 1, -600)],
            id="what is taken back is not over besides",
        ),
        pytest.param(
            "etf_flow(btc) > 0 for 3 sessions",
            (said(1, 5), said(2, -5), said(3, 5), said(2, 5, 30), said(4, 5)),
            [("Ring", 1, 5)],
            id="an older session that becomes true waits for the next",
        ),
        pytest.param(
            "etf_flow(btc) > 0 for 3 sessions",
            (said(1, -5), said(2, 5), said(3, 5), said(4, 6), said(3, -6, 26)),
            [("Ring", 1, 6)],
            id="an older session that becomes untrue takes nothing back",
        ),
        pytest.param(
            "etf_flow(btc) > 0 for 3 sessions",
            (
                *(said(1, -5), said(2, 5), said(3, 5), said(4, 6), said(4, -6, 3)),
                *(said(5, 7), said(6, 8), said(7, 9)),
            ),
            [("Ring", 1, 6), ("Correction", 1, 6), ("Ring", 2, 9)],
            id="the third session of three is taken back, and the count begins anew",
        ),
        pytest.param(
            "etf_flow(btc) > 0 for 4 sessions",
            (
                said(1, 5),
                said(2, 5),
                said(3, 5),
                said(4, 5),
                said(5, -5),
                *(said(one, 7) for one in range(6, 10)),
            ),
            [("Ring", 1, 7)],
            id="with fewer known than are counted nobody knows, and who never was clear does not ring",
        ),
        pytest.param(
            "streak(etf_flow(btc)) >= 2",
            (said(1, 5), said(1, -6, 3), said(2, 7)),
            [("Ring", 1, 2), ("Correction", 1, 2)],
            id="a streak",
        ),
        pytest.param(
            "etf_flow(btc) crosses above 0",
            (said(1, -5), said(2, 6), said(2, -1, 2), said(2, 3, 4)),
            [("Ring", 1, 6), ("Correction", 1, 6), ("Ring", 2, 3)],
            id="a crossing that was none",
        ),
        pytest.param(
            "etf_flow(btc) crosses below 0",
            (said(1, -5), said(2, 6), said(2, -1, 2)),
            [("Ring", 1, -5)],
            id="a corrected figure does not cross from its old word to the new one",
        ),
        pytest.param(
            "etf_flow(btc) crosses 0 repeat cooldown 0m",
            (said(1, -5), said(2, -6), said(2, 6, 1), said(2, -1, 2)),
            [("Ring", 1, -5), ("Ring", 2, 6), ("Correction", 2, 6)],
            id="a crossing either way",
        ),
        pytest.param(
            "etf_flow(btc) enters -10 .. -1 repeat cooldown 0m",
            (said(1, -5), said(2, -60), said(2, -6, 1), said(3, -8), said(3, -80, 1)),
            [("Ring", 1, -5)],
            id="an entry",
        ),
        pytest.param(
            "etf_flow(btc) < 0 and etf_flow(eth) < 0",
            (said(1, -5), said(1, -1, 1, key=ETHER), said(2, -7), said(1, 1, 25, key=ETHER)),
            [("Ring", 1, -5), ("Correction", 1, -5)],
            id="of two metrics one has the next session already, and the other is corrected",
        ),
        pytest.param(
            "etf_flow(btc) < 0 or etf_flow(eth) < 0",
            (said(0, 1, key=ETHER), said(1, -5), said(1, -1, 1, key=ETHER), said(1, 5, 2)),
            [("Ring", 1, -5), ("Correction", 1, -5), ("Ring", 2, -1)],
            id="what is true for another reason by now rings for that",
        ),
        pytest.param(
            "etf_flow(btc) < -500",
            (said(1, -547.7, -2.5, is_final=False), said(1, -903.2)),
            [("Ring", 1, -903.2)],
            id="an unfinished session is not seen",
        ),
        pytest.param(
            "etf_flow(btc) < -500 provisional",
            (said(1, -547.7, -2.5, is_final=False), said(1, -903.2)),
            [("Ring", 1, -547.7)],
            id="an unfinished session rings once where it is asked for",
        ),
        pytest.param(
            "etf_flow(btc) < 0 provisional",
            (said(1, -12.5, -2.5, is_final=False), said(1, 30), said(1, 40, 1)),
            [("Ring", 1, -12.5), ("Correction", 1, -12.5)],
            id="the final figure turns the sign of the unfinished one",
        ),
    ],
)
def test_a_correction_is_heard_where_it_is_of_the_newest_session(
    rule: str, words: tuple[Observation, ...], expected: list[tuple[str, int, float]]
) -> None:
    assert kinds(run(rule, BEFORE, *words)) == expected


def test_a_late_ring_names_the_figure_and_what_it_was() -> None:
    told = run("etf_flow(btc) < -500", BEFORE, said(1, -400), said(1, -600, 2))
    (ring,) = told
    assert isinstance(ring, Ring)
    assert ring.revised == Revised("etf_flow(btc)", SESSIONS[1], -400, -600, ring.at)
    assert ring.at == said(1, 0, 2).known_at


def test_the_first_final_figure_is_not_late() -> None:
    words = (BEFORE, said(1, -400, -2, is_final=False), said(1, -600))
    for rule in ("etf_flow(btc) < -500", "etf_flow(btc) < -500 provisional"):
        (ring,) = run(rule, *words)
        assert isinstance(ring, Ring)
        assert ring.revised is None


def test_a_ring_of_another_metric_is_not_late_because_a_figure_was_corrected_with_it() -> None:
    both = run(
        "etf_flow(btc) < 0 and etf_flow(eth) < 0",
        BEFORE,
        said(0, 1, key=ETHER),
        said(1, -5),
        replace(said(1, -6, 3), revision=1),
        said(1, -1, 3, key=ETHER),
    )
    assert [one.revised for one in both if isinstance(one, Ring)] == [None]


def test_a_correction_says_what_was_told_and_what_the_source_says_now() -> None:
    (ring, correction) = run("streak(etf_flow(btc)) >= 2", BEFORE, said(1, 5), said(1, -6, 3))
    assert isinstance(correction, Correction)
    assert (correction.at, correction.value) == (ring.at, 2)
    assert correction.revised == Revised("etf_flow(btc)", SESSIONS[1], 5, -6, said(1, 0, 3).known_at)


# --- with prices --------------------------------------------------------------------------------------------


def priced(rule: str, price: float, *words: Observation, prices: Sequence[float] = ()) -> list[Transition]:
    """Judge minutes from the settlement of session 1 on; words of session 0 are known before."""
    start = int(said(1, 0).known_at)
    life = life_of(rule, made_at=start)
    one = Run(life)
    one.take(start, [BEFORE, *[word for word in words if word.known_at <= start]])
    for place, close in enumerate([price, *prices]):
        at = start + (place + 1) * MINUTE
        arrived = [word for word in words if at - MINUTE < word.known_at <= at]
        one.take(at + MINUTE, arrived, [Bar(at, close, close, close, close)])
    return one.told


MINUTES = 1 / 60


@pytest.mark.parametrize(
    "rule", ["btc/usdt < 100 and etf_flow(btc) < 0", "btc/usdt < 100 and streak(etf_flow(btc)) < 0"]
)
def test_a_ring_of_price_and_figure_is_taken_back_although_the_price_has_gone_on(rule: str) -> None:
    told = priced(rule, 105, said(1, -5), said(1, 5, 5 * MINUTES), prices=[99, 105, 105, 105, 105, 105])
    assert [type(one) for one in told] == [Ring, Correction]


def test_a_ring_that_its_price_alone_bears_out_stands() -> None:
    rule = "btc/usdt < 100 or etf_flow(btc) < -900"
    told = priced(rule, 105, said(1, -5), said(1, 5, 5 * MINUTES), prices=[99, 105, 105, 105, 105])
    assert [type(one) for one in told] == [Ring]


def test_a_ring_that_its_figure_alone_bore_is_taken_back() -> None:
    rule = "btc/usdt < 100 or etf_flow(btc) < -900"
    words = (said(1, -5), said(1, -950, 3 * MINUTES), said(1, 5, 5 * MINUTES))
    told = priced(rule, 105, *words, prices=[105] * 6)
    assert [type(one) for one in told] == [Ring, Correction]
    assert isinstance(told[0], Ring)
    assert told[0].revised == Revised("etf_flow(btc)", SESSIONS[1], -5, -950, told[0].at)


def test_what_nobody_can_say_any_more_is_not_taken_back() -> None:
    rule = "btc/usdt > highest(btc/usdt, 2m) or etf_flow(btc) < -900"
    words = (said(1, -5), said(1, -950, 6 * MINUTES), said(1, 5, 8 * MINUTES))
    assert [type(one) for one in priced(rule, 105, *words, prices=[105] * 9)] == [Ring]


def test_a_word_in_the_middle_of_a_long_batch_is_judged_in_its_minute() -> None:
    start = int(said(1, 0).known_at)
    one = Run(life_of("btc/usdt < 100 and etf_flow(btc) < -900 repeat", made_at=start))
    one.take(start, [BEFORE, said(1, -5)])
    bars = [Bar(start + place * MINUTE, 95, 95, 95, 95) for place in range(1, 60)]
    one.take(bars[-1].end, [said(1, -950, 0.5)], bars)
    assert [ring.at for ring in one.told] == [start + HOUR / 2]


# --- against a trader with a pencil -------------------------------------------------------------------------

Truth = Callable[[list[float]], bool | None]
RULES: dict[str, Truth | str] = {
    "etf_flow(btc) > 0": lambda values: values[-1] > 0,
    "etf_flow(btc) <= -1": lambda values: values[-1] <= -1,
    "etf_flow(btc) > 0 for 3 sessions": lambda values: (
        False if min(values[-3:]) <= 0 else True if len(values) > 2 else None
    ),
    "streak(etf_flow(btc)) <= -2": lambda values: len(values) > 1 and max(values[-2:]) < 0,
    "etf_flow(btc) crosses 0": "",
    "etf_flow(btc) crosses above 0": "above",
    "etf_flow(btc) crosses below 0": "below",
}


@dataclass
class Trader:
    """Keeps a table of sessions on paper, and calls out what the language promises."""

    rule: Truth | str
    is_once: bool
    provisional: bool
    called: list[tuple[str, int, float]] = field(default_factory=list)
    table: dict[int, float] = field(default_factory=dict)
    notes: dict[int, float] = field(default_factory=dict)
    sides: dict[int, int] = field(default_factory=dict)
    was_final: bool = False
    was_pulse: bool = False
    armed: bool = False
    rang_on: int | None = None
    has_rung: bool = False
    episode: int = 0

    def hear(self, at: float, words: Sequence[Observation]) -> None:
        words = [word for word in words if self.provisional or word.is_final]
        newest = max(self.table, default=-1)
        coming = max((word.as_of for word in words), default=-1)
        self.notes |= {word.as_of: float(word.value) for word in words if word.as_of < max(newest, coming)}
        if coming < newest or not words:
            return
        is_new, last = coming > newest, next(word for word in reversed(words) if word.as_of == coming)
        if is_new:
            self.table |= self.notes
            self.notes, self.was_pulse = {}, False
            self.sides[coming] = self.sides.get(-newest, 0)
        was_settled = not is_new and self.was_final
        self.table[coming], self.was_final = float(last.value), last.is_final
        holds = self.holds(coming)
        if not is_new and self.rang_on == coming and holds is False:
            self.called.append(("Correction", self.episode, 0.0))
            self.armed, self.rang_on, self.has_rung = True, None, False
        if XNYS.is_overdue(day_of(coming), at):
            return
        is_true = holds is True and not self.was_pulse
        if isinstance(self.rule, str):
            self.was_pulse = holds is True
        if is_true and self.armed and not (self.is_once and self.has_rung):
            self.episode += 1
            self.called.append(("late" if was_settled else "Ring", self.episode, at))
            self.rang_on, self.has_rung = coming, True
            self.armed = isinstance(self.rule, str)
        else:
            self.armed = self.armed or isinstance(self.rule, str) or holds is False

    def holds(self, newest: int) -> bool | None:
        values = [self.table[session] for session in sorted(self.table)]
        if not isinstance(self.rule, str):
            return self.rule(values)
        before, side = self.sides[newest], (values[-1] > 0) - (values[-1] < 0)
        self.sides[-newest] = side or (before if self.rule else 0)  # what has reached zero stands on it
        if not self.rule:
            return before not in (0, side)
        return side == -before == (1 if self.rule == "above" else -1)


@st.composite
def histories(draw: st.DrawFn) -> list[Observation]:
    """Draw sessions that settle in time, some of them told before they do, and said again later."""
    value = st.integers(-2, 2)
    words = []
    for session in range(draw(st.integers(2, 7))):
        if draw(st.booleans()):
            words.append(said(session, draw(value), -2, is_final=False))
        words.append(said(session, draw(value), draw(st.sampled_from([0, 0, 1, 3])), revision=1))
        for count in range(draw(st.integers(0, 3))):
            delay = draw(st.sampled_from([3.5, 4, 6, 10, 24, 25, 30, 49, 80]))
            words.append(said(session, draw(value), delay, revision=2 + count))
    return sorted(words, key=lambda word: (word.known_at, word.as_of, word.revision))


def heard(told: Sequence[Transition]) -> list[tuple[str, int, float]]:
    found = []
    for one in told:
        match one:
            case Ring():
                found.append(("late" if one.revised else "Ring", one.episode, one.at))
            case Correction():
                found.append(("Correction", one.episode, 0.0))
            case Resolution():
                found.append(("Resolution", one.episode, one.at))
            case _:
                raise AssertionError(one)
    return found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_trader_with_a_pencil_calls_out_the_same(data: st.DataObject) -> None:
    """Random histories of corrections, looked at in random batches, with restarts between them."""
    words = data.draw(histories())
    rule = data.draw(st.sampled_from(list(RULES)))
    mode = data.draw(st.sampled_from(["once", "repeat cooldown 0m"]))
    provisional = data.draw(st.booleans())
    trader = Trader(RULES[rule], mode == "once", provisional)
    one = Run(life_of(f"{rule} {mode}{' provisional' if provisional else ''}", made_at=SESSIONS[0]))
    instants = sorted({word.known_at for word in words})
    waiting: list[Observation] = []
    for at in instants:
        arrived = [word for word in words if word.known_at == at]
        trader.hear(at, arrived)
        waiting.extend(arrived)
        if at == instants[-1] or data.draw(st.booleans()):
            one.take(at + data.draw(st.sampled_from([0, 0.5, 30])), waiting)
            waiting = []
            if data.draw(st.integers(0, 2)) == 0:
                one.restart()
    assert heard(one.told) == trader.called
    corrected = [one.episode for one in one.told if isinstance(one, Correction)]
    assert len(corrected) == len(set(corrected))
    assert [one.episode for one in one.told if isinstance(one, Ring)] == list(range(1, trader.episode + 1))


MIXED = [
    "btc/usdt < 100 and etf_flow(btc) < 0",
    "btc/usdt < 98 or etf_flow(btc) < 0",
    "btc/usdt crosses 100 and etf_flow(btc) > 0",
    "(btc/usdt < 101 and etf_flow(btc) < 0) for 2m",
    "2 of (btc/usdt < 100, etf_flow(btc) > 0, etf_flow(eth) > 0)",
    "btc/usdt > 99 and etf_flow(btc) crosses above 0",
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_batches_and_restarts_change_nothing_that_is_told_of_prices_with_figures(data: st.DataObject) -> None:
    start = int(said(1, 0).known_at)
    rule = f"{data.draw(st.sampled_from(MIXED))} {data.draw(st.sampled_from(['once', 'repeat cooldown 1m']))}"
    closes = data.draw(st.lists(st.integers(96, 104), min_size=5, max_size=25))
    bars = [Bar(start + n * MINUTE, close, close, close, close) for n, close in enumerate(closes)]
    words = [BEFORE, said(0, 1, key=ETHER)]
    for place in range(data.draw(st.integers(1, 6))):
        minute = data.draw(st.integers(1, 60 * len(closes)))
        session = data.draw(st.sampled_from([1, 1, 1, 2]))
        key = data.draw(st.sampled_from([FLOW, FLOW, ETHER]))
        word = said(session, data.draw(st.sampled_from([-5, 5])), key=key, revision=place)
        words.append(replace(word, known_at=start + minute))
    told = []
    for is_whole in (True, False):
        one, done = Run(life_of(rule, 100, made_at=start)), 0
        while done < len(bars):
            count = len(bars) if is_whole else data.draw(st.integers(1, 6))
            piece = bars[done : done + count]
            since = bars[done].at if done else 0
            one.take(piece[-1].end, [w for w in words if since < w.known_at <= piece[-1].end], piece)
            done += count
            if not is_whole and data.draw(st.booleans()):
                one.restart()
        told.append(one.told)
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "part",
    [
        "btc/usdt > sma(btc/usdt, 3, 1h)",
        "rsi(btc/usdt, 14, 4h) < 30",
        "close(btc/usdt, 1d) < 98000",
        "highest(high(btc/usdt, 1h), 4h) > 5",
        "btc/usdt > highest(btc/usdt, all)",
        "btc/usdt < lowest(btc/usdt, 4h)",
        "change(btc/usdt, 7d) < -3%",
        "btc/usdt moves down 5% in 1h",
        "btc/usdt every 2%",
        "corr(btc/usdt, spx, 60d) < 0.4",
        "volume_24h(btc/usdt) > 5",
        "btc/usdt / eth/usdt > 3",
        "delta(metric(coins), 7d) > 3",
    ],
)
def test_a_ring_is_heard_again_whatever_else_is_in_its_rule(part: str) -> None:
    """What prices were is not known any more, and a figure that is untrue suffices."""
    start = int(said(1, 0).known_at)
    life = life_of(f"{part} and etf_flow(btc) < 0", made_at=start)
    world = World()
    for key, calendar in life.calendars.items():
        world.follow_metric(key, calendar)
    world.note(said(1, -5))
    for key in life.priced:
        world.follow(key, life.spans[key])
    minute = Minute(start, {key: point(100.0, start) for key in life.priced}, world)
    memory = (None,) * life.slots
    state = AlertState(
        start + MINUTE,
        is_firing=True,
        episode=1,
        rang_at=start,
        memory=memory,
        grounds=ground(minute, memory, life, -5, 0),
    )
    world.note(said(1, 5, 1))
    later = start + HOUR
    bars = {key: point(100.0, later) for key in life.priced}
    after, told = step(state, Minute(later, bars, world, span=MINUTE if bars else 0), life)
    assert [type(one) for one in told] == [Correction]
    assert after.is_armed and after.grounds is None
