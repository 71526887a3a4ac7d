"""Delete a person's data, at once and wholly: what would go is said first, and done when it is confirmed."""

from __future__ import annotations

from dataclasses import replace

from bot.alerts.changes import Basis, Proposal
from bot.alerts.message import Button, say
from bot.alerts.people import ChatKind, Role
from bot.commands.proposals import offer, propose
from bot.commands.request import Refusal, Request
from bot.ports import Replies

KIND = "forget"
"""The kind of proposals that ``carry_out`` does."""


async def forget_me(request: Request) -> Replies:
    """Say what would be deleted, and ask."""
    tr, register = request.tr, request.office.register
    if request.caller.kind is not ChatKind.PRIVATE:
        raise Refusal(
            tr("That is between us: say {line} in our private chat.", line="/forgetme"),
            tr("What this group has is the group's: its admins delete it with {line}.", line="/delete N"),
        )
    kept = await register.traces(request.caller)
    parts = [tr.many("{count} alert", "{count} alerts", kept.alerts)]
    if kept.followed:
        parts.append(tr.many("{count} shared alert", "{count} shared alerts", kept.followed))
    parts += [tr("your levels"), tr("your settings"), tr("all that rang for you")]
    lines = [tr("This deletes what I keep of you, at once and for good: {parts}.", parts=tr.listed(parts))]
    if kept.chats > 1:
        lines.append(tr("It does so in all your private chats that are linked: {count}.", count=kept.chats))
    if kept.in_groups:
        lines.append(
            tr.many(
                "{count} alert that you made in a group stays the group's, without your name.",
                "{count} alerts that you made in groups stay the groups', without your name.",
                kept.in_groups,
            )
        )
    lines.append(tr("If the operators shut you out, that stays, with your id and nothing else."))
    lines.append(tr("Backups made before keep it until the operators throw them away."))
    lines.append(tr("To take it along first: {line}", line="/export"))
    proposal = await propose(request, KIND, {}, role=Role.MEMBER, revision=0)
    asked = offer(proposal, request, *lines)
    yield replace(asked, buttons=(*asked.buttons, (Button(tr("Export first"), "/export"),)))


async def carry_out(request: Request, proposal: Proposal) -> Replies:
    """Delete it all."""
    tr, office = request.tr, request.office
    await office.register.erase(request.caller, request.instant, basis=Basis(proposal.id))
    office.gate.forget(request.caller)
    await office.gate.refresh()
    lines = [tr("It is deleted: I know nothing of you any more.")]
    if not await office.register.wipe():
        lines.append(tr("Traces of it are overwritten in the database within minutes."))
    lines.append(tr("Whatever you send me next is a newcomer's: {line}", line="/start"))
    yield say(*lines)
