"""Which exchange serves which series: one answer for every feed and for the market."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log as ln

import structlog

from bot.feeds.exchanges.guard import LEAST_BOUND
from bot.feeds.exchanges.listing import Listed, Listing
from bot.feeds.exchanges.standing import Standing
from bot.metrics import Bar, MetricKey, Want
from bot.ports import Serving

PRICE = "price"

_FURTHEST = 1.2
"""By what factor two exchanges may differ about one thing, even on the worst of days."""

_SAME = 1e-9
"""What two floats may differ by that are one price."""

_LISTINGS = 3
_APART = 3600.0
"""So many listings in a row that lack an instrument, at least so many seconds apart, make it delisted."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Lack:
    """So many listings lacked an instrument, the last of them at ``at``."""

    listings: int
    at: float


@dataclass(frozen=True, slots=True)
class _StandIn:
    """Who shows a series instead of its home; ``ratio`` is ``None`` until it was measured."""

    venue: str
    since: float
    reason: str
    ratio: float | None = None


class Venues:
    """The listings and standings of all configured exchanges, in their order.

    A key without a venue has a home: the first exchange that lists it. While that one is away, or does not
    show this series, the next one that lists it stands in. While an exchange that may be the home has not
    said what it lists, and has not failed for long either, the answer is unknown: a series must not wander
    because one was slow. A key with a venue never leaves it.

    What begins while the first one is away, and has listed nothing since the start, is at home with the next:
    where an exchange refuses a whole country, nobody stands in for it for ever. So is what begins while its
    home is away for a while, since there is no price yet at whose level it would go on. A home outlasts a
    restart, at which the first may be back or the home may list it no more: how far exchanges differ is no
    news.

    The feeds write here, all in one thread; anybody may read. ``after_listing`` is called there whenever an
    exchange has said what it lists.
    """

    def __init__(self, names: Sequence[str], after_listing: Callable[[], None] = lambda: None) -> None:
        self.names = tuple(names)
        self._after_listing = after_listing
        self._listings: dict[str, Listing] = {}
        self._standings = dict.fromkeys(self.names, Standing())
        self._series: dict[tuple[str, str], Standing] = {}
        self._lacks: dict[tuple[str, str], _Lack] = {}
        self._kept: dict[tuple[str, str], Listed] = {}
        self._homes: dict[str, str] = {}
        self._stand_ins: dict[str, _StandIn] = {}
        self._followed: frozenset[MetricKey] = frozenset()
        self._instruments: frozenset[str] = frozenset()

    # --- what is listed -------------------------------------------------------------------------------------

    def publish(self, name: str, listing: Listing) -> None:
        """Take over what an exchange lists now; what it lacks of the series here is counted.

        One listing alone makes nothing unseen: the exchange is still asked for what was listed before.
        """
        old = self._listings.get(name)
        self._listings[name] = listing
        for instrument in self._instruments_of(name):
            place = (name, instrument)
            if instrument in listing:
                if self._lacks.pop(place, None) is not None:
                    log.info("listed_again", exchange=name, instrument=instrument)
                self._kept.pop(place, None)
                continue
            before = self._lacks.get(place)
            if old is not None and instrument in old:
                self._kept[place] = old.traded[instrument]
            if before is None:
                self._lacks[place] = _Lack(1, listing.loaded_at)
            elif listing.loaded_at >= before.at + _APART:
                self._lacks[place] = _Lack(before.listings + 1, listing.loaded_at)
            if self.is_delisted(*place) and self._kept.pop(place, None) is not None:
                log.warning("delisted", exchange=name, instrument=instrument)
        self._settle(listing.loaded_at)
        self._after_listing()

    def listing(self, name: str) -> Listing | None:
        """Give what an exchange lists, or ``None`` while it has not said."""
        return self._listings.get(name)

    def listed(self, name: str, instrument: str) -> Listed | None:
        """Give an instrument as an exchange lists it, or listed it until lately."""
        listing = self._listings.get(name)
        found = None if listing is None else listing.traded.get(instrument)
        return found or self._kept.get((name, instrument))

    def kept(self, name: str) -> set[str]:
        """Name ccxt's symbols for what an exchange must still be asked for if its next listing lacks it."""
        found = (self.listed(name, instrument) for instrument in self._instruments_of(name))
        return {listed.symbol for listed in found if listed is not None}

    def is_lacking(self, name: str) -> bool:
        """Whether the listing of an exchange lacks a series that is wanted of it."""
        listing = self._listings.get(name)
        return listing is not None and any(one not in listing for one in self._instruments_of(name))

    def is_delisted(self, name: str, instrument: str) -> bool:
        """Whether an exchange surely lists an instrument no more."""
        lack = self._lacks.get((name, instrument))
        return lack is not None and lack.listings >= _LISTINGS

    def absence(self, name: str, instrument: str) -> str:
        """Say how an instrument is missing in the listing of an exchange."""
        if self.is_delisted(name, instrument):
            return f"{name} no longer lists {instrument.upper()}"
        return f"{name} does not list {instrument.upper()}"

    # --- how they are ---------------------------------------------------------------------------------------

    def follow(self, wants: Iterable[Want], now: float) -> None:
        """Note which series are wanted now, and where each is at home for good."""
        wants = [want for want in wants if want.key.metric == PRICE]
        self._followed = frozenset(want.key for want in wants)
        self._instruments = frozenset(key.instrument for key in self._followed if not key.venue)
        for want in wants:
            instrument = want.key.instrument
            if want.key.venue or instrument in self._homes:
                continue
            if want.home in self.names:
                self._homes[instrument] = want.home
            elif home := self._first_of(instrument):
                # Who was judged last and comes before it was its home, and lists it no more, or not just now.
                before = self.names[: self.names.index(home)]
                judged = want.source if want.source in before else home
                # Of what nobody has judged yet, whoever shows it now is at home: there is no other level.
                self._homes[instrument] = judged if want.source else self._choose(instrument)[1] or home
        self._settle(now)

    def report(self, name: str, now: float, reason: str = "", is_final: bool = False) -> None:
        """Note how a look at an exchange went; without a ``reason`` it went well."""
        self._standings[name] = self._standings[name].after(now, reason, is_final)
        self._settle(now)

    def report_series(
        self, name: str, instrument: str, now: float, reason: str = "", is_final: bool = False
    ) -> None:
        """Note how a look at one series of an exchange went, while the exchange as a whole was well."""
        place = (name, instrument)
        if reason or place in self._series:
            standing = self._series.get(place, Standing()).after(now, reason, is_final)
            if standing.is_failing or standing.is_away:
                self._series[place] = standing
            else:
                del self._series[place]
            self._settle(now, [instrument])

    def is_away(self, name: str) -> bool:
        """Whether an exchange cannot be relied on at present."""
        return self._standings[name].is_away

    # --- who serves -----------------------------------------------------------------------------------------

    def venue_of(self, key: MetricKey) -> str | None:
        """Give the exchange that shows a key; ``None`` if none does, or that is not known yet."""
        name = self.looker_of(key)
        if name is None or key.venue not in {"", name}:
            return None
        return name if self.listed(name, key.instrument) is not None else None

    def looker_of(self, key: MetricKey) -> str | None:
        """Give the exchange whose looks bring a key, or tell why it cannot be seen; ``None`` for no price."""
        if key.metric != PRICE:
            return None
        if key.venue:
            return key.venue if key.venue in self.names else self.names[0]
        home, venue = self._choose(key.instrument)
        return venue or home or self.names[0]

    def serving(self, key: MetricKey) -> Serving | None:
        """Say which exchange shows a series now; ``None`` if none does, or that is not known yet."""
        venue = self.venue_of(key)
        if venue is None:
            return None
        home = venue if key.venue else self._choose(key.instrument)[0] or venue
        if venue == home:
            return Serving(venue, home)
        turn = self._stand_ins.get(key.instrument)
        if turn is None or turn.venue != venue:
            if home not in self._listings and home != self._homes.get(key.instrument):
                return Serving(venue, venue)
            return Serving(venue, home, reason=self._trouble(home, key.instrument))
        return Serving(venue, home, turn.ratio or 1.0, turn.since, turn.reason)

    def standing_in(self) -> dict[MetricKey, Serving]:
        """Name the series without a venue that another exchange than their home shows now."""
        keys = (MetricKey(PRICE, instrument) for instrument in sorted(self._stand_ins))
        found = ((key, self.serving(key)) for key in keys)
        return {key: serving for key, serving in found if serving is not None and serving.is_stand_in}

    def ratio(self, name: str, key: MetricKey) -> float | None:
        """Give what the prices of an exchange are multiplied by for a key; ``None`` if not measured yet."""
        turn = None if key.venue else self._stand_ins.get(key.instrument)
        return 1.0 if turn is None or turn.venue != name else turn.ratio

    def level_of(self, name: str, key: MetricKey) -> str:
        """Name the exchange at whose level one gives a key: the home that it stands in for, or itself."""
        turn = None if key.venue else self._stand_ins.get(key.instrument)
        return name if turn is None or turn.venue != name else self._homes.get(key.instrument, name)

    def settle_ratio(self, name: str, key: MetricKey, judged: float = 1.0, own: float = 1.0) -> bool:
        """Keep how the price that was judged last compares with an exchange's own of then.

        Says whether they are near enough: where not, it is another thing that bears the same name.
        """
        ratio = judged / own
        if not 1 / _FURTHEST <= ratio <= _FURTHEST:
            return False
        turn = self._stand_ins.get(key.instrument)
        if turn is not None and turn.venue == name:
            if abs(ratio - 1) < _SAME and key.instrument not in self._homes:
                self.settle_home(name, key)
            else:
                self._stand_ins[key.instrument] = replace(turn, ratio=ratio)
        return True

    def settle_home(self, name: str, key: MetricKey) -> None:
        """Keep that a series is at home with one who stood in: nothing was judged at another level."""
        self._stand_ins.pop(key.instrument, None)
        self._homes[key.instrument] = name
        log.info("at_home", instrument=key.instrument, exchange=name)

    def is_to_be_tried(self, name: str, key: MetricKey) -> bool:
        """Whether a series that another shows is at home here, so that asking tells when it is well."""
        return (
            not key.venue
            and self._homes.get(key.instrument) == name
            and self.looker_of(key) != name
            and not self.is_away(name)
        )

    def _choose(self, instrument: str) -> tuple[str | None, str | None]:
        """Give a series' home and who shows it now, each as far as it is known."""
        home = self._homes.get(instrument)
        for name in dict.fromkeys((home, *self.names) if home else self.names):
            listing = self._listings.get(name)
            if listing is None and not self.is_away(name):
                return home or name, None
            if listing is None or name == home or self.listed(name, instrument):
                home = home or name
                if self._is_fit(name, instrument):
                    return home, name
        return home, None

    def _is_fit(self, name: str, instrument: str) -> bool:
        series = self._series.get((name, instrument))
        return (
            not self.is_away(name)
            and not (series and series.is_away)
            and not self.is_delisted(name, instrument)
        )

    def _first_of(self, instrument: str) -> str | None:
        """Give the first exchange that lists an instrument, if all before it have said what they list."""
        for name in self.names:
            listing = self._listings.get(name)
            if listing is None:
                return None
            if instrument in listing:
                return name
        return None

    def _settle(self, now: float, instruments: Iterable[str] | None = None) -> None:
        """Note who begins to stand in, and who no longer does, of some series or all."""
        followed = self._instruments
        for instrument in followed | self._stand_ins.keys() if instruments is None else instruments:
            home, venue = self._choose(instrument) if instrument in followed else (None, None)
            turn = self._stand_ins.get(instrument)
            if venue is None and turn is not None and instrument in followed:
                continue  # nobody shows it: whoever did last goes on, with its ratio, if it comes back
            if venue == home or home is None or venue is None:
                if self._stand_ins.pop(instrument, None) and venue:
                    log.info("home_again", instrument=instrument, exchange=venue)
            elif turn is None or turn.venue != venue:
                reason = self._trouble(home, instrument)
                self._stand_ins[instrument] = _StandIn(venue, now, reason)
                log.warning("stands_in", instrument=instrument, exchange=venue, home=home, reason=reason)

    def _trouble(self, name: str, instrument: str) -> str:
        if self._standings[name].is_away:
            return self._standings[name].reason
        if self.is_delisted(name, instrument):
            return self.absence(name, instrument)
        series = self._series.get((name, instrument))
        return "" if series is None else series.reason

    def _instruments_of(self, name: str) -> Iterator[str]:
        return (
            key.instrument for key in self._followed if (key.venue or self._homes.get(key.instrument)) == name
        )


def contemporary(judged: float, instant: int, bars: Sequence[Bar]) -> float | None:
    """Choose which of an exchange's own prices around an instant the one judged then is compared with.

    It is the newest close. Where that lies further away than exchanges differ, a jump lies between that
    one of them does not know of: the judged price because nobody bore it out, and is compared with the
    newest one of before; or because it is how the minute of the instant opened, and is compared with that;
    or the exchange, whose last bars are missing: ``None``, until they are there.
    """
    before = [bar for bar in bars if bar.end <= instant]
    candidates = [bar.close for bar in reversed(before)] + [bar.open for bar in bars if bar.at == instant]
    near = (price for price in candidates if abs(ln(judged / price)) <= LEAST_BOUND)
    is_whole = bool(before) and before[-1].end == instant and before[-1].volume > 0
    return next(near, before[-1].close if is_whole else None)
