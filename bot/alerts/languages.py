"""The languages that the bot speaks: English, and one for each catalogue that was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from gettext import NullTranslations

from babel.core import get_global

from bot.alerts.translator import ENGLISH, Translator


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its BCP 47 tag, what those who speak it call it, its messages, and other names of it."""

    tag: str
    name: str
    catalogue: NullTranslations = ENGLISH.catalogue
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Languages:
    """Those that people may choose; English is the first, and stands in for what has no catalogue."""

    others: tuple[Language, ...] = ()

    def __iter__(self) -> Iterator[Language]:
        return iter((Language("en", "English"), *self.others))

    def find(self, text: str) -> Language | None:
        """Find the language that a tag or a name means: ``en``, ``en-GB``, ``english``, ``zh-TW``.

        A tag of a script or a country that has no catalogue of its own is led to one of its language.
        """
        wanted = text.strip().casefold()
        for one in self:
            if wanted in (name.casefold() for name in (one.tag, one.name, *one.others) if name):
                return one
        language, script = _written(text)
        kin = [one for one in self if _written(one.tag)[0] == language]
        return next((one for one in kin if _written(one.tag)[1] == script), kin[0] if kin else None)

    def translator(self, language: str, timezone: str) -> Translator:
        """Give the words of a language in a time zone; English where there is no catalogue."""
        return _translator(self, language, timezone)


@lru_cache(maxsize=256)
def _translator(languages: Languages, language: str, timezone: str) -> Translator:
    spoken = languages.find(language) or next(iter(languages))
    return Translator(spoken.tag, timezone, spoken.catalogue)


def _written(tag: str) -> tuple[str, str]:
    """Tell a tag's language, and the script in which it is written there: ``zh-TW`` is in ``hant``."""
    parts = tag.strip().replace("_", "-").split("-")
    language = parts[0].lower()
    script = next((one for one in parts[1:] if len(one) == 4), "")
    likely: Mapping[str, str] = get_global("likely_subtags")
    if not script:
        country = next((one.upper() for one in parts[1:] if len(one) == 2), "")
        known = likely.get(f"{language}_{country}") or likely.get(language) or ""
        script = next((one for one in known.split("_")[1:] if len(one) == 4), "")
    return language, script.lower()
