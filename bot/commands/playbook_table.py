"""The rows of the table of commands that are about playbooks."""

from __future__ import annotations

from bot.alerts.people import Role
from bot.commands import playbooks, revising
from bot.commands.table import Command, Option

PLAYBOOKS: tuple[Command, ...] = (
    Command("playbooks", "List the playbooks: rules to follow together", Role.MEMBER, (), playbooks.show),
    Command(
        "playbook",
        "Show what a playbook would do here, follow it, or stop it",
        Role.ADMIN,
        (
            Option("name", "Its name, such as: conservative", is_required=False, completes="playbook"),
            Option("what", "Levels of your own: breakout=106k stop=101k; or stop", is_required=False),
        ),
        playbooks.playbook,
        changes=True,
        reads_without="name",
        examples=("conservative", "aggressive breakout=106k stop=101k"),
    ),
    Command(
        "revise",
        "Change a playbook for all who follow it",
        Role.OPERATOR,
        (
            Option("name", "The playbook, such as: conservative", completes="playbook"),
            Option("what", "add NAME RULE, drop NAME, LEVEL=VALUE, new NAME RULE, delete", is_required=False),
        ),
        revising.revise,
        changes=True,
        examples=(
            "conservative",
            "conservative add dip btc < 96k repeat",
            "conservative drop outflow",
            "aggressive stop=101k",
            "mine new floor btc < 95k",
            "treasuries delete",
        ),
    ),
)
"""What may be said of playbooks, in the order in which help lists it."""
