"""Dispatch what people say: find the command, see whether they may, read its options, answer.

Nothing escapes and no command is left without an answer; plain text in a group is none of the bot's business.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import structlog

from bot.alerts.message import Message, say
from bot.alerts.people import Caller, ChatKind, ChatRef, Policy, Role
from bot.alerts.refusals import beyond
from bot.alerts.translator import Translator
from bot.commands import plain
from bot.commands.complete import complete
from bot.commands.gate import Shut
from bot.commands.inquiries import inquire
from bot.commands.manual import page, unknown, who_may
from bot.commands.offering import put_right_in
from bot.commands.reading import label_of
from bot.commands.replying import addressed, is_of_alert, spoken
from bot.commands.request import Office, Refusal, Request
from bot.commands.table import Command, Kind
from bot.commands.verbs import COMMANDS
from bot.commands.windows import draft, with_window
from bot.ports import Already, Beyond, Card, Choice, Desk, Draft, Replies, StoreTrouble
from bot.rules import read_number

log = structlog.get_logger(__name__)

_BY_NAME = {command.name: command for command in COMMANDS}


def make_desk(office: Office) -> Desk:
    """Open the desk where chats bring what people say."""

    def answer(caller: Caller, words: str) -> Replies:
        return dispatch(office, caller, words)

    async def suggest(caller: Caller, command: str, option: str, prefix: str) -> list[Choice]:
        return await complete(office, caller, command, option, prefix)

    async def offer(caller: Caller, words: str) -> list[Card]:
        return await inquire(office, caller, words)

    async def begin(caller: Caller, line: str) -> Draft | None:
        return await draft(office, caller, line)

    async def words(chat: ChatRef, language: str) -> Translator:
        try:
            known = await office.register.met(chat)
        except StoreTrouble:
            known = None
        return office.languages.translator(known.language if known else language, "UTC")

    return Desk(answer, suggest, inquire=offer, draft=begin, words=words)


async def dispatch(office: Office, caller: Caller, words: str) -> AsyncIterator[Message]:
    """Answer one line of a person. Never raises.

    Plain text in a group gets no answer, and who was told that they are not heard gets none either. A reply
    to a message of the bot is about the alert that was told there.
    """
    name, rest = _split(words)
    about = _about(office, name, rest) if caller.answers else None
    if not name and about is None and (caller.kind is ChatKind.GROUP or not rest):
        return
    tr = office.languages.translator(caller.language, "UTC")
    try:
        is_leaving = name in _BY_NAME and _BY_NAME[name].is_leaving
        await office.gate.admit(caller, office.clock.now(), tr, is_leaving=is_leaving)
        request = await _request(office, caller)
        tr = request.tr
        if about is not None:
            options = await addressed(request, *about)
            if options is not None:
                name, rest = about[0], options
            elif not name and caller.kind is ChatKind.GROUP:
                return
        replies = _run(request, name, rest) if name else plain.answer(request, rest)
        async for reply in replies:
            yield reply
    except Shut as shut:
        if shut.text:
            yield Message(lines=(shut.text,), is_private=True)
    except Refusal as refusal:
        yield refusal.message
    except Beyond as bound:
        yield Message(lines=beyond(bound.thing, bound.whose, bound.most, tr), is_private=True)
    except Already as same:
        lines = (tr("{label} is that alert already, and armed.", label=same.label), tr("/alerts shows it."))
        yield Message(lines=lines, is_private=True)
    except StoreTrouble as trouble:
        log.error("command_failed", command=name, platform=caller.chat.platform, reason=str(trouble))
        yield say(tr("My database cannot be used just now, and nothing was changed. Please send that again."))
    except Exception as error:
        # The frames without the error's text: that may hold what the person wrote.
        frames = "".join(traceback.format_tb(error.__traceback__))
        kind = type(error).__name__
        log.error("command_failed", command=name, platform=caller.chat.platform, error=kind, frames=frames)
        yield say(
            tr("Something went wrong on my side. Please look with /alerts whether your command took effect.")
        )


async def _run(request: Request, name: str, rest: str) -> AsyncIterator[Message]:
    command = _BY_NAME.get(name) or _called(name, request.tr)
    if command is None:
        raise put_right_in(unknown(name, request.tr), f"/{name} {rest}".rstrip(), request)
    typed = rest
    if not command.keeps_lines:
        rest = rest.replace("\n", " ")
    values = _values(command, rest)
    is_reading = command.reads_without and not (values or {}).get(command.reads_without)
    needed = Role.MEMBER if is_reading or await _is_let(command, request, values) else command.role
    role = await _role(request, max(needed, command.tells_more_to), is_fresh=command.is_fresh)
    if role < needed:
        raise Refusal(*who_may(command, request))
    if values is None:
        raise await with_window(Refusal(*page(command, request.tr)), request, command, typed)
    asked = Request(request.office, request.caller, request.settings, role, request.tr, request.now, values)
    # What is pressed below a message that all can read goes on there.
    is_aside = command.is_personal and asked.caller.kind is ChatKind.GROUP and not asked.caller.has_pressed
    try:
        async for reply in command.run(asked):
            is_private = reply.is_private or is_aside
            yield replace(reply, takes_place=command.takes_place, is_private=is_private)
    except Refusal as refusal:
        better = put_right_in(refusal, f"/{name} {rest}".rstrip(), request)
        raise await with_window(better, request, command, typed) from refusal


def _called(name: str, tr: Translator) -> Command | None:
    """Find a command by what menus call it in the language that is spoken."""
    return next((one for one in COMMANDS if tr.named(one.name) == name), None)


def _split(words: str) -> tuple[str, str]:
    """Part a line into the command's name, empty if it is none, and the rest: ``/price@SomeBot btc``."""
    text = words.strip()
    if not text.startswith("/"):
        return "", text
    head, rest = re.split(r"\s", f"{text[1:]} ", maxsplit=1)
    return head.partition("@")[0].lower() or "help", rest.strip()


def _about(office: Office, name: str, rest: str) -> tuple[str, str] | None:
    """Read what a reply says of the alert that it is about: a command and its options, or nothing."""
    if name:
        return (name, rest) if is_of_alert(name) else None
    return spoken(rest, office.languages)


async def _request(office: Office, caller: Caller) -> Request:
    now = office.clock.now()
    settings = await office.register.meet(caller, now)
    tr = office.languages.translator(settings.language, settings.timezone)
    return Request(office, caller, settings, Role.MEMBER, tr, now)


async def _role(request: Request, needed: Role, *, is_fresh: bool = False) -> Role:
    """Find what the caller may do; the platform is asked only where its answer is needed and not known."""
    caller, office = request.caller, request.office
    if (caller.chat.platform, caller.person) in office.operators:
        return Role.OPERATOR
    if caller.kind is ChatKind.PRIVATE:
        return Role.ADMIN
    is_admin = caller.is_admin
    if is_admin is None and needed is Role.ADMIN:
        is_admin = await office.is_admin(caller.chat, caller.person, is_fresh)
    return Role.ADMIN if is_admin else Role.MEMBER


async def _is_let(command: Command, request: Request, values: Mapping[str, str] | None) -> bool:
    """Ask whether the policy of the group lets a member use a command: on an alert, if they made it."""
    if not command.by_policy or request.caller.kind is ChatKind.PRIVATE:
        return False
    if request.settings.policy is not Policy.MEMBERS:
        return False
    if not command.named_alert or values is None:
        return True  # what does not fit is answered with its usage
    if command.named_alert not in values:
        return False  # it is of the whole chat
    maker = await request.office.register.maker(request.chat, label_of(values[command.named_alert]))
    return maker == f"{request.chat.platform}:{request.caller.person}"


def _values(command: Command, rest: str) -> dict[str, str] | None:
    """Read the options of a command off the rest of its line; ``None`` if they do not fit."""
    if not command.options:
        return {}  # what follows is no option: Telegram's links begin with "/start PAYLOAD"
    values: dict[str, str] = {}
    for option in command.options:
        if option.kind == "file":
            continue
        is_last = option is command.options[-1]
        if is_last and option.kind == "text":
            word, rest = rest, ""
        else:
            word, _, rest = rest.partition(" ")
            rest = rest.strip()
        if option.kind == "whole":
            word = word.lstrip("#")
        if not word:
            if option.is_required:
                return None
            continue
        if not _fits(word, option.kind):
            return None
        values[option.name] = word
    return None if rest else values


def _fits(word: str, kind: Kind) -> bool:
    match kind:
        case "whole":
            return re.fullmatch(r"[1-9][0-9]{0,8}", word) is not None
        case "number":
            return read_number(word) is not None
        case "text" | "file":
            return True
