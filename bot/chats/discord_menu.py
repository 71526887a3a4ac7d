"""Say to Discord which slash commands there are, and read what a person filled in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from bot.alerts.languages import Languages
from bot.chats.discord_names import ENGLISH_ALONE, Wording, clip

MANAGE_GUILD = 1 << 5

_KINDS = {"text": 3, "whole": 4, "number": 10, "file": 11}
"""Discord's option types: a string, an integer, a double, an attachment."""

_LONGEST = 100
"""The longest choice of an autocomplete."""


class SlashOption(Protocol):
    """One option of a slash command, as plain data.

    ``kind`` is ``text``, ``number``, ``whole`` (from 1 on) or ``file``; ``completes`` is true where it is
    suggested; ``choices`` are all that it may be, if these are few. One that ``is_long`` has a window of its
    own.
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
    def is_long(self) -> bool: ...
    @property
    def completes(self) -> object: ...
    @property
    def choices(self) -> Sequence[str]: ...


class SlashCommand(Protocol):
    """One slash command, as plain data.

    ``is_for_admins`` says that no member of any group may use it, ``is_personal`` that its answer is for the
    asker alone.
    """

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def is_for_admins(self) -> bool: ...
    @property
    def is_personal(self) -> bool: ...
    @property
    def changes(self) -> bool: ...
    @property
    def options(self) -> Sequence[SlashOption]: ...


def menu(commands: Sequence[SlashCommand], languages: Languages = ENGLISH_ALONE) -> list[dict[str, Any]]:
    """Describe the commands as Discord registers them, in every language that has a catalogue.

    They are offered wherever there is a chat: in servers, in direct messages with the bot, and, to who
    installed the bot for themselves, anywhere. What only admins may use is hidden from who does not manage
    the server; what counts is what the command itself decides.
    """
    wording = Wording.of(languages)
    names = wording.names([command.name for command in commands])
    return [
        {
            "name": command.name,
            **names[command.name],
            "type": 1,
            "description": clip(command.summary),
            **wording.descriptions(command.summary),
            "options": _options(command.options, wording),
            "default_member_permissions": str(MANAGE_GUILD) if command.is_for_admins else None,
            "contexts": [0, 1, 2],
            "integration_types": [0, 1],
        }
        for command in commands
    ]


def is_same(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> bool:
    """Ask whether Discord knows the commands already, so that they need not be registered again."""
    return _known(ours) == _known(theirs)


def words(command: SlashCommand, filled: Mapping[str, Any]) -> str:
    """Join a command and what was filled in to what a person would have typed: ``/alert btc < 100k``."""
    typed = [option.name for option in command.options if option.kind != "file"]
    values = [_word(filled[name]) for name in typed if name in filled]
    return " ".join([f"/{command.name}", *(value for value in values if value)])


def line_to_finish(command: SlashCommand, filled: Mapping[str, Any]) -> str:
    """Give the line that a window finishes, if a long option was left out without which nothing is said."""
    for option in command.options:
        if option.is_long and option.is_required and option.name not in filled:
            return words(command, filled)
    return ""


def is_choice(value: str) -> bool:
    """Ask whether Discord takes a value as a choice."""
    return 1 <= len(value) <= _LONGEST


def _options(options: Sequence[SlashOption], wording: Wording) -> list[dict[str, Any]]:
    names = wording.names([option.name for option in options])
    # Discord wants what is required first; what is long and left out is asked for in a window.
    ordered = sorted(options, key=lambda one: not _is_demanded(one))
    return [{**_option(one, wording), **names[one.name]} for one in ordered]


def _option(option: SlashOption, wording: Wording) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": option.name,
        "type": _KINDS[option.kind],
        "description": clip(option.summary),
        **wording.descriptions(option.summary),
        "required": _is_demanded(option),
    }
    if option.kind == "whole":
        described["min_value"] = 1
    if option.choices:
        names = wording.labels(option.choices)
        described["choices"] = [{"name": one, "value": one, **names[one]} for one in option.choices]
    elif option.completes:
        described["autocomplete"] = True
    return described


def _is_demanded(option: SlashOption) -> bool:
    return option.is_required and not option.is_long


def _known(commands: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, Any], Any]:
    """Reduce commands to what we say about them; Discord leaves out what is false and adds ids."""
    return {
        (command.get("type", 1), command["name"]): (
            _said(command),
            command.get("default_member_permissions"),
            sorted(command.get("contexts") or ()),
            sorted(command.get("integration_types") or ()),
            [
                (
                    option["name"],
                    option["type"],
                    _said(option),
                    bool(option.get("required")),
                    bool(option.get("autocomplete")),
                    option.get("min_value"),
                    [
                        (choice["name"], choice["value"], choice.get("name_localizations") or {})
                        for choice in option.get("choices") or ()
                    ],
                )
                for option in command.get("options") or ()
            ],
        )
        for command in commands
    }


def _said(one: Mapping[str, Any]) -> tuple[object, ...]:
    """Give what a command or an option says of itself, in every language."""
    return (
        one.get("description", ""),
        one.get("name_localizations") or {},
        one.get("description_localizations") or {},
    )


def _word(value: object) -> str:
    """Write a value as a person types it: a double without an exponent, and whole where it is whole."""
    if isinstance(value, float):
        number = Decimal(repr(value))
        whole = number.to_integral_value()
        return format(whole if whole == number else number, "f")
    return " ".join(str(value).split())
