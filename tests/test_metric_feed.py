"""When a provider is asked, what is asked of it, and what of its answers is let through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.board import build_metrics
from bot.feeds.metrics.figures import day_of_text, instant_of, number_of
from bot.feeds.metrics.metric_feed import KEPT, MetricFeed, sift
from bot.feeds.metrics.provider import Look, Means, Offer, Plug
from bot.metrics import MetricKey, Observation, Want
from bot.ports import UnknownInstrument, Unseeable
from tests.conftest import NOON, SetClock

DAY = 86_400
TODAY = int(NOON) - int(NOON) % DAY
INDEX, SPX, NVDA = MetricKey("fear_greed", ""), MetricKey("price", "spx"), MetricKey("price", "$nvda")
YEAR = Want(SPX, TODAY - 364 * DAY)


@dataclass
class Crier:
    """A provider that says what it was told to say, and remembers what it was asked."""

    clock: SetClock
    wait: float = 3600.0
    fault: Exception | None = None
    refused: Mapping[MetricKey, str] = field(default_factory=dict)
    asked: list[dict[MetricKey, int]] = field(default_factory=list)

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        self.asked.append({want.key: (TODAY - want.since) // DAY for want in wants})
        if self.fault is not None:
            raise self.fault
        words = [
            Observation(want.key, TODAY, Decimal(24), now, source="crier")
            for want in wants
            if want.key not in self.refused
        ]
        refused = {want.key: self.refused[want.key] for want in wants if want.key in self.refused}
        return Look(now + self.wait, tuple(words), refused, quota=9)


def plug(crier: Crier, *, is_kept: bool = True) -> Plug:
    offers = (
        Offer("fear_greed", is_kept=is_kept),
        Offer("price", ("spx",), lambda name: name.startswith("$"), example="$nvda"),
    )
    return Plug("crier", offers, lambda means: crier)


@pytest.fixture
def crier(clock: SetClock) -> Crier:
    return Crier(clock)


@pytest.fixture
def feed(crier: Crier, clock: SetClock) -> MetricFeed:
    return MetricFeed(plug(crier), crier, clock, lambda: 0.0)


async def test_it_is_asked_when_it_wants_to_be_and_not_before(
    feed: MetricFeed, crier: Crier, clock: SetClock
) -> None:
    assert feed.due_at([]) <= clock.now()
    assert len((await feed.poll([])).observations) == 1
    assert feed.due_at([]) == clock.now() + 3600
    clock.time += 3599
    assert (await feed.poll([])).observations == ()
    clock.time += 1
    assert len((await feed.poll([])).observations) == 1
    assert len(crier.asked) == 2


async def test_it_may_not_want_to_be_asked_without_rest(
    feed: MetricFeed, crier: Crier, clock: SetClock
) -> None:
    crier.wait = 0.0
    await feed.poll([])
    assert feed.due_at([]) == clock.now() + 60


async def test_what_nobody_wants_is_not_asked_for(crier: Crier, clock: SetClock) -> None:
    idle = MetricFeed(plug(crier, is_kept=False), crier, clock, lambda: 0.0)
    assert idle.due_at([Want(MetricKey("etf_flow", "btc"), 0)]) == float("inf")
    assert (await idle.poll([])).observations == ()
    assert crier.asked == []


async def test_the_first_look_goes_far_back_and_the_next_ones_ten_days(
    feed: MetricFeed, crier: Crier, clock: SetClock
) -> None:
    await feed.poll([YEAR])
    clock.time += 3600
    await feed.poll([YEAR])
    assert crier.asked == [
        {INDEX: KEPT // DAY, SPX: 364},
        {INDEX: 10, SPX: 10},
    ]


async def test_what_is_newly_wanted_is_asked_for_at_once_and_alone(
    feed: MetricFeed, crier: Crier, clock: SetClock
) -> None:
    await feed.poll([])
    due = feed.due_at([])
    clock.time += 60
    assert feed.due_at([YEAR]) <= clock.now()
    await feed.poll([YEAR])
    assert crier.asked[1] == {SPX: 364}
    assert feed.due_at([YEAR]) == due, "the others are asked when they would have been"
    await feed.poll([Want(SPX, TODAY - 2000 * DAY)])
    assert crier.asked[2] == {SPX: 2000}, "further back is new too"


async def test_what_is_newly_wanted_and_told_more_often_brings_the_next_look_forward(
    feed: MetricFeed, crier: Crier, clock: SetClock
) -> None:
    await feed.poll([])
    crier.wait = 300.0
    await feed.poll([YEAR])
    assert feed.due_at([YEAR]) == clock.now() + 300


async def test_what_is_refused_waits_for_the_next_look(
    feed: MetricFeed, crier: Crier, clock: SetClock
) -> None:
    crier.refused = {SPX: "there is no such index"}
    batch = await feed.poll([YEAR])
    assert [(one.key, one.reason) for one in batch.unseen] == [(SPX, "there is no such index")]
    assert feed.trouble(SPX) == "there is no such index"
    assert feed.due_at([YEAR]) == clock.now() + 3600
    crier.refused = {}
    clock.time += 3600
    await feed.poll([YEAR])
    assert crier.asked[-1][SPX] == 364, "it was never read so far back"
    assert feed.trouble(SPX) == ""


async def test_a_provider_that_fails_is_left_alone_longer_and_longer(
    feed: MetricFeed, crier: Crier, clock: SetClock
) -> None:
    crier.fault = Fault(Trouble.PASSING, "crier cannot be reached")
    rests = []
    for _ in range(8):
        batch = await feed.poll([YEAR])
        assert {one.reason for one in batch.unseen} == {"crier cannot be reached"}
        rests.append(feed.due_at([YEAR]) - clock.now())
        clock.time = feed.due_at([YEAR])
    assert rests == [60, 120, 240, 480, 960, 1800, 1800, 1800]
    assert feed.health().failing_since == NOON
    crier.fault = None
    await feed.poll([YEAR])
    assert feed.health().is_well and feed.health().quota == 9


async def test_a_time_that_a_provider_asks_for_is_kept(
    feed: MetricFeed, crier: Crier, clock: SetClock
) -> None:
    crier.fault = Fault(Trouble.LIMITED, "crier asks to slow down (HTTP 429)", retry_after=7200)
    await feed.poll([])
    assert feed.due_at([YEAR]) == clock.now() + 7200
    assert (await feed.poll([YEAR])).unseen == (), "it is not asked meanwhile, whatever is wanted"
    assert len(crier.asked) == 1


async def test_a_mistake_in_a_provider_ends_nothing(feed: MetricFeed, crier: Crier) -> None:
    crier.fault = RuntimeError("with a secret in it")
    batch = await feed.poll([])
    assert "mistake of this program" in batch.unseen[0].reason
    assert "secret" not in batch.unseen[0].reason


async def test_asking_tells_what_is_unknown_from_what_is_unseen(feed: MetricFeed, crier: Crier) -> None:
    assert (await feed.ask(NVDA)).value == 24
    crier.refused = {NVDA: "there is no such stock"}
    with pytest.raises(UnknownInstrument):
        await feed.ask(NVDA)
    crier.fault = Fault(Trouble.PASSING, "crier cannot be reached")
    for _ in range(2):
        with pytest.raises(Unseeable, match="crier cannot be reached"):
            await feed.ask(NVDA)
    assert len(crier.asked) == 3, "who rests is not asked"


def test_providers_that_lack_something_say_what(clock: SetClock, crier: Crier) -> None:
    keyed = Plug("keyed", (Offer("treasury", ("mstr",)),), lambda means: crier, "TOCSIN_K", "from k.example")
    plugs = (keyed, plug(crier))
    metrics = build_metrics(None, {}, clock, plugs=plugs)
    assert [feed.name for feed in metrics.feeds] == ["crier"]
    [offer] = metrics.offers(MetricKey("treasury", "mstr"))
    assert (offer.provider, offer.lacks) == ("keyed", "set TOCSIN_K, from k.example")
    assert metrics.offers(NVDA)[0].lacks == ""
    assert metrics.offers(MetricKey("price", "btc/usdt")) == []
    off = build_metrics(["keyed"], {"TOCSIN_K": "k"}, clock, plugs=plugs)
    assert [feed.name for feed in off.feeds] == ["keyed"]
    assert off.offers(NVDA)[0].lacks == "name crier in TOCSIN_PROVIDERS"
    assert build_metrics([], {}, clock, plugs=plugs).feeds == ()
    assert Means(metrics.http, clock).given == {}


# --- what is let through ------------------------------------------------------------------------------------

WORDS = st.builds(
    Observation,
    key=st.sampled_from([INDEX, SPX, MetricKey("etf_flow", "btc")]),
    as_of=st.integers(-3, 2).map(lambda day: TODAY + day * DAY),
    value=st.sampled_from([Decimal(v) for v in ("-5", "0", "24", "100", "100.1", "NaN", "Infinity")]),
    known_at=st.just(NOON),
    is_final=st.booleans(),
)


@given(st.lists(WORDS, max_size=8), st.sets(st.sampled_from([INDEX, SPX])))
def test_only_what_may_be_true_is_let_through(words: list[Observation], wanted: set[MetricKey]) -> None:
    good, bad = sift(words, dict.fromkeys(wanted), NOON)
    assert {word.key for word in good} | bad.keys() == {word.key for word in words} & wanted
    assert not {word.key for word in good} & bad.keys()
    assert len({(word.key, word.as_of) for word in good}) == len(good)
    for word in good:
        assert word.as_of <= NOON
        assert word.value.is_finite()
        assert word.key != INDEX or 0 <= word.value <= 100
    assert list(good) == sorted(good, key=lambda word: (word.key, word.as_of))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (7, "7"), (Decimal("0.10"), "0.10"), ("47", "47"), (" 1,119.9 ", "1119.9"), ("(44.5)", "-44.5"),
        ("-44.5", "-44.5"), ("\N{MINUS SIGN}44.5", "-44.5"), ("+3", "3"), (".5", "0.5"), ("1e3", "1E+3"),
        ("0.0", "0.0"), ("-", None), ("", None), ("n/a", None), (None, None), (True, None), ([], None),
        ("(-5)", None), ("1,19", None), ("1.2.3", None), ("NaN", None), ("Infinity", None), ("1e999", None),
        (Decimal("NaN"), None), ("9" * 100, None), ("٣", None), ("12 BTC", None), ("e5", None), (1.5, None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_written_or_not_at_all(raw: object, value: str | None) -> None:
    assert number_of(raw) == (None if value is None else Decimal(value))


@pytest.mark.parametrize(
    ("raw", "day"),
    [("2025-11-12", 0), ("12 Nov 2025", 0), ("2025-11-10", -2), ("12/11/2025", None), ("", None),
     (None, None), ("2025-13-01", None), ("1999-01-01", None), (20251112, None)],
)  # fmt: skip
def test_days_are_read_as_the_midnight_that_begins_them(raw: object, day: int | None) -> None:
    assert day_of_text(raw) == (None if day is None else TODAY + day * DAY)


@pytest.mark.parametrize(
    ("raw", "at"),
    [
        (TODAY, TODAY),
        (str(TODAY), TODAY),
        (TODAY * 1000, TODAY),
        (TODAY * 1000 + 999, TODAY),
        ("x", None),
        (0, None),
    ],
)
def test_epochs_are_read_in_seconds_and_milliseconds(raw: object, at: int | None) -> None:
    assert instant_of(raw) == at
