"""Take back a file of belongings: shown first, made when that is confirmed, by the same checks as typing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bot.alerts.belongings import Belongings
from bot.alerts.belongings_read import LONGEST, Fault, NoBelongings, decoded, read_belongings, too_large
from bot.alerts.changes import Basis, Proposal
from bot.alerts.message import Message, say
from bot.alerts.models import Alert
from bot.alerts.people import Role
from bot.commands.intake import Reckoning, at_line, reckon
from bot.commands.proposals import offer, propose
from bot.commands.request import Refusal, Request
from bot.commands.standing import Standing, stand
from bot.ports import Conflict, Replies

KIND = "import"
"""The kind of proposals that ``carry_out`` does."""

_MOST_SHOWN = 20
_MOST_PICTURES = 5
_ATTEMPTS = 3


async def take_back(request: Request) -> Replies:
    """Show what a file would do here, and propose it."""
    text = await _text(request)
    file, faults = await _read(text, request)
    async for reply in _preview(request, text, file, faults):
        yield reply


async def _text(request: Request) -> str:
    """Get what was sent. Raises Refusal for what is no text that could be one."""
    tr, brought, typed = request.tr, request.caller.brought, request.given("text")
    try:
        if brought is None:
            if not typed:
                raise Refusal(
                    tr("Send me the file that /export gave, with {line} below it.", line="/import"),
                    tr("Or answer the message with the file, or put its text behind the command."),
                )
            return decoded(typed.encode("utf-8", "replace"))
        if brought.size > LONGEST:
            raise too_large()
        try:
            return decoded(await brought.fetch(LONGEST + 1))
        except OSError:
            raise Refusal(tr("I could not fetch the file just now. Please send it again.")) from None
    except NoBelongings as error:
        raise _unusable(error, request) from error


async def _read(text: str, request: Request) -> tuple[Belongings, list[Fault]]:
    try:
        return await asyncio.to_thread(read_belongings, text)  # a megabyte takes its time
    except NoBelongings as error:
        raise _unusable(error, request) from error


def _unusable(error: NoBelongings, request: Request) -> Refusal:
    return Refusal(
        request.tr("That cannot be taken in. {reason}", reason=error.reason),
        request.tr("Nothing is changed."),
    )


async def _preview(
    request: Request, text: str, file: Belongings, faults: Sequence[Fault], *first: str
) -> Replies:
    tr = request.tr
    found = await reckon(request, file)
    lines = [*first, *await _lines(found, request), *_faults(found, faults, file, request)]
    code = "\n\n".join(found.pictures[:_MOST_PICTURES])
    if not found.intake:
        yield say(*lines, tr("There is nothing to be made of it: nothing is changed."), code=code)
        return
    change = {"text": text, "digest": found.digest()}
    proposal = await propose(request, KIND, change, role=Role.ADMIN, revision=0)
    yield replace(offer(proposal, request, *lines), code=code)


async def _lines(found: Reckoning, request: Request) -> list[str]:
    """Say what would be made."""
    tr, intake, lines = request.tr, found.intake, list[str]()
    if intake.alerts:
        lines.append(
            tr.many(
                "This would be made here: {count} alert.",
                "These would be made here: {count} alerts.",
                len(intake.alerts),
            )
        )
        shown = found.made[:_MOST_SHOWN]
        stands = await asyncio.gather(
            *(stand(one, False, request.now, request.office.market) for one in shown)
        )
        for one, taken, standing in zip(shown, intake.alerts, stands, strict=False):
            parts = [f"{taken.name}: {one.meaning(tr)}" if taken.name else one.meaning(tr)]
            parts += [tr("paused")] if taken.is_paused else []
            parts += [tr("urgent")] if taken.is_urgent else []
            if taken.muted_until is not None:
                parts.append(tr("muted until {at}", at=tr.instant(taken.muted_until, request.now)))
            if taken.place is not None:
                parts.append(tr("rings in {place}", place=taken.place.name))
            if standing is Standing.TRUE and not taken.is_paused:
                parts.append(tr("true already, so it waits to be clear first"))
            lines.append(" · ".join(parts))
        if more := len(intake.alerts) - len(shown):
            lines.append(tr("… and {count} more.", count=more))
    if intake.levels:
        named = [f"@{name} {tr.render(value)}" for name, value in intake.levels.items()]
        lines.append(tr("Levels of this chat's own: {levels}.", levels=tr.listed(named[:_MOST_SHOWN])))
    settings = [
        *([tr("language {name}", name=intake.language)] if intake.language else []),
        *([tr("clock {name}", name=intake.timezone)] if intake.timezone else []),
        *([tr("quiet hours {name}", name=intake.quiet)] if intake.quiet else []),
        *([tr("reports {name}", name=str(intake.report))] if intake.report else []),
    ]
    if intake.announcements is not None:
        settings.append(tr("announcements") if intake.announcements else tr("no announcements"))
    if settings:
        lines.append(tr("Settings: {settings}.", settings=tr.listed(settings)))
    return lines


def _faults(found: Reckoning, faults: Sequence[Fault], file: Belongings, request: Request) -> list[str]:
    """Say what is there already, what is otherwise, and what cannot be."""
    tr = request.tr
    lines = _some(found.said, request)
    if found.left:
        lines.append(
            tr.many(
                "{count} is here already, and is left.", "{count} are here already, and are left.", found.left
            )
        )
    out = [*(at_line(one.line, tr.render(one.reason), request) for one in faults), *found.out]
    if out:
        lines.append(tr("Left out: {count}.", count=len(out)))
        lines += _some(out, request)
    if file.rings:
        lines.append(tr("What rang is not taken back."))
    return lines


def _some(lines: Sequence[str], request: Request) -> list[str]:
    more = len(lines) - _MOST_SHOWN
    return [*lines[:_MOST_SHOWN], *([request.tr("… and {count} more.", count=more)] if more > 0 else [])]


async def carry_out(request: Request, proposal: Proposal) -> Replies:
    """Make all that was shown, in one transaction; where it is not as it was shown, show it anew instead."""
    text, register = str(proposal.change["text"]), request.office.register
    file, faults = await _read(text, request)
    for _ in range(_ATTEMPTS):
        found = await reckon(request, file)
        if found.digest() != proposal.change["digest"]:
            break
        try:
            made = await register.take_in(
                request.caller, found.intake, request.instant, basis=Basis(proposal.id)
            )
        except Conflict:
            continue
        yield _told(made, found, request)
        return
    await register.discard(proposal.id, request.instant)
    changed = request.tr("It is not as it was shown any more: nothing is changed yet.")
    async for reply in _preview(request, text, file, faults, changed):
        yield reply


def _told(made: Sequence[Alert], found: Reckoning, request: Request) -> Message:
    language, timezone = found.intake.language, found.intake.timezone
    settings = request.settings
    tr = request.office.languages.translator(language or settings.language, timezone or settings.timezone)
    lines = [tr.many("Done: {count} alert is made.", "Done: {count} alerts are made.", len(made))]
    pairs = list(zip(made, found.made, strict=True))
    lines += [f"{alert.label} {one.meaning(tr)}" for alert, one in pairs[:_MOST_SHOWN]]
    if len(pairs) > _MOST_SHOWN:
        lines.append(tr("… and {count} more.", count=len(pairs) - _MOST_SHOWN))
    lines.append(tr("/alerts shows how they stand."))
    return say(*lines)
