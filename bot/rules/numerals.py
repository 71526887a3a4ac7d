"""Numbers, percentages, durations and dates, as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from bot.rules.errors import show, suggest
from bot.rules.phrases import Phrase
from bot.rules.tree import Duration, DurationUnit
from bot.rules.words import DURATIONS, KEYWORDS, MULTIPLIERS, OTHER_TIMES, PERCENTS, QUOTES, RESERVED


@dataclass(frozen=True, slots=True)
class Numeral:
    """What a numeral says: its terminal, its value, and where in the line it ends.

    ``MINUTES`` (``1m``) and ``MONTHS`` (``1M``) hold the bare count: their place decides what it counts.
    ``TIMES`` is ``2x``.
    """

    kind: str
    value: Decimal | Duration | date
    end: int


class Slip(Exception):
    """A lexeme that begins like one of the language and is none."""

    def __init__(self, reason: Phrase, hint: Phrase | None = None) -> None:
        super().__init__(reason.template)
        self.reason = reason
        self.hint = hint


_NUMBER = re.compile(r"(\$ ?)?((?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)", re.ASCII)
_UNGROUPED = re.compile(r"(\$ ?)?(\d+(?:\.\d+)?|\.\d+)", re.ASCII)
_EXPONENT = re.compile(r"e[+-]?[0-9]{1,3}(?![a-z0-9_])")
_CHINESE = "万亿|万|亿|分钟|个?小时|天|日|周|星期|倍"
_UNIT = re.compile(rf"%|{_CHINESE}|[a-z_][a-z0-9_]*")
_SPACED_UNIT = re.compile(rf" +(%|{_CHINESE}|[a-z]+(?![a-z0-9_/@.:(]))")
_GROUPED = re.compile(r"\$? ?([0-9.,]*[0-9])")
_LETTERS = re.compile(r"([a-z][a-z0-9_]*)")
_WORD = re.compile(r"\$? ?([a-z0-9_.,]*[a-z0-9_])")
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)"
    r"(?:(?:t| +)(\d{1,2}):(\d{2})(?::(\d{2}))? ?(z(?![a-z])|utc(?![a-z])|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_DATE_LIKE = re.compile(r"\d{1,4}[./-]\d{1,2}(?:[./-]\d{1,4})?(?![\dmhdw])", re.ASCII)
_LETTERS_FOR_DIGITS = str.maketrans("oil", "011")

_LARGEST, _MOST_PLACES, _MOST_DIGITS = Decimal(10) ** 18, 18, 28


def read_numeral(line: str, at: int, is_argument: bool = False) -> Numeral | None:
    """Read the numeral that begins at a place; ``None`` if it is a name that begins with digits.

    ``line`` is in plain signs with its case kept: ``1M`` is a million, but no minute. Within the brackets of
    a function (``is_argument``) a comma separates and never groups. Raises Slip.
    """
    match = (_UNGROUPED if is_argument else _NUMBER).match(line, at)
    if match is None:
        return None
    typed, line = line, line.lower()
    digits, end, is_dollar = match[2].replace(",", ""), match.end(), match[1] is not None
    if re.match(r"\.[0-9]" if is_argument else r"[.,][0-9]", line[end : end + 2]):
        raise _no_number(run := _found(_GROUPED, line, at), _regrouped(run))
    if len(digits) > 2 * _MOST_DIGITS:
        raise _too_long()
    count = check_number(Decimal(digits))
    if exponent := _EXPONENT.match(line, end):
        return Numeral("NUMBER", check_number(Decimal(digits + exponent.group())), exponent.end())
    unit, after = _unit(line, end)
    if not unit:
        return Numeral("NUMBER", count, end)
    if unit == "m" and digits.isdigit() and not is_dollar:
        return Numeral("MONTHS" if typed[after - 1] == "M" else "MINUTES", count, after)
    if unit in MULTIPLIERS:
        return Numeral("NUMBER", check_number(count * MULTIPLIERS[unit]), after)
    if is_dollar:
        raise _no_number(_found(_WORD, line, at))
    if unit in PERCENTS:
        return Numeral("PERCENT", count, after)
    if unit in {"x", "倍"}:
        return Numeral("TIMES", count, after)
    if unit in DURATIONS:
        return _duration(line[at:after], count, DURATIONS[unit], after)
    if unit in OTHER_TIMES:
        size, plain_unit = OTHER_TIMES[unit]
        count = count / 60 if plain_unit == "s" else count * size
        raise _no_duration(line[at:after], count, "m" if plain_unit == "s" else plain_unit)
    _check_name(line, at, match[2], end)
    return None


def read_date(line: str, at: int) -> Numeral | None:
    """Read a date, or a date with a time of day (``2026-12-31 16:00Z``). Raises Slip for what is like one."""
    line = line.lower()
    if match := _DATE.match(line, at):
        try:
            return Numeral("DATE", _moment(match.groups()), match.end())
        except ValueError:
            pass
    elif not (match := _DATE_LIKE.match(line, at)):
        return None
    raise Slip(Phrase('"{word}" is no date.', {"word": match.group().strip()}), show("until 2026-12-31"))


def check_number(value: Decimal) -> Decimal:
    """Refuse a number that no market has: it must be below 10^18, with at most 18 places and 28 digits.

    So every number of the language is exact in decimal arithmetic of ordinary precision. Raises Slip.
    """
    _, digits, exponent = value.as_tuple()
    is_finite = isinstance(exponent, int) and exponent >= -_MOST_PLACES
    if not is_finite or len(digits) > _MOST_DIGITS or abs(value) >= _LARGEST:
        raise _too_long()
    return value


def _unit(line: str, end: int) -> tuple[str, int]:
    if attached := _UNIT.match(line, end):
        return attached.group(), attached.end()
    spaced = _SPACED_UNIT.match(line, end)
    if spaced and spaced[1] in {*MULTIPLIERS, *DURATIONS, *OTHER_TIMES, *PERCENTS}:
        return spaced[1], spaced.end()
    return "", end


def _duration(word: str, count: Decimal, unit: DurationUnit, end: int) -> Numeral:
    if count % 1:
        raise _no_duration(word, count * Duration(1, unit).seconds / 60, "m")
    return Numeral("DURATION", Duration(int(count), unit), end)


def _check_name(line: str, at: int, digits: str, end: int) -> None:
    """Let a word pass that begins with digits and can only be a name: ``1inch``, ``1000pepe``."""
    letters = _found(_LETTERS, line, end)
    if not digits.isdigit() or not letters:
        raise _no_number(_found(_WORD, line, at))
    end += len(letters)
    if suggestion := _corrected(line, end, digits + letters) or _separated(digits, letters):
        raise _no_number(digits + letters, suggestion)
    if len(letters) < 2 and not line.startswith(("@", ".perp"), end):
        raise _no_number(digits + letters)


def _corrected(line: str, end: int, word: str) -> str:
    """Read a word as the number that a slip of a letter made of it: ``10o k`` is ``100k``."""
    unit = next((unit for unit in ("k", "m", "b") if word.endswith(unit)), "")
    digits = word.removesuffix(unit).translate(_LETTERS_FOR_DIGITS)
    if not digits.isdigit():
        return ""
    spaced = "" if unit else _unit(line, end)[0]
    return digits + (unit or (spaced if spaced in MULTIPLIERS else ""))


def _separated(digits: str, letters: str) -> str:
    """Find the number in one that a word clings to: ``100kand``, ``100kusdt``, ``5mfor``."""
    for unit in sorted(("", *MULTIPLIERS), key=len, reverse=True):
        rest = letters.removeprefix(unit)
        if letters.startswith(unit) and rest in KEYWORDS | RESERVED | QUOTES:
            return f"{digits}{unit}" if rest in QUOTES else f"{digits}{unit} {rest}"
    return ""


def _found(pattern: re.Pattern[str], line: str, at: int) -> str:
    match = pattern.match(line, at)
    return match[1] if match else ""


def _no_number(word: str, suggestion: str = "") -> Slip:
    hint = suggest(suggestion) if suggestion else show("btc < 100k")
    return Slip(Phrase('"{word}" is no number.', {"word": word}), hint)


def _no_duration(word: str, count: Decimal, unit: str) -> Slip:
    reason = Phrase('"{word}" is no duration.', {"word": word})
    return Slip(reason, suggest(f"{max(int(count), 1)}{unit}"))


def _too_long() -> Slip:
    return Slip(Phrase("This number is too long."))


def _regrouped(digits: str) -> str:
    """Write a number that is grouped in another country's way with commas in front of one point."""
    last = max(digits.rfind(","), digits.rfind("."))
    is_point = digits.count(digits[last]) == 1
    whole, part = (digits[:last], digits[last + 1 :]) if is_point else (digits, "")
    whole = re.sub(r"[.,]", "", whole).lstrip("0") or "0"
    grouped = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole[: 2 * _MOST_DIGITS])
    return f"{grouped}.{part}" if part else grouped


def _moment(parts: tuple[str | None, ...]) -> date:
    year, month, day, hour, minute, second, zone = (part or "" for part in parts)
    if not 2000 <= int(year) < 2200:
        raise ValueError(year)
    if not hour:
        return date(int(year), int(month), int(day))
    numbers = (int(part or 0) for part in (year, month, day, hour, minute, second))
    naive = datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001  # on the person's clock, or see below
    if not zone:
        return naive
    if zone in {"z", "utc"}:
        return naive.replace(tzinfo=UTC)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return naive.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset)).astimezone(UTC)
