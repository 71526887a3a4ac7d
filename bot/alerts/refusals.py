"""Word what is told to who may not go on: who is shut out, asks too much, or has all there may be."""

from __future__ import annotations

from bot.alerts.bounds import Thing, Whose
from bot.alerts.translator import Translator


def banned(
    until: float | None, tr: Translator, now: float, *, is_group: bool = False, has_alerts: bool = True
) -> str:
    """Say to a person or a group, once, that they are shut out and what that means."""
    if is_group:
        out = tr("The operators of this bot have shut this group out")
    else:
        out = tr("The operators of this bot have shut you out")
    if until is not None:
        out = tr("{out} until {until}", out=out, until=tr.instant(until, now))
    if not has_alerts:
        return tr("{out}: I answer no more.", out=out)
    alerts = tr("the alerts here are paused") if is_group else tr("your alerts in private chats are paused")
    return tr(
        "{out}: I answer no more, and {alerts}. Once that is over, {line} takes each up again.",
        out=out,
        alerts=alerts,
        line="/resume N",
    )


def beyond(thing: Thing, whose: Whose, most: int, tr: Translator) -> tuple[str, str]:
    """Say which bound was reached, and what to do."""
    if whose is Whose.PERSON:
        who = tr("You have")
        among = tr("in all your chats together")
    else:
        who = tr("This chat has")
        among = tr("which is as many as a chat may have")
    many = _many(thing, most, tr)
    said = tr("{who} {many}, {among}: nothing is changed.", who=who, many=many, among=among)
    if thing is Thing.SUBSCRIPTIONS:
        free = tr(
            "Leave one with {line}, or ask the operators of this bot for more.", line="/unsubscribe NAME"
        )
    else:
        free = tr("Delete one with {line}, or ask the operators of this bot for more.", line="/delete N")
    return said, free


def _many(thing: Thing, most: int, tr: Translator) -> str:
    if thing is Thing.SUBSCRIPTIONS:
        return tr.many("{count} shared alert", "{count} shared alerts", most)
    return tr.many("{count} alert", "{count} alerts", most)


def too_fast(whose: Whose, most: int, seconds: float, tr: Translator) -> str:
    """Say that somebody asks more than may be asked within a minute, and when they are heard again."""
    wait = tr.many("{count} second", "{count} seconds", max(1, round(seconds)))
    if whose is Whose.PERSON:
        one = tr("That is more than {most} commands of one person in a minute", most=str(most))
    else:
        one = tr("That is more than {most} commands in one chat in a minute", most=str(most))
    return tr("{one}: I read none for {wait}. Please send it again then.", one=one, wait=wait)


def not_allowed(names: str, tr: Translator) -> str:
    """Say that the operators have not let this chat in, and what they must be told to do so."""
    return tr(
        "This bot answers only where its operators have let it. To be let in, tell them this: {names}",
        names=names,
    )
