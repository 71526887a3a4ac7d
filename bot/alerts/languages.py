"""The languages that the bot speaks: one row for each that has a catalogue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its BCP 47 tag, and what those who speak it call it."""

    tag: str
    name: str


LANGUAGES: tuple[Language, ...] = (Language("en", "English"),)
"""Those that people may choose; the first stands in for what has no catalogue."""


def language_of(text: str) -> Language | None:
    """Find the language that a tag or a name means: ``en``, ``en-GB``, ``english``."""
    wanted = text.strip().casefold()
    for one in LANGUAGES:
        if wanted in (one.tag.casefold(), one.name.casefold()):
            return one
    for one in LANGUAGES:
        if wanted.replace("_", "-").partition("-")[0] == one.tag.casefold():
            return one
    return None
