"""What the bot is, and what may be said to it: read from the table."""

from __future__ import annotations

from bot.alerts.message import Message, say
from bot.alerts.people import ChatKind, Policy, Role
from bot.alerts.translator import Translator
from bot.commands.reading import nearest
from bot.commands.request import Refusal, Request
from bot.commands.table import Command
from bot.ports import Replies


async def start(request: Request) -> Replies:
    """Say what the bot does and how to begin."""
    tr = request.tr
    yield Message(
        title=tr("I watch the market and ring here when what you wrote comes true."),
        lines=(
            tr("Write an alert in one line:"),
            *(f"/alert {example}" for example in _command("alert", tr).examples),
            tr("/help lists everything I know."),
        ),
    )


async def show(request: Request) -> Replies:
    """List the commands, or tell more of one."""
    from bot.commands.verbs import COMMANDS

    tr, name = request.tr, request.given("command").lower().lstrip("/")
    if name:
        command = _command(name, tr)
        is_for_all = command.role is Role.MEMBER
        yield say(*page(command, tr), *(() if is_for_all else who_may(command, request)))
        return
    lines = [f"{command.usage}: {tr(command.summary)}" for command in COMMANDS]
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
    from bot.commands.verbs import COMMANDS

    lines = [tr("I know no command {name}.", name=f"/{name}")]
    if near := nearest(name, [command.name for command in COMMANDS]):
        lines.append(tr("Did you mean {name}?", name=f"/{near}"))
    lines.append(tr("/help lists everything I know."))
    return Refusal(*lines)


def _command(name: str, tr: Translator) -> Command:
    from bot.commands.verbs import COMMANDS  # the table holds this room's functions, so it comes later

    for command in COMMANDS:
        if command.name == name:
            return command
    raise unknown(name, tr)
