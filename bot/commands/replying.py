"""What people mean who reply to a message of the bot: *mute 1h*, *why*, *edit < 90k*, below a ring.

Such a reply is a command on the alert that the message told. It is said with a slash, or in words of any
language that the bot speaks; what is said in words must be that and no more, for people talk with each other
below a ring too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.alerts.languages import Languages
from bot.commands.reading import label_of
from bot.commands.request import Refusal, Request
from bot.rules.phrases import to_say

_CALLED: Mapping[str, str] = {
    "why": to_say("why, reason"),
    "mute": to_say("mute, snooze, silence"),
    "unmute": to_say("unmute"),
    "delete": to_say("delete, remove"),
    "edit": to_say("edit, change, move"),
    "pause": to_say("pause, stop"),
    "resume": to_say("resume, arm again"),
    "share": to_say("share"),
    "history": to_say("history"),
}
"""What commands are called in a reply, with commas between; each language has words of its own."""

_TIME = re.compile(r"|\d.{0,20}|[一二两三四五六七八九十半].{1,8}")
_AFTER: Mapping[str, re.Pattern[str]] = {
    "mute": _TIME,
    "edit": re.compile(r".*", re.DOTALL),
    "history": re.compile(r"|\d{1,4}"),
}
"""What may follow the words of a command; nothing may, unless it stands here."""

_IDLE = re.compile(r"(?:(?:for|to|it|this)\b|[\s,:，：])+", re.IGNORECASE)
_ENDS = " \t\n?!.。？！~～"


def spoken(words: str, languages: Languages) -> tuple[str, str] | None:
    """Read words without a slash as a command and what follows it; ``None`` if they are anything else."""
    said = words.strip().rstrip(_ENDS)
    for word, command in _names(languages):
        if not said.casefold().startswith(word):
            continue
        rest = said[len(word) :]
        if rest and word.isascii() and rest[0].isalnum() and rest[0].isascii():
            continue
        idle = _IDLE.match(rest)
        rest = rest[idle.end() :] if idle else rest
        pattern = _AFTER.get(command)
        if not rest or (pattern is not None and pattern.fullmatch(rest)):
            return command, rest
    return None


def is_of_alert(name: str) -> bool:
    """Ask whether a command begins with the alert that it is about."""
    from bot.commands.verbs import COMMANDS

    return any(
        one.name == name and bool(one.options) and one.options[0].name == one.named_alert for one in COMMANDS
    )


async def addressed(request: Request, name: str, rest: str) -> str | None:
    """Give the options of a command with the alert that the message replied to tells before them.

    One that names an alert itself is left as it is. ``None`` where that message tells of no alert; raises
    Refusal where it tells of several.
    """
    register = request.office.register
    head = label_of(rest.partition(" ")[0])
    if rest and any(one.alert.label.lower() == head for one in await register.subscriptions(request.chat)):
        return rest
    labels = await register.told_in(request.caller.chat, request.caller.answers)
    if len(labels) > 1:
        example = f"/{name} {labels[0].removeprefix('#')} {rest}".rstrip()
        raise Refusal(
            request.tr(
                "That message tells of {alerts}. Say which you mean: {line}",
                alerts=request.tr.listed(labels),
                line=example,
            )
        )
    return f"{labels[0].removeprefix('#')} {rest}".rstrip() if labels else None


def _names(languages: Languages) -> list[tuple[str, str]]:
    """Give all words for commands in all languages, the longest first."""
    found: dict[str, str] = {}
    for language in languages:
        tr = languages.translator(language.tag, "UTC")
        for command, names in _CALLED.items():
            for name in tr.known(names).replace("，", ",").split(","):
                found.setdefault(name.strip().casefold(), command)
    return sorted(found.items(), key=lambda one: -len(one[0]))
