"""How much one person and one chat may have and ask: operators see it and set it."""

from __future__ import annotations

import re

from bot.alerts.bounds import MOST_OF_ALL, QUOTAS, Thing, Whose, quota_name, read_quota
from bot.alerts.changes import PLAIN, Basis, Entry
from bot.alerts.message import say
from bot.alerts.translator import Translator
from bot.commands.reading import nearest
from bot.commands.request import Refusal, Request
from bot.ports import Replies

_USUAL = "default"


async def quota(request: Request) -> Replies:
    """List the quotas, or set one."""
    tr = request.tr
    thing, whose, value = (request.given(name).lower() for name in ("thing", "whose", "value"))
    if not thing:
        bounds = await request.office.gate.bounds()
        lines = [_line(one, bounds.most(*one), tr) for one in QUOTAS]
        yield say(*lines, tr("To set one: {line}", line="/quota alerts person 200"))
        return
    wanted = read_quota(f"{thing} {whose}")
    if wanted is None or not value:
        raise _unknown(f"{thing} {whose}".strip(), tr)
    yield say(*await _set(request, wanted, _number(value, wanted, tr), PLAIN))


def _number(text: str, wanted: tuple[Thing, Whose], tr: Translator) -> int | None:
    if text == _USUAL:
        return None
    least = 1 if wanted[0] is Thing.COMMANDS else 0
    number = int(text) if re.fullmatch(r"[0-9]{1,6}", text) else -1
    if not least <= number <= MOST_OF_ALL:
        raise Refusal(
            tr(
                '"{text}" is no whole number from {least} to {most}, nor the word default.',
                text=text[:64],
                least=str(least),
                most=tr.render(MOST_OF_ALL),
            )
        )
    return number


async def _set(request: Request, wanted: tuple[Thing, Whose], value: int | None, basis: Basis) -> list[str]:
    tr, office = request.tr, request.office
    before = await office.register.set_quota(request.caller, *wanted, value, request.instant, basis=basis)
    await office.gate.refresh()
    after = (await office.gate.bounds()).most(*wanted)
    lines = [_line(wanted, after, tr)]
    if before != after:
        lines.append(tr("Before, it was {before}.", before=str(before)))
    if after < before and wanted[0] is not Thing.COMMANDS:
        lines.append(tr("Who has more than that keeps it, and gets no more."))
    return lines


async def undo(request: Request, entry: Entry) -> Replies:
    """Set a quota to what it was before a change."""
    wanted = read_quota(entry.name)
    if wanted is None:
        raise _unknown(entry.name, request.tr)
    value = int(str(entry.before["value"])) if entry.before is not None else None
    yield say(*await _set(request, wanted, value, Basis(undoes=entry.id)))


def described(entry: Entry, tr: Translator) -> str:
    """Say what an entry of the audit did to a quota."""
    before, after = (
        tr("the default") if one is None else str(one["value"]) for one in (entry.before, entry.after)
    )
    return tr("quota {name}: {before} → {after}", name=entry.name, before=before, after=after)


def _line(one: tuple[Thing, Whose], most: int, tr: Translator) -> str:
    meaning = {
        (Thing.ALERTS, Whose.PERSON): tr("alerts that one person made, in all chats together"),
        (Thing.ALERTS, Whose.CHAT): tr("alerts of one chat, its topics together"),
        (Thing.SUBSCRIPTIONS, Whose.PERSON): tr(
            "shared alerts that one person follows, in all chats together"
        ),
        (Thing.SUBSCRIPTIONS, Whose.CHAT): tr("shared alerts that one chat follows, its topics together"),
        (Thing.COMMANDS, Whose.PERSON): tr("commands of one person in a minute"),
        (Thing.COMMANDS, Whose.CHAT): tr("commands in one chat in a minute"),
    }[one]
    line = tr("{name} {most}: {meaning}", name=quota_name(*one), most=str(most), meaning=meaning)
    if most == QUOTAS[one]:
        return line
    return tr("{line} (default {usual})", line=line, usual=str(QUOTAS[one]))


def _unknown(name: str, tr: Translator) -> Refusal:
    names = [quota_name(*one) for one in QUOTAS]
    near = nearest(name, names) or names[0]
    return Refusal(
        tr("Name the quota and its number: {line}", line=f"/quota {near} 50"),
        tr("The quotas are: {names}.", names=tr.listed(names)),
    )
