"""From the parsed line to values: numbers, names, arithmetic, and functions with their arguments."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import NoReturn, TypeVar

from bot.rules.errors import RuleError, show, suggest
from bot.rules.functions import (
    FUNCTIONS,
    LARGEST_MULTIPLIER,
    LONGEST_LENGTH,
    SHORTEST_LENGTH,
    TIMEFRAMES,
    Function,
    Parameter,
)
from bot.rules.grammar import Branch, branches, first, leaves, typed, walk
from bot.rules.parts import is_moving
from bot.rules.phrases import Phrase, Quantity, to_say
from bot.rules.scanner import Token, number_of
from bot.rules.units import Clash, kind_of, unit_of
from bot.rules.values import (
    Argument,
    Arithmetic,
    Call,
    Duration,
    Instrument,
    LevelRef,
    Negative,
    Number,
    Percent,
    Sign,
    Value,
    Word,
)
from bot.rules.windows import refusal_of

DEPTH, INPUTS = 20, 20
"""How deep a rule may be nested, and how many instruments and metrics it may read."""

LONGEST = Duration(400, "d")
"""The longest window."""

T = TypeVar("T")

_SIGNS: dict[str, Sign] = {"PLUS": "+", "MINUS": "-", "STAR": "*", "SLASH": "/"}
_DURATIONS = frozenset(["DURATION", "MINUTES", "MONTHS"])
_FITTING = {
    "instrument": frozenset(["NAME"]),
    "count": frozenset(["NUMBER"]),
    "multiplier": frozenset(["NUMBER"]),
    "timeframe": _DURATIONS,
    "window": _DURATIONS,
    "span": _DURATIONS | {"ALL"},
    "coin": frozenset(["NAME", "ALL"]),
    "name": frozenset(["NAME"]),
}
_UNMOVING = _DURATIONS | {"NUMBER", "PERCENT", "ALL", "LEVEL"}
_ASKED = {
    "timeframe": to_say("{function} on which candles?"),
    "count": to_say("{function} of how many candles?"),
    "window": to_say("{function} over what time?"),
    "span": to_say("{function} over what time?"),
}


class Terms:
    """The values of one rule; ``subject`` is the instrument that a leading ``btc:`` names."""

    def __init__(self, text: str, rule: Branch) -> None:
        self.text = text
        self.root = rule
        head = leaves(rule)
        self.subject = _expect(head[0].value, Instrument) if head else None
        self.is_subject_used = False
        self.inputs: set[Instrument | Call] = set()

    def value(self, branch: Branch, depth: int) -> Value:
        """Build a value. Raises RuleError at the place of what has no meaning."""
        branch = ungrouped(branch)
        self.check_depth(branch, depth)
        match branch.data:
            case "literal":
                return self._literal(leaves(branch)[0])
            case "negative":
                return _negated(self.value(branches(branch)[0], depth + 1))
            case "joined":
                return self._joined(branch, depth)
            case _:
                return self._call(branch, depth)

    def check_subject(self) -> None:
        """Refuse a leading ``btc:`` that nothing in the rule is about."""
        head = leaves(self.root)
        if head and not self.is_subject_used and self.subject not in self.inputs:
            reason = Phrase("Nothing in this rule is about {name}.", {"name": head[0].text.upper()})
            raise self.error(head[0], reason, show(f"{head[0].text}: rsi(14, 4h) < 30"))

    def window(self, token: Token, shortest: int = 1) -> Duration:
        """Read a duration that is neither nothing nor too long."""
        if token.kind == "MONTHS":
            count = int(min(_expect(token.value, Decimal), Decimal(13)))
            reason = Phrase('"{word}" is no duration: M is a million.', {"word": token.text.upper()})
            raise self.error(token, reason, suggest(f"{min(30 * max(count, 1), 360)}d"))
        if isinstance(token.value, Duration):
            duration = token.value
        else:
            duration = Duration(int(min(_expect(token.value, Decimal), Decimal(10**9))), "m")
        if duration.count < shortest:
            raise self.error(token, Phrase("A duration must be longer than nothing."), show("4h"))
        if duration.seconds > LONGEST.seconds:
            raise self.error(token, Phrase("A duration is at most {count} days.", {"count": LONGEST.count}))
        return duration

    def check_depth(self, branch: Branch, depth: int) -> None:
        """Refuse what is nested too deep."""
        if depth > DEPTH:
            reason = Phrase("The rule is nested more than {count} deep.", {"count": DEPTH})
            raise self.error(first(branch), reason)

    def error(self, token: Token, reason: Phrase, hint: Phrase | None = None) -> RuleError:
        """Make an error at the place of a token."""
        return RuleError(self.text, token.at, reason, hint)

    # --- numbers, names, arithmetic ---

    def _literal(self, token: Token) -> Value:
        match token.kind, token.value:
            case "NAME", Instrument() as instrument:
                return self._read(instrument, token)
            case "LEVEL", str() as name:
                return LevelRef(name)
            case "PERCENT", Decimal() as value:
                return Percent(value)
        if (number := number_of(token)) is not None:
            return Number(number)
        raise self.error(
            token, Phrase('"{word}" does not fit here.', {"word": token.text}), show("rsi(btc, 14, 4h) < 30")
        )

    def _joined(self, branch: Branch, depth: int) -> Value:
        left, right = branches(branch)
        operator = leaves(branch)[0]
        value = Arithmetic(self.value(left, depth + 1), _SIGNS[operator.kind], self.value(right, depth + 1))
        if value.op == "/" and isinstance(value.right, Number) and not value.right.value:
            raise self.error(first(right), Phrase("Nothing can be divided by zero."))
        try:
            unit_of(value)
        except Clash:
            self._refuse_joining(value, operator)
        return value

    def _refuse_joining(self, value: Arithmetic, operator: Token) -> NoReturn:
        hint = None
        match value:
            case Arithmetic(op="+" | "-" as op, left=left, right=Percent(value=share)):
                factor = Number(1 + (share if op == "+" else -share) / 100)
                hint = suggest(str(Arithmetic(factor, "*", left)))
            case Arithmetic(op="*", left=Percent(value=share), right=other):
                hint = suggest(str(Arithmetic(Number(share / 100), "*", other)))
            case Arithmetic(op="*" | "/" as op, left=other, right=Percent(value=share)):
                hint = suggest(str(Arithmetic(other, op, Number(share / 100))))
        reason = Phrase('"{sign}" cannot join {left} and {right}.', _kinds(value))
        raise self.error(operator, reason, hint)

    def _read(self, thing: T, token: Token) -> T:
        if isinstance(thing, Instrument | Call):
            self.inputs.add(thing)
        if len(self.inputs) > INPUTS:
            reason = Phrase("A rule reads at most {count} prices and metrics.", {"count": INPUTS})
            raise self.error(token, reason)
        return thing

    # --- functions ---

    def _call(self, branch: Branch, depth: int) -> Value:
        token, *_, end = leaves(branch)
        function = _function_of(branch)
        if function is None:
            like = difflib.get_close_matches(token.text, FUNCTIONS, n=1, cutoff=0.6)
            hint = suggest(like[0]) if like else show("rsi(btc, 14, 4h) < 30")
            raise self.error(token, Phrase("There is no function {name}.", {"name": token.text}), hint)
        given = deque(branches(branch))
        arguments: list[Argument] = []
        places: list[Token] = []
        for parameter in function.parameters:
            places.append(first(given[0]) if given else token)
            if given and _fits(given[0], parameter):
                arguments.append(self._argument(given.popleft(), parameter, function, depth + 1))
            elif (filled := self._filled(parameter, token)) is not None:
                arguments.append(filled)
            elif not parameter.is_optional:
                place = first(given[0]) if given else end
                raise self.error(place, _question(parameter, function), show(function.example))
        if given:
            place = first(given[0])
            reason = Phrase('"{word}" does not fit here.', {"word": typed(given[0])})
            raise self.error(place, reason, show(function.example))
        match function.name, arguments:
            case "price", [Instrument() as instrument]:
                return instrument
            case "corr" | "spread", [one, other, *_] if one == other:
                raise self.error(token, Phrase("Both sides are the same."), show(function.example))
        call = Call(function.name, tuple(arguments))
        if refusal := refusal_of(call):
            raise self.error(places[refusal.argument], refusal.reason, refusal.hint)
        return self._read(call, token) if function.is_metric else call

    def _filled(self, parameter: Parameter, token: Token) -> Argument | None:
        """Give what stands for an argument that is left out, or ``None``."""
        if parameter.kind in {"instrument", "value", "coin"}:
            if self.subject is None:
                self.subject = next(_subjects(self.root), None)
            if self.subject is not None:
                self.is_subject_used = True
                if parameter.kind == "coin":
                    return self._bare(Instrument(self.subject.base), token, None)
                return self._read(self.subject, token)
        return parameter.default

    def _argument(self, branch: Branch, parameter: Parameter, function: Function, depth: int) -> Argument:
        branch = ungrouped(branch)
        token = first(branch)
        match parameter.kind:
            case "value" | "sessions":
                value = self.value(branch, depth)
                needs_sessions = parameter.kind == "sessions"
                if needs_sessions and not (
                    isinstance(value, Call) and FUNCTIONS[value.function].has_sessions
                ):
                    reason = Phrase("Only a metric with sessions has a streak.")
                    raise self.error(token, reason, show(function.example))
                if not is_moving(value):
                    raise self.error(token, Phrase("Nothing here moves."), show(function.example))
                return value
            case "timeframe":
                return self._timeframe(token)
            case "window" | "span":
                return Word("all") if token.kind == "ALL" else self.window(token)
            case "count":
                return self._count(token, function)
            case "multiplier":
                factor = _expect(token.value, Decimal)
                if not 0 < factor <= LARGEST_MULTIPLIER:
                    reason = Phrase(
                        "A band is at most {count} deviations away.", {"count": LARGEST_MULTIPLIER}
                    )
                    raise self.error(token, reason, show(function.example))
                return Number(factor)
            case "instrument":
                return self._read(_expect(token.value, Instrument), token)
        return self._word(token, function)

    def _timeframe(self, token: Token) -> Duration:
        if token.kind == "MONTHS":
            reason = Phrase('"{word}" is no duration: M is a million.', {"word": token.text.upper()})
            hint = Phrase(
                "The longest candle is {candle}; a window may be {window}.", {"candle": "1w", "window": "30d"}
            )
            raise self.error(token, reason, hint)
        duration = self.window(token)
        for known in TIMEFRAMES:
            if known.seconds == duration.seconds:
                return known
        nearest = min(TIMEFRAMES, key=lambda known: abs(known.seconds - duration.seconds))
        reason = Phrase("There are no candles of {duration}.", {"duration": str(duration)})
        raise self.error(token, reason, suggest(str(nearest)))

    def _count(self, token: Token, function: Function) -> Number:
        count = _expect(token.value, Decimal)
        if count % 1 or not SHORTEST_LENGTH <= count <= LONGEST_LENGTH:
            arguments: dict[str, int] = {"least": SHORTEST_LENGTH, "most": LONGEST_LENGTH}
            reason = Phrase("The number of candles is a whole one from {least} to {most}.", {**arguments})
            raise self.error(token, reason, show(function.example))
        return Number(count)

    def _word(self, token: Token, function: Function) -> Word:
        if token.kind == "ALL":
            return Word("all")
        return self._bare(_expect(token.value, Instrument), token, show(function.example))

    def _bare(self, name: Instrument, token: Token, hint: Phrase | None) -> Word:
        """Take an instrument for a name alone."""
        if str(name) != name.base or "." in name.base:
            reason = Phrase('"{word}" must be a bare name here.', {"word": str(name)})
            raise self.error(token, reason, hint)
        return Word(name.base.removeprefix("$"))


def ungrouped(branch: Branch) -> Branch:
    """Take the brackets off a value."""
    while branch.data == "grouped":
        branch = branches(branch)[0]
    return branch


def _subjects(rule: Branch) -> Iterator[Instrument]:
    """Name what a rule may be about: its instruments in the order of the text, then its coins."""
    coins: list[Instrument] = []

    def is_entered(branch: Branch) -> bool:
        function = _function_of(branch) if branch.data == "call" else None
        words = {parameter.kind for parameter in function.parameters} & {"coin", "name"} if function else {}
        if "coin" in words:
            coins.extend(_names(branches(branch)[:1]))
        return not words

    yield from _names(walk(rule, is_entered))
    yield from coins


def _names(found: Iterator[Branch] | list[Branch]) -> Iterator[Instrument]:
    for branch in found:
        if branch.data == "literal" and isinstance(name := leaves(branch)[0].value, Instrument):
            yield name


def _function_of(branch: Branch) -> Function | None:
    name = leaves(branch)[0].value
    return FUNCTIONS.get(str(name)) if isinstance(name, Instrument) else None


def _fits(branch: Branch, parameter: Parameter) -> bool:
    branch = ungrouped(branch)
    token = leaves(branch)[0] if branch.data == "literal" else None
    if parameter.kind in {"value", "sessions"}:
        return token is None or token.kind not in _UNMOVING
    if token is None:
        return False
    if parameter.kind == "side":
        return token.text in {"long", "short"}
    if parameter.kind == "coin" and token.kind == "ALL":
        return parameter.default is not None
    return token.kind in _FITTING[parameter.kind]


def _question(parameter: Parameter, function: Function) -> Phrase:
    return Phrase(_ASKED.get(parameter.kind, to_say("{function} of what?")), {"function": function.name})


def _kinds(value: Arithmetic) -> dict[str, Phrase | Quantity | str | int]:
    sides = {"left": value.left, "right": value.right}
    return {"sign": value.op, **{name: kind_of(side, unit_of(side)) for name, side in sides.items()}}


def _negated(value: Value) -> Value:
    match value:
        case Number(value=number):
            return Number(-number)
        case Percent(value=number):
            return Percent(-number)
    return Negative(value)


def _expect(value: object, kind: type[T]) -> T:
    """Tell the type checker what the grammar made sure of."""
    if isinstance(value, kind):
        return value
    raise TypeError(value)
