"""Several processes, each looking at some of the exchanges, choose as one that looks at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.codec import Unreadable
from bot.feeds.exchanges.homes import Home, Homes
from bot.feeds.exchanges.listing import Listed, Listing
from bot.feeds.exchanges.standing import Standing
from bot.feeds.exchanges.tidings import Lack, Line, StandIn, Tidings, read_tidings, word_tidings
from bot.feeds.exchanges.venues import Venues
from bot.metrics import Health, MetricKey, Want
from bot.ports import Serving, StreamHealth

NAMES = ("binance", "kraken", "okx")
COINS = ("btc/usdt", "eth/usdt", "sol/usdt")
KEYS = [MetricKey("price", coin, venue) for coin in COINS for venue in ("", *NAMES)]
BTC = KEYS[0]

names = st.sampled_from(NAMES)
coins = st.sampled_from(COINS)
reasons = st.sampled_from(("", "", "it is down", "it is slow"))
listed = st.sets(coins, min_size=1).map(lambda some: {one: Listed(one.upper(), "spot") for one in some})
wants = st.builds(
    Want,
    st.sampled_from(KEYS),
    st.just(0),
    close=st.none() | st.just(100.0),
    source=st.sampled_from(("", "", *NAMES)),
    home=st.sampled_from(("", "", "", *NAMES)),
)


def told(venues: Venues, name: str, at: float) -> Tidings | None:
    tidings = venues.tell(name, at)
    return None if tidings is None else read_tidings(word_tidings(tidings))


class Split(RuleBasedStateMachine):
    """One that looks at all, and three processes: two that share the exchanges, and one that only asks."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.one = Venues(NAMES)
        self.wanted: Sequence[Want] = ()
        self.followed: list[MetricKey] = []

    @initialize(
        shared=st.sets(names),
        known=st.lists(listed | st.none(), min_size=3, max_size=3),
        troubles=st.lists(reasons, min_size=3, max_size=3),
    )
    def begin(self, shared: set[str], known: list[dict[str, Listed] | None], troubles: list[str]) -> None:
        """Every exchange was looked at once, whatever came of it."""
        self.parts = [Venues(NAMES, watched=some, silence=inf) for some in (shared, set(NAMES) - shared, ())]
        for name, listing, trouble in zip(NAMES, known, troubles, strict=True):
            for venues in self.lookers(name):
                if listing is not None:
                    venues.publish(name, Listing(self.now, listing))
                venues.report(name, self.now, trouble, is_final=trouble == "it is slow")
        self.shown: dict[MetricKey, set[str]] = {}
        self.exchange()

    def lookers(self, name: str) -> list[Venues]:
        return [self.one, *(part for part in self.parts if name in part.watched)]

    def exchange(self) -> None:
        """Tell one another everything until there is no more news, and follow what is wanted as looks do."""
        for place in range(4):
            self.check_levels()
            for venues in [self.one, *self.parts] if place == 2 else ():
                venues.follow(self.wanted, self.now)
            for part in self.parts:
                for name in NAMES:
                    for teller in self.parts:
                        if name in teller.watched and name not in part.watched:
                            tidings = told(teller, name, self.now)
                            assert tidings is not None
                            part.hear(tidings, self.now)

    def check_levels(self) -> None:
        """Nobody shows a series at another level than that of its home, before and after what happened."""
        for key in self.followed:
            for part in self.parts:
                name = part.venue_of(key)
                if name in part.watched and part.ratio(name, key) is not None:
                    homes = self.shown.get(key, set()) | {self.one.level_of(name, key)}
                    assert part.level_of(name, key) in homes, (key, name)

    @rule(name=names, listing=listed, others=st.booleans())
    def list_markets(self, name: str, listing: dict[str, Listed], others: bool) -> None:
        self.remember()
        for venues in [*self.parts, self.one] if others else self.lookers(name):
            venues.publish(name, Listing(self.now, listing))
        self.exchange()

    @rule(name=names, reason=reasons, is_final=st.booleans(), seconds=st.sampled_from((5, 40, 130)))
    def look(self, name: str, reason: str, is_final: bool, seconds: int) -> None:
        self.remember()
        self.now += seconds
        for venues in self.lookers(name):
            venues.report(name, self.now, reason, is_final=bool(reason) and is_final)
        self.exchange()

    @rule(name=names, coin=coins, reason=reasons, is_final=st.booleans())
    def look_at_one(self, name: str, coin: str, reason: str, is_final: bool) -> None:
        self.remember()
        self.now += 40
        for venues in self.lookers(name):
            venues.report_series(name, coin, self.now, reason, is_final=bool(reason) and is_final)
        self.exchange()

    @rule(some=st.lists(wants, max_size=5, unique_by=lambda want: want.key))
    def follow(self, some: Sequence[Want]) -> None:
        self.remember()
        self.wanted, self.followed = some, [want.key for want in some]
        for venues in [self.one, *self.parts]:
            venues.follow(some, self.now)
        self.exchange()

    @rule(coin=coins, own=st.sampled_from((99.0, 100.0, 101.0, 200.0)), is_judged=st.booleans())
    def measure(self, coin: str, own: float, is_judged: bool) -> None:
        """Whoever stands in anew measures by how much its prices differ, or is at home."""
        self.remember()
        key = MetricKey("price", coin)
        for venues in [self.one, *self.parts]:
            name = venues.venue_of(key)
            if name in venues.watched and venues.ratio(name, key) is None:
                if is_judged:
                    venues.settle_ratio(name, key, 100.0, own)
                else:
                    venues.settle_home(name, key)
        self.exchange()

    @rule()
    def show(self) -> None:
        """Everybody shows what is to be shown."""
        self.remember()
        for venues in [self.one, *self.parts]:
            for key in self.followed:
                name = venues.venue_of(key)
                if name in venues.watched and venues.ratio(name, key) is not None:
                    venues.show(name, [key])
        self.exchange()

    def remember(self) -> None:
        for key in KEYS:
            name = self.one.venue_of(key)
            self.shown[key] = set() if name is None else {self.one.level_of(name, key)}

    @invariant()
    def all_choose_alike(self) -> None:
        for part in self.parts if self.followed else ():
            for key in self.followed:
                assert part.looker_of(key) == self.one.looker_of(key), key
                assert part.serving(key) == self.one.serving(key), key
            assert part.standing_in() == self.one.standing_in()


Split.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestSplit = Split.TestCase


texts = st.text(max_size=6)
floats = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 10**6)
standings = st.builds(Standing, st.booleans(), floats, counts, st.booleans(), texts)
turns = st.builds(StandIn, st.just("kraken"), floats, texts, st.none() | st.floats(0.84, 1.19))
lines = st.builds(
    Line,
    st.none() | st.booleans(),
    st.booleans(),
    st.none() | st.builds(Lack, counts, floats),
    st.none() | standings,
    st.none() | st.builds(Home, texts, floats, counts, st.booleans()),
    st.none() | turns,
)
healths = st.builds(
    Health,
    texts,
    st.none() | floats,
    st.none() | floats,
    texts,
    counts,
    st.none() | counts,
    counts,
    st.none() | floats,
    counts,
    st.none() | floats,
)
streams = st.builds(StreamHealth, texts, st.none() | floats, reason=texts, is_over=st.booleans())
tidings = st.builds(
    Tidings,
    st.just("kraken"),
    floats,
    standings,
    st.dictionaries(texts, lines, max_size=3),
    st.none() | healths,
    st.none() | streams,
    floats,
)


@given(tidings)
def test_tidings_are_read_as_they_were_worded(told: Tidings) -> None:
    read = read_tidings(word_tidings(told))
    assert read == told
    assert repr(read.health) == repr(told.health)


@given(st.data())
def test_tidings_that_were_cut_are_refused_with_a_sentence(data: st.DataObject) -> None:
    word = word_tidings(data.draw(tidings))
    with pytest.raises(Unreadable, match=r"\w{5}"):
        read_tidings(word[: data.draw(st.integers(0, len(word) - 1))])


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        (b'[{"exchange":"okx","at":"NaN"}]', "an instant is no number"),
        (b'[{"exchange":"okx"}]', "0.at: Field required"),
        (
            b'[{"exchange":"okx","at":1,"lines":{"a":{"turn":{"venue":"okx","since":1,"reason":"","ratio":2}}}}]',
            "no exchange stands in at 2.0 times its prices",
        ),
        (
            b'[{"exchange":"okx","at":1,"lines":{"a":{"turn":{"venue":"kraken","since":1,"reason":""}}}}]',
            "okx tells who else stands in for a",
        ),
        (b" " * 9_000_000, "it is 9000002 bytes long, and no more than 8000000 are read"),
    ],
)
def test_what_cannot_be_true_of_an_exchange_is_refused(of: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable, match=sentence):
        read_tidings(b"1 " + of)


def test_tidings_of_thousands_of_series_are_short() -> None:
    home = Home("binance", 1_762_948_800.123)
    told = Tidings("binance", 1.0, lines={f"coin{n}/usdt": Line(True, home=home) for n in range(5000)})
    assert len(word_tidings(told)) < 500_000


# --- homes --------------------------------------------------------------------------------------------------

homes = st.builds(Home, names, st.integers(0, 3).map(float), st.integers(0, 2), st.booleans())


@given(st.lists(homes, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_which_home_holds_does_not_depend_on_who_was_heard_first(some: list[Home], draw: Random) -> None:
    held = set()
    for _ in range(3):
        draw.shuffle(some)
        settled = Homes(NAMES)
        for home in [*some, *some[:2]]:
            settled.settle("btc/usdt", home)
        held.add(settled.sure("btc/usdt"))
    assert len(held) == 1


def test_what_nobody_judged_moves_and_is_not_moved_back_by_who_settled_it_first() -> None:
    here, there = Homes(NAMES), Homes(NAMES)
    for one in (here, there):
        one.settle("btc/usdt", Home("binance", 10.0))
    here.move("btc/usdt", "kraken", 20.0)
    moved, first = here.sure("btc/usdt"), there.sure("btc/usdt")
    assert moved is not None
    assert first is not None
    there.settle("btc/usdt", moved)
    here.settle("btc/usdt", first)
    assert here.get("btc/usdt") == there.get("btc/usdt") == "kraken"


def test_a_guess_gives_way_to_whatever_is_sure_and_is_made_anew() -> None:
    settled = Homes(NAMES)
    settled.guess("btc/usdt", "binance", 10.0)
    settled.guess("btc/usdt", "kraken", 20.0)
    assert (settled.get("btc/usdt"), settled.sure("btc/usdt")) == ("kraken", None)
    settled.settle("btc/usdt", Home("okx", 30.0))
    settled.guess("btc/usdt", "binance", 40.0)
    assert settled.get("btc/usdt") == "okx"
    settled.settle("btc/usdt", Home("bitmex", 1.0))
    assert settled.get("btc/usdt") == "okx"


# --- silence ------------------------------------------------------------------------------------------------


def heard(at: float, reason: str = "", silence: float = 60.0) -> tuple[Venues, Tidings]:
    """Give who looks at Kraken alone, with what was told of Binance at an instant."""
    told = Venues(NAMES, watched=["binance"])
    told.publish("binance", Listing(at, {"btc/usdt": Listed("BTC/USDT", "spot")}))
    told.follow([Want(BTC, 0)], at)
    told.report("binance", at, reason, is_final=bool(reason))
    venues = Venues(NAMES, watched=["kraken"], silence=silence)
    venues.publish("kraken", Listing(at, {"btc/usdt": Listed("BTC/USDT", "spot")}))
    tidings = told.tell("binance", at)
    assert tidings is not None
    return venues, tidings


def test_the_same_word_again_is_no_sign_of_life() -> None:
    venues, tidings = heard(100.0)
    for now in (100.0, 130.0, 160.0):
        assert venues.hear(tidings, now)
    venues.follow([], 161.0)
    assert not venues.hear(tidings, 162.0)
    assert venues.is_away("binance")
    assert venues.hear(replace(tidings, at=163.0), 163.0)
    assert not venues.is_away("binance")


def test_who_was_never_heard_of_is_waited_for() -> None:
    venues, tidings = heard(100.0)
    venues.follow([], 1000.0)
    assert not venues.hear(tidings, 1001.0), "that was long ago"
    venues.follow([], 1060.0)
    assert not venues.is_away("binance")
    venues.follow([], 1061.0)
    assert venues.is_away("binance")


def test_a_clock_that_is_behind_is_as_good() -> None:
    venues, tidings = heard(100.0)
    assert not venues.hear(tidings, 400.0)
    assert venues.hear(replace(tidings, at=110.0), 410.0)
    venues.follow([], 470.0)
    assert not venues.is_away("binance")
    venues.follow([], 471.0)
    assert venues.is_away("binance")


def test_what_a_question_meets_does_not_change_how_another_process_found_the_exchange() -> None:
    venues, tidings = heard(100.0)
    venues.hear(tidings, 100.0)
    venues.report("binance", 101.0, "binance refuses this country", is_final=True)
    venues.report_series("binance", "btc/usdt", 101.0, "it is bad", is_final=True)
    venues.follow([Want(BTC, 0)], 102.0)
    assert venues.serving(BTC) == Serving("binance", "binance")


def test_a_look_goes_on_from_what_was_known_before_it_and_nothing_that_comes_later() -> None:
    _, tidings = heard(100.0, "it refuses")
    venues = Venues(NAMES, watched=["binance"])
    assert venues.hear(tidings, 110.0)
    assert venues.is_away("binance")
    assert venues.tell("binance", 110.0) is None, "it was not looked at"
    venues.report("binance", 111.0)
    assert venues.is_away("binance"), "trust is won slowly"
    assert not venues.hear(replace(tidings, at=112.0, standing=Standing()), 112.0)
    assert venues.is_away("binance")
    late = Venues(NAMES, watched=["binance"])
    assert not late.hear(tidings, 161.0)
    assert not late.is_away("binance"), "too long ago"
