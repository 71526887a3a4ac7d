"""Proposals: a change that is shown first, and done once whoever asked for it confirms it."""

from __future__ import annotations

from bot.alerts.changes import Document, Proposal
from bot.alerts.message import Button, Message
from bot.alerts.people import Role
from bot.commands.request import Refusal, Request

SECONDS = 900.0
"""How long a proposal waits: what was true of the market a quarter of an hour ago is no ground any more."""


async def propose(request: Request, kind: str, change: Document, *, role: Role, revision: int) -> Proposal:
    """Keep a change that its proposer may confirm in this chat while they have the role.

    ``revision`` is what the preview of it was read at.
    """
    return await request.office.register.propose(
        request.caller,
        kind,
        change,
        role=role,
        revision=revision,
        now=request.instant,
        until=request.instant + SECONDS,
    )


def offer(proposal: Proposal, request: Request, *lines: str) -> Message:
    """Show what a change would do, and how it is confirmed: by a button, or typed."""
    tr = request.tr
    confirm, discard = f"/confirm {proposal.id}", f"/discard {proposal.id}"
    how = tr(
        "Nothing is changed yet. {confirm} does it, {discard} drops it; it waits until {at}.",
        confirm=confirm,
        discard=discard,
        at=tr.instant(proposal.expires_at, request.now),
    )
    buttons = (Button(tr("Confirm"), confirm), Button(tr("Discard"), discard))
    return Message(lines=(*lines, how), buttons=(buttons,))


def overtaken(request: Request) -> Refusal:
    """Refuse to take back what was changed again since."""
    return Refusal(
        request.tr("It was changed again since, so that cannot be taken back alone: nothing is changed."),
        request.tr("/audit shows the newest change."),
    )


async def is_open(proposal: Proposal, request: Request) -> bool:
    """Ask whether a proposal still waits."""
    known = await request.office.register.proposal(proposal.id)
    return known is not None and known.settled_at is None and known.expires_at > request.instant
