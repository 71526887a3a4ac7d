"""Word several notifications of one chat as one message: a list, a line for each, in their order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bot.alerts.facts import rule_of, text_of
from bot.alerts.message import Message
from bot.alerts.models import Notification, Telling
from bot.alerts.sentences import instrument_name
from bot.alerts.translator import Translator
from bot.engine.terms import key_of
from bot.metrics import MetricKey
from bot.rules import instruments
from bot.rules.tree import Instrument
from bot.rules.windows import is_metric

_FRAME = 120
"""The room that the title takes, in UTF-16 units."""

_MOST = 3
"""Of a rule that reads more prices than these, the present ones are left out."""


def bundle(
    notifications: Sequence[Notification],
    word: Callable[[Notification], Message],
    tr: Translator,
    room: int,
    prices: Mapping[MetricKey, float],
) -> tuple[Message, int]:
    """Word as many, from the first on, as ``room`` UTF-16 units hold; gives how many those are.

    The first is there in any case. Where it was kept for quiet hours, each ring says where the price is now,
    as far as ``prices`` know. Nothing that a message says is left out but its buttons and its chart.
    """
    is_kept = notifications[0].kept_until is not None
    lines: list[str] = []
    events: list[dict[str, str | float]] = []
    for one in notifications:
        message = word(one)
        line, *more = [part for part in message.plain().split("\n") if part]
        if is_kept and (now := _present(one, prices, tr)):
            line = tr("{line} Now {prices}.", line=line, prices=now)
        room -= sum(_width(part) + 3 for part in (line, *more))
        if lines and room < _FRAME:
            break
        lines += [f"• {line}", *(f"   {part}" for part in more)]
        told = {name: value for name, value in message.facts.items() if isinstance(value, str | int | float)}
        events.append({"text": message.plain(), **told})
    count = len(events)
    if is_kept:
        title = tr.many("Kept in your quiet hours:", "Kept in your quiet hours, {count} messages:", count)
    else:
        title = tr.many("At once:", "{count} messages at once:", count)
    facts = {"event": "digest" if is_kept else "bundle", "messages": events}
    return Message(title=title, lines=tuple(lines), facts=facts), count


def keys_of(notifications: Sequence[Notification]) -> list[MetricKey]:
    """Name the prices that those that rang read."""
    return list(dict.fromkeys(key_of(one) for notice in notifications for one in _instruments(notice)))


def _present(notification: Notification, prices: Mapping[MetricKey, float], tr: Translator) -> str:
    found = {one: prices[key_of(one)] for one in _instruments(notification) if key_of(one) in prices}
    if len(found) == 1:
        return tr.price(next(iter(found.values())))
    return tr.listed(f"{instrument_name(one, tr)} {tr.price(price)}" for one, price in found.items())


def _instruments(notification: Notification) -> list[Instrument]:
    if notification.kind is not Telling.RING:
        return []
    rule = rule_of(text_of(notification.facts, "armed_rule"))
    read = [one for one in instruments(rule) if not is_metric(one)] if rule else []
    return read if len(read) <= _MOST else []


def _width(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
