"""The commands by which something is told in other chats; part of the one table."""

from __future__ import annotations

from bot.alerts.people import Role
from bot.commands import broadcasts, linking, sending
from bot.commands.table import Command, Option

ADDRESSING: tuple[Command, ...] = (
    Command(
        "send",
        "Let an alert ring in another chat or channel, or here again",
        Role.ADMIN,
        (
            Option("alert", "The alert's number, or the name of a shared one", completes="alert"),
            Option("place", "Where: to @mychannel, to #alerts, discord or telegram if linked, or: here"),
        ),
        sending.send,
        changes=True,
        is_fresh=True,
        examples=("3 here",),
    ),
    Command(
        "link",
        "Share alerts and settings with your private chat on another platform",
        Role.MEMBER,
        (Option("code", "The code that I gave you there; left out: one to type there", is_required=False),),
        linking.link,
        changes=True,
        examples=("",),
    ),
    Command(
        "unlink",
        "Share with your private chat on the other platform no longer",
        Role.MEMBER,
        (),
        linking.unlink,
        changes=True,
    ),
    Command(
        "announcements",
        "Hear what the operators of this bot say to all chats, or not",
        Role.ADMIN,
        (Option("how", "on or off", is_required=False, choices=("on", "off")),),
        broadcasts.announcements,
        changes=True,
        reads_without="how",
        examples=("on",),
    ),
    Command(
        "broadcast",
        "Say something to all chats, or say how far the last one is",
        Role.OPERATOR,
        (Option("text", "What to say; it is shown first", is_required=False),),
        broadcasts.broadcast,
        changes=True,
        keeps_lines=True,
        examples=("", "On Sunday I move to another server."),
    ),
)
"""In the order in which help lists them."""
