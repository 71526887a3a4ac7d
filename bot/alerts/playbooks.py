"""Playbooks: named sets of rules and levels that one command subscribes to, written in TOML.

    title = "Keep what there is"

    [levels]
    etf_cost = 98_700

    [rules]
    etf-cost = "btc < @etf_cost repeat cooldown 4h"

A level has the value that stands there until somebody sets it with /level: from then on it has that one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from bot.alerts.toml import NoToml, quoted, read_toml
from bot.rules import RuleError, english, fill, is_level_name, levels, parse, read, read_number
from bot.rules.phrases import Phrase

LONGEST = 16_384
"""Characters of a playbook at most."""

MOST = 20
"""Rules of a playbook at most, and levels: what an answer on a phone can show."""

RESERVED = frozenset({"add", "delete", "drop", "edit", "list", "new", "reset", "show", "stop"})
"""What a playbook cannot be called, since it is said of one."""

_NAME = re.compile(r"(?=[0-9_-]*[a-z])[a-z0-9_-]{1,32}")
_LONGEST_TITLE = 120
_KEYS = ("title", "levels", "rules")


class PlaybookError(Exception):
    """A text that is no playbook; ``reason`` says why, and what to write instead."""

    def __init__(self, template: str, **arguments: str | int | Phrase) -> None:
        self.reason = Phrase(template, arguments)
        super().__init__(english(self.reason))


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook: its rules in canonical text by their names, and what its levels are to begin with."""

    name: str
    title: str = ""
    levels: Mapping[str, Decimal] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)

    def written(self) -> str:
        """Write it as TOML; ``read_playbook`` gives the same again."""
        parts = [f"title = {quoted(self.title)}\n"] if self.title else []
        parts.append(
            "".join(("[levels]\n", *(f"{name} = {value:f}\n" for name, value in self.levels.items())))
        )
        parts.append("".join(("[rules]\n", *(f"{name} = {quoted(r)}\n" for name, r in self.rules.items()))))
        return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The playbooks of a deployment by name, and why each of the others cannot be used."""

    books: Mapping[str, Playbook] = field(default_factory=dict)
    problems: Mapping[str, Phrase] = field(default_factory=dict)


def is_playbook_name(name: str) -> bool:
    """Ask whether something can be a playbook's name."""
    return is_part_name(name) and name not in RESERVED


def is_part_name(name: str) -> bool:
    """Ask whether something can be the name of a rule in a playbook."""
    return _NAME.fullmatch(name) is not None


def read_playbook(name: str, text: str) -> Playbook:
    """Read a playbook from TOML. Raises PlaybookError for the first thing that is wrong."""
    if not is_playbook_name(name):
        raise PlaybookError(
            "{name} cannot be a playbook's name: use 1 to 32 of a-z, 0-9, - and _, a letter among them, "
            "and no word of /playbook.",
            name=name[:64],
        )
    if len(text) > LONGEST:
        raise PlaybookError("It has more than {count} characters.", count=LONGEST)
    document = _document(text)
    for key in document:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, 1, 0.5)
            raise PlaybookError(
                "It has {key}, which means nothing there: did you mean {name}?"
                if near
                else "It has {key}, which means nothing there: it is made of title, levels and rules.",
                key=key[:64],
                name="".join(near),
            )
    title = document.get("title", "")
    if not isinstance(title, str) or len(title) > _LONGEST_TITLE or "\n" in title:
        raise PlaybookError("Its title must be one line of at most {count} characters.", count=_LONGEST_TITLE)
    values = {name: _value(name, value) for name, value in _table(document, "levels").items()}
    rules = {name: _rule(name, rule) for name, rule in _table(document, "rules").items()}
    if not rules:
        raise PlaybookError("It has no rules: write them under [rules], each with a name of its own.")
    for part, rule in rules.items():
        _see_filled(part, rule, values)
    return Playbook(name, title, values, rules)


def _document(text: str) -> dict[str, Any]:
    try:
        return read_toml(text)
    except NoToml as error:
        if error.is_double:
            raise PlaybookError(
                "Two of its rules or levels have one name: give each a name of its own. ({error})",
                error=str(error),
            ) from error
        if not str(error):
            raise PlaybookError("It is no TOML that can be read.") from error
        raise PlaybookError("It is no TOML: {error}.", error=str(error)) from error


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise PlaybookError("Its {key} must stand in lines under [{key}].", key=key)
    if len(table) > MOST:
        raise PlaybookError("It has more than {count} {key}.", count=MOST, key=key)
    seen: set[str] = set()
    for name in table:
        if name.casefold() in seen:
            raise PlaybookError("Two of its {key} are called {name}.", key=key, name=name[:64])
        seen.add(name.casefold())
    return table


def _value(name: str, value: object) -> Decimal:
    if not is_level_name(name) or len(name) > 32 or name != name.lower():
        raise PlaybookError(
            "{name} cannot be a level's name: use small letters, digits and _, at most 32.", name=name[:64]
        )
    number: Decimal | None = None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    elif isinstance(value, str):
        number = read_number(value)
    if number is None or not number.is_finite():
        raise PlaybookError("The level {name} has no value: write {name} = 98700.", name=name)
    return number


def _rule(name: str, text: object) -> str:
    if not is_part_name(name):
        raise PlaybookError(
            "{name} cannot be a rule's name: use 1 to 32 of a-z, 0-9, - and _, a letter among them.",
            name=name[:64],
        )
    if not isinstance(text, str):
        raise PlaybookError('The rule {name} must stand in quotes: {name} = "btc < 100k".', name=name)
    try:
        rule = read(text).rule
    except RuleError as error:
        raise _unsound(name, error) from error
    if rule.options.until is not None:
        raise PlaybookError(
            "The rule {name} has an end: leave until out, for a playbook is followed until it is stopped.",
            name=name,
        )
    return str(rule)


def _see_filled(name: str, text: str, known: Mapping[str, Decimal]) -> None:
    rule = parse(text)
    missing = sorted(levels(rule) - known.keys())
    if missing:
        raise PlaybookError(
            "The rule {name} follows @{level}, which has no value: write {level} = 98700 under [levels].",
            name=name,
            level=missing[0],
        )
    try:
        fill(rule, known)
    except RuleError as error:
        raise _unsound(name, error) from error


def _unsound(name: str, error: RuleError) -> PlaybookError:
    if error.hint is None:
        return PlaybookError("The rule {name} cannot be read. {reason}", name=name, reason=error.reason)
    return PlaybookError(
        "The rule {name} cannot be read. {reason} {hint}", name=name, reason=error.reason, hint=error.hint
    )
