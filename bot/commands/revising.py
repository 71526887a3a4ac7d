"""Revise a playbook in chat: its rules, its levels, a new one or one less; shown before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.alerts.changes import Basis, Document, Entry, Proposal
from bot.alerts.message import say
from bot.alerts.people import Role
from bot.alerts.playbooks import Playbook, PlaybookError, is_playbook_name, read_playbook
from bot.alerts.translator import Translator
from bot.commands.books import Drill, counts, digest, drill, left_out, line, shelf_of, stands, unusable
from bot.commands.drafting import EXAMPLES, LEVEL, move_of, redraft, unknown
from bot.commands.levels import change as change_level
from bot.commands.preview import Count
from bot.commands.proposals import is_open, offer, overtaken, propose
from bot.commands.reading import SURE, ask_if_far, refused, split_sure
from bot.commands.request import Refusal, Request
from bot.ports import Parts, Replies, Stale
from bot.rules import RuleError

KIND = "revision"
"""The kind of proposals that ``carry_out`` does."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A change of one playbook, ``None`` where there is none; ``drilled`` has the rules that it arms anew."""

    name: str
    before: Playbook | None
    after: Playbook | None
    parts: Parts
    drilled: Drill

    def digest(self) -> str:
        """Give a sign of what was shown."""
        texts = [None if book is None else book.written() for book in (self.before, self.after)]
        return digest(texts, self.drilled.filled(), list(self.drilled.out))


async def revise(request: Request) -> Replies:
    """Show a playbook as it is written, or propose a change of it."""
    tr, name = request.tr, request.given("name").lower()
    text, is_sure = split_sure(request.given("what"))
    shelf = await shelf_of(request.office.register, request.office.shelf())
    known = shelf.books.get(name)
    if not is_playbook_name(name):
        raise Refusal(
            tr("A playbook's name has 1 to 32 of a-z, 0-9, - and _, and a letter among them."),
            tr("/playbooks lists them all."),
        )
    if not text:
        if known is None and name in shelf.problems:
            raise Refusal(unusable(name, shelf.problems[name], tr))
        if known is None:
            raise unknown(name, list(shelf.books), request)
        examples = [tr("For instance: {rule}", rule=f"/revise {name} {one}") for one in EXAMPLES]
        yield say(*await _made(name, request), *examples, code=known.written())
        return
    if known is not None and (level := LEVEL.fullmatch(text)):
        move = await move_of(level[1].lower(), level[2], known, request)
        if move is not None:
            async for reply in change_level(request, move):
                yield reply
            return
    after = await redraft(name, known, text, request)
    async for reply in _offer(request, name, after, text, is_sure=is_sure):
        yield reply


async def _made(name: str, request: Request) -> list[str]:
    """Say that a playbook was changed in chat, and is not as in its file."""
    tr, kept = request.tr, (await request.office.register.playbooks()).get(name)
    if kept is None:
        return []
    at = tr.instant(kept.set_at, request.now)
    made = tr("{name} is as {by} made it in chat at {at}.", name=name, by=kept.set_by, at=at)
    if name not in request.office.shelf().books:
        return [made]
    return [made, tr("Its file is not read; {line} takes it up again.", line=f"/revise {name} reset")]


# --- what it would do ---------------------------------------------------------------------------------------


async def _revision(request: Request, name: str, after: Playbook | None) -> Revision:
    """Reckon what a change of a playbook does to who follows it; what cannot be armed is left as it is."""
    before = (await shelf_of(request.office.register, request.office.shelf())).books.get(name)
    had: Mapping[str, str] = before.rules if before else {}
    has: Mapping[str, str] = after.rules if after else {}
    new = {part: rule for part, rule in has.items() if had.get(part) != rule}
    book = after or before or Playbook(name)
    drilled = await drill(request, book, new, {})
    armed = {part: str(prepared.rule) for part, prepared in drilled.ready.items()}
    parts = Parts(
        {part: rule for part, rule in armed.items() if part not in had},
        {part: rule for part, rule in armed.items() if part in had},
        [part for part in had if part not in has],
    )
    return Revision(name, before, after, parts, drilled)


async def _offer(
    request: Request,
    name: str,
    after: Playbook | None,
    what: str,
    *first: str,
    is_sure: bool = False,
    undoes: int | None = None,
) -> Replies:
    tr, register = request.tr, request.office.register
    revision = await _revision(request, name, after)
    if revision.before == after and after is not None:
        raise Refusal(*first, tr("{name} is just so already.", name=name))
    if not is_sure:
        for prepared in revision.drilled.ready.values():
            ask_if_far(prepared, f"/revise {name} {what} {SURE}", tr)
    standing = await stands(revision.drilled.ready, request)
    followers = (await register.playbook_followers()).get(name, 0)
    reach = await register.reach("", None, request.chat)
    change: Document = {"name": name, "what": what, "undoes": undoes, "digest": revision.digest()}
    proposal = await propose(request, KIND, change, role=Role.OPERATOR, revision=reach.revision)

    def lines(counted: Mapping[str, Count | None]) -> list[str]:
        said = [*first, _headline(revision, tr)]
        for part, prepared in revision.drilled.ready.items():
            old = revision.before.rules.get(part, "") if revision.before else ""
            remark = tr("instead of {rule}", rule=old) if old else ""
            said.append(line(part, prepared, standing[part], counted, tr, remark=remark))
        if revision.before is not None and after is not None:
            gone = [(part, revision.before.rules[part]) for part in revision.parts.drops]
            said += [tr("{name} goes: {rule}", name=part, rule=rule) for part, rule in gone]
        said += left_out(revision.drilled.out, tr)
        return [*said, _reached(followers, revision, tr)]

    yield offer(proposal, request, *lines({}))
    counted = await counts(revision.drilled.ready, request)
    if any(counted.values()) and await is_open(proposal, request):
        yield offer(proposal, request, *lines(counted))


def _headline(revision: Revision, tr: Translator) -> str:
    before, after, name = revision.before, revision.after, revision.name
    if after is None:
        return tr("{name} would be taken away, with all its alerts.", name=name)
    if before is None:
        return tr("{name} would be a new playbook.", name=name)
    moved = [
        tr("@{name} {value}", name=level, value=value)
        for level, value in after.levels.items()
        if before.levels.get(level) != value
    ]
    parts = [tr("{name} would be changed", name=name)]
    if before.title != after.title:
        parts.append(tr("title: {title}", title=after.title))
    if moved:
        parts.append(tr("levels: {levels}", levels=", ".join(moved)))
    return " · ".join(parts) + "."


def _reached(followers: int, revision: Revision, tr: Translator) -> str:
    if not followers:
        return tr("No chat follows it.")
    if not revision.parts:
        return tr.many(
            "{count} chat follows it, and keeps what it has.",
            "{count} chats follow it, and keep what they have.",
            followers,
        )
    return tr.many(
        "{count} chat follows it, and would be told.",
        "{count} chats follow it, and would be told.",
        followers,
    )


# --- doing it -----------------------------------------------------------------------------------------------


async def carry_out(request: Request, proposal: Proposal) -> Replies:
    """Change a playbook as was shown; where it is not as it was shown, show it anew instead."""
    change = proposal.change
    name, what, undoes = str(change["name"]), str(change["what"]), change["undoes"]
    register, basis = request.office.register, Basis(proposal.id, int(undoes) if undoes is not None else None)
    after = await _wanted(request, name, what, basis)
    revision = await _revision(request, name, after)
    if revision.digest() == change["digest"]:
        try:
            lines = await _write(request, revision, basis)
        except Stale:
            pass
        else:
            yield say(*lines)
            return
    await register.discard(proposal.id, request.instant)
    if undoes is not None:
        raise overtaken(request)
    changed = request.tr("It is not as it was shown any more: nothing is changed yet.")
    after = await _wanted(request, name, what, basis)
    async for reply in _offer(request, name, after, what, changed, is_sure=True):
        yield reply


async def _wanted(request: Request, name: str, what: str, basis: Basis) -> Playbook | None:
    """Find what a proposal wants a playbook to be, now."""
    if basis.undoes is None:
        return await redraft(
            name,
            (await shelf_of(request.office.register, request.office.shelf())).books.get(name),
            what,
            request,
        )
    entry = await request.office.register.entry(basis.undoes)
    return _before(entry) if entry is not None else None


async def _write(request: Request, revision: Revision, basis: Basis) -> list[str]:
    tr, name, after = request.tr, revision.name, revision.after
    filed = request.office.shelf().books.get(name)
    try:
        done = await request.office.register.set_playbook(
            request.caller,
            name,
            revision.parts,
            request.instant,
            before=revision.before.written() if revision.before else None,
            after=after.written() if after else None,
            is_filed=after == filed,
            armer=revision.drilled.armer(request),
            basis=basis,
        )
    except RuleError as error:  # one of the chats that follow has a level at which a rule makes no sense
        raise refused(error, tr) from error
    if after is None:
        told = tr("{name} is taken away.", name=name)
    elif revision.before is None:
        told = tr("{name} is a playbook now. Follow it: {line}", name=name, line=f"/playbook {name}")
    else:
        told = tr("{name} is changed.", name=name)
    if not done.chats:
        return [told]
    alerts = tr.many("{count} alert", "{count} alerts", done.alerts)
    where = tr.many("in {count} chat", "in {count} chats", done.chats)
    return [told, tr("{alerts} {where} follow, and the chats are told.", alerts=alerts, where=where)]


# --- taking it back -----------------------------------------------------------------------------------------


async def undo(request: Request, entry: Entry) -> Replies:
    """Make a playbook what it was before a change."""
    async for reply in _offer(request, entry.name, _before(entry), "", is_sure=True, undoes=entry.id):
        yield reply


def described(entry: Entry, tr: Translator) -> str:
    """Say what an entry of the audit did to a playbook."""
    before, after = (_read(entry, one) for one in (entry.before, entry.after))
    if after is None:
        return tr("playbook {name} taken away", name=entry.name)
    if before is None:
        return tr("playbook {name} made: {rules}", name=entry.name, rules=", ".join(after.rules))
    had, has = before.rules, after.rules
    changed = [f"+{part}" for part in has if part not in had]
    changed += [f"~{part}" for part in has if part in had and had[part] != has[part]]
    changed += [f"-{part}" for part in had if part not in has]
    changed += [
        f"@{name}={value}" for name, value in after.levels.items() if before.levels.get(name) != value
    ]
    return tr("playbook {name} changed: {parts}", name=entry.name, parts=", ".join(changed) or after.title)


def _before(entry: Entry) -> Playbook | None:
    return _read(entry, entry.before)


def _read(entry: Entry, kept: Document | None) -> Playbook | None:
    try:
        return None if kept is None else read_playbook(entry.name, str(kept["toml"]))
    except PlaybookError:  # of a version that read more, or less
        return None
