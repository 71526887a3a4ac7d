"""The commands by which people take their data along, bring it back, and have it deleted."""

from __future__ import annotations

from bot.alerts.people import Role
from bot.commands import erasing, exporting, importing
from bot.commands.table import Command, Option

OWNING: tuple[Command, ...] = (
    Command(
        "export",
        "Give the data of this chat as a file: alerts, levels, settings, and what rang",
        Role.ADMIN,
        (),
        exporting.export,
        is_personal=True,
        is_leaving=True,
    ),
    Command(
        "import",
        "Take back what /export gave, here or elsewhere; it is shown before anything is made",
        Role.ADMIN,
        (
            Option("file", "The file that /export gave", kind="file", is_required=False),
            Option("text", "Or its text", is_required=False),
        ),
        importing.take_back,
        changes=True,
        keeps_lines=True,
    ),
    Command(
        "forgetme",
        "Delete all that is kept of you, in our private chat",
        Role.MEMBER,
        (),
        erasing.forget_me,
        changes=True,
        is_leaving=True,
    ),
)
"""In the order in which help lists them."""
