"""Word what the terms of a rule read just now: each with its value, and on which side it is. Pure."""

from __future__ import annotations

from bot.alerts.facts import rule_of
from bot.alerts.figures import measured
from bot.alerts.sentences import meaning, thresholds
from bot.alerts.translator import Translator
from bot.engine.readings import Reading
from bot.rules.naming import say_value
from bot.rules.tree import Compare, Condition, Crosses, Moves, Number, Percent, Rule, Value


def reading_line(reading: Reading, tr: Translator) -> str:
    """Say in one line what a term waits for, whether it is true, and at which values."""
    rule = rule_of(reading.term)
    sentence = meaning(rule, {}, tr) if rule else reading.term
    shown = _figures(reading, rule, tr)
    if reading.is_pulse:
        return tr("{term}: now {figures}", term=sentence, figures=shown)
    if reading.is_true is None:
        return tr("{term}: unknown, {figures}", term=sentence, figures=shown)
    if reading.is_true:
        return tr("{term}: true, {figures}", term=sentence, figures=shown)
    return tr("{term}: not true, {figures}", term=sentence, figures=shown)


def _figures(reading: Reading, rule: Rule | None, tr: Translator) -> str:
    """Write the values: with the distance from a number, or each with its name where there are several."""
    first, *more = reading.figures or (None,)
    if first is None and not any(one is not None for one in more):
        return tr("nothing is known yet")
    if rule is not None and first is not None:
        if line := measured(rule.condition, first, tr):
            return line
        levels = list(thresholds(rule.condition))
        if len(levels) == 1 and first:
            share = tr.share(abs(float(levels[0].level) / first - 1))
            return tr("{price} ({share} away)", price=tr.price(first), share=share)
    names = [tr.render(say_value(side)) for side in _sides(rule.condition)] if rule is not None else []
    shown = [tr("unknown") if one is None else tr.price(one) for one in (first, *more)]
    if len(names) == len(shown) > 1 or (len(names) == len(shown) == 1 and not _is_price(rule)):
        return tr.row(f"{name} {value}" for name, value in zip(names, shown, strict=True))
    return tr.row(shown)


def _is_price(rule: Rule | None) -> bool:
    return rule is None or isinstance(rule.condition, Moves)


def _sides(condition: Condition) -> list[Value]:
    """Give the values of a term that are no plain numbers, from left to right."""
    match condition:
        case Compare(left=left, right=right) | Crosses(value=left, level=right):
            return [side for side in (left, right) if not isinstance(side, Number | Percent)]
        case Moves(value=value):
            return [value]
        case _:
            return []
