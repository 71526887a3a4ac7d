"""Word what rang for a chat while nothing could be written to it."""

from __future__ import annotations

from bot.alerts.facts import items_of, number_of, text_of
from bot.alerts.message import Facts, Message
from bot.alerts.translator import Translator

_NAMED = 20
"""How many alerts are named; the others are counted."""


def word_missed(facts: Facts, tr: Translator, now: float) -> Message:
    """Say which alerts rang meanwhile, how often, and when last."""
    alerts = items_of(facts, "alerts")
    since = number_of(facts, "since")
    lines = [line for one in alerts[:_NAMED] if (line := _line(one, tr, now))]
    if more := len(alerts) - len(lines):
        lines.append(tr.many("{count} more alert rang.", "{count} more alerts rang.", more))
    return Message(
        title=tr(
            "I could not write here since {since}. This rang meanwhile:", since=tr.instant(since or now, now)
        ),
        lines=tuple(lines),
        facts={"event": "missed", "alerts": facts.get("alerts")},
    )


def _line(alert: Facts, tr: Translator, now: float) -> str:
    label, count, at = text_of(alert, "alert"), number_of(alert, "count"), number_of(alert, "at")
    if not label or count is None or at is None:
        return ""
    last = tr.instant(at, now)
    if count == 1:
        return tr("{label} at {last}", label=label, last=last)
    return tr("{label} {count} times, the last at {last}", label=label, count=int(count), last=last)
