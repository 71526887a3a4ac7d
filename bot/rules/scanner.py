"""The scanner: the typed line as tokens, each with its place in the line.

It reads what phones and people type (curly quotes, long dashes, full-width signs, unspaced words) and
resolves whatever a lexeme alone can tell; what needs its neighbours is left to the sugar and the grammar.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from bot.rules import chinese
from bot.rules.errors import RuleError, show, suggest
from bot.rules.numerals import Numeral, Slip, read_date, read_numeral
from bot.rules.phrases import Phrase
from bot.rules.tree import Duration, Instrument
from bot.rules.words import (
    CASHTAGS,
    COMPARISONS,
    KEYWORDS,
    MACRO,
    QUOTATION_MARKS,
    QUOTES,
    RESERVED,
    plain_sign,
)

Lexeme = Decimal | Duration | Instrument | date | str | None


@dataclass(frozen=True, slots=True)
class Token:
    """A lexeme: its terminal, its text in lower case, where it begins and ends in the line, and what it says.

    Kinds are the terminals of the grammar, with ``EQUALS``, ``TIMES`` and ``RESERVED`` beside them.
    """

    kind: str
    text: str
    at: int
    end: int
    value: Lexeme = None

    def __str__(self) -> str:
        return self.text


_PAIR = re.compile(
    r"(?P<base>[a-z0-9_]+)/(?P<quote>[a-z][a-z0-9]*)"
    r"(?::(?P<settle>[a-z][a-z0-9]*)(?![a-z0-9_(]))?(?P<perp>\.perp)?(?:@(?P<venue>[a-z][a-z0-9]*))?"
)
_NAME = re.compile(r"(?P<base>[a-z0-9_]+)(?P<perp>\.perp(?![a-z0-9_]))?(?:@(?P<venue>[a-z][a-z0-9]*))?")
_STOCK = re.compile(r"\$[a-z][a-z0-9]*(?:\.[a-z](?![a-z0-9_]))?")
_CALLED = re.compile(r" *\(")
_LEVEL = re.compile(r"@([a-z0-9_]{1,40})(?![a-z0-9_])")
_SIGN = re.compile(r"<=|=<|>=|=>|!=|<>|==|\.\.|[<>=(),:+*/-]")
_CHINESE = re.compile("|".join(sorted(chinese.WORDS, key=len, reverse=True)))
_QUOTED = r'(?:\\["\\]|\\(?!["\\])|[^\\{closers}])*[{closers}]'
_CLOSERS = {'"': '"', "“": "”", "„": "“”", "«": "»", "「": "」", "『": "』", "'": "'", "‘": "’"}
_PUNCTUATION = {
    "(": "LPAR",
    ")": "RPAR",
    ",": "COMMA",
    ":": "COLON",
    "..": "RANGE",
    "+": "PLUS",
    "-": "MINUS",
    "*": "STAR",
    "/": "SLASH",
}
_UNPRINTED = frozenset(["Cc", "Cs", "Zl", "Zp"])


def scan(text: str) -> list[Token]:
    """Read a line into tokens. Raises RuleError at the first place that is no lexeme of the language."""
    scanner = _Scanner(text)
    try:
        return list(scanner.tokens())
    except Slip as slip:
        raise RuleError(text, scanner.column, slip.reason, slip.hint) from None


def number_of(token: Token) -> Decimal | None:
    """Give the number that a token is where a number stands: there ``1m`` is a million."""
    match token.kind, token.value:
        case "NUMBER", Decimal() as value:
            return value
        case "MINUTES" | "MONTHS", Decimal() as value:
            return value * 10**6
    return None


def could_be_stock(name: str) -> bool:
    """Whether ``$name`` can be read as a stock: letters, digits, and a class such as ``brk.b``."""
    return _STOCK.fullmatch(f"${name}") is not None and name not in {*MACRO, *CASHTAGS}


def is_level_name(name: str) -> bool:
    """Whether ``@name`` can be read: up to 40 lower-case letters, digits and underscores, in ASCII."""
    return _LEVEL.fullmatch(f"@{name}") is not None


class _Scanner:
    """One pass over one line.

    ``cased`` is the line in plain signs, ``plain`` the same in lower case, ``columns`` where each sign was
    typed, ``at`` the place in them that is read next, ``brackets`` those that are open (whether each is that
    of a function) and ``calls`` how many of these are.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        signs = list(_signs(text))
        self.cased = "".join(sign for sign, _ in signs)
        self.plain = "".join(_lower(sign) for sign, _ in signs)
        self.columns = [column for _, column in signs]
        self.columns.append(len(text))
        self.at = 0
        self.brackets: list[bool] = []
        self.calls = 0

    @property
    def column(self) -> int:
        """The place in the typed line."""
        return self.columns[self.at]

    def tokens(self) -> Iterator[Token]:
        before = Token("", "", 0, 0)
        while self.at < len(self.plain):
            if self.plain[self.at] == " ":
                self.at += 1
                continue
            for token in self._next(before.text):
                if token.kind == "LPAR":
                    self.brackets.append(before.kind == "NAME")
                    self.calls += self.brackets[-1]
                elif token.kind == "RPAR" and self.brackets:
                    self.calls -= self.brackets.pop()
                before = token
                yield token

    def _next(self, before: str) -> list[Token]:
        sign = self.plain[self.at]
        if before == "until" and (moment := read_date(self.plain, self.at)):
            return [self._numeral(moment)]
        if sign in QUOTATION_MARKS and before == "note":
            return [self._string()]
        if sign == '"':
            reason = Phrase("A text in quotation marks belongs to a note.")
            raise Slip(reason, show('btc < 100k note "cut the long"'))
        if pair := self._pair():
            return [pair]
        if numeral := read_numeral(self.cased, self.at, is_argument=self.calls > 0):
            return [self._numeral(numeral)]
        if name := _NAME.match(self.plain, self.at):
            return [self._word(name)]
        if words := _CHINESE.match(self.plain, self.at):
            return self._chinese(words)
        if sign == "@":
            return [self._level()]
        if punctuation := _SIGN.match(self.plain, self.at):
            return [self._punctuation(punctuation)]
        if stock := _STOCK.match(self.plain, self.at):
            if stock.group()[1:] in CASHTAGS:
                self.at += 1  # the sign alone
                return []
            return [self._token("NAME", stock.end(), Instrument(stock.group()))]
        if sign == "'" and self._is_possessive(before):
            self.at += 2  # btc's
            return []
        if sign == "$":
            raise Slip(Phrase("A number must follow the dollar sign."), show("btc < $100k"))
        raise Slip(Phrase('"{sign}" is no sign of the language.', {"sign": self.text[self.column]}))

    def _numeral(self, numeral: Numeral) -> Token:
        return self._token(numeral.kind, numeral.end, numeral.value)

    def _pair(self) -> Token | None:
        match = _PAIR.match(self.plain, self.at)
        if match is None:
            return None
        base, quote, settle, venue = match.group("base", "quote", "settle", "venue")
        if quote not in QUOTES and not settle and not venue:
            return None  # a ratio of two prices
        if match["perp"]:
            raise Slip(Phrase('".perp" stands behind a bare name.'), suggest(f"{base}/{quote}:{quote}"))
        return self._token("NAME", match.end(), Instrument(base, quote, settle or "", venue or ""))

    def _word(self, match: re.Match[str]) -> Token:
        base, perpetual, venue = match.group("base", "perp", "venue")
        is_called = base in RESERVED and _CALLED.match(self.plain, match.end("base"))
        if (kind := _kind(base)) and not is_called:
            return self._token(kind, match.end("base"))
        instrument = Instrument(base, venue=venue or "", is_perpetual=perpetual is not None)
        return self._token("NAME", match.end(), instrument)

    def _chinese(self, match: re.Match[str]) -> list[Token]:
        place = self._token("", match.end())
        return [
            Token(kind, word, place.at, place.end)
            if (kind := _kind(word))
            else Token("NAME", word, place.at, place.end, Instrument(word))
            for word in chinese.WORDS[match.group()].split()
        ]

    def _level(self) -> Token:
        match = _LEVEL.match(self.plain, self.at)
        if match is None:
            reason = Phrase("The name of a level must follow, in letters, digits and _.")
            raise Slip(reason, show("btc < @floor"))
        return self._token("LEVEL", match.end(), match[1])

    def _string(self) -> Token:
        begin = self.column
        opener = self.text[begin]
        marks = QUOTATION_MARKS[self.plain[self.at]]
        # Phones mix straight and curly marks: any mark may close, but the opener's own partner goes first.
        tries = (
            re.compile(_QUOTED.format(closers=closers)) for closers in (_CLOSERS.get(opener, opener), marks)
        )
        match = next(filter(None, (pattern.match(self.text, begin + 1) for pattern in tries)), None)
        if match is None:
            raise Slip(Phrase("This quotation mark is never closed."), show('note "cut the long"'))
        typed = re.sub(r'\\(["\\])', r"\1", match.group()[:-1])
        note = "".join(" " if unicodedata.category(sign) in _UNPRINTED else sign for sign in typed)
        self.at = bisect_left(self.columns, match.end())
        return Token("STRING", note, begin, match.end(), note)

    def _punctuation(self, match: re.Match[str]) -> Token:
        sign = match.group()
        if sign in {"!=", "<>"}:
            reason = Phrase('"{sign}" cannot be watched: it is true nearly always.', {"sign": sign})
            raise Slip(reason, show("btc < 100k"))
        if sign in COMPARISONS:
            return self._token("CMP", match.end())
        if sign in {"=", "=="}:
            return self._token("EQUALS", match.end())
        return self._token(_PUNCTUATION.get(sign, "RESERVED"), match.end())

    def _is_possessive(self, before: str) -> bool:
        rest = self.plain[self.at + 1 : self.at + 3]
        return before.isalnum() and self.plain[self.at - 1] != " " and rest in ("s", "s ")

    def _token(self, kind: str, end: int, value: Lexeme = None) -> Token:
        begin, self.at = self.at, end
        return Token(kind, self.plain[begin:end], self.columns[begin], self.columns[end - 1] + 1, value)


def _kind(word: str) -> str:
    """Give the terminal of a word that the language keeps, or nothing for a name."""
    if word in KEYWORDS:
        return word.upper()
    if word == "session":
        return "SESSIONS"
    return "RESERVED" if word in RESERVED else ""


def _signs(text: str) -> Iterator[tuple[str, int]]:
    """Give each sign as a plain one with the place where it was typed, and Chinese numbers in digits."""
    counts, column = chinese.digits(text), 0
    while column < len(text):
        end, plain = counts.get(column) or (column + 1, _plain(text[column]))
        yield from ((sign, column) for sign in plain)
        column = end


@lru_cache(maxsize=1024)
def _plain(typed: str) -> str:
    category = unicodedata.category(typed)
    if typed.isspace() or category in _UNPRINTED:
        return " "
    if category == "Cf" or "\ufe00" <= typed <= "\ufe0f":
        return ""  # marks that show nothing: joiners, directions, variants
    return plain_sign(typed)


def _lower(sign: str) -> str:
    lower = sign.lower()
    return lower if len(lower) == 1 else sign
