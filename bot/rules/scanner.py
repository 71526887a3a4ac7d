"""The scanner: the typed line as tokens, each with its place in the line.

It reads what phones and people type (curly quotes, long dashes, full-width signs, unspaced words) and
resolves whatever a lexeme alone can tell; what needs its neighbours is left to the sugar and the grammar.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from bot.rules.errors import RuleError, show, suggest
from bot.rules.phrases import Phrase
from bot.rules.tree import Duration, DurationUnit, Instrument
from bot.rules.words import (
    CHINESE,
    COMPARISONS,
    DURATIONS,
    KEYWORDS,
    MULTIPLIERS,
    OTHER_TIMES,
    PERCENTS,
    QUOTES,
    RESERVED,
    plain_sign,
)

Lexeme = Decimal | Duration | Instrument | date | str | None


@dataclass(frozen=True, slots=True)
class Token:
    """A lexeme: its terminal, its text in lower case, where it begins and ends in the line, and what it says.

    Kinds are the terminals of the grammar, with ``EQUALS`` and ``RESERVED`` beside them. ``MINUTES`` (``1m``)
    and ``MONTHS`` (``1M``) hold the bare count: their place decides what it counts.
    """

    kind: str
    text: str
    at: int
    end: int
    value: Lexeme = None


_PAIR = re.compile(
    r"(?P<base>[a-z0-9_]+)/(?P<quote>[a-z][a-z0-9]*)"
    r"(?::(?P<settle>[a-z][a-z0-9]*)(?![a-z0-9_(]))?(?P<perp>\.perp)?(?:@(?P<venue>[a-z][a-z0-9]*))?"
)
_NAME = re.compile(r"(?P<base>[a-z0-9_]+)(?P<perp>\.perp(?![a-z0-9_]))?(?:@(?P<venue>[a-z][a-z0-9]*))?")
_NUMBER = re.compile(
    r"(?P<dollar>\$ ?)?(?P<digits>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)", re.ASCII
)
_EXPONENT = re.compile(r"e[+-]?[0-9]{1,3}(?![a-z0-9_])")
_UNIT = re.compile(r"%|万亿|万|亿|分钟|小时|天|周|[a-z_][a-z0-9_]*")
_SPACED_UNIT = re.compile(r" +(%|[a-z]+(?![a-z0-9_/@.:(]))")
_LEVEL = re.compile(r"@([a-z0-9_]{1,40})(?![a-z0-9_])")
_SIGN = re.compile(r"<=|=<|>=|=>|!=|<>|==|\.\.|[<>=(),:+*/-]")
_CHINESE = re.compile("|".join(CHINESE))
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)"
    r"(?:(?:t| +)(\d{1,2}):(\d{2})(?::(\d{2}))? ?(z(?![a-z])|utc(?![a-z])|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_DATE_LIKE = re.compile(r"\d{1,4}[./-]\d{1,2}(?:[./-]\d{1,4})?(?![\dmhdw])", re.ASCII)
_CLOSERS = {'"': '"', "“": "”", "„": "“”", "«": "»", "「": "」", "『": "』", "'": "'", "‘": "’"}
_QUOTED = r'(?:\\["\\]|\\(?!["\\])|[^\\{closers}])*[{closers}]'
_PUNCTUATION = {"(": "LPAR", ")": "RPAR", ",": "COMMA", ":": "COLON", "+": "PLUS", "-": "MINUS"}
_DIGITS = str.maketrans("oil", "011")

_LARGEST, _SMALLEST, _LONGEST = Decimal(10) ** 18, -18, 30


def scan(text: str) -> list[Token]:
    """Read a line into tokens. Raises RuleError at the first place that is no lexeme of the language."""
    return list(_Scanner(text).tokens())


def check_number(text: str, column: int, value: Decimal) -> Decimal:
    """Refuse a number that no market has: it must be below 10^18, with at most 18 places and 30 digits."""
    digits, exponent = value.as_tuple().digits, value.as_tuple().exponent
    if (
        not isinstance(exponent, int)
        or exponent < _SMALLEST
        or abs(value) >= _LARGEST
        or len(digits) > _LONGEST
    ):
        raise RuleError(text, column, Phrase("This number is too long."))
    return value


class _Scanner:
    """One pass over one line. ``plain`` is the line in plain signs, ``columns`` where each was typed."""

    def __init__(self, text: str) -> None:
        self.text = text
        signs = [(sign, column) for column, typed in enumerate(text) for sign in _plain(typed)]
        self.plain = "".join(sign for sign, _ in signs)
        self.columns = [column for _, column in signs]
        self.columns.append(len(text))
        self.at = 0

    def tokens(self) -> Iterator[Token]:
        before = ""
        while self.at < len(self.plain):
            if self.plain[self.at] == " ":
                self.at += 1
                continue
            for token in self._next(before):
                before = token.text
                yield token

    def _next(self, before: str) -> list[Token]:
        sign = self.plain[self.at]
        if before == "until" and (token := self._date()):
            return [token]
        if sign == '"' or (sign == "'" and before == "note"):
            return [self._string()]
        if pair := self._pair():
            return [pair]
        if number := _NUMBER.match(self.plain, self.at):
            return [self._number(number)]
        if name := _NAME.match(self.plain, self.at):
            return [self._word(name)]
        if words := _CHINESE.match(self.plain, self.at):
            return self._chinese(words)
        if sign == "@":
            return [self._level()]
        if punctuation := _SIGN.match(self.plain, self.at):
            return [self._punctuation(punctuation)]
        if sign == "$":
            raise self._error(Phrase("A number must follow the dollar sign."), show("btc < $100k"))
        typed = self.text[self.columns[self.at]]
        raise self._error(Phrase('"{sign}" is no sign of the language.', {"sign": typed}))

    # --- instruments and words ---

    def _pair(self) -> Token | None:
        match = _PAIR.match(self.plain, self.at)
        if match is None:
            return None
        base, quote, settle, venue = match.group("base", "quote", "settle", "venue")
        if quote not in QUOTES and not settle and not venue:
            if base.isdigit():
                return None
            example = f"{base}/{quote}@binance"
            reason = Phrase('"{pair}" is a ratio of two prices.', {"pair": f"{base}/{quote}"})
            raise self._error(
                reason, Phrase("To watch that market, name its exchange: {example}", {"example": example})
            )
        if match["perp"]:
            raise self._error(
                Phrase('".perp" stands behind a bare name.'), suggest(f"{base}/{quote}:{quote}")
            )
        return self._token("NAME", match.end(), Instrument(base, quote, settle or "", venue or ""))

    def _word(self, match: re.Match[str]) -> Token:
        base, perpetual, venue = match.group("base", "perp", "venue")
        if base in KEYWORDS or base in RESERVED:
            return self._token(base.upper() if base in KEYWORDS else "RESERVED", match.end("base"))
        instrument = Instrument(base, venue=venue or "", is_perpetual=perpetual is not None)
        return self._token("NAME", match.end(), instrument)

    def _chinese(self, match: re.Match[str]) -> list[Token]:
        begin, end = self.columns[self.at], self.columns[match.end()]
        self.at = match.end()
        words = CHINESE[match.group()].split()
        return [
            Token(word.upper(), word, begin, end)
            if word in KEYWORDS
            else Token("NAME", word, begin, end, Instrument(word))
            for word in words
        ]

    def _level(self) -> Token:
        match = _LEVEL.match(self.plain, self.at)
        if match is None:
            reason = Phrase("The name of a level must follow, in letters, digits and _.")
            raise self._error(reason, show("btc < @floor"))
        return self._token("LEVEL", match.end(), match[1])

    # --- numbers and times ---

    def _number(self, match: re.Match[str]) -> Token:
        digits, end, is_dollar = match["digits"], match.end(), match["dollar"] is not None
        if re.match(r"[.,][0-9]", self.plain[end : end + 2]):
            run = self._run(r"[0-9.,]*").rstrip(".,")
            raise self._no_number(run, _regrouped(run.lstrip("$ ")))
        count = Decimal(digits.replace(",", ""))
        if exponent := _EXPONENT.match(self.plain, end):
            value = Decimal(digits.replace(",", "") + exponent.group())
            return self._decimal("NUMBER", exponent.end(), value)
        unit, after = self._unit(end)
        if not unit:
            return self._decimal("NUMBER", end, count)
        if unit in PERCENTS and not is_dollar:
            return self._decimal("PERCENT", after, count)
        if unit == "m" and digits.isdigit() and not is_dollar:
            is_capital = self.text[self.columns[after - 1]] in "MＭ"
            return self._decimal("MONTHS" if is_capital else "MINUTES", after, count)
        if unit in MULTIPLIERS:
            return self._decimal("NUMBER", after, count * MULTIPLIERS[unit])
        if unit in DURATIONS and not is_dollar:
            return self._duration(count, DURATIONS[unit], after)
        if unit in OTHER_TIMES and not is_dollar:
            raise self._no_duration(self.plain[self.at : after], *_in_plain_units(count, unit))
        return self._name_with_digits(match)

    def _unit(self, end: int) -> tuple[str, int]:
        if attached := _UNIT.match(self.plain, end):
            return attached.group(), attached.end()
        spaced = _SPACED_UNIT.match(self.plain, end)
        if spaced and spaced[1] in {*MULTIPLIERS, *DURATIONS, *OTHER_TIMES, *PERCENTS}:
            return spaced[1], spaced.end()
        return "", end

    def _duration(self, count: Decimal, unit: DurationUnit, end: int) -> Token:
        if count % 1:
            raise self._no_duration(self.plain[self.at : end], *_in_minutes(count, unit))
        if count >= 10**6:
            raise self._error(Phrase("This is too long a time."))
        return self._token("DURATION", end, Duration(int(count), unit))

    def _name_with_digits(self, number: re.Match[str]) -> Token:
        name = _NAME.match(self.plain, self.at)
        word = self._run(r"[a-z0-9_]*") if name is None else name["base"]
        letters = sum(sign.isalpha() for sign in word)
        if name is None or number["dollar"] or number["digits"] != re.match(r"[0-9]*", word)[0]:  # type: ignore[index]
            raise self._no_number(self._run(r"[a-z0-9_.,]*"))
        suggestion = self._corrected(word, name.end("base"))
        if suggestion or (letters < 2 and not name["perp"] and not name["venue"]):
            raise self._no_number(word, suggestion)
        return self._word(name)

    def _corrected(self, word: str, end: int) -> str:
        """Read a word as the number that a slip of a letter made of it: ``10o k`` is ``100k``."""
        unit = next((unit for unit in ("k", "m", "b") if word.endswith(unit)), "")
        digits = word.removesuffix(unit).translate(_DIGITS)
        if not digits.isdigit():
            return ""
        spaced = "" if unit else self._unit(end)[0]
        return digits + (unit or (spaced if spaced in MULTIPLIERS else ""))

    def _decimal(self, kind: str, end: int, value: Decimal) -> Token:
        check_number(self.text, self.columns[self.at], value)
        return self._token(kind, end, value)

    def _date(self) -> Token | None:
        if match := _DATE.match(self.plain, self.at):
            try:
                return self._token("DATE", match.end(), _moment(match.groups()))
            except ValueError:
                pass
        elif not (match := _DATE_LIKE.match(self.plain, self.at)):
            return None
        raise self._error(
            Phrase('"{word}" is no date.', {"word": match.group().strip()}), show("until 2026-12-31")
        )

    # --- the rest ---

    def _string(self) -> Token:
        begin = self.columns[self.at]
        body = self.text[begin + 1 :]
        opener = self.text[begin]
        closers = _CLOSERS.get(opener, opener)
        family = "".join(sign for sign in body if plain_sign(sign) == plain_sign(opener))
        if not any(closer in family for closer in closers):
            closers = family
        match = re.match(_QUOTED.format(closers=re.escape(closers)), body) if closers else None
        if match is None:
            reason = Phrase("This quotation mark is never closed.")
            raise self._error(reason, show('note "cut the long"'))
        typed = re.sub(r'\\(["\\])', r"\1", match.group()[:-1])
        note = "".join(" " if unicodedata.category(sign) in _UNPRINTED else sign for sign in typed)
        end = begin + 1 + match.end()
        self.at = next(at for at, column in enumerate(self.columns) if column >= end)
        return Token("STRING", note, begin, end, note)

    def _punctuation(self, match: re.Match[str]) -> Token:
        sign = match.group()
        if sign in COMPARISONS:
            return self._token("CMP", match.end())
        if sign in {"=", "=="}:
            return self._token("EQUALS", match.end())
        if sign in {"!=", "<>"}:
            reason = Phrase(
                '"{sign}" cannot be watched: a price differs from a level nearly always.', {"sign": sign}
            )
            raise self._error(reason, show("btc < 100k"))
        return self._token(_PUNCTUATION.get(sign, "RESERVED"), match.end())

    def _token(self, kind: str, end: int, value: Lexeme = None) -> Token:
        begin, self.at = self.at, end
        return Token(kind, self.plain[begin:end], self.columns[begin], self.columns[end - 1] + 1, value)

    def _run(self, pattern: str) -> str:
        match = re.compile(r"\$? ?" + pattern).match(self.plain, self.at)
        return match.group() if match else ""

    def _no_number(self, word: str, suggestion: str = "") -> RuleError:
        hint = suggest(suggestion) if suggestion else show("btc < 100k")
        return self._error(Phrase('"{word}" is no number.', {"word": word}), hint)

    def _no_duration(self, word: str, count: Decimal, unit: str) -> RuleError:
        suggestion = f"{max(int(count), 1)}{unit}"
        return self._error(Phrase('"{word}" is no duration.', {"word": word}), suggest(suggestion))

    def _error(self, reason: Phrase, hint: Phrase | None = None) -> RuleError:
        return RuleError(self.text, self.columns[self.at], reason, hint)


_UNPRINTED = frozenset(["Cc", "Cs", "Zl", "Zp"])


def _plain(typed: str) -> str:
    category = unicodedata.category(typed)
    if typed.isspace() or category in _UNPRINTED:
        return " "
    if category == "Cf" or "\ufe00" <= typed <= "\ufe0f":
        return ""  # marks that show nothing: joiners, directions, variants
    return plain_sign(typed)


def _regrouped(digits: str) -> str:
    """Write a number that is grouped in another country's way with commas in front of one point."""
    last = max(digits.rfind(","), digits.rfind("."))
    is_point = digits.count(digits[last]) == 1
    whole, part = (digits[:last], digits[last + 1 :]) if is_point else (digits, "")
    number = f"{int(re.sub(r'[.,]', '', whole) or 0):,}"
    return f"{number}.{part}" if part else number


def _in_plain_units(count: Decimal, unit: str) -> tuple[Decimal, str]:
    size, plain_unit = OTHER_TIMES[unit]
    return (count / 60, "m") if plain_unit == "s" else (count * size, plain_unit)


def _in_minutes(count: Decimal, unit: DurationUnit) -> tuple[Decimal, str]:
    return count * Duration(1, unit).seconds / 60, "m"


def _moment(parts: tuple[str | None, ...]) -> date:
    year, month, day, hour, minute, second, zone = (part or "" for part in parts)
    if not 2000 <= int(year) < 2200:
        raise ValueError(year)
    if not hour:
        return date(int(year), int(month), int(day))
    naive = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))  # noqa: DTZ001
    if not zone:
        return naive
    if zone in {"z", "utc"}:
        return naive.replace(tzinfo=UTC)
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    return naive.replace(tzinfo=timezone(offset)).astimezone(UTC)
