"""Say the slash commands in the languages of those who see them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import discord

from bot.alerts.languages import Languages
from bot.alerts.translator import Translator

ENGLISH_ALONE: Final = Languages()

_LONGEST = 100
"""The longest description, and the longest name of a choice."""

_NAME = re.compile(r"[-_'\w]{1,32}")

Said = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of each language of Discord's that has a catalogue here, by Discord's tag of it."""

    speakers: tuple[tuple[str, Translator], ...]

    @classmethod
    def of(cls, languages: Languages) -> Wording:
        """Find which of Discord's languages the bot speaks; English is what stands there anyway."""
        found = ((str(one), languages.find(str(one))) for one in discord.Locale)
        return cls(
            tuple((tag, languages.translator(spoken.tag, "UTC")) for tag, spoken in found if spoken)
        )._without_english()

    def _without_english(self) -> Wording:
        return Wording(tuple((tag, tr) for tag, tr in self.speakers if tr.language != "en"))

    def names(self, names: Sequence[str]) -> dict[str, Said]:
        """Give the other names of what stands beside each other.

        Discord refuses the whole menu for one that is not lower case, has spaces, or is there twice, so such
        a one is left out, and the name of the table stands in.
        """
        return _by_name(names, self.speakers, lambda one: bool(_NAME.fullmatch(one)) and one == one.lower())

    def labels(self, words: Sequence[str]) -> dict[str, Said]:
        """Give the other names of the choices of an option."""
        return _by_name(words, self.speakers, lambda one: len(one) <= _LONGEST)

    def descriptions(self, summary: str) -> Said:
        """Give a description in other languages."""
        said = {tag: clip(tr(summary)) for tag, tr in self.speakers}
        return {"description_localizations": said} if said else {}


def clip(text: str) -> str:
    """Shorten a text to what a description or a shown choice may have."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _by_name(names: Sequence[str], speakers: Sequence[tuple[str, Translator]], fits: Any) -> dict[str, Said]:
    said: dict[str, dict[str, str]] = {name: {} for name in names}
    for tag, tr in speakers:
        spoken = {name: tr.named(name) for name in names}
        times = Counter([*spoken.values(), *(name for name in names if spoken[name] != name)])
        for name, other in spoken.items():
            if other != name and times[other] == 1 and fits(other):
                said[name][tag] = other
    return {name: {"name_localizations": found} if found else {} for name, found in said.items()}
