"""The commands by which a chat says how and when it wants to hear; part of the one table."""

from __future__ import annotations

from dataclasses import replace

from bot.alerts.people import Role
from bot.commands import hours, telling
from bot.commands.table import Command, Option

_ALERT = Option("alert", "The alert's number, or the name of a shared one", completes="alert")

_MUTE = Command(
    "mute",
    "Do not tell an alert for a while, or any of this chat; they go on, and are counted",
    Role.ADMIN,
    (
        replace(_ALERT, summary="The alert's number or name; left out: all of them"),
        Option("time", "For how long, such as: 8h", is_required=False, completes="time"),
    ),
    telling.mute,
    changes=True,
    by_policy=True,
    examples=("btc-floor 8h", "3 30m", "8h"),
)

HEARING: tuple[Command, ...] = (
    _MUTE,
    replace(_MUTE, name="snooze", summary="Do not tell an alert for a while: another word for /mute"),
    Command(
        "unmute",
        "Tell a muted alert again, or all of them",
        Role.ADMIN,
        (replace(_ALERT, is_required=False),),
        telling.unmute,
        changes=True,
        by_policy=True,
        examples=("btc-floor", ""),
    ),
    Command(
        "urgent",
        "Tell an alert before all else and in quiet hours too, or not any more",
        Role.ADMIN,
        (_ALERT, Option("how", "on or off", is_required=False, choices=("on", "off"))),
        hours.urgent,
        changes=True,
        by_policy=True,
        examples=("3", "3 off"),
    ),
    Command(
        "quiet",
        "Keep what rings in some hours and tell it in one message, or show them",
        Role.ADMIN,
        (Option("hours", "From and to, such as: 23:00-07:00; or off", is_required=False),),
        hours.quiet,
        changes=True,
        reads_without="hours",
        takes_place=True,
        examples=("", "23:00-07:00", "off"),
    ),
    Command(
        "report",
        "Tell how things stand every day or week, or now",
        Role.ADMIN,
        (
            Option(
                "when",
                "daily 09:00, weekly mon 09:00, now or off; then what of, such as: btc eth",
                is_required=False,
            ),
        ),
        hours.report,
        changes=True,
        reads_without="when",
        examples=("daily 09:00", "weekly mon 09:00 btc eth", "now", "off"),
    ),
)
"""In the order in which help lists them."""
