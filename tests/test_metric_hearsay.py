"""What a process knows of providers that another one looks at, and what it asks them itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.codec import Unreadable
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.board import MetricFeeds, build_metrics
from bot.feeds.metrics.hearsay import SILENT, MetricTidings, Refused, read_metrics, word_metrics
from bot.feeds.metrics.notes import Notes
from bot.feeds.metrics.provider import Means, Offer, Plug
from bot.metrics import Health, MetricKey, Observation, Want
from bot.ports import UnknownInstrument, Unseeable
from tests.conftest import SetClock
from tests.test_metric_feed import INDEX, NVDA, SPX, TODAY, YEAR, Crier

OFFERS = (Offer("fear_greed", is_kept=True), Offer("price", ("spx",), lambda name: name.startswith("$")))


@dataclass
class Page:
    """A notebook."""

    pages: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    async def page(self, source: str) -> Mapping[str, Any]:
        return self.pages.get(source, {})

    async def keep_page(self, source: str, page: Mapping[str, Any], now: float) -> None:
        self.pages[source] = page


def metrics(crier: Crier, *, is_watched: bool) -> MetricFeeds:
    plug = Plug("crier", OFFERS, lambda means: crier)
    return build_metrics(None, {}, crier.clock, plugs=(plug,), is_watched=is_watched, jitter=lambda: 0.0)


@pytest.fixture
def owner(clock: SetClock) -> MetricFeeds:
    return metrics(Crier(clock), is_watched=True)


@pytest.fixture
def asked(clock: SetClock) -> Crier:
    """What another process would ask."""
    return Crier(clock)


@pytest.fixture
def other(asked: Crier) -> MetricFeeds:
    return metrics(asked, is_watched=False)


async def tell(owner: MetricFeeds, other: MetricFeeds) -> None:
    for name, word in (await owner.words()).items():
        await other.hear(name, word)


async def test_who_does_not_look_shows_what_the_other_says_and_asks_for_no_schedule(
    owner: MetricFeeds, other: MetricFeeds, asked: Crier
) -> None:
    assert other.looks == ()
    assert owner.looks == owner.feeds
    assert await other.words() == {}
    assert other.health() == [Health("crier")], "nothing is known yet"
    await owner.looks[0].poll([YEAR])
    await tell(owner, other)
    assert list(map(repr, other.health())) == list(map(repr, owner.health()))
    assert other.health()[0].quota == 9
    assert asked.asked == []


async def test_the_newest_value_is_what_the_other_saw_and_the_provider_is_not_asked_twice(
    owner: MetricFeeds, other: MetricFeeds, asked: Crier
) -> None:
    await owner.looks[0].poll([YEAR])
    await tell(owner, other)
    for key in (INDEX, SPX):
        found = await other.ask(key)
        assert (found.key, found.value, found.as_of) == (key, Decimal(24), TODAY)
    assert asked.asked == []
    assert (await other.ask(NVDA)).key == NVDA, "nobody looks at that: it is asked for from here"
    assert [list(some) for some in asked.asked] == [[NVDA]]
    assert owner.feeds[0].due_at([YEAR]) == other.clock.now() + 3600, "which changes nothing there"


async def test_a_provider_that_refuses_another_process_is_not_asked_either(
    owner: MetricFeeds, other: MetricFeeds, asked: Crier, clock: SetClock
) -> None:
    crier = Crier(clock, fault=Fault(Trouble.LIMITED, "crier asks to slow down"))
    failing = metrics(crier, is_watched=True)
    await failing.looks[0].poll([])
    await tell(failing, other)
    assert other.trouble(INDEX) == failing.trouble(INDEX) == "crier asks to slow down"
    assert other.health()[0].failing_since == clock.now()
    with pytest.raises(Unseeable, match="asks to slow down"):
        await other.ask(SPX)
    assert asked.asked == []


async def test_what_could_not_be_read_is_told_with_its_reason(other: MetricFeeds, clock: SetClock) -> None:
    owner = metrics(Crier(clock, refused={SPX: "it is no number"}), is_watched=True)
    await owner.looks[0].poll([YEAR])
    await tell(owner, other)
    assert other.trouble(SPX) == owner.trouble(SPX) == "it is no number"
    assert other.trouble(INDEX) == ""


async def test_metrics_that_nobody_looks_at_are_said_to_be_so_until_somebody_does(
    owner: MetricFeeds, other: MetricFeeds, asked: Crier, clock: SetClock
) -> None:
    await owner.looks[0].poll([])
    await tell(owner, other)
    words = await owner.words()
    clock.time += 60
    assert other.health()[0].is_well
    clock.time += 1
    for name, word in words.items():  # the same again
        await other.hear(name, word)
    (health,) = other.health()
    assert (health.is_well, health.reason, health.failures) == (False, SILENT, 2)
    assert other.trouble(INDEX) == SILENT
    assert (await other.ask(INDEX)).value == 24
    assert len(asked.asked) == 1, "it is asked from here meanwhile"
    await tell(owner, other)
    assert other.health()[0].is_well
    assert other.trouble(INDEX) == ""


async def test_what_was_told_long_before_the_start_is_no_news(
    owner: MetricFeeds, asked: Crier, clock: SetClock
) -> None:
    await owner.looks[0].poll([])
    words = await owner.words()
    clock.time += 3600
    other = metrics(asked, is_watched=False)
    for name, word in words.items():
        await other.hear(name, word)
    assert other.health() == [Health("crier")]
    clock.time += 61
    assert other.health()[0].reason == SILENT


async def test_a_question_writes_nothing_in_the_notes_of_who_looks(clock: SetClock) -> None:
    notebook = Page({"crier": {"asked": 3}})
    seen: list[Mapping[str, Any]] = []

    @dataclass
    class Noting(Crier):
        notes: Notes = field(default_factory=lambda: Notes("crier", None))

        async def read(self, wants: Any, now: float) -> Any:
            seen.append(await self.notes.read())
            await self.notes.write({"asked": 4}, now)
            return await super().read(wants, now)

    def build(means: Means) -> Noting:
        return Noting(clock, notes=Notes("crier", means.notebook))

    plugs = (Plug("crier", OFFERS, build),)
    other = build_metrics(None, {}, clock, plugs=plugs, notebook=notebook, is_watched=False)
    await other.ask(INDEX)
    assert seen == [{"asked": 3}]
    assert notebook.pages == {"crier": {"asked": 3}}
    owner = build_metrics(None, {}, clock, plugs=plugs, notebook=notebook)
    await owner.looks[0].poll([])
    assert notebook.pages == {"crier": {"asked": 4}}


async def test_an_older_value_that_is_corrected_does_not_pass_for_the_newest(clock: SetClock) -> None:
    crier = Crier(clock)
    owner = metrics(crier, is_watched=True)
    await owner.looks[0].poll([])
    before = list(owner.feeds[0].newest())

    async def older(wants: Any, now: float) -> Any:
        look = await Crier.read(crier, wants, now)
        return replace(look, observations=tuple(replace(one, as_of=0) for one in look.observations))

    crier.read = older  # type: ignore[method-assign]
    clock.time += 3600
    await owner.looks[0].poll([])
    assert list(owner.feeds[0].newest()) == before


async def test_a_word_of_something_else_is_refused(other: MetricFeeds) -> None:
    with pytest.raises(ValueError, match="'binance' is not about metrics"):
        await other.hear("binance", b"")
    with pytest.raises(ValueError, match="does not begin with the number of a version"):
        await other.hear("metrics", b"what?")
    with pytest.raises(Unreadable, match="an instant is no number"):
        read_metrics(b'1 [{"at":"Infinity"}]')


async def test_what_nobody_knows_is_still_unknown(other: MetricFeeds, asked: Crier) -> None:
    asked.refused = {NVDA: "there is no such stock"}
    with pytest.raises(UnknownInstrument):
        await other.ask(NVDA)
    with pytest.raises(UnknownInstrument):
        await other.ask(MetricKey("price", "btc/usdt"))


texts = st.text(max_size=6)
floats = st.floats(allow_nan=False, allow_infinity=False)
keys = st.builds(MetricKey, texts, texts, texts)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
told = st.builds(
    MetricTidings,
    floats,
    st.lists(st.builds(Health, texts, st.none() | floats, st.none() | floats, texts), max_size=2).map(tuple),
    st.lists(st.builds(Refused, texts, keys, texts), max_size=2).map(tuple),
    st.lists(st.builds(Observation, keys, st.integers(), decimals, floats), max_size=2).map(tuple),
)


@given(told)
def test_tidings_of_metrics_are_read_as_they_were_worded(one: MetricTidings) -> None:
    read = read_metrics(word_metrics(one))
    assert read == one
    assert repr(read) == repr(one)


async def test_what_nobody_wants_any_more_is_told_no_more(owner: MetricFeeds, clock: SetClock) -> None:
    await owner.looks[0].poll([YEAR, Want(NVDA, TODAY)])
    assert {one.key for one in owner.feeds[0].newest()} == {INDEX, SPX, NVDA}
    clock.time += 3600
    await owner.looks[0].poll([YEAR])
    assert {one.key for one in owner.feeds[0].newest()} == {INDEX, SPX}
