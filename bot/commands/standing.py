"""How an alert stands: clear or already true, armed, ringing or at rest, and how far its price is away."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum, auto

from bot.alerts.figures import figure_name, line
from bot.alerts.models import Alert, Subscription
from bot.alerts.sentences import instrument_name, thresholds, unknown
from bot.alerts.translator import Translator
from bot.commands.present import NO_HISTORY, gather
from bot.commands.reading import Prepared
from bot.commands.request import Request
from bot.engine.compiler import compile_rule
from bot.engine.life import Life
from bot.engine.reasons import Reason
from bot.engine.terms import key_of
from bot.metrics import MetricKey, Seen
from bot.ports import Market, Unseeable
from bot.rules import RuleError, fill, instruments, is_bare_macro, parse, qualify
from bot.rules.tree import Instrument, Mode, Rule


class Standing(Enum):
    """What is known of a condition at the moment in which it is armed.

    ``NEAR`` is not true, and not clear by its ``rearm`` either.
    """

    CLEAR = auto()
    NEAR = auto()
    TRUE = auto()
    OPEN = auto()


async def stand(prepared: Prepared, is_shared: bool, now: float, market: Market) -> Standing:
    """Say how a new arming begins, by the very function that will begin it.

    ``OPEN`` where that cannot be said: a price that is not seen, a history that is too long to ask for or not
    there, or a metric of which nothing but the newest value is known.
    """
    return (await weigh(prepared, is_shared, now, market))[0]


async def weigh(
    prepared: Prepared, is_shared: bool, now: float, market: Market
) -> tuple[Standing, tuple[Reason, ...]]:
    """Say how a new arming begins, and why it is unknown whether it is true, if it is."""
    if not prepared.is_seen:
        return Standing.OPEN, ()
    rule, seen, said = prepared.armed, prepared.seen, prepared.said.values()
    try:
        present = await gather(rule, is_shared, now, seen=seen, said=said, market=market)
    except Unseeable:
        return Standing.OPEN, (NO_HISTORY,)
    if present is None:
        return Standing.OPEN, ()
    if present.begin().is_armed:
        return Standing.CLEAR, ()
    if present.life.clear is not present.life.node:
        plain = rule.with_options(replace(rule.options, rearm=None))
        present = present.of(compile_rule(plain, is_shared, now, seen))
        if present.begin().is_armed:
            return Standing.NEAR, ()
    if present.truth() and not prepared.unrecorded:
        return Standing.TRUE, ()
    return Standing.OPEN, present.reasons()


@dataclass(frozen=True, slots=True)
class Made:
    """What is told of an alert that was armed; one that ``is_waiting`` may be true already."""

    lines: tuple[str, ...]
    is_waiting: bool = False


async def made(alert: Alert, prepared: Prepared, request: Request) -> Made:
    """Tell that an alert was armed: what it waits for, where its price is, and whether it is already true."""
    tr, label, rule = request.tr, alert.label, prepared.meaning(request.tr)
    if not prepared.is_seen:
        unseen = tr("The price cannot be seen just now; it is watched as soon as it can be.")
        return Made((tr("{label} armed: {rule}.", label=label, rule=rule), unseen))
    where = distance(prepared.armed, prepared.keys, prepared.seen, tr)
    armed = tr("{label} armed: {rule}.", label=label, rule=rule)
    if where:
        armed = tr("{label} armed: {rule}. Now {where}.", label=label, rule=rule, where=where)
    present = figures(prepared, tr, request.now)
    offer = tr("Tell it now anyway: {line}", line=said("ringnow", alert))
    standing, reasons = await weigh(prepared, alert.is_shared, request.now, request.office.market)
    match standing:
        case Standing.CLEAR:
            return Made((armed, *present))
        case Standing.NEAR:
            waits = tr("It is not clear by its rearm distance yet, so it waits for that first.")
            return Made((armed, *present, waits))
        case Standing.TRUE:
            waits = tr("It is true already, so it waits to be clear first.")
            return Made((armed, *present, waits, offer), is_waiting=True)
        case Standing.OPEN:
            waits = tr("If it is true already, it waits to be clear first.")
            if window := window_of(prepared.armed):
                waits = tr(
                    "It begins once {time} of prices show that it is not true already.",
                    time=tr.duration(window),
                )
            if reasons:
                why = unknown(reasons, len(prepared.series) > 1, tr)
                present.append(tr("Whether it is true is unknown now: {why}.", why=why))
            return Made((armed, *present, waits, offer), is_waiting=True)


def figures(prepared: Prepared, tr: Translator, now: float) -> list[str]:
    """Say what each metric of a rule stands at: the newest final value, and a newer one that is not."""
    lines: list[str] = []
    for key, words in prepared.said.items():
        last = {word.as_of: word for word in words}
        final = [word for word in last.values() if word.is_final]
        shown = [max(part, key=lambda word: word.as_of) for part in (final, list(last.values())) if part]
        lines.extend(line(word, tr, now) for word in dict.fromkeys(shown))
        if not shown:
            lines.append(tr("{name}: nothing seen yet.", name=figure_name(key, tr)))
    return lines


def said(verb: str, alert: Alert) -> str:
    """Give the line that says a command of an alert: ``/resume 3``."""
    return f"/{verb} {alert.name or alert.number}"


def distance(
    rule: Rule, keys: Mapping[Instrument, MetricKey], seen: Mapping[MetricKey, Seen], tr: Translator
) -> str:
    """Say where the prices of a filled rule are, and how far from its level: ``69,400 (0.9% away)``.

    The distance is given where the rule has one level only; what cannot be seen is left out.
    """
    prices = {one: seen[key].price for one, key in keys.items() if key in seen}
    if len(prices) == 1:
        [price] = prices.values()
        levels = list(thresholds(rule.condition))
        if len(levels) == 1:
            share = tr.share(abs(float(levels[0].level) / price - 1))
            return tr("{price} ({share} away)", price=tr.price(price), share=share)
        return tr.price(price)
    return ", ".join(f"{instrument_name(one, tr)} {tr.price(price)}" for one, price in prices.items())


def price_keys(rule: Rule) -> dict[Instrument, MetricKey]:
    """Name the series of the prices that a qualified rule reads."""
    return {one: key_of(one) for one in instruments(rule) if not is_bare_macro(one)}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a chat's list: the subscription and the rule that it is, or would be, armed as."""

    subscription: Subscription
    armed: Rule

    @property
    def keys(self) -> dict[Instrument, MetricKey]:
        """The series of the prices that it reads."""
        return price_keys(self.armed)

    @property
    def is_at_rest(self) -> bool:
        """Whether it rings no more until it is resumed."""
        arming, state = self.subscription.arming, self.subscription.state
        if self.subscription.alert.paused_at is not None or arming is None:
            return True
        return state is not None and (state.is_ended or (_is_once(self) and state.rang_at is not None))

    @property
    def is_waiting(self) -> bool:
        """Whether it is not known to have been clear yet, so that what is true already does not ring."""
        arming, state = self.subscription.arming, self.subscription.state
        if self.is_at_rest or arming is None or arming.is_eager:
            return False
        return state is None or not (state.is_armed or state.episode)

    @property
    def life(self) -> Life | None:
        """Its rule as it is judged; ``None`` where it is not armed."""
        arming = self.subscription.arming
        if arming is None:
            return None
        return compile_rule(self.armed, arming.is_shared, arming.made_at, arming.seen, arming.is_eager)

    @property
    def series(self) -> tuple[MetricKey, ...]:
        """All that it reads where it is armed, prices and metrics."""
        life = self.life
        return () if life is None else life.keys


def how_told(
    subscription: Subscription, levels: Mapping[str, Decimal], tr: Translator, now: float
) -> list[str]:
    """Say what is particular about how a chat is told an alert; ``levels`` are those in force in the chat."""
    parts = []
    for name, value in subscription.own.items():
        shared = levels.get(name)
        if shared is None:
            parts.append(tr("own @{name} {value}", name=name, value=value))
        else:
            parts.append(tr("own @{name} {value}, else {shared}", name=name, value=value, shared=shared))
    if subscription.place:
        parts.append(tr("rings in {place}", place=subscription.place))
    if subscription.is_urgent:
        parts.append(tr("urgent"))
    until = subscription.muted_until
    if until is not None and until > now:
        parts.append(tr("muted until {at}", at=tr.instant(until, now)))
    if subscription.hidden:
        parts.append(hidden(subscription.hidden, tr))
    return parts


def hidden(count: int, tr: Translator) -> str:
    """Say how often an alert rang that its chat had muted."""
    return tr.many("rang once while muted", "rang {count} times while muted", count)


def row_of(subscription: Subscription, quote: str) -> Row:
    """Read what a subscription is armed as, or would be if it were taken up again."""
    if subscription.arming is not None:
        return Row(subscription, parse(subscription.arming.rule))
    rule = parse(subscription.alert.rule)
    with suppress(RuleError):  # its level is gone, or senseless by now: then the name stands in the list
        rule = fill(rule, subscription.levels)
    return Row(subscription, qualify(rule, quote))


def window_of(armed: Rule) -> int:
    """Give the seconds of minutes that must be known before a rule can be seen to be clear; 0 for none."""
    life = compile_rule(armed, False, 0.0, {})
    return 0 if any(life.spans.values()) else life.lookback


def _is_once(row: Row) -> bool:
    default = Mode.REPEAT if row.subscription.alert.is_shared else Mode.ONCE
    return (row.armed.options.mode or default) is Mode.ONCE
