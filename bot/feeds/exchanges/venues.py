"""Which exchange serves which series: one answer for every feed and for the market."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import structlog

from bot.feeds.exchanges.elsewhere import SILENCE, Elsewhere
from bot.feeds.exchanges.homes import Homes
from bot.feeds.exchanges.listing import Listed, Listing
from bot.feeds.exchanges.listings import Listings
from bot.feeds.exchanges.standing import Standing
from bot.feeds.exchanges.tidings import FURTHEST, Line, StandIn, Tidings
from bot.metrics import MetricKey, Want
from bot.ports import Serving

PRICE = "price"

_SAME = 1e-9
"""What two floats may differ by that are one price."""

log = structlog.get_logger(__name__)


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

    Where several processes look, each at some of the exchanges (``watched`` here, else all), they choose
    alike: of the others the looks are known by what ``tell`` told there and ``hear`` hears here. Who is not
    heard of for more than ``silence`` seconds is away.

    The feeds write here, all in one thread; anybody may read. ``after_listing`` is called there whenever an
    exchange has said what it lists.
    """

    def __init__(
        self,
        names: Sequence[str],
        after_listing: Callable[[], None] = lambda: None,
        watched: Collection[str] | None = None,
        silence: float = SILENCE,
    ) -> None:
        self.names = tuple(names)
        self.watched = frozenset(self.names if watched is None else watched)
        self.elsewhere = Elsewhere([name for name in self.names if name not in self.watched], silence)
        self._looked: set[str] = set()
        self._after_listing = after_listing
        self._listings = Listings()
        self._standings = dict.fromkeys(self.names, Standing())
        self._series: dict[tuple[str, str], Standing] = {}
        self._homes = Homes(self.names)
        self._stand_ins: dict[str, StandIn] = {}
        self._wants: list[Want] = []
        self._followed: frozenset[MetricKey] = frozenset()
        self._instruments: frozenset[str] = frozenset()
        self._now = 0.0

    # --- what is listed -------------------------------------------------------------------------------------

    def publish(self, name: str, listing: Listing) -> None:
        """Take over what an exchange lists now; what it lacks of the series here is counted.

        One listing alone makes nothing unseen: the exchange is still asked for what was listed before.
        """
        self._listings.publish(name, listing, self._instruments_of(name), name in self.watched)
        self._settle(listing.loaded_at)
        self._after_listing()

    def listing(self, name: str) -> Listing | None:
        """Give what an exchange lists, or ``None`` while it has not said."""
        return self._listings.of(name)

    def listed(self, name: str, instrument: str) -> Listed | None:
        """Give an instrument as an exchange lists it, or listed it until lately."""
        return self._listings.listed(name, instrument)

    def kept(self, name: str) -> set[str]:
        """Name ccxt's symbols for what an exchange must still be asked for if its next listing lacks it."""
        found = (self.listed(name, instrument) for instrument in self._instruments_of(name))
        return {listed.symbol for listed in found if listed is not None}

    def is_lacking(self, name: str) -> bool:
        """Whether the listing of an exchange lacks a series that is wanted of it."""
        listing = self.listing(name)
        return listing is not None and any(one not in listing for one in self._instruments_of(name))

    def is_delisted(self, name: str, instrument: str) -> bool:
        """Whether an exchange surely lists an instrument no more."""
        return self._listings.is_delisted(name, instrument)

    def absence(self, name: str, instrument: str) -> str:
        """Say how an instrument is missing in the listing of an exchange."""
        if self.is_delisted(name, instrument):
            return f"{name} no longer lists {instrument.upper()}"
        return f"{name} does not list {instrument.upper()}"

    # --- how they are ---------------------------------------------------------------------------------------

    def follow(self, wants: Iterable[Want], now: float) -> None:
        """Note which series are wanted now, and where each is at home for good."""
        self._wants = [want for want in wants if want.key.metric == PRICE]
        self._followed = frozenset(want.key for want in self._wants)
        self._instruments = frozenset(key.instrument for key in self._followed if not key.venue)
        self._listen(now)
        self._find_homes(now)
        self._settle(now)

    def _find_homes(self, now: float) -> None:
        for want in self._wants:
            if not want.key.venue and not self._homes.is_settled(want):
                home = self._home_of(want)
                self._homes.find(want, home, now, is_ours=home in self.watched)

    def _home_of(self, want: Want) -> str | None:
        """Find where a series is at home that has no home yet, as far as that is known."""
        instrument = want.key.instrument
        home = self._first_of(instrument)
        if home is None:
            return None
        if not want.source:  # nobody has judged it: who shows it now is at home, there is no other level
            self._homes.guess(instrument, None, 0.0)
            return self._choose(instrument)[1] or home
        # Who was judged last and comes before it was its home, and lists it no more, or not just now.
        return want.source if want.source in self.names[: self.names.index(home)] else home

    def report(self, name: str, now: float, reason: str = "", is_final: bool = False) -> None:
        """Note how a look at an exchange went; without a ``reason`` it went well.

        Of one that is looked at elsewhere it says nothing: there they know better.
        """
        if name in self.watched:
            self._looked.add(name)
            self.elsewhere.begin(name)
            self._standings[name] = self._standings[name].after(now, reason, is_final)
            self._settle(now)

    def report_series(
        self, name: str, instrument: str, now: float, reason: str = "", is_final: bool = False
    ) -> None:
        """Note how a look at one series of an exchange went, while the exchange as a whole was well."""
        place = (name, instrument)
        if name in self.watched and (reason or place in self._series):
            standing = self._series.get(place, Standing()).after(now, reason, is_final)
            if standing.is_failing or standing.is_away:
                self._series[place] = standing
            else:
                del self._series[place]
            self._settle(now, [instrument])

    def is_away(self, name: str) -> bool:
        """Whether an exchange cannot be relied on at present."""
        return self._standings[name].is_away

    # --- what other processes look at -----------------------------------------------------------------------

    def tell(self, name: str, looked_at: float) -> Tidings | None:
        """Say what other processes must know of an exchange that is looked at here, once it was."""
        if name not in self._looked:
            return None
        here = {key.instrument for key in self._followed if key.venue in {"", name}}
        here |= {instrument for exchange, instrument in self._series if exchange == name}
        here |= {instrument for instrument, turn in self._stand_ins.items() if turn.venue == name}
        lines = {instrument: self._line(name, instrument) for instrument in sorted(here)}
        return Tidings(name, looked_at, self._standings[name], lines)

    def hear(self, tidings: Tidings, now: float) -> bool:
        """Take over what was told of an exchange; says whether it is of use here.

        What is told of one that is looked at here is of whoever did so before: the first look goes on from
        that, where it is not too old.
        """
        name, old = tidings.exchange, self.elsewhere.lines(tidings.exchange)
        if name in self._looked:
            return False
        for instrument, line in tidings.lines.items():
            if line.home is not None:
                self._homes.settle(instrument, line.home)
        if name not in self.watched:
            is_of_use = self.elsewhere.take(tidings, now)
        elif is_of_use := not self.elsewhere.is_old(tidings, now):
            self.elsewhere.inherit(tidings)
        if is_of_use:
            was_away, self._standings[name] = self.is_away(name), tidings.standing
            others = {place: one for place, one in self._series.items() if place[0] != name}
            mine = {(name, one): line.standing for one, line in tidings.lines.items() if line.standing}
            self._series = others | mine
            lacks = {one: line.lack for one, line in tidings.lines.items() if line.lack}
            self._listings.take_over(name, lacks)
            changed = [one for one in {*old, *tidings.lines} if old.get(one) != tidings.lines.get(one)]
            self._listen(now)
            self._find_homes(now)
            self._settle(now, None if was_away != tidings.standing.is_away else changed)
        return is_of_use

    def _listen(self, now: float) -> None:
        for name in self.elsewhere.listen(now):
            log.warning("nobody_looks", exchange=name)
            self._standings[name] = Standing(True, now, 0, True, self.elsewhere.silence(name))

    def _line(self, name: str, instrument: str) -> Line:
        turn, listing = self._stand_ins.get(instrument), self.listing(name)
        return Line(
            None if listing is None else instrument in listing,
            self._listings.is_kept(name, instrument),
            self._listings.lack(name, instrument),
            self._series.get((name, instrument)),
            self._homes.sure(instrument),
            turn if turn is not None and turn.venue == name else None,
        )

    # --- who serves -----------------------------------------------------------------------------------------

    def venue_of(self, key: MetricKey) -> str | None:
        """Give the exchange that shows a key; ``None`` if none does, or that is not known yet."""
        name = self.looker_of(key)
        if name is None or key.venue not in {"", name}:
            return None
        return name if self._lists(name, key.instrument) else None

    def looker_of(self, key: MetricKey) -> str | None:
        """Give the exchange whose looks bring a key, or tell why it cannot be seen; ``None`` for no price."""
        if key.metric != PRICE:
            return None
        if key.venue:
            return key.venue if key.venue in self.names else self.names[0]
        home, venue = self._choose(key.instrument)
        return venue or home or self.names[0]

    def teller_of(self, key: MetricKey) -> str | None:
        """Give the exchange whose looks tell why a key cannot be seen: another where nobody looks at its."""
        looker = self.looker_of(key)
        if looker is None or not self.elsewhere.is_silent(looker):
            return looker
        return next((name for name in self.names if not self.elsewhere.is_silent(name)), looker)

    def silence(self, key: MetricKey) -> str:
        """Say that nobody looks at the exchange that ought to bring a key, or nothing."""
        looker = self.looker_of(key)
        return self.elsewhere.silence(looker) if looker and self.elsewhere.is_silent(looker) else ""

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
            if self._lists(home, key.instrument) is None and home != self._homes.get(key.instrument):
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
        return name if turn is None or turn.venue != name else self._homes.get(key.instrument) or name

    def settle_ratio(self, name: str, key: MetricKey, judged: float = 1.0, own: float = 1.0) -> bool:
        """Keep how the price that was judged last compares with an exchange's own of then.

        Says whether they are near enough: where not, it is another thing that bears the same name.
        """
        ratio = judged / own
        if not 1 / FURTHEST <= ratio <= FURTHEST:
            return False
        turn = self._stand_ins.get(key.instrument)
        if turn is not None and turn.venue == name:
            self._homes.show(key.instrument, self._homes.get(key.instrument) or "")
            if abs(ratio - 1) < _SAME and key.instrument not in self._homes:
                self.settle_home(name, key)
            else:
                self._stand_ins[key.instrument] = replace(turn, ratio=ratio)
        return True

    def show(self, name: str, keys: Iterable[MetricKey]) -> None:
        """Note of which series an exchange showed prices; where it is at home, that is their level."""
        for key in keys:
            if not key.venue:
                self._homes.show(key.instrument, name)

    def settle_home(self, name: str, key: MetricKey) -> None:
        """Keep that a series is at home with one who stood in: nothing was judged at another level."""
        self._stand_ins.pop(key.instrument, None)
        self._homes.move(key.instrument, name, self._now)
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
            is_listed = self._lists(name, instrument)
            if is_listed is None and not self.is_away(name):
                return home or name, None
            if is_listed is not False or name == home:
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
            is_listed = self._lists(name, instrument, is_now=True)
            if is_listed is not False:
                return name if is_listed else None
        return None

    def _lists(self, name: str, instrument: str, is_now: bool = False) -> bool | None:
        """Whether an exchange lists an instrument, or did until lately; ``None`` while that is not known.

        What was told of it goes before what is known here: all must choose alike.
        """
        line = self.elsewhere.line(name, instrument)
        if line.is_listed is not None:
            return line.is_listed or (line.is_kept and not is_now)
        listing = self.listing(name)
        if listing is None:
            return None
        return instrument in listing or (not is_now and self._listings.is_kept(name, instrument))

    def _settle(self, now: float, instruments: Iterable[str] | None = None) -> None:
        """Note who begins to stand in, and who no longer does, of some series or all."""
        self._now = now
        followed = self._instruments
        for instrument in followed | self._stand_ins.keys() if instruments is None else instruments:
            home, venue = self._choose(instrument) if instrument in followed else (None, None)
            turn = self._stand_ins.get(instrument)
            if venue is None and turn is not None and instrument in followed:
                continue  # nobody shows it: whoever did last goes on, with its ratio, if it comes back
            if venue == home or home is None or venue is None:
                if self._stand_ins.pop(instrument, None) and venue in self.watched:
                    log.info("home_again", instrument=instrument, exchange=venue)
            elif venue not in self.watched:  # how it does so is settled by who looks at it
                before = turn if turn is not None and turn.venue == venue else None
                begun = before or StandIn(venue, now, self._trouble(home, instrument))
                told = self.elsewhere.turn(venue, instrument)
                self._stand_ins[instrument] = told or replace(begun, ratio=None)
            elif turn is None or turn.venue != venue:
                reason = self._trouble(home, instrument)
                begun = self.elsewhere.turn(venue, instrument) or StandIn(venue, now, reason)
                self._stand_ins[instrument] = begun
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
