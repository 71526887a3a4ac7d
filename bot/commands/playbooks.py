"""Playbooks: list them, show what one would do here, follow it by confirming that, and stop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from bot.alerts.changes import Basis, Proposal
from bot.alerts.message import Button, Message, say, sound
from bot.alerts.models import Alert
from bot.alerts.people import Role
from bot.alerts.playbooks import Playbook
from bot.commands.books import (
    Plan,
    book_called,
    counts,
    left_out,
    line,
    plan,
    shelf_of,
    stands,
    unusable,
    whence,
)
from bot.commands.preview import Count
from bot.commands.proposals import is_open, offer, propose
from bot.commands.reading import SURE, Prepared, ask_if_far, nearest, refused, split_sure
from bot.commands.request import Refusal, Request
from bot.commands.sights import lost_lines
from bot.commands.standing import Standing
from bot.metrics import MetricKey
from bot.ports import Conflict, Replies, Stale
from bot.rules import RuleError, levels, read_number

KIND = "playbook"
"""The kind of proposals that ``carry_out`` does."""

_STOP = "stop"
_NONE = "none"
_ATTEMPTS = 3
_BUTTONS = 2


async def show(request: Request) -> Replies:
    """List the playbooks, who follows them, and for operators those that cannot be used."""
    tr, register = request.tr, request.office.register
    shelf = await shelf_of(register, request.office.shelf())
    followed = {one.alert.playbook for one in await register.subscriptions(request.chat)} - {""}
    followers = await register.playbook_followers()
    lines = [
        _listed(book, book.name in followed, followers.get(book.name, 0), request)
        for book in shelf.books.values()
    ]
    lines += [
        tr(
            "{name} is followed here, but there is no such playbook any more. {line} stops it.",
            name=name,
            line=f"/playbook {_STOP} {name}",
        )
        for name in sorted(followed - shelf.books.keys())
    ]
    if request.role is Role.OPERATOR:
        lines += [unusable(name, reason, tr) for name, reason in shelf.problems.items()]
    if not lines:
        yield say(tr("There are no playbooks."))
        return
    if shelf.books:
        lines.append(tr("What one would do here: {line}", line=f"/playbook {next(iter(shelf.books))}"))
    buttons = [Button(name, f"/playbook {name}") for name in shelf.books]
    rows = [tuple(buttons[at : at + _BUTTONS]) for at in range(0, len(buttons), _BUTTONS)]
    yield Message(lines=tuple(lines), buttons=sound(tuple(rows)))


def _listed(book: Playbook, is_followed: bool, chats: int, request: Request) -> str:
    tr = request.tr
    parts = [f"{book.name}: {request.tr.known(book.title)}" if book.title else book.name]
    parts.append(tr.many("{count} rule", "{count} rules", len(book.rules)))
    if is_followed:
        parts.append(tr("followed here"))
    if chats:
        parts.append(tr.many("{count} chat", "{count} chats", chats))
    return " · ".join(parts)


async def playbook(request: Request) -> Replies:
    """List the playbooks, show what one would do here and propose it, or stop one."""
    tr, name, what = request.tr, request.given("name").lower(), request.given("what").strip()
    if name == "edit":
        raise Refusal(tr("Operators change one like this: {line}", line=f"/revise {what or 'aggressive'}"))
    if name == _STOP or what.lower() == _STOP:
        async for reply in _stop(request, what.lower() if name == _STOP else name):
            yield reply
        return
    replies = show(request) if not name else _preview(request, await book_called(request, name), what)
    async for reply in replies:
        yield reply


# --- what it would do ---------------------------------------------------------------------------------------


async def _preview(request: Request, book: Playbook, text: str, *first: str) -> Replies:
    tr = request.tr
    text, is_sure = split_sure(text)
    given = _given(text, book, request)
    planned = await plan(request, book, given)
    if not planned.parts:
        raise Refusal(*first, *_unchanged(planned, request))
    if not is_sure:
        again = " ".join(filter(None, (f"/playbook {book.name}", text.strip(), SURE)))
        for prepared in planned.shown.values():
            if levels(prepared.rule) & given.keys():
                ask_if_far(prepared, again, tr)
    standing = await stands(planned.shown, request)
    reach = await request.office.register.reach("", None, request.chat)
    change = {"name": book.name, "given": text.strip(), "digest": planned.digest()}
    proposal = await propose(request, KIND, change, role=Role.ADMIN, revision=reach.revision)
    head = [*first, *_head(planned, request)]
    tail = await _tail(planned, request)
    lines = _rules(planned, standing, {}, request)
    yield offer(proposal, request, *head, *lines, *tail)
    counted = await counts(planned.shown, request)
    if any(counted.values()) and await is_open(proposal, request):
        yield offer(proposal, request, *head, *_rules(planned, standing, counted, request), *tail)


def _head(planned: Plan, request: Request) -> list[str]:
    tr, book = request.tr, planned.drill.book
    if book.title:
        title = tr("{name}: {told}.", name=book.name, told=tr.known(book.title))
    else:
        title = tr("{line}.", line=book.name)
    if not planned.had:
        return [title]
    kept = len(planned.had.keys() - planned.parts.changes.keys() - set(planned.parts.drops))
    stays = tr.many("{count} rule stays as it is", "{count} rules stay as they are", kept)
    return [title, tr("This chat follows it already: {stays}.", stays=stays)]


def _rules(
    planned: Plan,
    standing: Mapping[str, Standing],
    counted: Mapping[str, Count | None],
    request: Request,
) -> list[str]:
    tr, had = request.tr, planned.had
    lines = []
    for name, prepared in planned.shown.items():
        remark = tr("instead of {rule}", rule=_before(had[name].alert)) if name in had else ""
        lines.append(line(name, prepared, standing[name], counted, tr, remark=remark))
    lines += [tr("{name} goes: {rule}", name=name, rule=had[name].alert.rule) for name in planned.parts.drops]
    return lines


def _before(alert: Alert) -> str:
    return f"{alert.label} {alert.rule}"


async def _tail(planned: Plan, request: Request) -> list[str]:
    tr, book = request.tr, planned.drill.book
    lines = left_out(planned.drill.out, tr)
    filled = planned.drill.filled()
    if filled:
        known = await request.office.register.levels(request.chat)
        said = [
            whence(name, value, tr, book=book, known=known, own=planned.own) for name, value in filled.items()
        ]
        lines.append(tr("Levels: {levels}.", levels=", ".join(said)))
        name, value = next(iter(filled.items()))
        lines.append(
            tr(
                "Others for this chat: {line}. Operators move one for all chats with {level}.",
                line=f"/playbook {book.name} {name}={value}",
                level=f"/level {name} {value}",
            )
        )
    return lines


def _unchanged(planned: Plan, request: Request) -> list[str]:
    """Say that there is nothing to do: it is followed already, or none of it can be armed here."""
    tr, book, had = request.tr, planned.drill.book, planned.had
    if not had:
        return [tr("Nothing of {name} can be armed here.", name=book.name), *left_out(planned.drill.out, tr)]
    labels = tr.listed(one.alert.label for one in had.values())
    return [
        tr("This chat follows {name} already: {alerts}.", name=book.name, alerts=labels),
        *left_out({name: why for name, why in planned.drill.out.items() if name not in had}, tr),
        tr("/alerts shows how they stand. {line} takes them away.", line=f"/playbook {_STOP} {book.name}"),
    ]


def _given(text: str, book: Playbook, request: Request) -> dict[str, Decimal | None]:
    """Read ``breakout=106k stop=none``. Raises Refusal for what is none of the playbook's levels."""
    tr, given = request.tr, dict[str, Decimal | None]()
    for word in re.sub(r"\s*=\s*", "=", text).split():
        name, sign, value = word.partition("=")
        level, number = name.lower().lstrip("@"), read_number(value)
        if not sign or (number is None and value.lower() != _NONE):
            example = f"/playbook {book.name} {next(iter(book.levels), 'stop')}=101k"
            raise Refusal(
                tr('"{word}" is no level of your own.', word=word[:64]),
                tr("Write it like this: {line}", line=example),
            )
        if level not in book.levels:
            lines = [tr("{name} has no level @{level}.", name=book.name, level=level[:64])]
            if near := nearest(level, list(book.levels)):
                lines.append(tr("Did you mean @{name}?", name=near))
            elif book.levels:
                lines.append(tr("It has {levels}.", levels=tr.listed(f"@{one}" for one in book.levels)))
            raise Refusal(*lines)
        given[level] = number
    return given


# --- doing it -----------------------------------------------------------------------------------------------


async def carry_out(request: Request, proposal: Proposal) -> Replies:
    """Arm all that was shown, in one transaction; where it is not as it was shown, show it anew instead."""
    name, text = str(proposal.change["name"]), str(proposal.change["given"])
    book = await book_called(request, name)
    register, given = request.office.register, _given(text, book, request)
    for _ in range(_ATTEMPTS):
        planned = await plan(request, book, given)
        if planned.digest() != proposal.change["digest"]:
            break
        drilled = planned.drill
        try:
            made = await register.follow_playbook(
                request.caller,
                name,
                planned.parts,
                request.instant,
                armer=drilled.armer(request),
                filled=drilled.filled(),
                own=planned.own,
                basis=Basis(proposal.id),
            )
        except RuleError as error:
            raise refused(error, request.tr) from error
        except Conflict:
            continue
        except Stale:
            book = await book_called(request, name)
            break
        yield await _told(planned, made, request)
        return
    await register.discard(proposal.id, request.instant)
    changed = request.tr("It is not as it was shown any more: nothing is changed yet.")
    async for reply in _preview(request, book, f"{text} {SURE}".strip() if text else "", changed):
        yield reply


async def _told(planned: Plan, made: list[Alert], request: Request) -> Message:
    tr, book = request.tr, planned.drill.book
    alerts = [*made, *(planned.had[name].alert for name in planned.parts.changes)]
    many = tr.many("{count} alert", "{count} alerts", len(alerts))
    lines = [
        tr("{name} is armed here: {many}.", name=book.name, many=many)
        if alerts
        else tr("{name} is as it should be here.", name=book.name)
    ]
    shown: dict[str, Prepared] = planned.shown
    standing = await stands(shown, request)
    parts = {alert.part: alert for alert in alerts}
    lines += [
        f"{alert.label} {name}: {shown[name].meaning(tr)}" for name, alert in parts.items() if name in shown
    ]
    if dropped := [planned.had[name].alert.label for name in planned.parts.drops]:
        lines.append(tr("Gone: {alerts}.", alerts=tr.listed(dropped)))
    true = [alert.number for name, alert in parts.items() if standing.get(name) is Standing.TRUE]
    if true:
        lines.append(
            tr(
                "True already, so it waits to be clear first: {alerts}. Tell one now anyway: {line}",
                alerts=tr.listed(f"#{number}" for number in true),
                line=f"/ringnow {true[0]}",
            )
        )
    lines += left_out({name: why for name, why in planned.drill.out.items() if name not in planned.had}, tr)
    keys: dict[MetricKey, None] = {key: None for one in shown.values() for key in one.series}
    lines += await lost_lines(keys, request)
    stop = f"/playbook {_STOP} {book.name}"
    lines.append(tr("/alerts shows how they stand. {line} takes them away.", line=stop))
    return say(*lines)


async def _stop(request: Request, name: str) -> Replies:
    """Take away all alerts that belong to a playbook, whether it still exists or not."""
    tr, register = request.tr, request.office.register
    gone = await register.leave_playbook(request.chat, name, request.instant) if name else []
    if not gone:
        followed = {one.alert.playbook for one in await register.subscriptions(request.chat)} - {""}
        lines = [tr("This chat does not follow {name}.", name=name[:64])] if name else []
        if followed:
            lines.append(tr("It follows: {names}.", names=", ".join(sorted(followed))))
        elif not name:
            lines.append(tr("This chat follows no playbook."))
        raise Refusal(*lines)
    labels = tr.listed(alert.label for alert in gone)
    yield say(tr("{name} is stopped here, and its alerts are deleted: {alerts}.", name=name, alerts=labels))
