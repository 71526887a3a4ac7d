"""What a message offers to press: the next steps that fit what it tells, each a line that can be typed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bot.alerts.facts import rule_of, text_of
from bot.alerts.message import Button, Buttons, Facts, sound
from bot.alerts.models import Alert
from bot.alerts.translator import Translator
from bot.rules import instruments
from bot.rules.threshold import moved, threshold
from bot.rules.tree import Mode, Rule
from bot.rules.windows import is_metric

_STEP = Decimal(1)
"""By how many percent a level is moved with one press."""

_PAIRS = 2
"""For how many alerts of a list there are buttons beside each other."""


def of_ring(facts: Facts, armed: Rule, tr: Translator) -> Buttons:
    """Offer what one wants of an alert that has just rung.

    ``armed`` is its rule as it was armed. One that rings once is armed again, one that goes on is muted for
    a while; where a personal alert has a level of its own, that is moved. The line of a move names the new
    level, so that a button that is pressed twice moves it once. A chart whose name is too long for a button
    is offered by none.
    """
    label = text_of(facts, "alert")
    name = label.removeprefix("#")
    is_personal = name != label
    default = Mode.ONCE if is_personal else Mode.REPEAT
    if (armed.options.mode or default) is Mode.ONCE:
        first = [Button(tr("Arm again"), f"/resume {name}")]
    else:
        first = [Button(tr("Snooze 1h"), f"/mute {name} 1h")]
    first.extend(_looks(name, armed, tr))
    rows = [tuple(first)]
    named = rule_of(text_of(facts, "rule"))
    if is_personal:
        rows.extend(_of_own(int(name), named, tr))
    return sound(tuple(rows))


def of_why(alert: Alert, armed: Rule, tr: Translator, *, is_at_rest: bool) -> Buttons:
    """Offer what one wants of an alert that was looked at: the same as under its ring."""
    name = alert.name or str(alert.number)
    if is_at_rest:
        first = Button(tr("Arm again"), f"/resume {name}")
    else:
        first = Button(tr("Snooze 1h"), f"/mute {name} 1h")
    rows = [(first, *_looks(name, armed, tr)[:-1])]
    if not alert.is_shared:
        rows.extend(_of_own(alert.number, rule_of(alert.rule), tr))
    return sound(tuple(rows))


def of_alert(alert: Alert, tr: Translator, *, is_waiting: bool = False) -> Buttons:
    """Offer what one wants of an alert that was just made or changed.

    One that ``is_waiting`` to be clear first can be told now.
    """
    row = []
    if is_waiting:
        row.append(Button(tr("Tell it now"), f"/ringnow {alert.name or alert.number}"))
    if not alert.is_shared:
        row.append(_delete(alert.number, tr))
    return (tuple(row),) if row else ()


def of_rest(alert: Alert, tr: Translator) -> Buttons:
    """Offer to take up what was put to rest."""
    return ((Button(tr("Resume"), f"/resume {alert.name or alert.number}"),),)


def of_mute(alert: Alert, tr: Translator) -> Buttons:
    """Offer to tell again what was muted."""
    name = alert.name or str(alert.number)
    return ((Button(tr("Unmute"), f"/unmute {name}"), _why(name, tr)),)


def of_editing(alert: Alert, tr: Translator, *, has_window: bool = False) -> Buttons:
    """Offer what may be changed with a tap, a window for the rest, and the way back to the list."""
    own = _of_own(alert.number, rule_of(alert.rule), tr)
    writing = Button(tr("Write it in a window"), f"/edit {alert.number}", has_window=True)
    return sound((*own[:-1], *([(writing,)] if has_window else []), (*own[-1], listed(tr))))


def listed(tr: Translator) -> Button:
    """Offer the list of all alerts."""
    return Button(tr("All alerts"), "/alerts")


def of_deleting(number: int, tr: Translator) -> Buttons:
    """Ask once more before an alert is deleted."""
    return (
        (Button(tr("Yes, delete"), f"/delete {number}"), Button(tr("Keep it"), f"/delete {number} keep")),
    )


def of_list(alerts: Sequence[Alert], page: int, pages: int, tr: Translator) -> Buttons:
    """Offer to edit and to delete each alert of a list that is the chat's own, two in a row, and the pages.

    They have signs for words: four of these are what a phone shows beside each other.
    """
    own = [alert for alert in alerts if not alert.is_shared]
    pairs = [
        (
            Button(f"✎ {alert.label}", f"/edit {alert.number}"),
            Button(f"✕ {alert.label}", _asking(alert.number)),
        )
        for alert in own
    ]
    rows = [sum(pairs[at : at + _PAIRS], ()) for at in range(0, len(pairs), _PAIRS)]
    return sound((*rows, *of_pages("/alerts", page, pages, tr)))


def of_pages(line: str, page: int, pages: int, tr: Translator) -> Buttons:
    """Offer the pages beside the one that is shown; ``line`` says the list without a page.

    A line that is too long for a button (a search of many words) is offered by none.
    """
    row = []
    if page > 1:
        row.append(Button("◀", f"{line} {page - 1}"))
    if page < pages:
        row.append(Button("▶", f"{line} {page + 1}"))
    return sound((tuple(row),))


def _looks(name: str, armed: Rule, tr: Translator) -> list[Button]:
    chart = _chart(armed)
    return [*([Button(tr("Chart"), chart)] if chart else []), _why(name, tr)]


def _of_own(number: int, named: Rule | None, tr: Translator) -> list[tuple[Button, ...]]:
    """Offer what only an alert of the chat's own allows: to move its level, and to delete it."""
    level = threshold(named) if named else None
    return [*([_moves(number, level, tr)] if level else []), (_delete(number, tr),)]


def _why(name: str, tr: Translator) -> Button:
    return Button(tr("Why"), f"/why {name}")


def _delete(number: int, tr: Translator) -> Button:
    return Button(tr("Delete"), _asking(number))


def _asking(number: int) -> str:
    return f"/delete {number} ask"


def _moves(number: int, level: Decimal, tr: Translator) -> tuple[Button, ...]:
    targets = [moved(level, percent) for percent in (-_STEP, _STEP)]
    return tuple(
        Button(tr("Move to {level}", level=tr.number(target)), f"/edit {number} {target}")
        for target in targets
    )


def _chart(armed: Rule) -> str:
    """Give the line that shows the chart of a rule on one price, else nothing."""
    priced = {str(one) for one in instruments(armed) if not is_metric(one)}
    return f"/chart {priced.pop()}" if len(priced) == 1 else ""
