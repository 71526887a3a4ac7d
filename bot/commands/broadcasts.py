"""What operators say to all chats: shown first, confirmed, and followed until the last chat has it."""

from __future__ import annotations

from bot.alerts.changes import Basis, Entry, Proposal
from bot.alerts.message import say
from bot.alerts.people import Role
from bot.alerts.translator import Translator
from bot.alerts.wording import announce
from bot.commands.proposals import offer, propose
from bot.commands.request import Refusal, Request
from bot.ports import Replies
from bot.ports.places import Announcement

KIND = "broadcast"
"""The kind of proposals that ``carry_out`` does."""

_LONGEST = 2000
_ON, _OFF = "on", "off"


async def broadcast(request: Request) -> Replies:
    """Propose a text to be told to all chats; alone, say how far the last one is."""
    tr, text = request.tr, request.given("text").strip()
    if not text:
        last = await request.office.register.announcement()
        yield say(*_progress(last, request)) if last else say(tr("Nothing was announced yet."))
        return
    if not request.is_for_all:
        raise Refusal(tr("What is for all chats is said in our private chat."))
    if len(text) > _LONGEST:
        raise Refusal(tr("An announcement has at most {count} characters.", count=str(_LONGEST)))
    audience = await request.office.register.audience()
    if not audience.chats:
        raise Refusal(tr("There is no chat that it would reach."))
    proposal = await propose(request, KIND, {"text": text}, role=Role.OPERATOR, revision=0)
    lines = [
        *announce(text, tr).lines,
        tr.many("This reaches {count} chat.", "This reaches {count} chats.", audience.chats),
    ]
    if audience.deaf:
        lines.append(tr.many("{count} hears none.", "{count} hear none.", audience.deaf))
    if audience.away:
        away = tr.many("{count} cannot be written to.", "{count} cannot be written to.", audience.away)
        lines.append(away)
    yield offer(proposal, request, *lines)


async def carry_out(request: Request, proposal: Proposal) -> Replies:
    """Promise the text to all chats. Raises Settled."""
    made = await request.office.register.announce(
        request.caller, str(proposal.change["text"]), request.instant, basis=Basis(proposal=proposal.id)
    )
    tr = request.tr
    reached = tr.many("It goes to {count} chat now.", "It goes to {count} chats now.", made.chats)
    yield say(reached, tr("Alerts go first. How far it is: {line}", line="/broadcast"))


async def announcements(request: Request) -> Replies:
    """Let a chat hear what operators say to all, or not; alone, say which."""
    tr, register, how = request.tr, request.office.register, request.given("how").lower()
    if how not in ("", _ON, _OFF):
        raise Refusal(tr("Say {on} or {off}.", on="/announcements on", off="/announcements off"))
    if how:
        await register.hear(request.caller, how == _ON)
    if await register.hears(request.caller):
        yield say(
            tr("This chat hears what the operators of this bot announce."),
            tr("To hear none: {line}", line="/announcements off"),
        )
    else:
        yield say(
            tr("This chat hears no announcements; alerts ring as before."),
            tr("To hear them: {line}", line="/announcements on"),
        )


def described(entry: Entry, tr: Translator) -> str:
    """Say what was announced, or that it was stopped."""
    if entry.after is None:
        return tr("announcement {number} was stopped", number=entry.name)
    return tr("announced: {text}", text=str(entry.after["text"])[:100])


async def undo(request: Request, entry: Entry) -> Replies:
    """Tell an announcement to nobody more. Raises Stale."""
    tr = request.tr
    if entry.after is None:
        raise Refusal(tr("What was stopped stays so: announce it again."))
    left = await request.office.register.silence(
        request.caller, int(entry.name), request.instant, basis=Basis(undoes=entry.id)
    )
    if left:
        yield say(tr.many("Stopped: {count} chat is not told.", "Stopped: {count} chats are not told.", left))
    else:
        yield say(tr("Every chat had it already: what was told cannot be taken back."))


def _progress(last: Announcement, request: Request) -> list[str]:
    tr = request.tr
    begun = tr(
        "Announcement {number} by {by}, {at}: {text}",
        number=str(last.id),
        by=last.by,
        at=tr.instant(last.made_at, request.now),
        text=last.text,
    )
    lines = [begun, tr("{sent} of {chats} chats have it.", sent=str(last.sent), chats=str(last.chats))]
    if last.waiting:
        lines.append(tr.many("{count} waits.", "{count} wait.", last.waiting))
    if last.away:
        lines.append(tr.many("{count} cannot be written to.", "{count} cannot be written to.", last.away))
    if lost := last.chats - last.sent - last.waiting - last.away:
        lines.append(tr.many("{count} was given up.", "{count} were given up.", lost))
    if last.stopped_at is not None:
        lines.append(tr("It was stopped at {at}.", at=tr.instant(last.stopped_at, request.now)))
    return lines
