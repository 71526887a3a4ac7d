"""Say to Discord which slash commands there are, and read what a person filled in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

MANAGE_GUILD = 1 << 5

_KINDS = {"text": 3, "whole": 4, "number": 10}
"""Discord's option types: a string, an integer, a double."""

_LONGEST = 100
"""The longest description, and the longest choice of an autocomplete."""


class SlashOption(Protocol):
    """One option of a slash command, as plain data.

    ``kind`` is ``text``, ``number`` or ``whole`` (from 1 on); ``completes`` is true where it is suggested.
    """

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def is_required(self) -> bool: ...
    @property
    def completes(self) -> object: ...


class SlashCommand(Protocol):
    """One slash command, as plain data; ``is_for_admins`` says that no member of any group may use it."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def is_for_admins(self) -> bool: ...
    @property
    def options(self) -> Sequence[SlashOption]: ...


def menu(commands: Sequence[SlashCommand]) -> list[dict[str, Any]]:
    """Describe the commands as Discord registers them.

    They are offered in servers and in direct messages with the bot, to installations in a server only: a
    person who installs the bot for themselves alone could use it in servers where it may not write, so no
    alert would ever arrive there. What only admins may use is hidden from who does not manage the server;
    what counts is what the command itself decides.
    """
    return [
        {
            "name": command.name,
            "type": 1,
            "description": clip(command.summary),
            # Discord wants what is required first.
            "options": [_option(one) for one in sorted(command.options, key=lambda one: not one.is_required)],
            "default_member_permissions": str(MANAGE_GUILD) if command.is_for_admins else None,
            "contexts": [0, 1],
            "integration_types": [0],
        }
        for command in commands
    ]


def is_same(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> bool:
    """Ask whether Discord knows the commands already, so that they need not be registered again."""
    return _known(ours) == _known(theirs)


def words(command: SlashCommand, filled: Mapping[str, Any]) -> str:
    """Join a command and what was filled in to what a person would have typed: ``/alert btc < 100k``."""
    values = [_word(filled[option.name]) for option in command.options if option.name in filled]
    return " ".join([f"/{command.name}", *(value for value in values if value)])


def clip(text: str) -> str:
    """Shorten a text to what a description or a shown choice may have."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def is_choice(value: str) -> bool:
    """Ask whether Discord takes a value as a choice."""
    return 1 <= len(value) <= _LONGEST


def _option(option: SlashOption) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": option.name,
        "type": _KINDS[option.kind],
        "description": clip(option.summary),
        "required": option.is_required,
    }
    if option.kind == "whole":
        described["min_value"] = 1
    if option.completes:
        described["autocomplete"] = True
    return described


def _known(commands: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, Any], Any]:
    """Reduce commands to what we say about them; Discord leaves out what is false and adds ids."""
    return {
        (command.get("type", 1), command["name"]): (
            command.get("description", ""),
            command.get("default_member_permissions"),
            sorted(command.get("contexts") or ()),
            sorted(command.get("integration_types") or ()),
            [
                (
                    option["name"],
                    option["type"],
                    option.get("description", ""),
                    bool(option.get("required")),
                    bool(option.get("autocomplete")),
                    option.get("min_value"),
                )
                for option in command.get("options") or ()
            ],
        )
        for command in commands
    }


def _word(value: object) -> str:
    """Write a value as a person types it: a double without an exponent, and whole where it is whole."""
    if isinstance(value, float):
        number = Decimal(repr(value))
        whole = number.to_integral_value()
        return format(whole if whole == number else number, "f")
    return " ".join(str(value).split())
