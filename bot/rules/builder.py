"""From the parsed line to the tree, with the checks that need a place to point at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TypeVar

from bot.rules.checks import Side, check_comparison, check_level, has_sessions_alone, has_zero_level
from bot.rules.errors import RuleError, show, suggest
from bot.rules.grammar import Branch, branches, first, leaves, typed, walk
from bot.rules.parts import is_moving
from bot.rules.phrases import Phrase, Quantity, to_say
from bot.rules.scanner import Token, number_of
from bot.rules.terms import Terms
from bot.rules.tree import (
    And,
    AtLeast,
    Call,
    Compare,
    Condition,
    Crosses,
    Every,
    Held,
    Instrument,
    Mode,
    Moves,
    Not,
    Number,
    Options,
    Or,
    Percent,
    Rule,
    Sessions,
    Value,
    Way,
    Zone,
    is_interval,
)
from bot.rules.tree import Side as CrossingSide
from bot.rules.units import unit_of
from bot.rules.windows import is_ratio, refusal_of
from bot.rules.words import COMPARISONS

ATOMS = 64
"""How many comparisons a rule may hold."""

MOST_SESSIONS = 260
"""How many sessions may be counted: those of a year."""

T = TypeVar("T")

_WAYS: dict[str, Way] = {"UP": "up", "DOWN": "down"}
_SIDES: dict[str, CrossingSide] = {"ABOVE": "above", "BELOW": "below"}
_PULSES = {
    "crossed": to_say("Crossing a level is one moment"),
    "entered": to_say("Entering or leaving a zone is one moment"),
    "stepped": to_say("A step is one moment"),
}


def build(text: str, branch: Branch) -> tuple[Rule, bool]:
    """Build the rule that a line says, and say whether a word in it was read as another.

    Raises RuleError at the place of what has no meaning.
    """
    builder = _Builder(text, branch)
    return builder.rule(branch), builder.is_reread


class _Builder:
    """The running counts of one rule."""

    def __init__(self, text: str, branch: Branch) -> None:
        self.text = text
        self.terms = Terms(text, branch)
        self.comparisons = 0
        self.is_reread = False

    def rule(self, branch: Branch) -> Rule:
        condition, *options = branches(branch)
        built = self._condition(condition, 0)
        self.terms.check_subject()
        return Rule(built, self._options(options, built))

    # --- conditions ---

    def _condition(self, branch: Branch, depth: int) -> Condition:
        while branch.data == "bracketed":
            branch = branches(branch)[0]
        self.terms.check_depth(branch, depth)
        parts, tokens = branches(branch), leaves(branch)
        match branch.data:
            case "any":
                return Or(tuple(self._condition(part, depth + 1) for part in parts))
            case "all":
                return And(tuple(self._condition(part, depth + 1) for part in parts))
            case "negated":
                self._refuse_pulse(parts[0], to_say("{pulse}: there is no opposite of it."))
                return Not(self._condition(parts[0], depth + 1))
            case "held":
                self._refuse_pulse(parts[0], to_say("{pulse}: it cannot last."))
                return self._held(self._condition(parts[0], depth + 1), tokens[1:])
            case "counted":
                return self._counted(tokens[0], tuple(self._condition(part, depth + 1) for part in parts))
        self._count(branch)
        sides = [Side(self.terms.value(part, depth), part) for part in parts]
        match branch.data:
            case "compared":
                return self._comparison(sides[0], tokens[0], sides[1])
            case "chained":
                return self._interval(sides, tokens)
            case "crossed":
                return self._crossing(sides, tokens)
            case "entered":
                return self._zone(sides, tokens[0])
            case "moved":
                return self._move(sides[0], tokens)
            case _:
                return self._steps(sides[0], tokens)

    def _held(self, condition: Condition, tokens: Sequence[Token]) -> Held:
        is_of_sessions = has_sessions_alone(condition)
        if len(tokens) == 2:
            count = _expect(tokens[0].value, Decimal)
            if not is_of_sessions:
                reason = Phrase("Only a metric with sessions is counted in sessions.")
                raise self._error(tokens[1], reason, show("etf_flow(btc) > 0 for 3 sessions"))
        else:
            duration = self.terms.window(tokens[0])
            if not is_of_sessions or duration.unit != "d":
                return Held(condition, duration)
            self.is_reread = True
            count = Decimal(duration.count)
        if count % 1 or not 1 <= count <= MOST_SESSIONS:
            reason = Phrase(
                "A count of sessions is from {least} to {most}.", {"least": 1, "most": MOST_SESSIONS}
            )
            raise self._error(tokens[0], reason)
        return Held(condition, Sessions(int(count)))

    def _counted(self, token: Token, parts: tuple[Condition, ...]) -> AtLeast:
        count = _expect(token.value, Decimal)
        if count % 1 or not 1 <= count <= len(parts):
            reason = Phrase("These are {count} conditions.", {"count": len(parts)})
            raise self._error(token, reason, show("2 of (btc < 100k, eth < 3k, sol < 100)"))
        return AtLeast(int(count), parts)

    def _comparison(self, left: Side, sign: Token, right: Side) -> Compare:
        check_comparison(self.text, left, right)
        return Compare(left.value, COMPARISONS[sign.text], right.value)

    def _interval(self, sides: Sequence[Side], signs: Sequence[Token]) -> Condition:
        one = self._comparison(sides[0], signs[0], sides[1])
        other = self._comparison(sides[1], signs[1], sides[2])
        if one.op[0] != other.op[0]:
            reason = Phrase("Both signs must point the same way.")
            raise self._error(signs[1], reason, show("98k < btc < 105k"))
        if _are_numbers(one.left, other.right) and not is_interval(one, other):
            turned = f"{other.right} {one.op} {one.right} {other.op} {one.left}"
            reason = Phrase("There is nothing between these two numbers.")
            raise self._error(first(sides[0].branch), reason, suggest(turned))
        return And((one, other))

    def _crossing(self, sides: Sequence[Side], tokens: Sequence[Token]) -> Crosses:
        value, level = sides
        self._check_moving(value, "btc crosses 100k")
        check_level(self.text, value, level)
        side = _SIDES[tokens[1].kind] if len(tokens) > 1 else ""
        return Crosses(value.value, side, level.value)

    def _zone(self, sides: Sequence[Side], verb: Token) -> Zone:
        value, low, high = sides
        self._check_moving(value, "btc enters 98k .. 105k")
        for end in (low, high):
            check_level(self.text, value, end)
        match low.value, high.value:
            case (Number(value=one), Number(value=other)) | (Percent(value=one), Percent(value=other)) if (
                one >= other
            ):
                turned = Zone(value.value, "enters", high.value, low.value)
                reason = Phrase("There is nothing between these two numbers.")
                raise self._error(first(low.branch), reason, suggest(str(turned)))
        return Zone(value.value, "enters" if verb.kind == "ENTERS" else "leaves", low.value, high.value)

    def _move(self, subject: Side, tokens: Sequence[Token]) -> Moves:
        self._check_moving(subject, "btc crosses 100k")
        percent = next(token for token in tokens if token.kind == "PERCENT")
        way = _WAYS.get(tokens[1].kind, "")
        moves = Moves(subject.value, way, self._share(subject, percent, way), self.terms.window(tokens[-1]))
        if not isinstance(subject.value, Instrument) and not is_ratio(subject.value):
            reason = Phrase("Only a price, or one price divided by another, is watched for moves.")
            raise self._error(first(subject.branch), reason, _as_change(moves))
        return moves

    def _steps(self, subject: Side, tokens: Sequence[Token]) -> Every:
        self._check_moving(subject, "btc every 1000")
        step, way = tokens[1], _WAYS.get(tokens[-1].kind, "")
        if step.kind == "PERCENT":
            return Every(subject.value, Percent(self._share(subject, step, way)), way)
        size = _number(step)
        if size <= 0:
            raise self._error(step, Phrase("A step must be more than 0."), show("btc every 1000"))
        return Every(subject.value, Number(size), way)

    def _share(self, subject: Side, percent: Token, way: Way) -> Decimal:
        share = _expect(percent.value, Decimal)
        if share <= 0:
            raise self._error(percent, Phrase("A move must be more than 0%."), show("btc moves 5% in 1h"))
        if way == "down" and share >= 100:
            said = {"percent": Quantity(share, "percent")}
            raise self._error(percent, Phrase("A price cannot fall by {percent}.", {**said}))
        if not isinstance(subject.value, Instrument) and unit_of(subject.value).name in {"percent", "index"}:
            reason = Phrase("A share of what is in percent or an index says little: compare its difference.")
            raise self._error(percent, reason, show(f"delta({subject.value}, 1d) > 5"))
        return share

    # --- options ---

    def _options(self, found: Sequence[Branch], condition: Condition) -> Options:
        options, given = Options(), set[str]()
        for branch in found:
            word, *rest = leaves(branch)
            if {word.text, *given} >= {Mode.ONCE, Mode.REPEAT}:
                reason = Phrase('"once" and "repeat" exclude each other.')
                raise self._error(word, reason, Phrase("Leave one of them out."))
            if word.text in given:
                raise self._error(word, Phrase('"{word}" stands here twice.', {"word": word.text}))
            given.add(word.text)
            match word.text:
                case "cooldown":
                    options = replace(options, cooldown=self.terms.window(rest[0], shortest=0))
                case "rearm":
                    options = replace(options, rearm=self._distance(rest[0], condition))
                case "remind":
                    options = replace(options, remind=self.terms.window(rest[0]))
                case "until":
                    is_date = rest[0].kind == "DATE"
                    until = _expect(rest[0].value, date) if is_date else self.terms.window(rest[0])
                    options = replace(options, until=until)
                case "resolve":
                    options = replace(options, resolve=True)
                case "urgent":
                    options = replace(options, urgent=True)
                case "provisional":
                    options = replace(options, provisional=True)
                case "note":
                    options = replace(options, note=_expect(rest[0].value, str))
                case mode:
                    options = replace(options, mode=Mode(mode))
        return options

    def _distance(self, token: Token, condition: Condition) -> Number | Percent:
        distance = _number(token)
        if token.kind == "PERCENT" and has_zero_level(condition):
            reason = Phrase("A share of zero is nothing: the distance from it is a number.")
            raise self._error(token, reason, show("etf_flow(btc) crosses above 0 rearm 50m"))
        if distance <= 0:
            raise self._error(token, Phrase("A distance must be more than 0."), show("rearm 0.5%"))
        return Percent(distance) if token.kind == "PERCENT" else Number(distance)

    # --- checks ---

    def _check_moving(self, side: Side, example: str) -> None:
        if not is_moving(side.value):
            raise self._error(first(side.branch), Phrase("An instrument must stand here."), show(example))

    def _count(self, branch: Branch) -> None:
        self.comparisons += 1
        if self.comparisons > ATOMS:
            reason = Phrase("A rule holds at most {count} comparisons.", {"count": ATOMS})
            raise self._error(first(branch), reason)

    def _refuse_pulse(self, branch: Branch, template: str) -> None:
        for found in walk(branch):
            if found.data in _PULSES:
                value, *levels = (typed(part) for part in branches(found))
                match levels:
                    case [level]:
                        hint = f"{value} > {level} for 4h"
                    case [low, high]:
                        hint = f"{low} < {value} < {high} for 4h"
                    case _:
                        hint = f"{value} moves down 2% in 1h"
                reason = Phrase(template, {"pulse": Phrase(_PULSES[found.data])})
                raise self._error(leaves(found)[0], reason, show(hint))

    def _error(self, token: Token, reason: Phrase, hint: Phrase | None = None) -> RuleError:
        return self.terms.error(token, reason, hint)


def _as_change(moves: Moves) -> Phrase:
    """Suggest a comparison of the change over the window, where that can be watched."""
    change = Call("change", (moves.value, moves.window))
    if refusal := refusal_of(change):
        return refusal.hint
    match moves.way:
        case "up":
            return suggest(f"{change} > {Percent(moves.percent)}")
        case "down":
            return suggest(f"{change} < {Percent(-moves.percent)}")
    return suggest(f"abs({change}) > {Percent(moves.percent)}")


def _are_numbers(*values: Value) -> bool:
    kinds = {type(value) for value in values}
    return len(kinds) == 1 and kinds <= {Number, Percent}


def _number(token: Token) -> Decimal:
    number = number_of(token)
    return _expect(token.value, Decimal) if number is None else number


def _expect(value: object, kind: type[T]) -> T:
    """Tell the type checker what the grammar made sure of."""
    if isinstance(value, kind):
        return value
    raise TypeError(value)
