"""Read the file of what a chat has, whoever wrote it: bounded before anything is read, and nothing evaluated.

What is wrong with a part is said of that part by its line, and the rest is read. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from bot.alerts.belongings import SETTINGS, VERSION, Belonging, Belongings, Ringing
from bot.alerts.toml import NoToml, read_toml
from bot.rules import english, is_level_name, read_number
from bot.rules.phrases import Phrase

LONGEST = 1 << 20
"""Bytes of a file at most."""

MOST = 2000
"""Alerts of a file at most, those that it follows with them; and levels."""

_LONGEST_LINE = 9_000
_LONGEST_SETTING = 500
_LONGEST_WORD = 100
_LONGEST_NAME = 32
_MOST_OWN = 20
_TABLES = ("tocsin", "settings", "levels", "levels_elsewhere", "alert", "follow", "rang")
_OF_ALERT = ("number", "rule", "urgent", "paused", "muted", "place", "playbook", "part", "levels")
_OF_FOLLOW = ("name", "rule", "urgent", "paused", "muted", "place", "levels")
_HEAD = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_-]+)")
_KEY = re.compile(r"\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*=")


class NoBelongings(Exception):
    """A text that cannot be taken in at all; ``reason`` says why, and what to do."""

    def __init__(self, template: str, **arguments: str | int | Phrase) -> None:
        self.reason = Phrase(template, arguments)
        super().__init__(english(self.reason))


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one part, which is left out: ``line`` counts from 1 (0: it is not known)."""

    line: int
    reason: Phrase


def decoded(content: bytes) -> str:
    """Give the text of a file. Raises NoBelongings for what is too large, empty, or no text."""
    if len(content) > LONGEST:
        raise too_large()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NoBelongings(
            "It is no text in UTF-8: send the file that /export gave, or save it as UTF-8."
        ) from None
    if not text.strip():
        raise NoBelongings("It is empty.")
    if "\0" in text:
        raise NoBelongings("It is no text: send the file that /export gave.")
    return text


def too_large() -> NoBelongings:
    """Say that a file is beyond what is read."""
    return NoBelongings("It is too large: I read files of at most {count} kB.", count=LONGEST // 1024)


def read_belongings(text: str) -> tuple[Belongings, list[Fault]]:
    """Read a file, and what is wrong with parts of it. Raises NoBelongings where nothing can be taken in."""
    places = _Places(text)
    if places.too_long:
        raise NoBelongings("Line {line} is too long to be one of such a file.", line=places.too_long)
    document = _document(text)
    faults = [
        Fault(places.head(key) or places.line("", key), _unknown(key, _TABLES))
        for key in document
        if key not in _TABLES
    ]
    settings = _settings(_section(document, "settings"), places, faults)
    levels = _levels(_section(document, "levels"), "levels", places, faults)
    elsewhere = _levels(_section(document, "levels_elsewhere"), "levels_elsewhere", places, faults)
    alerts: list[Belonging] = []
    for table, known in (("alert", _OF_ALERT), ("follow", _OF_FOLLOW)):
        for index, entry in enumerate(_entries_of(document, table)):
            place = places.entry(table, index)
            try:
                alerts.append(_belonging(entry, table, known, place.of("rule")))
            except _Wrong as wrong:
                faults.append(Fault(place.of(wrong.key), wrong.reason))
    count = len(_entries_of(document, "rang"))
    rings = tuple(Ringing(0.0, "", "", 0.0) for _ in range(count))
    faults.sort(key=lambda one: one.line)
    lines = {
        (table, key): places.line(table, key)
        for table, names in (("settings", settings), ("levels", levels))
        for key in names
    }
    read = Belongings(
        **settings, levels=levels, elsewhere=elsewhere, alerts=tuple(alerts), rings=rings, lines=lines
    )
    return read, faults


class _Wrong(Exception):
    """What is wrong with one entry, and with which of its keys."""

    def __init__(self, key: str, reason: Phrase) -> None:
        super().__init__(key)
        self.key = key
        self.reason = reason


def _document(text: str) -> dict[str, Any]:
    try:
        document = read_toml(text)
    except NoToml as error:
        if not str(error):
            raise NoBelongings("It is no TOML that can be read.") from error
        raise NoBelongings("It is no TOML: {error}.", error=str(error)[:200]) from error
    version = document.get("tocsin")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise NoBelongings(
            "It is no file of /export: such a file says tocsin = {version} at its beginning.", version=VERSION
        )
    if version > VERSION:
        raise NoBelongings(
            "It was written by a newer version of this bot (form {version}; I read up to {known}). "
            "Ask the operator to bring this bot up to date.",
            version=version,
            known=VERSION,
        )
    if sum(len(_entries_of(document, table)) for table in ("alert", "follow")) > MOST:
        raise NoBelongings("It has more than {count} alerts: part it into several files.", count=MOST)
    return document


def _section(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    section = document.get(key, {})
    if not isinstance(section, dict):
        raise NoBelongings("Its {key} must stand in lines under [{key}].", key=key)
    if len(section) > MOST:
        raise NoBelongings("It has more than {count} {key}.", count=MOST, key=key)
    return section


def _entries_of(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = document.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise NoBelongings("Each {key} must stand under a line [[{key}]] of its own.", key=key)
    return entries


def _settings(section: Mapping[str, Any], places: _Places, faults: list[Fault]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in section.items():
        line = places.line("settings", key)
        if key not in SETTINGS:
            faults.append(Fault(line, _unknown(key, SETTINGS)))
        elif isinstance(value, bool) is not (key == "announcements"):
            faults.append(Fault(line, _kind(key, key == "announcements")))
        elif isinstance(value, str | bool) and len(str(value)) <= _LONGEST_SETTING:
            found[key] = value
        else:
            faults.append(Fault(line, _kind(key, is_flag=False)))
    return found


def _levels(
    section: Mapping[str, Any], table: str, places: _Places, faults: list[Fault]
) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for name, value in section.items():
        number = _number(value)
        key = name.lower()
        if not is_level_name(name) or len(name) > _LONGEST_NAME:
            reason = Phrase("{name} cannot be a level's name.", {"name": name[:64]})
        elif key in found:
            reason = Phrase("Two levels are called {name}.", {"name": name[:64]})
        elif number is None:
            reason = Phrase("The level {name} has no value: write {name} = 98700.", {"name": name})
        else:
            found[key] = number
            continue
        faults.append(Fault(places.line(table, name), reason))
    return found


def _number(value: object) -> Decimal | None:
    """Read a number above zero, as /level does."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        text = (
            f"{Decimal(value):f}"
            if Decimal(value).is_finite() and abs(Decimal(value).adjusted()) < 40
            else ""
        )
        return read_number(text)
    return read_number(value) if isinstance(value, str) else None


def _belonging(entry: Mapping[str, Any], table: str, known: Sequence[str], line: int) -> Belonging:
    """Read one alert. Raises _Wrong."""
    for key in entry:
        if key not in known:
            raise _Wrong(key, _unknown(key, known))
    if table == "follow" and not _word(entry, "name"):
        raise _Wrong("name", Phrase('It says no name of a shared alert: write name = "btc-floor".'))
    rule = entry.get("rule", "")
    if not isinstance(rule, str) or (table == "alert" and not rule.strip()):
        raise _Wrong("rule", Phrase('It has no rule in quotes: write rule = "btc < 100k".'))
    if "\n" in rule.strip():
        raise _Wrong("rule", Phrase("Its rule must be one line."))
    muted = entry.get("muted")
    if muted is not None and not (isinstance(muted, datetime) and muted.tzinfo):
        raise _Wrong(
            "muted",
            Phrase("{name} must be an instant: write {name} = 2026-12-31T22:00:00Z.", {"name": "muted"}),
        )
    own = entry.get("levels", {})
    if not isinstance(own, dict) or len(own) > _MOST_OWN:
        raise _Wrong(
            "levels",
            Phrase("Its levels must stand like this: {line}", {"line": "levels = { stop = 101000 }"}),
        )
    values: dict[str, Decimal] = {}
    for name, value in own.items():
        number = _number(value)
        if number is None or not is_level_name(name) or len(name) > _LONGEST_NAME:
            raise _Wrong(
                "levels", Phrase("The level {name} has no value: write {name} = 98700.", {"name": name[:64]})
            )
        values[name.lower()] = number
    return Belonging(
        rule.strip(),
        name=_word(entry, "name"),
        is_urgent=_flag(entry, "urgent"),
        is_paused=_flag(entry, "paused"),
        muted_until=None if muted is None else muted.timestamp(),
        place=_word(entry, "place"),
        playbook=_word(entry, "playbook"),
        part=_word(entry, "part"),
        own=values,
        line=line,
    )


def _flag(entry: Mapping[str, Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise _Wrong(key, Phrase("{name} must be true or false.", {"name": key}))
    return value


def _word(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str) or len(value) > _LONGEST_WORD or "\n" in value:
        raise _Wrong(key, Phrase("{name} must be a short text in quotes.", {"name": key}))
    return value


def _kind(key: str, is_flag: bool) -> Phrase:
    template = "{name} must be true or false." if is_flag else "{name} must be a short text in quotes."
    return Phrase(template, {"name": key})


def _unknown(key: str, known: Sequence[str]) -> Phrase:
    near = get_close_matches(key, known, 1, 0.5)
    if near:
        return Phrase("{key} means nothing there: did you mean {name}?", {"key": key[:64], "name": near[0]})
    return Phrase("{key} means nothing there.", {"key": key[:64]})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one entry stands: its own line, and those of its keys."""

    line: int
    keys: Mapping[str, int]

    def of(self, key: str) -> int:
        return self.keys.get(key, self.line)


class _Places:
    """Where things stand in a text, as far as lines that begin with a name and ``=`` tell."""

    def __init__(self, text: str) -> None:
        self.keys: dict[tuple[str, int], dict[str, int]] = {}
        self.too_long = 0
        self._heads: dict[str, list[int]] = {}
        table = ""
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > _LONGEST_LINE:
                self.too_long = self.too_long or number
            elif head := _HEAD.match(line):
                table = head[1]
                self._heads.setdefault(table, []).append(number)
            elif key := _KEY.match(line):
                index = max(0, len(self._heads.get(table, ())) - 1)
                self.keys.setdefault((table, index), {}).setdefault(key[1], number)

    def line(self, table: str, key: str) -> int:
        return self.keys.get((table, 0), {}).get(key, 0)

    def head(self, table: str) -> int:
        return next(iter(self._heads.get(table, ())), 0)

    def entry(self, table: str, index: int) -> _Place:
        heads = self._heads.get(table, [])
        line = heads[index] if index < len(heads) else 0
        return _Place(line, self.keys.get((table, index), {}))
