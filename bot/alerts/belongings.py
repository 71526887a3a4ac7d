"""What a chat has, as one file that people read, edit by hand and bring back: written in TOML. Pure.

    tocsin = 1

    [settings]
    timezone = "Europe/Berlin"
    quiet = "23:00-07:00"

    [levels]
    stop = 101000

    [[alert]]
    rule = "btc < @stop"
    urgent = true

``tocsin`` is the version of the form. ``belongings_read`` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot.alerts.toml import quoted
from bot.alerts.translator import Translator

VERSION = 1
MOST_RINGS = 500
"""How many rings are written, the newest: they are for reading alone."""

SETTINGS = ("language", "timezone", "quiet", "report", "announcements")


@dataclass(frozen=True, slots=True)
class Belonging:
    """An alert of a chat: its own, or one that it follows by ``name``. ``own`` are levels of it alone.

    ``number`` is for reading alone. ``line`` is where its rule stands in its file.
    """

    rule: str
    name: str = ""
    number: int = 0
    is_urgent: bool = False
    is_paused: bool = False
    muted_until: float | None = None
    place: str = ""
    playbook: str = ""
    part: str = ""
    own: Mapping[str, Decimal] = field(default_factory=dict)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Ringing:
    """A ring, as a file tells it."""

    at: float
    label: str
    rule: str
    value: float
    is_taken_back: bool = False


@dataclass(frozen=True, slots=True)
class Belongings:
    """What a chat has. A setting that is ``None`` is not said.

    ``levels`` are the chat's own; those ``elsewhere`` are the deployment's that its rules follow.
    """

    language: str | None = None
    timezone: str | None = None
    quiet: str | None = None
    report: str | None = None
    announcements: bool | None = None
    levels: Mapping[str, Decimal] = field(default_factory=dict)
    elsewhere: Mapping[str, Decimal] = field(default_factory=dict)
    alerts: tuple[Belonging, ...] = ()
    rings: tuple[Ringing, ...] = ()
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict, compare=False)

    def line_of(self, table: str, key: str) -> int:
        """Say on which line a setting or a level stands; 0 where that is not known."""
        return self.lines.get((table, key), 0)


# --- writing ------------------------------------------------------------------------------------------------


def written(belongings: Belongings, remarks: Sequence[str], tr: Translator) -> str:
    """Write a file; ``read_belongings`` gives the same again. ``remarks`` stand at its head."""
    parts = ["".join(f"# {' '.join(one.split())}\n" for one in remarks) + f"tocsin = {VERSION}\n"]
    settings = [(name, getattr(belongings, name)) for name in SETTINGS]
    parts.append(_table("[settings]", ((name, value) for name, value in settings if value is not None)))
    if belongings.levels:
        parts.append(_table("[levels]", belongings.levels.items()))
    if belongings.elsewhere:
        note = tr("Levels that are not this chat's own: used only where nobody has set one of that name.")
        parts.append(f"# {note}\n" + _table("[levels_elsewhere]", belongings.elsewhere.items()))
    for one in belongings.alerts:
        head = "[[follow]]" if one.name else "[[alert]]"
        parts.append(_table(head, _entries(one)))
    if belongings.rings:
        note = tr("What rang, the newest first: to read, it is not taken back.")
        rings = [_table("[[rang]]", _told(one)) for one in belongings.rings]
        parts.append(f"# {note}\n" + "\n".join(rings))
    return "\n".join(parts)


def _table(head: str, entries: Any) -> str:
    return "".join((f"{head}\n", *(f"{name} = {_shown(value)}\n" for name, value in entries)))


def _entries(one: Belonging) -> Iterator[tuple[str, object]]:
    if one.name:
        yield "name", one.name
    if one.number:
        yield "number", one.number
    yield "rule", one.rule
    told: dict[str, object] = {"place": one.place, "playbook": one.playbook, "part": one.part}
    flags: dict[str, object] = {"urgent": one.is_urgent, "paused": one.is_paused}
    yield from ((name, value) for name, value in (flags | told).items() if value)
    if one.muted_until is not None:
        yield "muted", datetime.fromtimestamp(one.muted_until, UTC)
    if one.own:
        yield "levels", one.own


def _told(ring: Ringing) -> Iterator[tuple[str, object]]:
    yield "at", datetime.fromtimestamp(ring.at, UTC)
    yield "alert", ring.label
    yield "rule", ring.rule
    yield "value", Decimal(repr(ring.value))
    if ring.is_taken_back:
        yield "taken_back", True


def _shown(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%SZ}"
        case Mapping():
            return "{ " + ", ".join(f"{name} = {_shown(one)}" for name, one in value.items()) + " }"
        case _:
            return quoted(str(value))
