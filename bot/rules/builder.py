"""From the parsed line to the tree, with the checks that need a place to point at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TypeVar

from bot.rules.errors import RuleError, show, suggest
from bot.rules.grammar import Branch
from bot.rules.phrases import Phrase, Quantity
from bot.rules.scanner import Token
from bot.rules.tree import (
    And,
    Compare,
    Condition,
    Crosses,
    Duration,
    Held,
    Instrument,
    LevelRef,
    Mode,
    Moves,
    Not,
    Number,
    Options,
    Or,
    Percent,
    Rule,
    Side,
    Value,
    Way,
    is_interval,
)
from bot.rules.words import COMPARISONS, DOLLARS

DEPTH, INPUTS, ATOMS = 20, 20, 64
"""How deep a rule may be nested, how many instruments it may read, how many comparisons it may hold."""

LONGEST = Duration(400, "d")
"""The longest window."""

T = TypeVar("T")


def build(text: str, branch: Branch) -> Rule:
    """Build the rule that a line says. Raises RuleError at the place of what has no meaning."""
    return _Builder(text).rule(branch)


class _Builder:
    """The running counts of one rule."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.inputs: set[Instrument] = set()
        self.comparisons = 0

    def rule(self, branch: Branch) -> Rule:
        condition, *options = _branches(branch)
        return Rule(self._condition(condition, 0), self._options(options))

    # --- conditions ---

    def _condition(self, branch: Branch, depth: int) -> Condition:
        while branch.data == "bracketed":
            branch = _branches(branch)[0]
        if depth > DEPTH:
            reason = Phrase("The rule is nested more than {count} deep.", {"count": DEPTH})
            raise self._error(_first(branch), reason)
        parts, leaves = _branches(branch), _leaves(branch)
        match branch.data:
            case "any":
                return Or(tuple(self._condition(part, depth + 1) for part in parts))
            case "all":
                return And(tuple(self._condition(part, depth + 1) for part in parts))
            case "negated":
                self._refuse_pulse(
                    parts[0], Phrase("Crossing a level is one moment: there is no opposite of it.")
                )
                return Not(self._condition(parts[0], depth + 1))
            case "held":
                self._refuse_pulse(parts[0], Phrase("Crossing a level is one moment: it cannot last."))
                return Held(self._condition(parts[0], depth + 1), self._window(leaves[-1]))
        self._count(branch)
        match branch.data:
            case "compared":
                return self._comparison(parts[0], leaves[0], parts[1])
            case "chained":
                return self._interval(parts, leaves)
            case "crossed":
                return self._crossing(parts, leaves)
            case _:
                return self._move(parts[0], leaves)

    def _comparison(self, left: Branch, sign: Token, right: Branch) -> Compare:
        one, other = self._value(left), self._value(right)
        match one, other:
            case (Instrument(), Instrument()):
                self._check_pair(one, other, left, right)
            case (Instrument(), _):
                self._check_level(other, right, one)
            case (_, Instrument()):
                self._check_level(one, left, other)
            case _:
                reason = Phrase("Nothing here moves: one side must be an instrument.")
                raise self._error(_first(left), reason, show("btc < 100k"))
        return Compare(one, COMPARISONS[sign.text], other)

    def _interval(self, ends: Sequence[Branch], signs: Sequence[Token]) -> Condition:
        one = self._comparison(ends[0], signs[0], ends[1])
        other = self._comparison(ends[1], signs[1], ends[2])
        if one.op[0] != other.op[0]:
            reason = Phrase("Both signs must point the same way.")
            raise self._error(signs[1], reason, show("98k < btc < 105k"))
        if isinstance(one.left, Number) and isinstance(other.right, Number) and not is_interval(one, other):
            turned = f"{other.right} {one.op} {one.right} {other.op} {one.left}"
            raise self._error(
                _first(ends[0]), Phrase("There is nothing between these two numbers."), suggest(turned)
            )
        return And((one, other))

    def _crossing(self, ends: Sequence[Branch], leaves: Sequence[Token]) -> Crosses:
        value, level = self._instrument(ends[0]), self._value(ends[1])
        side: Side = ""
        if len(leaves) > 1:
            side = "above" if leaves[1].kind == "ABOVE" else "below"
        if isinstance(level, Instrument):
            reason = Phrase("A number or a level must follow.")
            raise self._error(_first(ends[1]), reason, show(f"{value} {side or 'crosses'} 100k"))
        self._check_level(level, ends[1], value)
        return Crosses(value, side, level)

    def _move(self, subject: Branch, leaves: Sequence[Token]) -> Moves:
        value = self._instrument(subject)
        percent = next(leaf for leaf in leaves if leaf.kind == "PERCENT")
        share = _expect(percent.value, Decimal)
        ways: dict[str, Way] = {"UP": "up", "DOWN": "down"}
        way = ways.get(leaves[1].kind, "")
        if share <= 0:
            raise self._error(percent, Phrase("A move must be more than 0%."), show("btc moves 5% in 1h"))
        if way == "down" and share >= 100:
            raise self._error(
                percent, Phrase("A price cannot fall by {percent}.", {"percent": Quantity(share, "percent")})
            )
        return Moves(value, way, share, self._window(leaves[-1]))

    # --- values ---

    def _value(self, branch: Branch) -> Value:
        *sign, token = _leaves(branch)
        match token.kind, token.value:
            case "NAME", Instrument() as instrument:
                if sign:
                    raise self._error(sign[0], Phrase("A price is never below zero."), show("btc < 100k"))
                self._read(instrument, token)
                return instrument
            case "LEVEL", str() as name:
                if sign:
                    raise self._error(sign[0], Phrase("A level takes no sign."), suggest(token.text))
                return LevelRef(name)
            case "PERCENT", Decimal() as value:
                return Percent(-value if sign else value)
            case "MINUTES" | "MONTHS", Decimal() as value:
                return Number(-value * 10**6 if sign else value * 10**6)
        value = _expect(token.value, Decimal)
        return Number(-value if sign else value)

    def _instrument(self, branch: Branch) -> Instrument:
        value = self._value(branch)
        if not isinstance(value, Instrument):
            raise self._error(
                _first(branch), Phrase("An instrument must stand here."), show("btc crosses 100k")
            )
        return value

    def _read(self, instrument: Instrument, token: Token) -> None:
        self.inputs.add(instrument)
        if len(self.inputs) > INPUTS:
            reason = Phrase("A rule reads at most {count} instruments.", {"count": INPUTS})
            raise self._error(token, reason)

    def _check_level(self, value: Value, branch: Branch, of: Instrument) -> None:
        name = str(of)
        if isinstance(value, Percent):
            arguments: dict[str, Phrase | Quantity | str | int] = {
                "instrument": name.upper(),
                "percent": Quantity(value.value, "percent"),
            }
            reason = Phrase("{instrument} is a price, and {percent} is none.", arguments)
            raise self._error(_first(branch), reason, show(f"{name} moves 5% in 1h"))
        if isinstance(value, Number) and value.value <= 0:
            reason = Phrase("A price is always above zero.")
            raise self._error(_first(branch), reason, show(f"{name} < 100k"))

    def _check_pair(self, one: Instrument, other: Instrument, left: Branch, right: Branch) -> None:
        if one == other:
            raise self._error(_first(right), Phrase("Both sides are the same."), show(f"{one} < 100k"))
        quotes = {one.quote, other.quote}
        if "" not in quotes and len(quotes) == 2 and not quotes <= DOLLARS:
            arguments: dict[str, Phrase | Quantity | str | int] = {
                "one": one.quote.upper(),
                "other": other.quote.upper(),
            }
            raise self._error(
                _first(right), Phrase("A price in {one} cannot be compared with one in {other}.", arguments)
            )

    # --- durations and options ---

    def _window(self, token: Token, shortest: int = 1) -> Duration:
        if token.kind == "MONTHS":
            count = int(_expect(token.value, Decimal))
            reason = Phrase('"{word}" is no duration: M is a million.', {"word": f"{count}M"})
            raise self._error(token, reason, suggest(f"{min(30 * max(count, 1), 360)}d"))
        if isinstance(token.value, Duration):
            duration = token.value
        else:
            duration = Duration(int(min(_expect(token.value, Decimal), Decimal(10**9))), "m")
        if duration.count < shortest:
            raise self._error(token, Phrase("A duration must be longer than nothing."), show("4h"))
        if duration.seconds > LONGEST.seconds:
            raise self._error(token, Phrase("A duration is at most {count} days.", {"count": LONGEST.count}))
        return duration

    def _options(self, branches: Sequence[Branch]) -> Options:
        options, given = Options(), set[str]()
        for branch in branches:
            word, *rest = _leaves(branch)
            if {word.text, *given} >= {Mode.ONCE, Mode.REPEAT}:
                reason = Phrase('"once" and "repeat" exclude each other.')
                raise self._error(word, reason, Phrase("Leave one of them out."))
            if word.text in given:
                raise self._error(word, Phrase('"{word}" stands here twice.', {"word": word.text}))
            given.add(word.text)
            match word.text:
                case "cooldown":
                    options = replace(options, cooldown=self._window(rest[0], shortest=0))
                case "until":
                    until = _expect(rest[0].value, date) if rest[0].kind == "DATE" else self._window(rest[0])
                    options = replace(options, until=until)
                case "note":
                    options = replace(options, note=_expect(rest[0].value, str))
                case mode:
                    options = replace(options, mode=Mode(mode))
        return options

    # --- checks ---

    def _count(self, branch: Branch) -> None:
        self.comparisons += 1
        if self.comparisons > ATOMS:
            reason = Phrase("A rule holds at most {count} comparisons.", {"count": ATOMS})
            raise self._error(_first(branch), reason)

    def _refuse_pulse(self, branch: Branch, reason: Phrase) -> None:
        for crossing in _all_branches(branch):
            if crossing.data == "crossed":
                value, level = (str(_leaves(end)[-1].text) for end in _branches(crossing))
                raise self._error(_leaves(crossing)[0], reason, show(f"{value} > {level} for 4h"))

    def _error(self, token: Token, reason: Phrase, hint: Phrase | None = None) -> RuleError:
        return RuleError(self.text, token.at, reason, hint)


def _branches(branch: Branch) -> list[Branch]:
    return [child for child in branch.children if not isinstance(child, str)]


def _leaves(branch: Branch) -> list[Token]:
    return [child.value for child in branch.children if isinstance(child, str)]


def _first(branch: Branch) -> Token:
    while True:
        child = branch.children[0]
        if isinstance(child, str):
            token: Token = child.value
            return token
        branch = child


def _all_branches(branch: Branch) -> Iterator[Branch]:
    """Walk a branch without recursion, for brackets may be nested as deep as the line is long."""
    waiting = [branch]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += reversed(_branches(current))


def _expect(value: object, kind: type[T]) -> T:
    """Tell the type checker what the grammar made sure of."""
    if isinstance(value, kind):
        return value
    raise TypeError(value)
