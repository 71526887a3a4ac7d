"""A person's form of words: language, numbers, and the clock of their time zone.

Rules and engine speak in phrases; a Translator turns them, and this room's own templates, into text. It holds
the catalogue that the builder loaded and reads nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from gettext import NullTranslations
from string import Formatter

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_skeleton, format_timedelta
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent

from bot.rules.phrases import Instant, Phrase, Quantity
from bot.rules.zone import zone_of

Argument = Phrase | Quantity | Instant | Decimal | str | int

_DIGITS = 8
"""Significant digits of a price that was seen: more than any exchange quotes of one that matters."""

_SUMS = {"zh-Hans": ((10**12, "万亿"), (10**8, "亿"), (10**4, "万"))}
"""The units of large sums of money, by language; others have millions and billions."""

_PLACES = 4
"""Most places of a large unit: a sum with more is written in its digits."""

_UNSPACED = frozenset(["zh"])
_STOPS = frozenset("。，：；！？、（）")
_FIRST_SIGN = "\u2e80"
"""Languages that set no space between their signs, and the first of these."""

_UNITS = (("second", 1, 90), ("minute", 60, 90 * 60), ("hour", 3600, 48 * 3600), ("day", 86400, float("inf")))


@dataclass(frozen=True, slots=True)
class Translator:
    """Words, numbers and times as one person reads them.

    ``language`` is a BCP 47 tag (``en``, ``pt-BR``), ``timezone`` an IANA name, ``catalogue`` the messages of
    that language; a template that the catalogue lacks stays in English.
    """

    language: str
    timezone: str
    catalogue: NullTranslations

    def in_timezone(self, timezone: str) -> Translator:
        """Give the same words on another clock; ``timezone`` is an IANA name."""
        return replace(self, timezone=timezone)

    def __call__(self, template: str, /, **arguments: Argument) -> str:
        """Translate an English template and fill it in, each argument in the person's form."""
        return self._fill(self.catalogue.gettext(template), arguments)

    def named(self, word: str) -> str:
        """Give what a word that is typed (a command, an option, a choice) is called in menus."""
        return self.catalogue.pgettext("word", word)

    def many(self, one: str, several: str, count: int, /, **arguments: Argument) -> str:
        """Translate a template that depends on ``{count}``."""
        return self._fill(self.catalogue.ngettext(one, several, count), {**arguments, "count": count})

    def render(self, argument: Argument) -> str:
        """Give one argument in the person's form: a phrase in words, a number grouped, text as it is."""
        match argument:
            case Phrase(template=template, arguments=arguments):
                return self(template, **arguments)
            case Quantity(value=value, unit="percent"):
                return self.percent(value)
            case Quantity(value=value, unit="sum"):
                return self.sum(value)
            case Quantity(value=value):
                return self.number(value)
            case Instant(at=at, now=now):
                return self.instant(at, now)
            case Decimal() | int():
                return self.number(Decimal(argument))
            case str():
                return argument

    def number(self, value: Decimal) -> str:
        """Group a number and keep every digit of it: ``69,400``, ``0.00001234``."""
        return _grouped(str(value), self.language)

    def sum(self, value: Decimal, places: int | None = None) -> str:
        """Write a sum of money as people do: grouped, or in large units of the language, ``9.5亿``.

        Every digit is kept, unless ``places`` says how many of the large unit are enough.
        """
        for size, unit in _SUMS.get(self.language, ()):
            if abs(value) >= size:
                count = value / size
                rounded = round(count, _PLACES if places is None else places)
                exact = places is not None or rounded == count
                return f"{self.number(_bare(rounded))}{unit}" if exact else self.number(value)
        return self.number(value)

    def row(self, parts: Iterable[str]) -> str:
        """Set things in a row: ``a, b, c``."""
        said = ""
        for part in parts:
            said = self("{one}, {other}", one=said, other=part) if said else part
        return said

    @property
    def has_large_units(self) -> bool:
        """Whether the language has units of its own for large sums, other than millions and billions."""
        return self.language in _SUMS

    def known(self, text: str) -> str:
        """Translate a text that came with the program, as it is; what others wrote stays."""
        return self.catalogue.gettext(text) if text else ""

    def tenths(self, value: Decimal) -> str:
        """Write a number to one tenth, so that a column of them lines up: ``-903.2``, ``524.0``."""
        return format_decimal(value, format="#,##0.0", locale=self._locale())

    def price(self, value: float) -> str:
        """Word a price that was seen, in at most eight significant digits; whole units are never rounded."""
        return self.number(_rounded(value))

    def percent(self, value: Decimal) -> str:
        """Word a number of percent: ``Decimal("0.9")`` is ``0.9%``."""
        return format_percent(value / 100, locale=self._locale(), decimal_quantization=False)

    def share(self, fraction: float) -> str:
        """Word a fraction as a rough percentage: 0.00864 is ``0.9%``, 0.000235 is ``0.02%``."""
        percents = Decimal(repr(fraction)) * 100
        return self.percent(round(percents, max(1, -percents.adjusted())) if percents else percents)

    def duration(self, seconds: float) -> str:
        """Word a length of time in the unit that fits it: ``25 minutes``."""
        unit = next(name for name, _, limit in _UNITS if seconds < limit)
        return self.stretch(seconds, unit)

    def stretch(self, seconds: float, unit: str) -> str:
        """Word a length of time in one unit: ``minute``, ``hour``, ``day`` or ``week``."""
        delta = timedelta(seconds=seconds)
        return format_timedelta(delta, granularity=unit, threshold=1e12, locale=self._locale())  # type: ignore[arg-type]

    def instant(self, at: float, now: float | None = None) -> str:
        """Word an instant on the person's clock: ``13:04 UTC``, with the date if that is not today's.

        Without ``now`` the whole date stands behind it.
        """
        moment = datetime.fromtimestamp(at, self._zone())
        time = f"{moment:%H:%M} {_zone_name(moment)}"
        date = self._whole_date(moment) if now is None else self.date(at, now)
        return self("{time}, {date}", time=time, date=date) if date else time

    def time(self, at: float) -> str:
        """Word the time of day alone, where the zone was named just before: ``13:31``."""
        return f"{datetime.fromtimestamp(at, self._zone()):%H:%M}"

    def zone(self, at: float) -> str:
        """Name the time zone as it is at an instant: ``UTC``, ``CET``, ``UTC+05``."""
        return _zone_name(datetime.fromtimestamp(at, self._zone()))

    def date(self, at: float, now: float) -> str:
        """Word the date of an instant, without the year if it is this one; nothing if it is today."""
        moment, today = (datetime.fromtimestamp(one, self._zone()) for one in (at, now))
        if moment.date() == today.date():
            return ""
        skeleton = "MMMd" if moment.year == today.year else "yMMMd"
        return write_date(moment, self.language, skeleton)

    def session(self, as_of: float, now: float) -> str:
        """Word what a figure is about: the date of a session, wherever the person is, or an instant.

        A session stands at the UTC midnight that begins its date.
        """
        if as_of % 86400:
            return self.instant(as_of, now)
        moment, today = (datetime.fromtimestamp(one, UTC) for one in (as_of, now))
        return write_date(moment, self.language, "MMMd" if moment.year == today.year else "yMMMd")

    def day_of_session(self, as_of: float, now: float) -> str:
        """Word the date of a session with its day of the week: ``Thu Nov 20``."""
        weekday = write_date(datetime.fromtimestamp(as_of, UTC), self.language, "E")
        return self("{weekday} {date}", weekday=weekday, date=self.session(as_of, now))

    def day_and_month(self, as_of: float) -> tuple[str, str]:
        """Word the date of a session in two parts, to be set one above the other: ``20``, ``Nov``."""
        moment = datetime.fromtimestamp(as_of, UTC)
        return str(moment.day), write_date(moment, self.language, "MMM")

    def listed(self, things: Iterable[str]) -> str:
        """Join things as in a sentence: ``a, b and c``."""
        names = list(things)
        whole = format_list(names, style="standard", locale=self._locale())
        if len(names) < 2 or self.language.partition("-")[0] not in _UNSPACED:
            return whole
        # Between Chinese and other signs stands a space, as in all that is filled in.
        before, word = whole[: -len(names[-1]) - 1], whole[-len(names[-1]) - 1 :][:1]
        return _apart(_apart(before, word), names[-1])

    def _fill(self, template: str, arguments: dict[str, Argument]) -> str:
        filled = {name: self.render(argument) for name, argument in arguments.items()}
        if self._locale().language not in _UNSPACED:
            return template.format(**filled)
        out = ""
        for text, name, _, _ in Formatter().parse(template):
            out = _joined(out, text)
            out = _joined(out, filled[name]) if name else out
        return out

    def _locale(self) -> Locale:
        return _locale_of(self.language)

    def _whole_date(self, moment: datetime) -> str:
        return write_date(moment, self.language, "yMMMd")

    def _zone(self) -> tzinfo:
        return zone_of(self.timezone)


ENGLISH = Translator("en", "UTC", NullTranslations())
"""Words as they stand in the code, on the clock of UTC."""


def write_date(moment: datetime, language: str, parts: str = "MMMd") -> str:
    """Write what is asked of a date (``MMMd``, ``MMM``, ``y``) in a language: ``Nov 12``, ``11月12日``."""
    return format_skeleton(parts, moment, locale=_locale_of(language))


def _joined(left: str, right: str) -> str:
    """Join two texts, without a space between two Chinese signs or behind a Chinese stop: those have none."""
    if left[-1:] == " ":
        is_idle = left[-2:-1] in _STOPS or (left[-2:-1] >= _FIRST_SIGN and right[:1] >= _FIRST_SIGN)
        return (left[:-1] if is_idle else left) + right
    is_idle = right[:1] == " " and (
        left[-1:] in _STOPS or (left[-1:] >= _FIRST_SIGN and right[1:2] >= _FIRST_SIGN)
    )
    return left + (right[1:] if is_idle else right)


def _apart(left: str, right: str) -> str:
    """Join two texts, with a space where Chinese meets other signs."""
    is_mixed = (left[-1:] >= _FIRST_SIGN) is not (right[:1] >= _FIRST_SIGN)
    return f"{left} {right}" if is_mixed else left + right


def exact_utc(at: float) -> str:
    """Write an instant for programs: ``2025-11-12T19:04:00Z``, with a fraction only if there is one."""
    moment = datetime.fromtimestamp(at, UTC)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def _bare(value: Decimal) -> Decimal:
    """Drop the zeros at the end, and no digit before the point."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def _rounded(value: float) -> Decimal:
    exact = Decimal(repr(value))
    places = max(_DIGITS - 1 - exact.adjusted(), 0) if exact else 0
    rounded = round(exact, places)
    return exact if rounded == exact else rounded


def _zone_name(moment: datetime) -> str:
    name = moment.tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


@lru_cache(maxsize=1024)
def _grouped(number: str, language: str) -> str:
    """Group a number, written out since 1.0 and 1.00 are one value: a level is told to thousands at once."""
    return format_decimal(Decimal(number), locale=_locale_of(language), decimal_quantization=False)


@lru_cache(maxsize=64)
def _locale_of(language: str) -> Locale:
    """Find how a language writes numbers and dates; each message asks for it a dozen times."""
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")
