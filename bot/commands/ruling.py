"""The rows of the table by which admins and operators rule: policy, quotas, bans, and what was changed."""

from __future__ import annotations

from bot.alerts.bounds import Thing, Whose
from bot.alerts.people import Policy, Role
from bot.commands import auditing, bans, policy, quotas
from bot.commands.table import Command, Option

_PERSON = Option("person", "Who: telegram:123456789, a mention on Discord", is_required=False)

RULING: tuple[Command, ...] = (
    Command(
        "policy",
        "Show who may make alerts in a group, or choose it",
        Role.ADMIN,
        (Option("who", "members, or admins alone", is_required=False, choices=tuple(Policy)),),
        policy.policy,
        changes=True,
        reads_without="who",
        examples=("",),
    ),
    Command(
        "quota",
        "List how much one person and one chat may have, or set it",
        Role.OPERATOR,
        (
            Option("thing", "alerts, subscriptions or commands", is_required=False, choices=tuple(Thing)),
            Option("whose", "person or chat", is_required=False, choices=tuple(Whose)),
            Option("value", "Its new number, or default", is_required=False),
        ),
        quotas.quota,
        changes=True,
        examples=("", "alerts person 200"),
    ),
    Command(
        "ban",
        "Shut a person or a group out, or list who is",
        Role.OPERATOR,
        (_PERSON, Option("time", "For how long, such as: for 8h", is_required=False)),
        bans.ban,
        changes=True,
        examples=("", "telegram:123456789 for 8h"),
    ),
    Command(
        "unban",
        "Let a person or a group in again",
        Role.OPERATOR,
        (Option("person", "Who: telegram:123456789, a mention on Discord"),),
        bans.unban,
        changes=True,
        examples=("telegram:123456789",),
    ),
    Command(
        "audit",
        "Say who changed which level or shared alert, from what to what",
        Role.ADMIN,
        (Option("words", "Words to look for, and the number of a page", is_required=False),),
        auditing.audit,
        examples=("", "floor"),
        takes_place=True,
    ),
    Command(
        "undo",
        "Take one of the last changes back",
        Role.ADMIN,
        (Option("number", "The number of the change, as /audit shows it", kind="whole"),),
        auditing.undo,
        changes=True,
        is_fresh=True,
        examples=("1",),
    ),
)
"""Every one of them, in the order in which help lists them."""
