"""What goes over a tape comes out as it went in, and what several want is wanted as one."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.codec import VERSION
from bot.metrics import Bar, Bars, Batch, Bounds, Doubt, MetricKey, Observation, Print, Unseen, Want
from bot.tape.wants import unite
from bot.tape.words import (
    Cursor,
    Unreadable,
    read_batch,
    read_cursor,
    read_wants,
    word_batch,
    word_cursor,
    word_wants,
)

texts = st.text(max_size=6)
floats = st.floats(allow_nan=False)
wholes = st.integers(-(2**70), 2**70)
keys = st.builds(MetricKey, texts, texts, texts)
decimals = st.decimals(allow_nan=False, allow_infinity=False)


@st.composite
def runs(draw: st.DrawFn) -> Bars:
    at, span = draw(wholes), draw(st.sampled_from((60, 3600)))
    prices = draw(st.lists(st.tuples(*[floats] * 5), max_size=3))
    bars = tuple(Bar(at + place * span, *five, span) for place, five in enumerate(prices))
    return Bars(draw(keys), bars, draw(texts))


def some(of: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=2).map(tuple)


batches = st.builds(
    Batch,
    texts,
    floats,
    some(runs()),
    some(st.builds(Print, keys, floats, floats, texts, st.booleans())),
    some(st.builds(Observation, keys, wholes, decimals, floats, st.booleans(), wholes, texts, some(texts))),
    some(st.builds(Bounds, keys, wholes, wholes, floats, floats, texts)),
    some(st.builds(Doubt, keys, floats, floats, texts, texts)),
    some(st.builds(Unseen, keys, texts)),
    st.booleans(),
    st.booleans(),
)
wants = st.builds(Want, keys, wholes, floats, floats, st.none() | floats, texts, texts)


@given(batches)
def test_a_batch_is_read_as_it_was_worded(batch: Batch) -> None:
    read = read_batch(word_batch(batch))
    assert read == batch
    assert repr(read) == repr(batch)  # minus nought, and the digits of a decimal, too


@given(st.lists(wants, max_size=3))
def test_wants_are_read_as_they_were_worded(several: list[Want]) -> None:
    assert read_wants(word_wants(several)) == several


@given(st.builds(Cursor, wholes, texts, wholes, texts))
def test_a_cursor_is_read_as_it_was_worded(cursor: Cursor) -> None:
    assert read_cursor(word_cursor(cursor)) == cursor


def test_another_version_is_named() -> None:
    with pytest.raises(Unreadable, match=f"worded in version 7, and this program reads {VERSION}"):
        read_batch(word_batch(Batch("here", 1.0)).replace(b"1 ", b"7 ", 1))


@given(st.binary(max_size=40))
def test_bytes_that_are_no_word_are_refused_with_a_sentence(word: bytes) -> None:
    with pytest.raises(Unreadable, match=r"\w{5}"):
        read_batch(word)


@given(st.data())
def test_a_word_that_was_cut_is_refused(data: st.DataObject) -> None:
    word = word_batch(data.draw(batches))
    with pytest.raises(Unreadable, match=r"\w{5}"):
        read_batch(word[: data.draw(st.integers(0, len(word) - 1))])


def test_a_fault_is_named_by_its_place() -> None:
    with pytest.raises(Unreadable, match=r"it is damaged: 0\.at: Input should be a valid number"):
        read_batch(b'1 [{"source":"here","at":"noon"}]')
    with pytest.raises(Unreadable, match="a bar opens at 180, not at 120"):
        bars = (
            '[{"at":60,"open":1,"high":1,"low":1,"close":1},{"at":180,"open":1,"high":1,"low":1,"close":1}]'
        )
        key = '{"metric":"price","instrument":"btc/usdt"}'
        read_batch(f'1 [{{"source":"here","at":1,"bars":[{{"key":{key},"bars":{bars}}}]}}]'.encode())


def test_a_field_of_the_next_version_is_passed_over_and_a_missing_one_has_its_default() -> None:
    assert read_batch(b'1 [{"source":"here","at":1.5,"mood":"calm"}]') == Batch("here", 1.5)


# --- what several want ------------------------------------------------------------------------------------

KEYS = [MetricKey("price", f"{name}/usdt") for name in ("btc", "eth", "sol")]
instants = st.integers(0, 20).map(lambda minute: minute * 60)
prices = st.integers(1, 9).map(float)
wanted = st.builds(
    Want,
    st.sampled_from(KEYS),
    instants,
    st.just(inf) | prices,
    st.just(-inf) | prices,
    st.none() | prices,
    st.sampled_from(("", "binance", "kraken")),
    st.sampled_from(("", "binance", "okx")),
)
of_partitions = st.lists(st.lists(wanted, max_size=4, unique_by=lambda want: want.key), max_size=4)


def concerns(want: Want, price: float) -> bool:
    return not want.floor < price < want.ceiling


@given(of_partitions, prices, instants)
def test_whatever_one_asked_for_is_covered_and_nothing_else(
    several: list[list[Want]], price: float, at: int
) -> None:
    united = {want.key: want for want in unite(*several)}
    asked = [want for some in several for want in some]
    assert united.keys() == {want.key for want in asked}
    for key, want in united.items():
        of_key = [one for one in asked if one.key == key]
        assert concerns(want, price) == any(concerns(one, price) for one in of_key)
        assert (want.since <= at) == any(one.since <= at for one in of_key)


@given(of_partitions)
def test_a_price_that_is_known_is_of_the_earliest_who_knows_one(several: list[list[Want]]) -> None:
    asked = [want for some in several for want in some]
    for want in unite(*several):
        knowing = [one for one in asked if one.key == want.key and one.close is not None]
        assert (want.close is not None) == bool(knowing)
        if knowing:
            first = min(one.since for one in knowing)
            assert (want.close, want.source) in {
                (one.close, one.source) for one in knowing if one.since == first
            }
        homes = {one.home for one in asked if one.key == want.key}
        assert want.home in homes and (want.home or homes == {""})


@given(of_partitions, st.randoms())
def test_the_order_of_partitions_changes_nothing_but_the_order(
    several: list[list[Want]], random: object
) -> None:
    shuffled = several[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert set(unite(*shuffled)) == set(unite(*several))
    assert unite(unite(*several)) == unite(*several)
