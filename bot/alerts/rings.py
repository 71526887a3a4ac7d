"""Rings that were promised: what rang, and what became of the message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from bot.alerts.aftermath import SPANS, Aftermath, changes_told, counted_from, course_line, span_name, subject
from bot.alerts.causes import cause
from bot.alerts.facts import rule_of
from bot.alerts.people import ChatRef
from bot.alerts.sentences import event, meaning
from bot.alerts.translator import Translator
from bot.rules.tree import Rule

PROMPT = 10.0
"""How many seconds a message may take that is told without saying how long it took."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A ring of one alert, and the message of it for one chat.

    ``armed`` is the rule that rang, filled in with ``levels``, whatever the alert is by now. ``at`` is when
    it came true, ``seen_at`` when that was seen, ``made_at`` when the message was promised, ``sent_at`` when
    the platform took it as its ``message``. One that was not sent may be muted, given up, held until the
    ``chat`` can be written to again, kept for its quiet hours, or due at ``not_before``; ``error`` says why
    the last attempt failed. ``aftermaths`` are what the price did afterwards, as far as that is over.
    """

    label: str
    armed: str
    at: float
    seen_at: float
    value: float
    chat: ChatRef
    made_at: float
    levels: Mapping[str, Decimal] = field(default_factory=dict)
    is_early: bool = False
    confirmed_at: float | None = None
    corrected_at: float | None = None
    is_late: bool = False
    is_private: bool = True
    is_muted: bool = False
    attempts: int = 0
    sent_at: float | None = None
    message: str = ""
    given_up_at: float | None = None
    held_at: float | None = None
    not_before: float = 0.0
    error: str = ""
    kept_until: float | None = None
    aftermaths: tuple[Aftermath, ...] = ()


def rung_line(rung: Rung, link: str, tr: Translator, now: float) -> str:
    """Say in one line what rang, when and at which value, whether it stands, and where it was told.

    And how far the price was from there a day and a week later, where that is known.
    """
    parts = [
        tr(
            "{at} {label} {happened}",
            at=tr.instant(rung.at, now),
            label=rung.label,
            happened=_happened(rung, tr),
        )
    ]
    parts.append(tr.price(rung.value))
    parts.extend(_timing(rung, tr))
    if later := changes_told(rung.aftermaths, tr):
        parts.append(later)
    if rung.sent_at is None:
        parts.append(_untold(rung, tr, now))
    elif link:
        parts.append(link)
    return " · ".join(parts)


def after_lines(rung: Rung, tr: Translator, now: float) -> list[str]:
    """Say what the price did after a ring that stands, a line for each span that is over."""
    rule = rule_of(rung.armed)
    if rule is None or rung.corrected_at is not None or subject(rule) is None:
        return []
    known, lines = {one.span: one for one in rung.aftermaths}, []
    for span in SPANS:
        if span in known:
            lines += course_line(known[span], rule, tr)
        elif now >= counted_from(rung.at) + span:
            lines.append(tr("after {time}: not known yet", time=span_name(span, tr)))
    return lines


def delivery(rung: Rung, tr: Translator, now: float) -> str:
    """Say what became of the message of a ring: when it was told, how long that took, or why it was not."""
    if rung.sent_at is None:
        return _untold(rung, tr, now)
    told = tr("told {at}", at=tr.instant(rung.sent_at, now))
    if rung.kept_until is not None:
        told = tr("{told}, after quiet hours", told=told)
    if (took := rung.sent_at - max(rung.made_at, rung.kept_until or 0.0)) >= PROMPT:
        told = tr("{told}, {time} after it was due", told=told, time=tr.duration(took))
    if rung.attempts > 1:
        told = tr("{told}, at attempt {count}", told=told, count=rung.attempts)
    return told


def last_ring(rung: Rung, link: str, tr: Translator, now: float) -> str:
    """Say when an alert rang last, how that stands, and what became of the message."""
    said = tr.row((tr.price(rung.value), *_timing(rung, tr)))
    last = tr(
        "Last ring: {at} at {said}; {delivery}.",
        at=tr.instant(rung.at, now),
        said=said,
        delivery=delivery(rung, tr, now),
    )
    return tr("{one} {other}", one=last, other=link) if link else last


def _happened(rung: Rung, tr: Translator) -> str:
    armed = rule_of(rung.armed)
    if armed is None:
        return rung.armed
    happened = event(armed, rung.levels, tr)
    return happened.past if happened else meaning(Rule(armed.condition), rung.levels, tr)


def _timing(rung: Rung, tr: Translator) -> list[str]:
    """Say how a ring was told: early, late, and whether it was taken back."""
    said = []
    if rung.is_early:
        said.append(tr("early, confirmed") if rung.confirmed_at is not None else tr("early"))
    if rung.is_late:
        said.append(tr("{time} late", time=tr.duration(max(rung.seen_at - rung.at, 0))))
    if rung.corrected_at is not None:
        said.append(tr("taken back"))
    return said


def _untold(rung: Rung, tr: Translator, now: float) -> str:
    if rung.is_muted:
        return tr("not told: muted")
    why = cause(rung.error, "", tr) or tr("no reason is known")
    if rung.given_up_at is not None:
        return tr("never told, given up {at}: {why}", at=tr.instant(rung.given_up_at, now), why=why)
    if rung.held_at is not None:
        return tr("not told yet: this chat could not be written to ({why})", why=why)
    if rung.kept_until is not None and rung.kept_until > now:
        return tr("kept until {at}: quiet hours", at=tr.instant(rung.kept_until, now))
    if rung.attempts and rung.error:
        tries = tr.many("{count} attempt failed", "{count} attempts failed", rung.attempts)
        at = tr.instant(max(rung.not_before, now), now)
        return tr("not told yet: {tries} ({why}), next {at}", tries=tries, why=why, at=at)
    return tr("being told now")
