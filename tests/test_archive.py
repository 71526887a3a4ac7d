"""What is remembered of metrics: every word, as it came, of one provider for each series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.news import MOST_IN_TURN, Known, news
from bot.engine.sessions import DAY, HOUR, XNYS, day_of
from bot.metrics import MetricKey, Observation
from bot.store import SqlStore, open_store
from tests.conftest import NOON

pytestmark = pytest.mark.both

FLOW = MetricKey("etf_flow", "btc")
INDEX = MetricKey("fear_greed", "")
FUNDING = MetricKey("funding", "btc/usdt")
TODAY = int(NOON) - int(NOON) % DAY
AT = int(NOON)


def word(day: int, value: str | Decimal, key: MetricKey = FLOW, **changes: object) -> Observation:
    """Say a value about a day so many days before today."""
    one = Observation(key, TODAY - day * DAY, Decimal(value), NOON, source="sosovalue")
    return replace(one, **changes)  # type: ignore[arg-type]


def told(words: Sequence[Observation]) -> list[tuple[int, str, int, float]]:
    return [((TODAY - one.as_of) // DAY, str(one.value), one.revision, one.known_at - AT) for one in words]


async def test_the_first_look_is_history_but_for_the_newest_day(store: SqlStore) -> None:
    noted = await store.note([word(1, "3"), word(2, "2"), word(5, "1")], AT)
    settled = {day: XNYS.settles_at(day_of(TODAY - day * DAY)) - AT for day in (2, 5)}
    assert told(noted.news) == [(5, "1", 0, settled[5]), (2, "2", 0, settled[2]), (1, "3", 0, 0)]


async def test_the_same_again_is_no_news(store: SqlStore) -> None:
    await store.note([word(1, "240.4")], AT)
    assert (await store.note([word(1, "240.40", known_at=AT + 600)], AT + 600)).news == ()
    assert len(await store.recall(FLOW)) == 1


async def test_another_value_is_a_revision_and_so_is_becoming_final(store: SqlStore) -> None:
    await store.note([word(1, "-547.7", is_final=False, pending=("IBIT", "FBTC"))], AT)
    await store.note([word(1, "-547.7", is_final=False, pending=("IBIT",))], AT + 60)
    await store.note([word(1, "-903.2", is_final=False)], AT + 120)
    await store.note([word(1, "-903.2")], AT + 180)
    await store.note([word(1, "-903.4")], AT + 240)
    said = await store.recall(FLOW)
    assert told(said) == [
        (1, "-547.7", 0, 0),
        (1, "-547.7", 1, 60),
        (1, "-903.2", 2, 120),
        (1, "-903.2", 3, 180),
        (1, "-903.4", 4, 240),
    ]
    assert [one.pending for one in said] == [("IBIT", "FBTC"), ("IBIT",), (), (), ()]
    assert [one.is_final for one in said] == [False, False, False, True, True]


async def test_sessions_that_arrive_together_become_known_one_after_the_other(store: SqlStore) -> None:
    await store.note([word(7, "1")], AT - 5 * DAY)
    noted = await store.note([word(7, "1.5"), word(1, "4"), word(2, "3"), word(5, "2")], AT)
    assert told(noted.news) == [(7, "1.5", 1, 0), (5, "2", 0, 0), (2, "3", 0, 1), (1, "4", 0, 2)]


async def test_what_is_older_than_all_that_is_known_is_history(store: SqlStore) -> None:
    await store.note([word(1, "4")], AT - 60)
    noted = await store.note([word(1, "4"), word(2, "3"), word(8, "2")], AT)
    assert [one.known_at < AT - 60 for one in noted.news] == [True, True]


async def test_one_provider_speaks_and_the_other_is_kept(store: SqlStore) -> None:
    await store.note([word(1, "100")], AT)
    other = await store.note([word(2, "50", source="farside"), word(1, "90", source="farside")], AT + 60)
    assert (other.news, other.moved) == ((), ())
    assert {one.source for one in await store.recall(FLOW)} == {"sosovalue"}
    assert (await store.newest())[FLOW].value == 100


async def test_a_provider_that_falls_silent_hands_its_whole_series_over(store: SqlStore) -> None:
    await store.note([word(5, "1"), word(4, "2")], AT - 4 * DAY)
    rows = [word(day, str(10 * day), source="farside") for day in (5, 4, 3, 2)]
    assert (await store.note(rows, AT - DAY)).news == (), "two days are no silence yet"
    noted = await store.note([word(0, "7", source="farside")], AT)
    assert noted.moved == (FLOW,)
    assert told(noted.news) == [(0, "7", 0, 0)]
    assert {one.source for one in await store.recall(FLOW)} == {"farside"}
    back = await store.note([word(3, "3"), word(2, "4"), word(0, "5")], AT + 60)
    assert (back.news, back.moved) == ((), ()), "it does not swing back at once"


async def test_what_comes_often_is_silent_after_hours(store: SqlStore) -> None:
    await store.note([word(0, "0.01", FUNDING, as_of=AT - 7 * HOUR)], AT - 7 * HOUR)
    early = word(0, "0.02", FUNDING, as_of=AT - 2 * HOUR, source="coinglass")
    assert (await store.note([early], AT - 2 * HOUR)).moved == ()
    late = word(0, "0.02", FUNDING, as_of=AT, source="coinglass")
    assert (await store.note([late], AT)).moved == (FUNDING,)


async def test_a_recall_of_late_days_has_the_newest_in_any_case(store: SqlStore) -> None:
    await store.note([word(9, "1"), word(8, "2"), word(3, "3")], AT)
    assert [one.value for one in await store.recall(FLOW, TODAY - 8 * DAY)] == [2, 3]
    assert [one.value for one in await store.recall(FLOW, TODAY)] == [3]
    assert await store.recall(INDEX) == []


async def test_the_archive_survives_a_restart(store: SqlStore, database: str) -> None:
    await store.note([word(2, "0.1"), word(1, "24", INDEX), word(2, "1", source="farside")], AT)
    before = await store.recall(FLOW), await store.newest()
    again = await open_store(database)
    assert (await again.recall(FLOW), await again.newest()) == before
    assert (await again.note([word(2, "0.1")], AT + 60)).news == ()
    await again.close()


VALUES = st.sampled_from(["-1", "0", "1", "2"])
LOOKS = st.lists(
    st.dictionaries(st.integers(0, 12), st.tuples(VALUES, st.booleans()), min_size=1), min_size=1, max_size=6
)


@given(LOOKS)
def test_the_last_word_about_a_day_is_what_was_said_last(looks: list[dict[int, tuple[str, bool]]]) -> None:
    kept: list[Observation] = []
    said: dict[int, tuple[str, bool]] = {}
    for turn, look in enumerate(looks):
        at = AT + turn * 600
        arrived = [word(day, value, is_final=final) for day, (value, final) in look.items()]
        last = {one.as_of: one for one in kept}
        as_ofs = list(last)
        known = Known(min(as_ofs, default=None), max(as_ofs, default=None), last)
        fresh = news(arrived, known, at)
        assert news(arrived, replace(known, words={**last, **{one.as_of: one for one in fresh}}), at) == []
        assert all(one.known_at <= at + MOST_IN_TURN for one in fresh)
        new = [one for one in fresh if known.newest is not None and one.as_of > known.newest]
        assert [one.known_at for one in new] == sorted({one.known_at for one in new}), "each in its turn"
        kept += sorted(fresh, key=lambda one: one.revision)
        said |= {day: one for day, one in look.items() if said.get(day) != (one[0], True)}
    final = {one.as_of: one for one in kept}
    assert {(TODAY - at) // DAY: (str(one.value), one.is_final) for at, one in final.items()} == said
    for as_of in final:
        assert [one.revision for one in kept if one.as_of == as_of] == list(
            range(sum(one.as_of == as_of for one in kept))
        )


async def test_what_was_final_stays_so_though_its_source_forgot_that(store: SqlStore) -> None:
    await store.note([word(1, "-903.2")], AT)
    again = word(1, "-903.2", is_final=False, pending=("IBIT",))
    assert (await store.note([again], AT + 60)).news == ()
    (other,) = (await store.note([word(1, "-905", is_final=False)], AT + 120)).news
    assert (other.revision, other.is_final) == (1, False)
