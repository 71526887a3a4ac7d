"""Who changed what, and how the last of it is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.alerts.changes import Entry, Subject
from bot.alerts.message import Message, say
from bot.alerts.offers import of_pages
from bot.alerts.people import Role
from bot.alerts.translator import Translator
from bot.commands import bans, broadcasts, levels, linking, policy, quotas, revising, sending, shared
from bot.commands.proposals import overtaken
from bot.commands.request import Refusal, Request
from bot.commands.shared import split_page
from bot.ports import Replies, Stale

_PAGE = 10


@dataclass(frozen=True, slots=True)
class Trade:
    """How changes of one subject are told, and taken back."""

    describe: Callable[[Entry, Translator], str]
    undo: Callable[[Request, Entry], Replies]


TRADES: Mapping[Subject, Trade] = {
    Subject.LEVEL: Trade(levels.described, levels.undo),
    Subject.SHARED: Trade(shared.described, shared.undo),
    Subject.PLAYBOOK: Trade(revising.described, revising.undo),
    Subject.POLICY: Trade(policy.described, policy.undo),
    Subject.QUOTA: Trade(quotas.described, quotas.undo),
    Subject.BAN: Trade(bans.described, bans.undo),
    Subject.BROADCAST: Trade(broadcasts.described, broadcasts.undo),
    Subject.PLACE: Trade(sending.described, sending.undo),
    Subject.LINK: Trade(linking.described, linking.undo),
}
"""Every subject of the audit."""


async def audit(request: Request) -> Replies:
    """List who changed what, newest first: an admin that of the chat, an operator in private everything."""
    tr = request.tr
    words, page = split_page(request.given("words"))
    scope = None if request.is_for_all else request.chat
    entries, count = await request.office.register.audit(words, scope, page, _PAGE)
    pages = max(1, -(-count // _PAGE))
    if page > pages:
        page = pages
        entries, count = await request.office.register.audit(words, scope, page, _PAGE)
    if not entries:
        missing = tr("Nothing was changed with {words} in it.", words=" ".join(words))
        yield say(missing if words else tr("Nothing was changed yet."))
        return
    lines = [_line(entry, request) for entry in entries]
    if pages > 1:
        following = " ".join(("/audit", *words, str(page % pages + 1)))
        lines.append(tr("Page {page} of {pages}. Next: {line}", page=page, pages=pages, line=following))
    lines.append(tr("To take one back: {line}", line=f"/undo {entries[0].id}"))
    buttons = of_pages(" ".join(("/audit", *words)), page, pages, tr)
    yield Message(lines=tuple(lines), buttons=buttons)


async def undo(request: Request) -> Replies:
    """Take back one of the last changes by making the opposite one."""
    tr, number = request.tr, int(request.given("number"))
    entry = await request.office.register.entry(number)
    here = (request.chat, request.caller.group)  # the policy of a group holds in its topics too
    if entry is None or not (request.is_for_all or request.chat == entry.chat or entry.scope in here):
        raise Refusal(tr("There is no change {number} here.", number=str(number)), tr("/audit lists them."))
    if not request.is_for_all and entry.scope not in here:
        line = tr("Change {number} holds in every chat", number=str(number))
        if request.role is not Role.OPERATOR:
            raise Refusal(tr("{line}: it is for the operators of this bot to take back.", line=line))
        raise Refusal(tr("{line}: take it back in our private chat.", line=line))
    [newest] = await request.office.register.history(entry.subject, entry.name, entry.scope, 1)
    if newest.id != entry.id:
        raise Refusal(
            tr(
                "It was changed again since, by {by} at {at}: nothing is changed.",
                by=newest.by,
                at=tr.instant(newest.at, request.now),
            ),
            tr("To take that back: {line}", line=f"/undo {newest.id}"),
        )
    try:
        async for reply in TRADES[entry.subject].undo(request, entry):
            yield reply
    except Stale:
        raise overtaken(request) from None


def _line(entry: Entry, request: Request) -> str:
    tr = request.tr
    if entry.scope is None:
        where = tr("everywhere")
    elif entry.scope in (request.chat, request.caller.group):
        where = tr("in this chat")
    else:
        where = tr("in {chat}", chat=str(entry.scope))
    done = TRADES[entry.subject].describe(entry, tr)
    line = tr(
        "{number}. {at}, {by}: {done} ({where})",
        number=str(entry.id),
        at=tr.instant(entry.at, request.now),
        by=entry.by,
        done=done,
        where=where,
    )
    return (
        line
        if entry.undoes is None
        else tr("{line}, takes back {number}", line=line, number=str(entry.undoes))
    )
