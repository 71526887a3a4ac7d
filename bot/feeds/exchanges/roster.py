"""Which of all wants one exchange shows, which it only tries, and which it cannot show. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bot.feeds.exchanges.listing import Listed
from bot.feeds.exchanges.venues import PRICE, Venues
from bot.metrics import Bar, MetricKey, Want


@dataclass(frozen=True, slots=True)
class Roster:
    """The wants of one look: ``mine`` by what is listed, ``tried`` is at home here while another shows it.

    ``absent`` are those that this exchange ought to show and does not list, and why; ``unwatched`` those of
    exchanges that nobody looks at, of which this one has to tell.
    """

    mine: dict[Listed, list[Want]] = field(default_factory=dict)
    tried: set[Listed] = field(default_factory=set)
    absent: dict[MetricKey, str] = field(default_factory=dict)
    unwatched: dict[MetricKey, str] = field(default_factory=dict)


def roster_of(name: str, venues: Venues, wants: Iterable[Want]) -> Roster:
    """Sort the wants that concern the exchange ``name``."""
    roster = Roster()
    for want in wants:
        key = want.key
        listed = venues.listed(name, key.instrument)
        if venues.looker_of(key) == name:
            if key.venue not in {"", name}:
                roster.absent[key] = f"{key.venue} is not among the exchanges that are watched"
            elif listed is None:
                roster.absent[key] = venues.absence(name, key.instrument)
            else:
                roster.mine.setdefault(listed, []).append(want)
        elif key.metric == PRICE and venues.is_to_be_tried(name, key):
            if listed is None:
                roster.absent[key] = venues.absence(name, key.instrument)
            else:
                roster.tried.add(listed)
        elif venues.teller_of(key) == name:
            roster.unwatched[key] = venues.silence(key)
    return roster


def scaled(bar: Bar, ratio: float) -> Bar:
    """Multiply the prices of a bar; its volume is what was traded, and stays."""
    if ratio == 1.0:
        return bar
    prices = {name: getattr(bar, name) * ratio for name in ("open", "high", "low", "close")}
    return replace(bar, **prices)
