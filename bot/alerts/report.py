"""Word a report: what a chat's alerts read, how that moved, and what rang. Pure."""

from __future__ import annotations

from decimal import Decimal

from bot.alerts.facts import decimal_of, items_of, number_of, text_of
from bot.alerts.figures import amount, figure_name, told
from bot.alerts.hours import WEEK
from bot.alerts.message import Facts, Message
from bot.alerts.people import ChatRef
from bot.alerts.rings import Rung, rung_line
from bot.alerts.sentences import begun, metric_name
from bot.alerts.translator import Translator, exact_utc
from bot.metrics import MetricKey, Observation


def word_report(facts: Facts, tr: Translator, now: float) -> Message:
    """Word what was gathered for a report, as of the instant at which that was done."""
    at, since = number_of(facts, "at") or now, number_of(facts, "since") or now
    is_weekly = (number_of(facts, "span") or 0) >= WEEK
    lines = [line for item in items_of(facts, "series") if (line := _series(item, tr, is_weekly=is_weekly))]
    if more := int(number_of(facts, "more") or 0):
        lines.append(tr.many("And {count} more: /alerts", "And {count} more: /alerts", more))
    lines.extend(_flow(item, tr, at) for item in items_of(facts, "flows"))
    if not lines:
        lines.append(tr("No alert here reads anything just now."))
    rung, listed = int(number_of(facts, "rang") or 0), items_of(facts, "rings")
    when = tr.instant(since, now)
    if rung:
        lines.append(tr.many("Rang once since {at}:", "Rang {count} times since {at}:", rung, at=when))
        lines.extend(_ring(item, tr, now) for item in listed)
        if rung > len(listed):
            lines.append(tr("The others: {line}", line="/history"))
    else:
        lines.append(tr("Nothing rang since {at}.", at=when))
    day, week = tr("Your day, {at}", at=tr.instant(at, now)), tr("Your week, {at}", at=tr.instant(at, now))
    return Message(
        title=week if is_weekly else day,
        lines=tuple(lines),
        facts={"event": "report", "at": exact_utc(at), "since": exact_utc(since), "rang": rung},
    )


def _series(item: Facts, tr: Translator, *, is_weekly: bool) -> str:
    name = begun(metric_name(text_of(item, "name"), tr))
    value, before = decimal_of(item, "now"), decimal_of(item, "then")
    if value is None:
        return tr("{name}: cannot be seen just now", name=name)
    key = MetricKey(text_of(item, "metric"), text_of(item, "instrument"), text_of(item, "venue"))
    if key.metric != "price":
        shown = amount(key, value, tr)
        if before is None or before == value:
            return tr("{name}: {value}", name=name, value=shown)
        return tr("{name}: {value}, was {before}", name=name, value=shown, before=amount(key, before, tr))
    shown = tr.price(float(value))
    if not before:
        return tr("{name} {value}", name=name, value=shown)
    arguments = {"name": name, "value": shown, "share": tr.share(abs(float(value / before - 1)))}
    if value == before:
        return tr("{name} {value}, as before", **arguments)
    match value > before, is_weekly:
        case True, True:
            return tr("{name} {value}, up {share} in a week", **arguments)
        case True, False:
            return tr("{name} {value}, up {share} in a day", **arguments)
        case False, True:
            return tr("{name} {value}, down {share} in a week", **arguments)
        case _:
            return tr("{name} {value}, down {share} in a day", **arguments)


def _flow(item: Facts, tr: Translator, at: float) -> str:
    key = MetricKey(text_of(item, "metric"), text_of(item, "instrument"))
    name, count = figure_name(key, tr), int(number_of(item, "count") or 1)
    value = decimal_of(item, "value") or Decimal(0)
    if count > 1:
        total = amount(key, decimal_of(item, "sum") or Decimal(0), tr)
        one = tr.many("{count} session", "{count} sessions", count)
        return tr("{name}: {sum} over {sessions}", name=name, sum=total, sessions=one)
    as_of, is_final = int(number_of(item, "as_of") or 0), bool(item.get("is_final"))
    return tr("{name}: {told}", name=name, told=told(Observation(key, as_of, value, 0.0, is_final), tr, at))


def _ring(item: Facts, tr: Translator, now: float) -> str:
    at, taken_back = number_of(item, "at") or 0.0, number_of(item, "corrected_at")
    rung = Rung(
        label=text_of(item, "alert"),
        armed=text_of(item, "armed"),
        at=at,
        seen_at=at,
        value=number_of(item, "value") or 0.0,
        chat=ChatRef("", ""),
        made_at=at,
        corrected_at=taken_back or None,
        sent_at=at,
    )
    return f"• {rung_line(rung, '', tr, now)}"
