"""The commands by which people take their data along, bring it back, and have it deleted."""

from __future__ import annotations

from bot.alerts.people import Role
from bot.commands import erasing, exporting
from bot.commands.table import Command

OWNING: tuple[Command, ...] = (
    Command(
        "export",
        "Give the data of this chat as a file: alerts, levels, settings, and what rang",
        Role.ADMIN,
        (),
        exporting.export,
        is_leaving=True,
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
