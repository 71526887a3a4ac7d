"""What a typed change makes of a playbook, before anything is shown or done."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from bot.alerts.playbooks import Playbook, PlaybookError, is_part_name, read_playbook
from bot.alerts.translator import Translator
from bot.commands.books import shelf_of
from bot.commands.levels import Move
from bot.commands.reading import nearest, read_rule
from bot.commands.request import Refusal, Request
from bot.rules import levels, read_number
from bot.rules.phrases import to_say

LEVEL = re.compile(r"@?([A-Za-z0-9_]+)\s*=\s*(\S+)")
EXAMPLES = ("add dip btc < 96k repeat", "drop dip", "stop=101k", "title Buy low", "delete", "reset")


async def redraft(name: str, known: Playbook | None, text: str, request: Request) -> Playbook | None:
    """Give the playbook as it would be after what was typed. Raises Refusal."""
    tr, shelf = request.tr, await shelf_of(request.office.register, request.office.shelf())
    verb, _, rest = text.partition(" ")
    verb, rest = verb.lower(), rest.strip()
    filed = request.office.shelf().books.get(name)
    if verb == "reset":
        if filed is None:
            raise Refusal(tr("There is no file of {name} to take it from.", name=name))
        return filed
    if verb == "new":
        if known is not None:
            raise Refusal(tr("{name} is there already.", name=name), _usage(name, "add dip btc < 96k", tr))
        return await _with_rule(Playbook(name), rest, request)
    if known is None and verb == "delete" and name in shelf.problems:
        return None
    if known is None:
        raise unknown(name, list(shelf.books), request)
    match verb:
        case "add":
            return await _with_rule(known, rest, request)
        case "drop":
            if rest.lower() not in known.rules:
                raise _no_rule(known, rest, request)
            rules = {part: rule for part, rule in known.rules.items() if part != rest.lower()}
            return _checked(replace(known, rules=rules), request)
        case "title":
            return _checked(replace(known, title=rest), request)
        case "delete" if not rest:
            return None
        case _ if level := LEVEL.fullmatch(text):
            number = _number(level[2], request)
            return _checked(replace(known, levels={**known.levels, level[1].lower(): number}), request)
    raise Refusal(
        tr('"{text}" is no change of a playbook.', text=text[:64]),
        *(tr("For instance: {rule}", rule=f"/revise {name} {one}") for one in EXAMPLES),
    )


async def _with_rule(book: Playbook, text: str, request: Request) -> Playbook:
    """Give the playbook with a rule more, or another under a name, and with the levels that it follows."""
    tr = request.tr
    part, _, typed = text.partition(" ")
    if not is_part_name(part.lower()):
        part, typed = "", ""
    if not typed.strip():
        raise Refusal(
            tr("Say the rule's name, of a-z, 0-9, - and _, and then the rule."),
            _usage(book.name, "add dip btc < 96k repeat", tr),
        )
    rule = read_rule(request, typed).rule
    values = dict(book.levels)
    for level in sorted(levels(rule) - values.keys()):
        reach = await request.office.register.reach(level, None, request.chat)
        if reach.level is None:
            raise Refusal(
                tr("@{name} has no value yet.", name=level),
                tr("An operator sets it in private: {line}", line=f"/level {level} 98700"),
            )
        values[level] = reach.level.value
    return _checked(replace(book, levels=values, rules={**book.rules, part.lower(): str(rule)}), request)


def _checked(book: Playbook, request: Request) -> Playbook:
    """Read a playbook as it would be written, so that nothing is kept that could not be read."""
    try:
        return read_playbook(book.name, book.written())
    except PlaybookError as error:
        raise Refusal(request.tr.render(error.reason)) from error


async def move_of(name: str, text: str, book: Playbook, request: Request) -> Move | None:
    """Give the move of a level that the deployment has: it goes as /level does. ``None`` for any other."""
    number = _number(text, request)
    reach = await request.office.register.reach(name, None, request.chat)
    if name not in book.levels:
        lines = [request.tr("{name} has no level @{level}.", name=book.name, level=name[:64])]
        if near := nearest(name, list(book.levels)):
            lines.append(request.tr("Did you mean @{name}?", name=near))
        raise Refusal(*lines)
    return Move(name, number, None) if reach.level is not None else None


def _number(text: str, request: Request) -> Decimal:
    number = read_number(text)
    if number is None:
        line = to_say('"{text}" is no number for a level. Write it like 98700, 98,700 or 98.7k.')
        raise Refusal(request.tr(line, text=text[:64]))
    return number


def unknown(name: str, names: list[str], request: Request) -> Refusal:
    tr = request.tr
    lines = [tr("No playbook is called {name}.", name=name)]
    if near := nearest(name, names):
        lines.append(tr("Did you mean {name}?", name=near))
    lines.append(tr("To make it, give it its first rule: {line}", line=f"/revise {name} new dip btc < 96k"))
    return Refusal(*lines)


def _no_rule(book: Playbook, text: str, request: Request) -> Refusal:
    tr = request.tr
    lines = [tr("{name} has no rule {part}.", name=book.name, part=text[:64])]
    if near := nearest(text, list(book.rules)):
        lines.append(tr("Did you mean {name}?", name=near))
    return Refusal(*lines)


def _usage(name: str, example: str, tr: Translator) -> str:
    return tr("Write it like this: {line}", line=f"/revise {name} {example}")
