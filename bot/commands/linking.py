"""One person on two platforms: a code of one private chat, typed in the other, lets both share all."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from bot.alerts.changes import Basis, Document, Entry, Proposal
from bot.alerts.links import Hindrance, Meeting, Parting, Side, platform_name, renumbered
from bot.alerts.message import Message, say
from bot.alerts.people import ChatKind, ChatRef, Role
from bot.alerts.translator import Translator
from bot.commands.guesses import SECONDS
from bot.commands.proposals import offer, overtaken, propose
from bot.commands.request import Refusal, Request
from bot.commands.zones import shown
from bot.ports import Replies, Stale
from bot.rules.phrases import to_say

LINK, UNLINK = "link", "unlink"
"""The kinds of proposals that ``carry_out_link`` and ``carry_out_unlink`` do."""

_HINDRANCES: Mapping[Hindrance, str] = {
    Hindrance.SELF: to_say("That is the code of this very chat: type it on the other platform."),
    Hindrance.PLATFORM: to_say("Both chats are on one platform, and a link is between two."),
    Hindrance.HERE: to_say("This chat is linked already. To part it from the other one first: /unlink"),
    Hindrance.THERE: to_say("The chat of that code is linked already. Say /unlink there first."),
    Hindrance.GONE: to_say(
        "The chat of that code is known no more. Say /link there, and send me the new code."
    ),
}


async def link(request: Request) -> Replies:
    """Give a code, or show what linking this chat to that of a code would do."""
    _refuse_group(request)
    text = request.given("code").strip()
    replies = _try(request, text) if text else _offer(request)
    async for reply in replies:
        yield reply


async def _offer(request: Request) -> Replies:
    tr, partner = request.tr, request.settings.link
    if partner is not None:
        where = platform_name(partner.chat.platform)
        raise Refusal(
            tr("This chat is linked with the one on {place}: they share alerts and settings.", place=where),
            tr("To let an alert ring there: {line}. To part them: /unlink", line=f"/send 3 {where.lower()}"),
        )
    _refuse_hurry(request.office.guesses.ask(request.caller, request.instant), request)
    until = request.instant + SECONDS
    code = await request.office.register.offer_code(request.caller, until, request.instant)
    at = tr.instant(until, request.now)
    lines = (
        tr("Send me this on the other platform, in our private chat there, before {at}.", at=at),
        tr("I show what would be shared before anything is. It works once; give it to nobody else."),
    )
    yield Message(lines=lines, code=f"/link {code}", is_private=True)


async def _try(request: Request, text: str) -> Replies:
    tr, register = request.tr, request.office.register
    _refuse_hurry(request.office.guesses.guess(request.caller, request.instant), request)
    found = await register.try_code(request.caller, text, request.instant)
    if found is None:
        raise Refusal(
            tr("That is no code that holds: it may be mistyped, used, or older than ten minutes."),
            tr("Say /link in our private chat on the other platform, and send me here what it gives."),
        )
    if isinstance(found, Hindrance):
        raise Refusal(tr(_HINDRANCES[found]))
    home = found.home.chat
    change: Document = {"platform": home.platform, "chat": home.chat}
    proposal = await propose(request, LINK, change, role=Role.ADMIN, revision=found.revision)
    lines = (
        tr(
            "The code is of {by} on {place}. Linked, both chats have all of this:",
            by=found.by,
            place=found.home.name,
        ),
        _side(found.home, request),
        _side(found.other, request),
        *_consequences(found, tr),
    )
    yield offer(proposal, request, *lines)


async def carry_out_link(request: Request, proposal: Proposal) -> Replies:
    """Link this chat to the one that was shown. Raises Settled."""
    tr, home = request.tr, ChatRef(str(proposal.change["platform"]), str(proposal.change["chat"]))
    basis = Basis(proposal=proposal.id)
    try:
        done = await request.office.register.link(request.caller, home, request.instant, basis=basis)
    except Stale:
        raise overtaken(request) from None
    if isinstance(done, Hindrance):
        raise Refusal(tr(_HINDRANCES[done]))
    await request.office.gate.refresh()
    there = request.office.languages.translator(done.home.language, done.home.timezone)
    linked = there("This chat and the one on {place} are linked.", place=done.home.name)
    more = there("All that they have: /alerts. To part them: /unlink")
    yield say(linked, *_consequences(done, there), more)


async def unlink(request: Request) -> Replies:
    """Show what parting this chat from the other one would do."""
    _refuse_group(request)
    tr, parting = request.tr, await request.office.register.parting(request.caller)
    if parting is None:
        raise _not_linked(request)
    proposal = await propose(request, UNLINK, {}, role=Role.ADMIN, revision=parting.revision)
    yield offer(proposal, request, *_parted(parting, tr))


async def carry_out_unlink(request: Request, proposal: Proposal) -> Replies:
    """Part this chat from the other one. Raises Settled."""
    basis = Basis(proposal=proposal.id)
    try:
        done = await request.office.register.unlink(request.caller, request.instant, basis=basis)
    except Stale:
        raise overtaken(request) from None
    if done is None:
        raise _not_linked(request)
    await request.office.gate.refresh()
    yield say(request.tr("The two chats are linked no more."), *_parted(done, request.tr))


def described(entry: Entry, tr: Translator) -> str:
    """Say what was linked, or parted."""
    place = platform_name(entry.name)
    if entry.after is None:
        return tr("the chat on {place} is linked no more", place=place)
    return tr("the chat on {place} is linked", place=place)


async def undo(request: Request, entry: Entry) -> Replies:
    """Say how it is undone: what that does is shown first."""
    tr = request.tr
    line = "/link" if entry.after is None else "/unlink"
    yield say(tr("That is taken back with {line}, which shows what it does first.", line=line))


def _refuse_group(request: Request) -> None:
    if request.caller.kind is ChatKind.GROUP:
        raise Refusal(
            request.tr("Only private chats are linked: what a group has is its members' together."),
            request.tr("Say that in our private chat."),
        )


def _refuse_hurry(at: float, request: Request) -> None:
    if at > request.instant:
        tr = request.tr
        raise Refusal(
            tr("That was too often of late. Please try again at {at}.", at=tr.instant(at, request.now))
        )


def _not_linked(request: Request) -> Refusal:
    tr = request.tr
    return Refusal(tr("This chat is linked with no other."), tr("To link it with yours elsewhere: /link"))


def _side(side: Side, request: Request) -> str:
    """Count what a chat has, and say how it is spoken to."""
    tr = request.tr
    languages = request.office.languages
    spoken = languages.find(side.language)
    counts = [
        tr.many("{count} alert", "{count} alerts", side.alerts),
        tr.many("{count} shared alert", "{count} shared alerts", len(side.shared)),
        tr.many("{count} playbook", "{count} playbooks", len(side.playbooks)),
        tr.many("{count} level", "{count} levels", len(side.levels)),
    ]
    ways = [spoken.name if spoken else side.language, shown(side.timezone, request.now)]
    if side.quiet:
        ways.append(tr("quiet hours {hours}", hours=side.quiet))
    return tr("{place}: {counts}; {ways}", place=side.name, counts=tr.row(counts), ways=tr.row(ways))


def _consequences(meeting: Meeting, tr: Translator) -> list[str]:
    """Say what becomes of numbers, of what both have, and of settings."""
    home, other = meeting.home, meeting.other
    lines = []
    if meeting.numbers:
        lines.append(tr("Each alert rings where it rang; {line} lets one ring elsewhere.", line=_to(other)))
    if changed := renumbered(meeting.numbers, tr):
        lines.append(tr("Those of {place} get other numbers: {changed}.", place=other.name, changed=changed))
    for name, (stays, sleeps) in meeting.levels.items():
        lines.append(
            tr(
                "Both have @{name}: it is {stays}, as on {home}; what follows it on {other} keeps {sleeps}.",
                name=name, stays=stays, home=home.name, other=other.name, sleeps=sleeps,
            )
        )  # fmt: skip
    if meeting.shared:
        both = tr.listed(meeting.shared)
        lines.append(tr("Both follow {names}: it rings once, as on {home}.", names=both, home=home.name))
    if meeting.playbooks:
        both = tr.listed(meeting.playbooks)
        lines.append(
            tr(
                "Both follow the playbook {names}: its alerts on {home} stay, those on {other} are deleted.",
                names=both, home=home.name, other=other.name,
            )
        )  # fmt: skip
    if (home.language, home.timezone, home.quiet) != (other.language, other.timezone, other.quiet):
        lines.append(tr("Language, clock and quiet hours are those of {home} in both.", home=home.name))
    return lines


def _parted(parting: Parting, tr: Translator) -> list[str]:
    """Say what goes with which chat."""
    home, other = platform_name(parting.home.platform), platform_name(parting.other.platform)
    numbers = (
        f"#{before}" if before == after else tr("#{before} as #{after}", before=str(before), after=str(after))
        for before, after in parting.numbers
    )
    goes = [*chain(numbers, parting.shared)]
    lines = []
    if goes:
        lines.append(tr("What rings on {other} goes there: {alerts}.", other=other, alerts=tr.listed(goes)))
    else:
        lines.append(tr("Nothing rings on {other}, so no alert goes there.", other=other))
    lines.append(
        tr.many("{count} alert stays on {home}.", "{count} alerts stay on {home}.", parting.stays, home=home)
    )
    if parting.both:
        lines.append(tr("Both go on following {names}.", names=tr.listed(parting.both)))
    if parting.playbooks:
        names = tr.listed(parting.playbooks)
        lines.append(tr("The playbook {names} stays on {home} alone.", names=names, home=home))
    lines.append(tr("Both keep the settings as they are now, and the levels that their alerts follow."))
    return lines


def _to(side: Side) -> str:
    return f"/send 3 {side.chat.platform}"
