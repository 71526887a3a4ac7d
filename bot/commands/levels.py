"""Levels: the named numbers that rules refer to and follow.

A change that somebody follows is shown first and done when it is confirmed; one that nobody follows is done
at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.alerts.changes import PLAIN, Basis, Document, Entry, Proposal, Subject
from bot.alerts.message import say
from bot.alerts.models import Level
from bot.alerts.people import ChatRef, Role
from bot.alerts.translator import Translator
from bot.commands.effects import backtests, effects, followers, true_already
from bot.commands.proposals import is_open, offer, overtaken, propose
from bot.commands.reading import FAR, SURE, nearest, refused, split_sure
from bot.commands.request import Refusal, Request
from bot.engine.terms import key_of
from bot.looking import look
from bot.metrics import MetricKey, Seen
from bot.ports import Conflict, LevelChange, Reach, Replies, Stale
from bot.rules import RuleError, fill, instruments, is_level_name, parse, qualify, read_number

KIND = "level"
"""The kind of proposals that ``carry_out`` does."""

_LONGEST_NAME = 32
_NONE = "none"
_HISTORY = 5


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a level: to a value, or away with it; of the deployment, or of one chat."""

    name: str
    value: Decimal | None
    chat: ChatRef | None
    undoes: int | None = None

    def document(self) -> Document:
        """Write it down as a proposal keeps it."""
        return {
            "name": self.name,
            "value": None if self.value is None else str(self.value),
            "undoes": self.undoes,
            "platform": self.chat.platform if self.chat else None,
            "chat": self.chat.chat if self.chat else None,
            "thread": self.chat.thread if self.chat else None,
        }


def read_move(change: Document) -> Move:
    """Read a change back from how a proposal keeps it."""
    value, undoes, platform = change["value"], change["undoes"], change["platform"]
    chat = ChatRef(str(platform), str(change["chat"]), str(change["thread"])) if platform else None
    return Move(
        str(change["name"]),
        None if value is None else Decimal(str(value)),
        chat,
        int(undoes) if undoes is not None else None,
    )


async def level(request: Request) -> Replies:
    """List the levels, show one with its history, or set one.

    An operator in a private chat sets the deployment's; anybody else sets the chat's own, which is nearer
    and wins there.
    """
    in_force = await request.office.register.levels(request.chat)
    name = request.given("name").lower().lstrip("@")
    if not name:
        yield say(*await _listed(in_force, request))
    elif not request.given("value"):
        if name not in in_force:
            raise _no_level(name, in_force, request)
        yield say(*await _shown(in_force[name], request))
    else:
        move = _wanted(name, in_force.get(name), request)
        async for reply in change(request, move):
            yield reply


async def change(request: Request, move: Move, *first: str) -> Replies:
    """Change a level at once if nobody follows it, else propose it; ``first`` are lines to say before."""
    reach = await request.office.register.reach(move.name, move.chat, request.chat)
    after = _after(move, reach)
    before = reach.level.value if reach.level is not None else None
    if not reach.followings or before == after:
        basis = PLAIN if move.undoes is None else Basis(undoes=move.undoes)
        changed = await _write(request, move, basis)
        yield say(*first, *_told(move, changed, request))
        return
    if after is None:
        raise _followed(move, request)
    tr = request.tr
    found = await effects(request, reach, move.name, after)
    lines = [
        *first,
        tr("{moved} {scope}", moved=_would_move(move.name, before, after, tr), scope=_scope(move, request)),
        followers(reach, tr),
        *await true_already(found, reach, request),
    ]
    role = Role.OPERATOR if move.chat != request.chat else Role.ADMIN
    proposal = await propose(request, KIND, move.document(), role=role, revision=reach.revision)
    yield offer(proposal, request, *lines)
    rang = await backtests(found, before, after, request)
    if rang and await is_open(proposal, request):
        yield offer(proposal, request, *lines, *rang)


async def carry_out(request: Request, proposal: Proposal) -> Replies:
    """Do what was proposed; where the level changed meanwhile, show it anew instead."""
    move = read_move(proposal.change)
    try:
        changed = await _write(request, move, Basis(proposal.id, move.undoes))
    except Stale:
        if move.undoes is not None:
            await request.office.register.discard(proposal.id, request.instant)
            raise overtaken(request) from None
        async for reply in _anew(request, proposal, move):
            yield reply
        return
    yield say(*_told(move, changed, request))


async def _anew(request: Request, proposal: Proposal, move: Move) -> Replies:
    tr, register = request.tr, request.office.register
    await register.discard(proposal.id, request.instant)
    reach = await register.reach(move.name, move.chat, request.chat)
    if reach.level is None:
        moved = tr("@{name} was taken away meanwhile.", name=move.name)
    else:
        moved = tr(
            "@{name} was changed meanwhile: it is {value}, set by {by} at {at}.",
            name=move.name,
            value=reach.level.value,
            by=reach.level.set_by,
            at=tr.instant(reach.level.set_at, request.now),
        )
    async for reply in change(request, move, moved):
        yield reply


async def undo(request: Request, entry: Entry) -> Replies:
    """Set a level to what it was before a change."""
    value = entry.before["value"] if entry.before is not None else None
    move = Move(entry.name, None if value is None else Decimal(str(value)), entry.scope, entry.id)
    async for reply in change(request, move):
        yield reply


def described(entry: Entry, tr: Translator) -> str:
    """Say what an entry of the audit did to a level."""
    before, after = (
        None if one is None else Decimal(str(one["value"])) for one in (entry.before, entry.after)
    )
    if before is None and after is not None:
        return tr("@{name} set to {after}", name=entry.name, after=after)
    if after is None and before is not None:
        return tr("@{name} taken away, it was {before}", name=entry.name, before=before)
    return tr("@{name} {before} → {after}", name=entry.name, before=before or "", after=after or "")


# --- what is wanted -----------------------------------------------------------------------------------------


def _wanted(name: str, known: Level | None, request: Request) -> Move:
    tr = request.tr
    if not is_level_name(name) or len(name) > _LONGEST_NAME:
        raise Refusal(
            tr("{name} cannot be a level's name: use letters, digits and _, at most 32.", name=name[:64])
        )
    chat = None if request.is_for_all else request.chat
    text, is_sure = split_sure(request.given("value"))
    if text.lower() == _NONE:
        if known is None or known.chat != chat:
            raise Refusal(tr("There is no level @{name} of this chat's own to take away.", name=name))
        return Move(name, None, chat)
    value = read_number(text)
    if value is None:
        raise Refusal(
            tr('"{text}" is no number for a level. Write it like 98700, 98,700 or 98.7k.', text=text)
        )
    if known and not is_sure and not _is_near(known.value, value):
        raise Refusal(
            tr(
                "{value} is far from what @{name} was, {before}: nothing is changed yet.",
                value=value,
                name=name,
                before=known.value,
            ),
            tr("If you mean it, send: {line}", line=f"/level {name} {value} {SURE}"),
        )
    return Move(name, value, chat)


def _is_near(before: Decimal, after: Decimal) -> bool:
    """Whether a new value is within a factor of the old one; from and to zero nothing is asked."""
    if not before or not after:
        return True
    return Decimal(1) / FAR <= after / before <= FAR


def _after(move: Move, reach: Reach) -> Decimal | None:
    """Give the value that will hold: without a chat's own, the deployment's."""
    if move.value is not None or move.chat is None:
        return move.value
    return reach.shared.value if reach.shared is not None else None


# --- doing it -----------------------------------------------------------------------------------------------


async def _write(request: Request, move: Move, basis: Basis) -> LevelChange:
    office, tr = request.office, request.tr
    by = request.caller.name or request.caller.person
    level = Level(move.name, move.value or Decimal(0), move.chat, by, request.instant)
    seen = await _seen(move, request)

    def refill(rule: str, levels: Mapping[str, Decimal]) -> str:
        return str(qualify(fill(parse(rule), levels), office.quote))

    write = office.register.drop_level if move.value is None else office.register.set_level
    try:
        return await write(request.caller, level, refill, seen, request.instant, basis=basis)
    except RuleError as error:  # one of the rules that follow it would make no sense
        raise refused(error, tr) from error
    except Conflict as conflict:
        raise _followed(move, request) from conflict


async def _seen(move: Move, request: Request) -> Mapping[MetricKey, Seen]:
    """Look at the present of every rule that the change arms anew, so that none rings for what it saw."""
    office = request.office
    reach = await office.register.reach(move.name, move.chat, request.chat)
    rules = {following.rule for following in reach.followings}
    found = {one for rule in rules for one in instruments(qualify(parse(rule), office.quote))}
    return await look(office.market, map(key_of, found))


def _followed(move: Move, request: Request) -> Refusal:
    line = f"/level {move.name} 98700"
    return Refusal(
        request.tr("@{name} cannot be taken away while alerts follow it: set it instead.", name=move.name),
        request.tr("For instance: {rule}", rule=line),
    )


# --- telling it ---------------------------------------------------------------------------------------------


def _told(move: Move, changed: LevelChange, request: Request) -> list[str]:
    tr = request.tr
    if changed.after is None:
        moved = tr("@{name} is taken away.", name=move.name)
    elif changed.before is None:
        moved = tr("@{name} is {value}.", name=move.name, value=changed.after)
    else:
        moved = tr(
            "@{name} moved from {before} to {value}.",
            name=move.name,
            before=changed.before,
            value=changed.after,
        )
    offer = [tr("/alerts shows which. Tell one now anyway: {line}", line="/ringnow N")]
    told = _followers(move.name, changed.alerts, changed.chats, request)
    return [f"{moved} {_scope(move, request)}", told, *(offer if changed.alerts else ())]


def _would_move(name: str, before: Decimal | None, after: Decimal, tr: Translator) -> str:
    if before is None:
        return tr("@{name} would be {after}.", name=name, after=after)
    return tr("@{name} would move from {before} to {after}.", name=name, before=before, after=after)


def _scope(move: Move, request: Request) -> str:
    tr = request.tr
    if move.chat is None:
        return tr("It holds in every chat without one of its own.")
    if move.chat == request.chat:
        return tr("It holds in this chat.")
    return tr("It holds in the chat {chat}.", chat=str(move.chat))


def _followers(name: str, alerts: int, chats: int, request: Request) -> str:
    tr = request.tr
    if not alerts:
        return tr("No alert follows it yet: {line}", line=f"/alert btc < @{name}")
    follow = tr.many("{count} alert follows it", "{count} alerts follow it", alerts)
    where = tr.many("in {count} chat", "in {count} chats", chats)
    return tr(
        "{follow} {where}, armed anew: what is true already waits to be clear first.",
        follow=follow,
        where=where,
    )


async def _listed(levels: Mapping[str, Level], request: Request) -> list[str]:
    tr = request.tr
    if not levels:
        return [tr("No levels yet. An admin sets one: {line}", line="/level etf_cost 98700")]
    counted = await request.office.register.followers(request.chat)
    return [_line(levels[name], counted.get(name, (0, 0)), request) for name in sorted(levels)]


async def _shown(level: Level, request: Request) -> list[str]:
    tr, register = request.tr, request.office.register
    counted = await register.followers(request.chat)
    lines = [_line(level, counted.get(level.name.lower(), (0, 0)), request)]
    for entry in await register.history(Subject.LEVEL, level.name, level.chat, _HISTORY):
        at = tr.instant(entry.at, request.now)
        lines.append(tr("{at}: {change}, by {by}", at=at, change=described(entry, tr), by=entry.by))
    return lines


def _line(level: Level, counted: tuple[int, int], request: Request) -> str:
    tr, (alerts, chats) = request.tr, counted
    line = tr(
        "@{name} {value}, set by {by} at {at}",
        name=level.name,
        value=level.value,
        by=level.set_by,
        at=tr.instant(level.set_at, request.now),
    )
    if level.chat is not None:
        line = tr("{line}, for this chat alone", line=line)
    if not alerts:
        return line
    follow = tr.many("{count} alert follows it", "{count} alerts follow it", alerts)
    where = tr.many("in {count} chat", "in {count} chats", chats)
    return tr("{line} · {follow} {where}", line=line, follow=follow, where=where)


def _no_level(name: str, levels: Mapping[str, Level], request: Request) -> Refusal:
    tr = request.tr
    lines = [tr("No level is called @{name} here.", name=name[:64])]
    if near := nearest(name, list(levels)):
        lines.append(tr("Did you mean @{name}?", name=near))
    return Refusal(*lines)
