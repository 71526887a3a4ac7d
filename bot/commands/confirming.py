"""Confirm or discard what was proposed. Everything is looked at afresh: the person, the role, the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.alerts.changes import Proposal
from bot.alerts.message import say
from bot.alerts.people import Role
from bot.commands import broadcasts, erasing, importing, levels, linking, playbooks, revising, shared
from bot.commands.gate import Shut
from bot.commands.request import Refusal, Request
from bot.ports import Replies, Settled

KINDS: Mapping[str, Callable[[Request, Proposal], Replies]] = {
    levels.KIND: levels.carry_out,
    shared.KIND: shared.carry_out,
    broadcasts.KIND: broadcasts.carry_out,
    playbooks.KIND: playbooks.carry_out,
    revising.KIND: revising.carry_out,
    erasing.KIND: erasing.carry_out,
    importing.KIND: importing.carry_out,
    linking.LINK: linking.carry_out_link,
    linking.UNLINK: linking.carry_out_unlink,
}
"""Who carries out which kind of proposal. Each settles it in the transaction that does what it says."""


async def confirm(request: Request) -> Replies:
    """Do what was proposed."""
    proposal = await _named(request)
    if request.role < proposal.role:
        raise Refusal(_needs(proposal, request))
    try:
        async for reply in KINDS[proposal.kind](request, proposal):
            yield reply
    except Settled:
        raise _settled(await _named(request), request) from None


async def discard(request: Request) -> Replies:
    """Drop what was proposed."""
    proposal = await _named(request)
    try:
        await request.office.register.discard(proposal.id, request.instant)
    except Settled:
        raise _settled(await _named(request), request) from None
    yield say(request.tr("Proposal {number} is dropped: nothing is changed.", number=str(proposal.id)))


async def _named(request: Request) -> Proposal:
    """Find the proposal that is meant; only in its own chat, by its own proposer, while it waits."""
    tr, number = request.tr, int(request.given("number"))
    proposal = await request.office.register.proposal(number)
    if proposal is None or proposal.chat != request.caller.chat:
        raise Refusal(tr("There is no proposal {number} in this chat.", number=str(number)))
    if proposal.kind != erasing.KIND and not await request.office.gate.is_open(request.caller, request.now):
        raise Shut
    # Who is anonymous proposes as the group, and presses as a person: any admin speaks for the group.
    is_of_group = proposal.person == request.caller.chat.chat and request.role >= Role.ADMIN
    if proposal.person != request.caller.person and not is_of_group:
        raise Refusal(
            tr("Proposal {number} is for {name} to confirm.", number=str(number), name=proposal.name),
            tr("If you want the same, say it yourself."),
        )
    if proposal.settled_at is not None or proposal.expires_at <= request.instant:
        raise _settled(proposal, request)
    return proposal


def _settled(proposal: Proposal, request: Request) -> Refusal:
    tr, number = request.tr, str(proposal.id)
    if proposal.is_confirmed:
        return Refusal(tr("Proposal {number} is confirmed already.", number=number))
    if proposal.settled_at is not None:
        return Refusal(tr("Proposal {number} was dropped. Please say it again.", number=number))
    at = tr.instant(proposal.expires_at, request.now)
    return Refusal(
        tr("Proposal {number} expired at {at}: nothing is changed.", number=number, at=at),
        tr("Please say it again, and look at what it does now."),
    )


def _needs(proposal: Proposal, request: Request) -> str:
    tr = request.tr
    if proposal.role is Role.OPERATOR:
        return tr("That is for the operators of this bot now, and you are none: nothing is changed.")
    return tr("You are no admin here any more: nothing is changed.")
