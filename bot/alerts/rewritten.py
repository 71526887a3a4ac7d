"""Word what became of a chat's alerts when the playbook that it follows was changed."""

from __future__ import annotations

from bot.alerts.facts import items_of, rule_of, text_of
from bot.alerts.message import Facts, Message
from bot.alerts.sentences import meaning
from bot.alerts.translator import Translator


def word_playbook(facts: Facts, tr: Translator) -> Message:
    """Say who changed a playbook, and which alerts were added, changed or taken away by that."""
    name, by, is_over = text_of(facts, "name"), text_of(facts, "by"), bool(facts.get("is_over"))
    if is_over:
        title = tr("The playbook {name} was taken away by {by}, and its alerts with it.", name=name, by=by)
    else:
        title = tr("The playbook {name} was changed by {by}.", name=name, by=by)
    parts = items_of(facts, "parts")
    lines = [line for part in parts if (line := _line(part, tr))]
    if any(text_of(part, "what") != "dropped" for part in parts):
        lines.append(tr("What is already true waits to be clear first."))
    event: Facts = {"event": "playbook", "name": name, "by": by, "is_over": is_over}
    return Message(title=title, lines=tuple(lines), facts=event)


def _line(part: Facts, tr: Translator) -> str:
    label, armed = text_of(part, "alert"), rule_of(text_of(part, "rule"))
    rule = meaning(armed, {}, tr) if armed else text_of(part, "rule")
    match text_of(part, "what"):
        case "added":
            return tr("{label} is new: {rule}.", label=label, rule=rule)
        case "changed":
            return tr("{label} is now: {rule}.", label=label, rule=rule)
        case "beyond":
            return tr("Not added, since this chat has all the alerts that it may: {rule}.", rule=rule)
        case "dropped" if rule:
            return tr("{label} is gone: {rule}.", label=label, rule=rule)
        case "dropped":
            return tr("{label} is gone.", label=label)
        case _:
            return ""
