"""Recognize the phrases of the phrasebook in a row of tokens, and write down what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from bot.rules.errors import RuleError, show
from bot.rules.phrasebook import CLAUSES, NOUNS, PARTS, SPELLING, Noun, Role
from bot.rules.phrases import Phrase
from bot.rules.scanner import Token, scan
from bot.rules.values import Duration, DurationUnit, Instrument
from bot.rules.words import FRAMES, KEYWORDS, OPTIONS

ENDS = frozenset(["AND", "OR", "RPAR", "COMMA", "FOR", "END", *(word.upper() for word in OPTIONS)])
"""What a clause may be followed by."""

_RISES = "rises gains pumps jumps climbs rallies surges reclaims up rose gained jumped"
_FALLS = "falls drops loses dumps crashes dips sinks slides plunges down drop fall fell dropped crashed"

RISES = frozenset(_RISES.split())
FALLS = frozenset(_FALLS.split())

_KINDS = {
    "NUMBER": "N", "MINUTES": "B", "MONTHS": "M", "DURATION": "D", "PERCENT": "P", "LEVEL": "L", "TIMES": "X",
    "STRING": "S", "DATE": "S",
}  # fmt: skip
_RISING = re.compile("rise|gain|jump|pump|rall|increase|surge|climb|up|higher")
_MOVING = re.compile("move|swing|change")
_DMA = re.compile(r"(\d+)?([dwh])?([se])?ma")
_DAYS: dict[str, DurationUnit] = {"h": "h", "d": "d", "w": "w"}
_SIGNS = {"above": ">", "over": ">", "below": "<", "under": "<"}
_UNCALLED = r"(?!\()"
"""What follows no phrase: then its last word is the name of a function."""

_TIMES = {"twice": 2, "double": 2, "triple": 3}
_END = Token("END", "", 0, 0)


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase that was recognized: how many tokens it took, what stands for it, and what it is."""

    length: int
    tokens: tuple[Token, ...]
    role: Role = "value"
    subject: Token | None = None


class Idioms:
    """The tokens of one line, as words to be matched; ``is_spoken``: some word of the phrasebook is there."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self.text = text
        self.tokens = tokens
        words = [_KINDS.get(token.kind, token.text) for token in tokens]
        self.is_spoken = not _vocabulary().isdisjoint(words) or any(_DMA.fullmatch(word) for word in words)
        self.line = "".join(f"{word} " for word in words)
        self.starts = [0]
        for word in words:
            self.starts.append(self.starts[-1] + len(word) + 1)
        self.places = {start: at for at, start in enumerate(self.starts)}

    def spelling(self, at: int) -> int:
        """Count the tokens that say nothing in front of a condition."""
        begin = at
        for pattern in SPELLING if self.is_spoken else ():
            match = _pattern(pattern).match(self.line, self.starts[at])
            if match and self._token(self.places[match.end()]).kind in {
                "NAME",
                "RESERVED",
                "DURATION",
                "PERCENT",
            }:
                at = self.places[match.end()]
        return at - begin

    def noun(self, at: int, owner: Token | None, is_adjacent: bool = False) -> Found | None:
        """Recognize a value of an owner; ``is_adjacent``: the owner stands right before it.

        Elsewhere a single word is the name of an instrument. Raises RuleError for a value whose candles are
        missing.
        """
        if not self.is_spoken or not _any_noun().match(self.line, self.starts[at]):
            return None
        for row in NOUNS:
            match = _pattern(row.pattern).match(self.line, self.starts[at])
            if match is None or (row.is_known and is_adjacent):
                continue
            length = self.places[match.end()] - at
            if row.is_known and self._token(at + length).text == "of" and self._is_name(at + length + 1):
                continue
            about, subject = owner, None
            if not is_adjacent and self._token(at + length).text == "of" and self._is_name(at + length + 1):
                about = subject = self._token(at + length + 1)
                length += 2
            is_single = row.role == "question" or not self._is_phrase(at, length)
            if is_single and not is_adjacent and subject is None:
                continue
            if row.role == "extreme" and about is None:
                continue
            if row.role == "question":
                self._ask(at, row, about)
            tokens = self._filled(row.template, match, about, at, length)
            if tokens is not None:
                return Found(length, tuple(tokens), row.role, subject)
        return None

    def clause(self, at: int, owner: Token | None) -> Found | None:
        """Recognize a whole condition, of the owner if it names no other."""
        if not self.is_spoken or not _any_clause().match(self.line, self.starts[at]):
            return None
        for row in CLAUSES:
            match = _pattern(row.pattern).match(self.line, self.starts[at])
            if match is None:
                continue
            end = self.places[match.end()]
            if row.is_whole and self._token(end).kind not in ENDS:
                continue
            subject = self._group(match, "thing")
            if subject and not self._is_name(self.places[match.start("thing")]):
                continue
            about = subject or owner
            if about is None and "{x} " in row.template:
                continue
            tokens = self._filled(row.template, match, about, at, end - at)
            if tokens is not None:
                return Found(end - at, tuple(tokens), subject=subject)
        return None

    def _is_phrase(self, at: int, length: int) -> bool:
        token = self._token(at)
        return length > 1 or token.kind == "RESERVED" or _DMA.fullmatch(token.text) is not None

    def _is_name(self, at: int) -> bool:
        return self._token(at).kind == "NAME" and self._token(at + 1).kind != "LPAR"

    def _ask(self, at: int, row: Noun, owner: Token | None) -> None:
        example = row.template.replace("{x}", owner.text if owner else "btc")
        raise RuleError(self.text, self._token(at).at, Phrase("On which candles?"), show(example))

    def _filled(
        self, template: str, match: re.Match[str], owner: Token | None, at: int, length: int
    ) -> list[Token] | None:
        """Put the parts of a match into a template; ``None`` where one of them does not fit."""
        place = replace(_END, at=self._token(at).at, end=self._token(at + length - 1).end)
        out: list[Token] = []
        for piece in re.split(r"(\{\w+\})", template):
            if not piece.startswith("{"):
                out += _placed(_scanned(piece), place)
                continue
            tokens = self._field(piece[1:-1], match, owner, place)
            if tokens is None:
                return None
            out += tokens
        return list(_without_idle_commas(out))

    def _field(
        self, name: str, match: re.Match[str], owner: Token | None, place: Token
    ) -> list[Token] | None:
        groups = match.groupdict()
        token = self._group(match, name) if name in groups else None
        match name:
            case "x":
                return [owner] if owner else []
            case "coin":
                return [_coin(owner)] if owner else []
            case "n" | "ma" | "tf" if groups.get("dma") or groups.get("frame") or groups.get("ma"):
                return self._average(name, match, place)
            case "tf" | "tf20":
                frame = self._frame(match)
                if frame is None:
                    return None
                length = Duration(frame.count * (20 if name == "tf20" else 1), frame.unit)
                return [replace(place, kind="DURATION", text=str(length), value=length)]
            case "day":
                return [] if token and token.value in {Duration(24, "h"), Duration(1, "d")} else None
            case "op":
                return _placed(_scanned(">" if groups["flow"].startswith("inflow") else "<"), place)
            case "amount":
                sign = _placed(_scanned("-"), place) if groups["flow"].startswith("outflow") else []
                return [*sign, *self._span(match, "l")]
            case "days":
                return self._days(match, place)
            case "way":
                return _placed(_scanned(_way(groups)), place)
            case "to":
                return _placed(_scanned(_SIGNS.get(groups["to"], groups["to"])), place)
            case "times":
                return self._times(match, place)
        return [token] if token else None

    def _average(self, name: str, match: re.Match[str], place: Token) -> list[Token] | None:
        """Read a moving average: ``200dma``, ``200 ema 4h``, ``200 day ma``."""
        groups = match.groupdict()
        said = _DMA.fullmatch(groups.get("dma") or groups.get("frame") or "")
        digits, unit, kind = said.groups() if said else (None, None, None)
        if name == "ma":
            is_exponential = kind == "e" or (groups.get("ma") or "").startswith("e")
            return _placed(_scanned("ema" if is_exponential else "sma"), place)
        counted = self._group(match, "d" if "d" in groups else "n")
        frame = Duration(1, _DAYS[unit]) if unit else self._frame(match)
        match counted.value if counted else None:
            case Duration(count=count, unit="d" | "w" as days):
                frame = Duration(1, days)
            case Decimal() as number:
                count = int(number)
            case None if digits:
                count = int(digits)
            case _:
                return None
        if unit and groups.get("tf"):
            return None
        if name == "n":
            return [replace(place, kind="NUMBER", text=str(count), value=Decimal(count))]
        if frame is None:
            raise RuleError(self.text, place.at, Phrase("On which candles?"), show("btc > 200 ema 4h"))
        return [replace(place, kind="DURATION", text=str(frame), value=frame)]

    def _frame(self, match: re.Match[str]) -> Duration | None:
        word = match.groupdict().get("tf")
        if word is None:
            return Duration(1, "h") if "times" in match.groupdict() else None
        if word in FRAMES:
            return FRAMES[word]
        token = self._group(match, "tf")
        if token and isinstance(token.value, Duration):
            return token.value
        count = token.value if token and token.kind == "MINUTES" else None
        return Duration(int(count), "m") if isinstance(count, Decimal) and count < 10**6 else None

    def _days(self, match: re.Match[str], place: Token) -> list[Token] | None:
        token = self._group(match, "days")
        match token:
            case Token(value=Duration(count=count, unit="d")):
                return [replace(place, kind="NUMBER", text=str(count), value=Decimal(count))]
            case Token(value=Decimal()):
                return [token]
        return None

    def _times(self, match: re.Match[str], place: Token) -> list[Token]:
        word, token = match["times"], self._group(match, "times")
        value = Decimal(_TIMES[word]) if word in _TIMES else token.value if token else None
        return [replace(place, kind="NUMBER", text=str(value), value=value)]

    def _span(self, match: re.Match[str], name: str) -> list[Token]:
        return list(self.tokens[self.places[match.start(name)] : self.places[match.end(name) + 1]])

    def _group(self, match: re.Match[str], name: str) -> Token | None:
        """Give the first token of a part, or ``None`` if it was not there."""
        start = match.start(name) if name in match.groupdict() else -1
        return self.tokens[self.places[start]] if start >= 0 else None

    def _token(self, at: int) -> Token:
        return self.tokens[at] if at < len(self.tokens) else _END


def _way(groups: dict[str, str | None]) -> str:
    word = (
        groups.get("way") or groups.get("turn") or {"+": "up", "-": "down"}.get(groups.get("sign") or "", "")
    )
    if not word or _MOVING.match(word):
        return ""
    return "up" if _RISING.match(word) else "down"


def _coin(owner: Token) -> Token:
    base = owner.value.base if isinstance(owner.value, Instrument) else owner.text
    return replace(owner, text=base, value=Instrument(base))


def _without_idle_commas(tokens: Iterable[Token]) -> Iterator[Token]:
    """Drop the comma behind an argument that was left out: ``close(, 1d)``."""
    before = ""
    for token in tokens:
        if token.kind != "COMMA" or before != "LPAR":
            yield token
            before = token.kind


def _placed(tokens: Sequence[Token], place: Token) -> list[Token]:
    return [replace(token, at=place.at, end=place.end) for token in tokens]


@cache
def _scanned(text: str) -> tuple[Token, ...]:
    return tuple(scan(text))


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = re.sub(r"<(\w+)>", lambda part: f"(?P<{part[1]}>{PARTS[part[1]]})", pattern)
    return re.compile(f"(?:{parts}) {_UNCALLED}")


@cache
def _any_noun() -> re.Pattern[str]:
    """One look that says whether any row can match: most places of most lines hold no phrase."""
    return _any(noun.pattern for noun in NOUNS)


@cache
def _any_clause() -> re.Pattern[str]:
    return _any(clause.pattern for clause in CLAUSES)


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    either = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(
        "(?:" + re.sub(r"<(\w+)>", lambda part: f"(?:{PARTS[part[1]]})", either) + f") {_UNCALLED}"
    )


@cache
def _vocabulary() -> frozenset[str]:
    rows = (*(noun.pattern for noun in NOUNS), *(clause.pattern for clause in CLAUSES))
    patterns = (*rows, *SPELLING, *PARTS.values())
    words: set[str] = set()
    for pattern in patterns:
        for word in re.findall(r"[a-z]{2,}\??", re.sub(r"<\w+>", " ", pattern)):
            words |= {word[:-1], word[:-2]} if word.endswith("?") else {word}
    return frozenset(words - KEYWORDS)
