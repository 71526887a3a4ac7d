"""Figures of metrics in a person's form: what is measured, how much, of when, and who says so."""

from __future__ import annotations

from decimal import Decimal

from bot.alerts.sentences import metric_name, venue_name
from bot.alerts.translator import Translator
from bot.metrics import MetricKey, Observation
from bot.rules import RuleError, parse
from bot.rules.tree import Call, Compare, Condition, Crosses, Held, Number, Percent
from bot.rules.units import BARE, Unit, unit_of

_MILLION = 1_000_000
_DIGITS = 8


def figure_name(key: MetricKey, tr: Translator) -> str:
    """Name what a series measures: *BTC ETF net flow*."""
    return metric_name(str(key), tr)


def amount(key: MetricKey, value: Decimal, tr: Translator) -> str:
    """Write a value with its unit: ``-903.2m USD``, ``0.01%``, ``24``."""
    unit = _unit(key)
    if unit.name == "usd":
        return tr("{amount} USD", amount=_short(value, tr))
    return _exact(unit, value, tr)


def measured(condition: Condition, value: float, tr: Translator) -> str:
    """Say what a function in a condition stood at: ``BTC ETF net flow: -903,200,000 USD``; else nothing.

    It is said where a number alone stands on the other side, and in full: it may be close to that number.
    """
    match condition:
        case Held(condition=part):
            return measured(part, value, tr)
        case (
            Compare(left=Call() as left, right=Number() | Percent())
            | Crosses(value=Call() as left, level=Number() | Percent())
        ):
            exact = _exact(unit_of(left), Decimal(str(value)), tr)
            return tr("{name}: {value}", name=metric_name(str(left), tr), value=exact)
        case _:
            return ""


def _exact(unit: Unit, value: Decimal, tr: Translator) -> str:
    match unit.name:
        case "usd":
            return tr("{amount} USD", amount=tr.sum(_rounded(value)))
        case "percent":
            return tr.percent(_rounded(value))
        case "coin" if unit.of:
            return f"{tr.number(_rounded(value))} {unit.of.upper()}"
        case _:
            return tr.number(_rounded(value))


def millions(value: Decimal) -> Decimal:
    """Give an amount in millions, to one tenth."""
    return (value / _MILLION).quantize(Decimal("0.1"))


def told(word: Observation, tr: Translator, now: float) -> str:
    """Write one value with its time and what is open about it: ``-903.2m USD, Nov 20``."""
    parts = [amount(word.key, word.value, tr), tr.session(word.as_of, now)]
    if not word.is_final:
        parts.append(tr("not final"))
    if word.pending:
        parts.append(tr("pending: {names}", names=", ".join(word.pending)))
    return tr.row(parts)


def line(word: Observation, tr: Translator, now: float) -> str:
    """Say in one line what is measured, how much it is, of when, and who says so."""
    return tr(
        "{name}: {told}. {source}.",
        name=figure_name(word.key, tr),
        told=told(word, tr, now),
        source=venue_name(word.source),
    )


def _short(value: Decimal, tr: Translator) -> str:
    if tr.has_large_units:
        return tr.sum(_rounded(value), places=2)
    if abs(value) < _MILLION:
        return tr.number(_rounded(value))
    if abs(value) < 1000 * _MILLION:
        return tr("{number}m", number=tr.number(_plain(millions(value))))
    return tr("{number}bn", number=tr.number(_plain((value / 1000 / _MILLION).quantize(Decimal("0.01")))))


def _rounded(value: Decimal) -> Decimal:
    places = max(_DIGITS - 1 - value.adjusted(), 0) if value else 0
    return _plain(round(value, places))


def _plain(value: Decimal) -> Decimal:
    """Drop the zeros at the end, and no digit before the point."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def _unit(key: MetricKey) -> Unit:
    try:
        condition = parse(f"{key} > 1").condition
    except RuleError:
        return BARE
    return unit_of(condition.left) if isinstance(condition, Compare) else BARE
