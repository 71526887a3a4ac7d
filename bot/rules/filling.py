"""What a rule names, and the rule with those names filled in: levels, default quote, the end of its life."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from bot.rules.errors import RuleError, UnknownLevel, show
from bot.rules.functions import FUNCTIONS
from bot.rules.parts import values_in, with_values
from bot.rules.phrases import Phrase
from bot.rules.reading import parse
from bot.rules.scanner import could_be_stock
from bot.rules.tree import Call, Duration, Instrument, LevelRef, Number, Rule, Value
from bot.rules.units import is_bare_macro
from bot.rules.zone import zone_of


def levels(rule: Rule) -> frozenset[str]:
    """Name the levels that a rule refers to, without the ``@``."""
    return frozenset(value.name for value in values_in(rule.condition) if isinstance(value, LevelRef))


def instruments(rule: Rule) -> tuple[Instrument, ...]:
    """List the instruments that a rule reads, each once, in the order in which they first appear."""
    return tuple(dict.fromkeys(value for value in values_in(rule.condition) if isinstance(value, Instrument)))


def metrics(rule: Rule) -> tuple[Call, ...]:
    """List the metrics that a rule reads (``etf_flow(btc)``), each once, as ``instruments`` does."""
    calls = (value for value in values_in(rule.condition) if isinstance(value, Call))
    return tuple(dict.fromkeys(call for call in calls if FUNCTIONS[call.function].is_metric))


def fill(rule: Rule, known: Mapping[str, Decimal], *, is_partial: bool = False) -> Rule:
    """Put numbers in the place of levels.

    Raises UnknownLevel for the first name that is not known, unless it is partial: then that stays. Raises
    RuleError where a number makes no sense there (a price of zero, more digits than any market has).
    """

    def number(value: Value) -> Value:
        if not isinstance(value, LevelRef) or (is_partial and value.name not in known):
            return value
        if value.name not in known:
            text = str(rule)
            place = re.search(rf"(?<![a-z0-9_])@{re.escape(value.name)}(?![a-z0-9_])", text)
            nearest = difflib.get_close_matches(value.name, sorted(known), n=3, cutoff=0.5)
            raise UnknownLevel(text, place.start() if place else 0, value.name, nearest)
        if not known[value.name].is_finite():
            raise ValueError(f"the level {value.name} is no number")
        return Number(known[value.name])

    return _changed(rule, number)


def qualify(rule: Rule, quote: str) -> Rule:
    """Give every instrument without a quote the default one; ``btc.perp`` becomes ``btc/usdt:usdt``.

    Macro series (``spx``) and stocks (``$nvda``) have no quote and get none. Raises RuleError where two sides
    that looked different are then the same, or in unlike currencies.
    """

    def qualified(value: Value) -> Value:
        if not isinstance(value, Instrument) or value.quote or is_bare_macro(value):
            return value
        currency = quote.lower()
        return Instrument(value.base, currency, currency if value.is_perpetual else "", value.venue)

    return _changed(rule, qualified)


def tickers(rule: Rule) -> tuple[str, ...]:
    """List the bare names of a rule that a stock may bear: those without quote, venue and contract."""
    return tuple(
        one.base for one in instruments(rule) if one == Instrument(one.base) and could_be_stock(one.base)
    )


def name_stocks(rule: Rule, stocks: Container[str]) -> Rule:
    """Write those bare names that are stocks with their sign: ``nvda < 100`` becomes ``$nvda < 100``.

    ``stocks`` holds the names that no exchange lists and a provider of stocks knows. Raises RuleError where
    the rule asks more of a stock than the closes of its sessions.
    """
    found = {name for name in tickers(rule) if name in stocks}

    def named(value: Value) -> Value:
        is_stock = isinstance(value, Instrument) and value == Instrument(value.base) and value.base in found
        return Instrument(f"${value.base}") if isinstance(value, Instrument) and is_stock else value

    return _changed(rule, named) if found else rule


def fix(rule: Rule, now: float, timezone: str) -> Rule:
    """Turn ``until`` into an instant in UTC, rounded up to a whole second.

    ``now`` is in epoch seconds; ``timezone`` is the person's, as an IANA name. A duration counts from now,
    a date ends with its day there, a time without a zone is on the clock there. Of a time that comes twice
    that night the second is meant, and one that is left out comes an hour later: an alert rather lives too
    long. Raises RuleError for what is over.
    """
    zone = zone_of(timezone)
    match rule.options.until:
        case None:
            return rule
        case Duration() as duration:
            at = now + duration.seconds
        case datetime() as moment:
            at = moment.timestamp() if moment.tzinfo else _on_the_clock(moment, zone)
        case date() as day:
            at = datetime.combine(day + timedelta(days=1), time(), zone).timestamp()
    if at <= now:
        text = str(rule)
        raise RuleError(text, text.index("until "), Phrase("That time is over."), show("until 7d"))
    until = datetime.fromtimestamp(math.ceil(at), UTC)
    return rule.with_options(replace(rule.options, until=until))


def _on_the_clock(moment: datetime, zone: tzinfo) -> float:
    return max(moment.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))


def _changed(rule: Rule, change: Callable[[Value], Value]) -> Rule:
    """Change the values of a rule, and read it again: what it says now must be sound too."""
    return parse(str(replace(rule, condition=with_values(rule.condition, change))))
