"""Windows to write a long rule in: what one begins with, and the button that gives one.

Which platforms have windows is theirs to say; here one is a line of which the end is still to be written.
"""

from __future__ import annotations

from bot.alerts.handouts import MARK
from bot.alerts.message import Button
from bot.alerts.people import Caller
from bot.commands.reading import label_of
from bot.commands.request import Office, Refusal, Request
from bot.commands.table import Command
from bot.ports import Draft

_SECONDS_TO_PRESS = 86_400.0
"""How long a text is kept for a button whose line is too short for it."""


async def draft(office: Office, caller: Caller, line: str) -> Draft | None:
    """Give what a window for a line begins with: the text in the line, what it stands for, or the rule now.

    ``None`` for a line that has no window, or whose text nobody knows any more.
    """
    now = office.clock.now()
    name, _, rest = line.removeprefix("/").partition(" ")
    command = _known(name)
    if command is None or not await office.gate.is_open(caller, now):
        return None
    before, text = _parted(command, rest)
    if len(before) < _ahead(command):
        return None
    begun = " ".join((f"/{name}", *before))
    if text.startswith(MARK):
        handout = await office.register.handout(text.removeprefix(MARK), now)
        return Draft(begun, handout.rule) if handout else None
    if not text and command.named_alert:
        label = label_of(before[0])
        own = [
            one.alert for one in await office.register.subscriptions(caller.chat) if not one.alert.is_shared
        ]
        found = next((one for one in own if one.label == label), None)
        return Draft(begun, found.rule) if found else None
    return Draft(begun, text)


async def rewriting(request: Request, command: Command, rest: str, label: str) -> Button | None:
    """Give the button for a window in which a line is written again; nothing typed is lost.

    ``None`` for who has no windows, and for a command that needs none. A text that is too long for a button
    is kept, and named by its token.
    """
    if not request.caller.has_windows or command.long_option is None:
        return None
    before, text = _parted(command, rest)
    if len(before) < _ahead(command):
        return None
    begun = " ".join((f"/{command.name}", *before))
    button = Button(label, f"{begun} {text}".rstrip(), has_window=True)
    if button.is_sound and "\n" not in button.line:
        return button
    now = request.instant
    kept = await request.office.register.hand_out(request.caller, text, now + _SECONDS_TO_PRESS, now)
    button = Button(label, f"{begun} {MARK}{kept.token}", has_window=True)
    return button if button.is_sound else None


async def with_window(refusal: Refusal, request: Request, command: Command, rest: str) -> Refusal:
    """Add to a refusal the button for writing the same again, where there are windows."""
    _, text = _parted(command, rest)
    if not request.caller.has_pressed and not text.startswith(MARK):
        label = request.tr("Write it again") if text else request.tr("Write it in a window")
        if (button := await rewriting(request, command, rest, label)) is not None:
            refusal.add(button)
    return refusal


def _known(name: str) -> Command | None:
    from bot.commands.verbs import COMMANDS  # the table holds this room's functions, so it comes later

    return next((one for one in COMMANDS if one.name == name and one.long_option is not None), None)


def _ahead(command: Command) -> int:
    """Count the options before the long one."""
    return next(place for place, option in enumerate(command.options) if option.is_long)


def _parted(command: Command, rest: str) -> tuple[list[str], str]:
    """Part what follows a command into the words before its long option, and the text of that."""
    if command.long_option is None:
        return [], ""
    words, text = [], rest.strip()
    for _ in range(_ahead(command)):
        word, _, text = text.partition(" ") if " " in text else (text, "", "")
        text = text.strip()
        if word:
            words.append(word)
    return words, text
