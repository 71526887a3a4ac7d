"""Word what is told of sight: what cannot be seen, what may have been missed, and what nobody bears out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from bot.alerts.causes import cause
from bot.alerts.facts import items_of, labels_of, number_of, rule_of, text_of
from bot.alerts.message import Facts, Message
from bot.alerts.sentences import metric_name, thresholds, venue_name
from bot.alerts.translator import Translator, exact_utc
from bot.rules.phrases import to_say

_MOST = 12
"""How many alerts a message names; of more it gives the number."""

_WITNESS = re.compile(r"(?P<name>.+?) shows (?P<low>\S+)(?: to (?P<high>\S+))?")
to_say("no second source can say")  # what feeds say where nobody else is heard


def stand_in(venue: str, home: str, reason: str, tr: Translator) -> str:
    """Say who stands in for whom: ``Kraken, standing in for Binance, which does not answer in time``."""
    names = {"venue": venue_name(venue), "home": venue_name(home)}
    if not reason:
        return tr("{venue}, standing in for {home}", **names)
    if reason.startswith(f"{home} "):
        which = cause(reason, home, tr).removeprefix(venue_name(home)).strip()
        return tr("{venue}, standing in for {home}, which {which}", **names, which=which)
    return tr("{venue}, standing in for {home} ({reason})", **names, reason=cause(reason, home, tr))


def word_loss(facts: Facts, tr: Translator, now: float) -> Message:
    """Tell what cannot be seen, since when and why, and which alerts wait for it."""
    series, labels = _series(facts, tr), labels_of(facts, "alerts")
    since = number_of(facts, "since")
    reason = cause(text_of(facts, "reason"), text_of(facts, "source"), tr) or tr("no data comes")
    if since is None:
        title = tr("I cannot see {series}: {reason}.", series=series, reason=reason)
    else:
        at = tr.instant(since, now)
        title = tr("I cannot see {series} since {at}: {reason}.", series=series, at=at, reason=reason)
    waiting = tr(
        "{alerts} cannot ring until it is seen again; what is missed is looked through then.",
        alerts=_listed(labels, tr),
    )
    lines = (waiting,) if labels else ()
    return Message(
        title=title,
        lines=lines,
        facts={
            "event": "lost",
            "series": _names(facts),
            "since": exact_utc(since) if since is not None else None,
            "reason": reason,
        },
    )


def word_return(facts: Facts, tr: Translator, now: float) -> Message:
    """Tell that something is seen again, and whether all that was between could be read."""
    series, since, at = _series(facts, tr), number_of(facts, "since"), number_of(facts, "at")
    if at is None:
        title = tr("{series} can be seen again.", series=series)
    else:
        title = tr("{series} can be seen again since {at}.", series=series, at=tr.instant(at, now))
    gone = [
        tr(
            "{time} the minutes of {series} are gone.",
            time=_between(start, stop, now, tr),
            series=metric_name(text_of(item, "series"), tr),
        )
        for item in items_of(facts, "gone")
        if (start := number_of(item, "since")) is not None and (stop := number_of(item, "until")) is not None
    ]
    if not gone and since is not None and at is not None:
        time = tr.duration(at - since)
        gone = [tr("What happened in the {time} between was read: nothing is missed.", time=time)]
    return Message(
        title=title,
        lines=tuple(gone),
        facts={
            "event": "back",
            "series": _names(facts),
            "since": exact_utc(since) if since is not None else None,
            "at": exact_utc(at) if at is not None else None,
        },
    )


def word_lapse(facts: Facts, tr: Translator, now: float) -> Message:
    """Tell of minutes that are gone, and which alerts may have been touched in them."""
    series = _series(facts, tr)
    since, until = number_of(facts, "since"), number_of(facts, "until")
    low, high = number_of(facts, "low"), number_of(facts, "high")
    time = _between(since or 0.0, until or 0.0, now, tr)
    title = tr("{time} I could not see {series}, and its minutes are gone.", time=time, series=series)
    lines = []
    if low is not None and high is not None:
        lines.append(tr("It stayed between {low} and {high}.", low=tr.price(low), high=tr.price(high)))
    alerts = items_of(facts, "alerts")
    lines += [_touched(item, low, high, tr) for item in alerts[:_MOST]]
    if len(alerts) > _MOST:
        count = len(alerts) - _MOST
        lines.append(
            tr.many("{count} more may have been touched.", "{count} more may have been touched.", count)
        )
    return Message(
        title=title,
        lines=tuple(lines),
        facts={
            "event": "lapse",
            "series": _names(facts),
            "since": exact_utc(since) if since is not None else None,
            "until": exact_utc(until) if until is not None else None,
            "low": low,
            "high": high,
        },
    )


def _said(reason: str, tr: Translator) -> str:
    """Say what others showed, as feeds said it in English; what is not known so stays."""
    shown = [_shown(one, tr) for one in reason.split(" and ")]
    return tr.listed(shown) if all(shown) else tr.known(reason)


def _shown(heard: str, tr: Translator) -> str:
    """Say what one other shows; nothing for what is no such thing."""
    match = _WITNESS.fullmatch(heard)
    if match is None:
        return ""
    name, low, high = venue_name(match["name"]), match["low"], match["high"]
    if high:
        return tr("{name} shows {low} to {high}", name=name, low=low, high=high)
    return tr("{name} shows {value}", name=name, value=low)


def word_doubt(facts: Facts, tr: Translator, now: float) -> Message:
    """Tell of a price that one source shows and nobody bears out, and which alerts did not ring for it."""
    value, at = number_of(facts, "value"), number_of(facts, "at")
    venue, reason = venue_name(text_of(facts, "source")), text_of(facts, "reason")
    arguments = {
        "venue": venue or tr("one exchange"),
        "value": tr.price(value or 0.0),
        "series": _series(facts, tr),
        "at": tr.instant(at or 0.0, now),
    }
    shown = tr("Unconfirmed: {venue} showed {value} for {series} at {at}", **arguments)
    said = _said(reason, tr)
    title = tr("{shown}; {said}.", shown=shown, said=said) if said else tr("{line}.", line=shown)
    labels = labels_of(facts, "alerts")
    lines = (
        tr.many(
            "{alerts} has not rung for it.",
            "{alerts} have not rung for it.",
            max(len(labels), 1),
            alerts=_listed(labels, tr),
        ),
    )
    return Message(
        title=title,
        lines=lines if labels else (),
        facts={
            "event": "doubt",
            "series": _names(facts),
            "value": value,
            "at": exact_utc(at) if at is not None else None,
        },
    )


def _touched(item: Facts, low: float | None, high: float | None, tr: Translator) -> str:
    """Say of one alert what may have happened to it."""
    label, rule = text_of(item, "alert"), text_of(item, "rule")
    parsed = rule_of(rule)
    levels = [one.level for one in thresholds(parsed.condition)] if parsed else []
    if low is not None and high is not None:
        inside = [tr.number(level) for level in levels if _is_within(level, low, high)]
        if inside:
            return tr.many(
                "{label} ({rule}): its level {levels} lay in reach.",
                "{label} ({rule}): its levels {levels} lay in reach.",
                len(inside),
                label=label,
                rule=rule,
                levels=tr.listed(inside),
            )
    return tr("{label} ({rule}) may have been touched.", label=label, rule=rule)


def _between(since: float, until: float, now: float, tr: Translator) -> str:
    """Name a stretch of time, with the zone and the date once where that is enough."""
    first = tr.time(since) if tr.date(since, now) == tr.date(until, now) else tr.instant(since, now)
    return tr("Between {since} and {until}", since=first, until=tr.instant(until, now))


def _is_within(level: Decimal, low: float, high: float) -> bool:
    return low <= float(level) <= high


def _names(facts: Facts) -> str:
    return ", ".join(text_of(item, "series") for item in items_of(facts, "series"))


def _series(facts: Facts, tr: Translator) -> str:
    return _listed([metric_name(text_of(item, "series"), tr) for item in items_of(facts, "series")], tr)


def _listed(names: Iterable[str], tr: Translator) -> str:
    """List names as a sentence does; of many, the first and how many more."""
    known = list(dict.fromkeys(names))
    if len(known) > _MOST:
        count = len(known) - _MOST
        known = [*known[:_MOST], tr.many("{count} more", "{count} more", count)]
    return tr.listed(known)
