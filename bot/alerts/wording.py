"""Word what is told: a Notification's facts become a Message in the person's language and time zone.

Pure: the present instant is an argument. A ring says what rang, the value, how far it is from the level,
when and where it was seen; what is late says so, and what is missing is left out, never guessed.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from bot.alerts import offers
from bot.alerts.causes import cause
from bot.alerts.facts import decimal_of, items_of, labels_of, number_of, rule_of, text_of
from bot.alerts.figures import measured
from bot.alerts.health import word_health
from bot.alerts.links import word_link
from bot.alerts.message import Facts, Message, say
from bot.alerts.missed import word_missed
from bot.alerts.models import Notification, Telling
from bot.alerts.provenance import source, taken
from bot.alerts.refusals import banned
from bot.alerts.report import word_report
from bot.alerts.rewritten import word_playbook
from bot.alerts.sentences import Event, event, filled_levels, meaning, metric_name, venue_name
from bot.alerts.sessions import flows_told, sessions_told
from bot.alerts.sighting import word_doubt, word_lapse, word_loss, word_return
from bot.alerts.sketches import of_ring
from bot.alerts.tones import TONES
from bot.alerts.translator import Translator, exact_utc
from bot.rules.tree import Rule

PATIENCE = 300.0
"""How many seconds a message may wait to be sent before it says that it was delayed."""

_TITLE = 200
"""A title longer than this is split: the platforms bound titles, and long ones stand out no more."""


def word(
    notification: Notification,
    tr: Translator,
    now: float,
    patience: float = PATIENCE,
    delay: float | None = None,
) -> Message:
    """Word one notification as it is told at ``now``.

    ``patience`` is in seconds of the deployment's clock, as is ``delay``: how long after what it tells of a
    ring is told, where that was measured. Facts that are missing or of another kind than expected are left
    out: an old row never keeps the outbox from being told.
    """
    facts = notification.facts
    match notification.kind:
        case Telling.RING:
            message = _ring(facts, tr, now, delay)
        case Telling.CORRECTION:
            message = _correction(facts, tr, now)
        case Telling.REMINDER:
            message = _lasting(facts, tr, now)
        case Telling.RESOLUTION:
            message = _over(facts, tr, now)
        case Telling.ENDED:
            message = _ended(facts, tr, now)
        case Telling.LEVEL:
            message = _level(facts, tr)
        case Telling.PLAYBOOK:
            message = word_playbook(facts, tr)
        case Telling.WITHDRAWN:
            message = _withdrawn(facts, tr)
        case Telling.LOST:
            message = word_loss(facts, tr, now)
        case Telling.BACK:
            message = word_return(facts, tr, now)
        case Telling.LAPSE:
            message = word_lapse(facts, tr, now)
        case Telling.DOUBT:
            message = word_doubt(facts, tr, now)
        case Telling.RETURNED:
            message = _returned(facts, tr)
        case Telling.MISSED:
            message = word_missed(facts, tr, now)
        case Telling.BROADCAST:
            message = announce(text_of(facts, "text"), tr)
        case Telling.REPORT:
            message = word_report(facts, tr, now)
        case Telling.HEALTH:
            message = word_health(facts, tr, now)
        case Telling.LINK:
            message = word_link(facts, tr)
        case Telling.BANNED:
            until, is_group = number_of(facts, "until"), notification.is_group
            message = say(banned(until, tr, now, is_group=is_group))
    message = replace(message, tone=TONES.get(notification.kind, ""))
    if now - notification.due > patience:
        due = tr.instant(notification.due, now)
        delayed = tr("Delayed: this was to be told at {at}.", at=due)
        return replace(message, lines=(*message.lines, delayed))
    return message


def _ring(facts: Facts, tr: Translator, now: float, delay: float | None) -> Message:
    label, at = text_of(facts, "alert"), number_of(facts, "at")
    armed, levels = _rules(facts)
    happened = event(armed, levels, tr) if armed else None
    if happened:
        because, evidence = _told(happened, facts, tr, now), []
    else:
        because = meaning(Rule(armed.condition), levels, tr) if armed else text_of(facts, "rule")
        evidence = [line for item in items_of(facts, "evidence") if (line := _evidence(item, tr))]
    is_late = bool(facts.get("is_late"))
    # Of a touch that the minute alone shows nobody knows the second: what was measured is a bound.
    is_exact = text_of(facts, "way") != "minute" or (happened is not None and not happened.is_touch)
    took = "" if delay is None or is_late else taken(delay, tr, is_exact=is_exact)
    where = source(facts, tr, now, took, has_time=not (is_late and happened))
    if happened:
        title, lines = tr("{label} {event}.", label=label, event=because), []
    elif len(because) <= _TITLE:
        title, lines = tr("{label} came true: {rule}.", label=label, rule=because), evidence
    else:
        title, lines = tr("{label} came true.", label=label), [because, *evidence]
    if armed:
        lines.extend(sessions_told(facts, armed, tr, now))
    if is_late and not happened:
        lines.append(_late(facts, tr))
    if revised := _revised(facts, tr, now):
        lines.append(tr("Late: {because}.", because=revised))
    if playbook := text_of(facts, "playbook"):
        part = text_of(facts, "part")
        lines.append(tr("Playbook {playbook}: {part}.", playbook=playbook, part=part))
    if note := text_of(facts, "note") or (armed.options.note if armed else ""):
        lines.append(tr("Note: {note}", note=note))
    return Message(
        title=tr("{one} {other}", one=title, other=where) if where else title,
        lines=tuple(lines),
        chart=(of_ring(facts, armed, levels, tr) or flows_told(facts, armed, tr)) if armed else None,
        buttons=offers.of_ring(facts, armed, tr) if armed and not facts.get("is_elsewhere") else (),
        facts={
            "event": "ring",
            "alert": label,
            "rule": text_of(facts, "rule"),
            "value": number_of(facts, "value"),
            "at": exact_utc(at) if at is not None else None,
            "because": because,
            **({} if delay is None else {"delay": round(delay, 3)}),
        },
    )


def _told(happened: Event, facts: Facts, tr: Translator, now: float) -> str:
    """Say what happened, with the value, how far it is from the level, and the present price."""
    value, at, seen_at = (number_of(facts, name) for name in ("value", "at", "seen_at"))
    present = number_of(facts, "now")
    if value is None:
        return happened.sentence
    if facts.get("is_late") and at is not None:
        told = _told_late(happened, tr.price(value), tr.instant(at, now), tr)
        if seen_at is not None:
            told = tr("{told}, seen at {seen_at}", told=told, seen_at=_seen_at(seen_at, at, now, tr))
        return told if present is None else tr("{told}; now {now}", told=told, now=tr.price(present))
    if not happened.is_touch:
        newest = value if present is None else present
        return tr("{event}, now {now}", event=happened.sentence, now=tr.price(newest))
    is_present = bool(facts.get("is_early")) or present == value
    arguments = {"event": happened.sentence, "value": _value(value, happened.level, tr)}
    if is_present:
        return tr("{event}: now {value}", **arguments)
    if present is None:
        return tr("{event}: touched {value}", **arguments)
    return tr("{event}: touched {value}, now {now}", **arguments, now=tr.price(present))


def _told_late(happened: Event, value: str, at: str, tr: Translator) -> str:
    if happened.is_touch:
        return tr("{event}: touched {value} at {at}", event=happened.past, value=value, at=at)
    return tr("{event} at {at} ({value})", event=happened.past, value=value, at=at)


def _value(value: float, level: Decimal | None, tr: Translator) -> str:
    """Write a price with its distance from the level, where it is off it."""
    if not level or float(level) == value:
        return tr.price(value)
    share = value / float(level) - 1
    arguments = {"value": tr.price(value), "share": tr.share(abs(share))}
    if share > 0:
        return tr("{value} ({share} above)", **arguments)
    return tr("{value} ({share} below)", **arguments)


def _evidence(item: Facts, tr: Translator) -> str:
    """Word one term of a rule of several: what it says, and the value that decided it."""
    term, value = text_of(item, "term"), number_of(item, "value")
    if not term or value is None:
        return ""
    rule = rule_of(term)
    if rule and (line := measured(rule.condition, value, tr)):
        return line
    sentence = meaning(rule, {}, tr) if rule else term
    return tr("{term}: {value}", term=sentence, value=tr.price(value))


def _late(facts: Facts, tr: Translator) -> str:
    seen_at, at = number_of(facts, "seen_at"), number_of(facts, "at")
    if seen_at is None:
        return tr("Told late.")
    return tr("Told late: seen at {seen_at}.", seen_at=_seen_at(seen_at, at or seen_at, seen_at, tr))


def _seen_at(seen_at: float, at: float, now: float, tr: Translator) -> str:
    """Give the time alone where the day is the one just named, else all of it."""
    day = tr.date(seen_at, now)
    if day == tr.date(at, now):
        return tr.time(seen_at)
    return tr.instant(seen_at, now) if day else tr("{time} today", time=tr.instant(seen_at, now))


def _correction(facts: Facts, tr: Translator, now: float) -> Message:
    label, at, value = text_of(facts, "alert"), number_of(facts, "at"), number_of(facts, "value")
    revised = _revised(facts, tr, now)
    if reason := text_of(facts, "reason"):
        because = tr(reason)
    elif revised:
        because = revised
    elif facts.get("is_gone"):
        because = tr("the minutes that would show it are gone, and nobody can say whether it was true")
    elif venues := _others(facts, tr):
        because = tr(
            "{before} showed it, but the final minutes came from {venue} and do not show it",
            before=venue_name(text_of(facts, "rang_on")),
            venue=venues,
        )
    else:
        because = tr("the final minutes of the exchange do not show it")
    if at is not None and value is not None:
        told = tr(
            "Correction to {label}: the ring of {at} at {value} is taken back: {because}.",
            label=label,
            at=tr.instant(at, now),
            value=tr.price(value),
            because=because,
        )
    else:
        told = tr(
            "Correction to {label}: the last ring is taken back: {because}.", label=label, because=because
        )
    return Message(
        title=told,
        lines=(
            tr("The alert is armed again.") if revised else tr("The alert is as it was before that ring."),
        ),
        facts={
            "event": "correction",
            "alert": label,
            "rule": text_of(facts, "rule"),
            "value": value,
            "at": exact_utc(at) if at is not None else None,
            "because": because,
        },
    )


def _others(facts: Facts, tr: Translator) -> str:
    """Name whose final minutes were read, where they are not all of the exchange whose price rang."""
    before = text_of(facts, "rang_on")
    finals = [text_of(item, "venue") for item in items_of(facts, "finals")]
    return tr.listed(map(venue_name, finals)) if before and any(one != before for one in finals) else ""


def _revised(facts: Facts, tr: Translator, now: float) -> str:
    """Say that a source corrected its figure of a session, with the old one and the new; else nothing."""
    revised = next(iter(items_of(facts, "revised")), None)
    if revised is None:
        return ""
    as_of, before, after = (number_of(revised, name) for name in ("as_of", "before", "after"))
    if as_of is None or before is None or after is None:
        return tr("the source corrected its figure")
    return tr(
        "the source corrected the {metric} of {session} from {before} to {after}",
        metric=metric_name(text_of(revised, "metric"), tr),
        session=tr.day_of_session(as_of, now),
        before=tr.price(before),
        after=tr.price(after),
    )


def _lasting(facts: Facts, tr: Translator, now: float) -> Message:
    title = tr("{label} still holds: {rule}, now {value}.", **_standing(facts, tr))
    return Message(title=title, facts={"event": "reminder", **_event_facts(facts)})


def _over(facts: Facts, tr: Translator, now: float) -> Message:
    title = tr("{label} is over: {rule} no longer holds, now {value}.", **_standing(facts, tr))
    return Message(title=title, facts={"event": "resolution", **_event_facts(facts)})


def _standing(facts: Facts, tr: Translator) -> dict[str, str]:
    armed, levels = _rules(facts)
    rule = meaning(Rule(armed.condition), levels, tr) if armed else text_of(facts, "rule")
    value = number_of(facts, "value")
    shown = tr("unknown") if value is None else tr.price(value)
    return {"label": text_of(facts, "alert"), "rule": rule, "value": shown}


def _event_facts(facts: Facts) -> Facts:
    at = number_of(facts, "at")
    return {
        "alert": text_of(facts, "alert"),
        "rule": text_of(facts, "rule"),
        "value": number_of(facts, "value"),
        "at": exact_utc(at) if at is not None else None,
    }


def _ended(facts: Facts, tr: Translator, now: float) -> Message:
    label, at, rings = text_of(facts, "alert"), number_of(facts, "at"), int(number_of(facts, "episode") or 0)
    armed, levels = _rules(facts)
    rule = meaning(Rule(armed.condition), levels, tr) if armed else text_of(facts, "rule")
    count = tr.many("It rang once.", "It rang {count} times.", rings) if rings else tr("It did not ring.")
    if at is None:
        title = tr("{label} has ended.", label=label)
    else:
        title = tr("{label} has ended: its time was up at {at}.", label=label, at=tr.instant(at, now))
    return Message(
        title=title,
        lines=tuple(line for line in (rule, count) if line),
        facts={
            "event": "ended",
            "alert": label,
            "rule": text_of(facts, "rule"),
            "at": exact_utc(at) if at is not None else None,
            "rings": rings,
        },
    )


def _level(facts: Facts, tr: Translator) -> Message:
    before, after = decimal_of(facts, "before"), decimal_of(facts, "after")
    arguments = {"name": f"@{text_of(facts, 'name')}", "after": tr.number(after or Decimal(0))}
    by = text_of(facts, "by")
    if before is None:
        moved = tr("{name} is now {after}", **arguments)
    else:
        moved = tr("{name} moved from {before} to {after}", **arguments, before=tr.number(before))
    title = tr("{moved}, set by {by}.", moved=moved, by=by) if by else tr("{line}.", line=moved)
    lines = []
    if labels := labels_of(facts, "alerts"):
        lines.append(tr("Armed anew: {alerts}.", alerts=tr.listed(labels)))
    lines.append(tr("What is already true waits to be clear first."))
    lines.append(tr("/alerts shows which. Tell one now anyway: {line}", line="/ringnow N"))
    return Message(
        title=title,
        lines=tuple(lines),
        facts={
            "event": "level",
            "name": text_of(facts, "name"),
            "before": str(before) if before is not None else None,
            "after": str(after) if after is not None else None,
            "by": by,
        },
    )


def announce(text: str, tr: Translator) -> Message:
    """Word what the operators say to all chats, as it is previewed and told."""
    lines = (text, tr("From the operators of this bot. To hear no more of them: /announcements off"))
    return Message(lines=lines, facts={"event": "broadcast", "text": text})


def _returned(facts: Facts, tr: Translator) -> Message:
    place, labels = text_of(facts, "place"), labels_of(facts, "alerts")
    if facts.get("is_topic"):
        title = tr("A topic or thread of this chat is no more, so what rang in it rings here.")
        here = [tr("Its alerts are here now: {alerts}.", alerts=tr.listed(labels))] if labels else []
        return Message(title=title, lines=tuple(here), facts={"event": "returned", "place": ""})
    title = tr(
        "I can no longer write in {place}, so {alerts} will ring here again.",
        place=place,
        alerts=tr.listed(labels),
    )
    lines = (
        tr("Why: {reason}.", reason=cause(text_of(facts, "reason"), "", tr)),
        tr("What was still to be told there is told here. To send it there again: /send"),
    )
    return Message(title=title, lines=lines, facts={"event": "returned", "place": place})


def _withdrawn(facts: Facts, tr: Translator) -> Message:
    label, rule = text_of(facts, "alert"), text_of(facts, "rule")
    title = tr("{label} was unpublished: it will not ring here any more.", label=label)
    parsed = rule_of(rule)
    line = meaning(parsed, {}, tr) if parsed else rule
    lines = (line,) if line else ()
    return Message(title=title, lines=lines, facts={"event": "withdrawn", "alert": label, "rule": rule})


def _rules(facts: Facts) -> tuple[Rule | None, dict[str, Decimal]]:
    """Read the rule as it was armed, and what its levels stood at."""
    armed, named = rule_of(text_of(facts, "armed_rule")), rule_of(text_of(facts, "rule"))
    return armed, filled_levels(named, armed) if named and armed else {}
