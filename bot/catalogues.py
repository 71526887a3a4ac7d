"""Read the catalogues of the languages that the bot speaks besides English, once at start.

A catalogue is one file of messages, called after its language (a BCP 47 tag): ``locales/zh-Hans.po``. What
the language is called, in itself and in English, babel knows. Nothing is compiled beforehand.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.core import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bot.alerts.languages import Language, Languages

SHIPPED = Path(__file__).parent / "locales"
"""The folder of the catalogues."""


@cache
def read_languages(folder: Path = SHIPPED) -> Languages:
    """Read all catalogues, once; a file that is none is an error, for it came with the program."""
    return Languages(tuple(_read(path) for path in sorted(folder.glob("*.po"))))


def _read(path: Path) -> Language:
    locale = Locale.parse(path.stem, sep="-")
    with path.open("rb") as file:
        catalogue = read_po(file, locale=locale, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    name, english = (_name(locale, speech) for speech in (locale, Locale("en")))
    others = (english, locale.get_language_name() or "", locale.get_language_name("en") or "")
    return Language(path.stem, name, GNUTranslations(compiled), others)


def _name(locale: Locale, speech: Locale) -> str:
    """Give the name of a language in another or in itself: that of its script or country if there is one."""
    name = speech.languages.get(str(locale)) or locale.get_display_name(speech) or str(locale)
    return name[0].upper() + name[1:]
