"""What the bot is, and what may be said to it: read from the table."""

from __future__ import annotations

from bot.alerts.message import say
from bot.alerts.people import ChatKind, Policy, Role
from bot.alerts.translator import Translator
from bot.commands.reading import nearest
from bot.commands.request import Refusal, Request
from bot.commands.table import Command
from bot.ports import Replies

_SYNONYMS = {
    **dict.fromkeys(["list", "mine", "ls"], "alerts"),
    **dict.fromkeys(["new", "add", "watch", "create", "set", "remind"], "alert"),
    **dict.fromkeys(["remove", "rm", "del", "cancel"], "delete"),
    **dict.fromkeys(["tz", "zone", "clock", "time"], "timezone"),
    **dict.fromkeys(["lang"], "language"),
    **dict.fromkeys(["copy"], "share"),
    **dict.fromkeys(["prices", "quote", "p"], "price"),
    **dict.fromkeys(["graph", "plot"], "chart"),
    **dict.fromkeys(["backtest", "check", "preview"], "test"),
    **dict.fromkeys(["menu", "commands", "?"], "help"),
    **dict.fromkeys(["rearm", "unpause", "continue"], "resume"),
    **dict.fromkeys(["stop", "halt"], "pause"),
}
"""What people call some commands, and the commands."""


async def show(request: Request) -> Replies:
    """List the commands, or tell more of one."""
    from bot.commands.verbs import COMMANDS

    tr, name = request.tr, request.given("command").lower().lstrip("/")
    if name:
        command = _command(name, tr)
        is_for_all = command.role is Role.MEMBER
        yield say(*page(command, tr), *(() if is_for_all else who_may(command, request)))
        return
    is_operator = request.role is Role.OPERATOR
    known = [one for one in COMMANDS if is_operator or one.role is not Role.OPERATOR]
    lines = [f"{command.usage}: {tr(command.summary)}" for command in known]
    yield say(*lines, tr("More of one: {line}", line="/help alert"))


def page(command: Command, tr: Translator) -> list[str]:
    """Tell how a command is used, with examples."""
    lines = [f"{command.usage}: {tr(command.summary)}"]
    lines.extend(f"{option.name.upper()}: {tr(option.summary)}" for option in command.options)
    lines.extend(f"/{command.name} {example}".rstrip() for example in command.examples)
    return lines


def who_may(command: Command, request: Request) -> list[str]:
    """Say who may use a command in full."""
    tr, name = request.tr, f"/{command.name}"
    if command.role is Role.OPERATOR:
        return [tr("{command} is for the operators of this bot.", command=name)]
    is_private = request.caller.kind is ChatKind.PRIVATE
    if command.by_policy and (is_private or request.settings.policy is Policy.MEMBERS):
        if command.named_alert:
            who = tr("In a group {command} is for its admins and for who made the alert", command=name)
        else:
            who = tr("In a group {command} is for everybody in it", command=name)
        if is_private:
            return [tr("{who}, unless its admins keep alerts to themselves with /policy.", who=who)]
    else:
        who = tr("In a group {command} is for its admins", command=name)
        if is_private:
            return [tr("{who}.", who=who)]
    return [tr("{who}; write to me in private to use it for yourself.", who=who)]


def unknown(name: str, tr: Translator) -> Refusal:
    """Answer to a command that does not exist."""
    lines = [tr("I know no command {name}.", name=f"/{name}")]
    near = command_for(name, cutoff=0.5)
    if near:
        lines.append(tr("Did you mean {name}?", name=f"/{near}"))
    lines.append(tr("/help lists everything I know."))
    return Refusal(*lines, misspelt=(f"/{name}", f"/{near}") if near else None)


def command_for(word: str, cutoff: float = 0.8) -> str:
    """Give the name of the command that a word means, or is most like; else nothing."""
    from bot.commands.verbs import COMMANDS

    names, word = [command.name for command in COMMANDS], word.lower()
    if word in names:
        return word
    return _SYNONYMS.get(word) or nearest(word, names, cutoff)


def is_command(word: str) -> bool:
    """Ask whether a word is the name of a command."""
    from bot.commands.verbs import COMMANDS

    return word.lower() in {command.name for command in COMMANDS}


def _command(name: str, tr: Translator) -> Command:
    from bot.commands.verbs import COMMANDS  # the table holds this room's functions, so it comes later

    for command in COMMANDS:
        if command.name == name:
            return command
    raise unknown(name, tr)
