"""What a window looks back over: prices, closed candles or one metric; and why it cannot over anything else.

Prices are read at closes of minutes, hours or days, as the window's length asks; what is made of closed
candles at the closes of the shortest of them; a metric at its values.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from bot.rules.errors import show, suggest
from bot.rules.functions import FUNCTIONS, TIMEFRAMES
from bot.rules.parts import values_within
from bot.rules.phrases import Phrase
from bot.rules.units import is_bare_macro
from bot.rules.values import Argument, Arithmetic, Call, Duration, Instrument, Negative, Value, Word

Ground = Literal["prices", "candles", "metric"]
"""What the past of a value is read from."""

MOST_CANDLES = 10_000
"""How many candles a window may hold, those of windows within it included."""

SHORTEST_CORRELATION = 3
"""Of how many days a correlation is at least: of fewer returns every two series have one."""

_DAY = Duration(1, "d")

FIELDS = frozenset(name for name, one in FUNCTIONS.items() if one.group == "price" and one.is_of_candles)
"""The functions that give a field of the last closed candle."""


class Refusal(NamedTuple):
    """Why a call cannot be watched: which of its arguments is at fault, the reason, and what to do."""

    argument: int
    reason: Phrase
    hint: Phrase


def ground_of(value: Value) -> Ground | None:
    """Say what the past of a value is read from; ``None`` where a window cannot look back over it."""
    if is_metric(value):
        return "metric"
    match [*_paces(value)]:
        case ["prices"]:
            return "prices"
        case ["candles"]:
            return "candles"
    return None


def frames_in(value: Value) -> frozenset[tuple[Instrument, Duration]]:
    """Name the candles that a value is made of, with their length."""
    calls = (part for part in values_within(value) if isinstance(part, Call) and _is_of_candles(part))
    return frozenset(
        (call.arguments[0], call.arguments[-1])
        for call in calls
        if isinstance(call.arguments[0], Instrument) and isinstance(call.arguments[-1], Duration)
    )


def step_of(value: Value) -> Duration:
    """Give the length of the shortest candles that a value is made of. Raises ValueError if of none."""
    return min((frame for _, frame in frames_in(value)), key=lambda frame: frame.seconds)


def is_ratio(value: Value) -> bool:
    """Whether a value is one price divided by another: always above zero, and a price of its kind."""
    match value:
        case Arithmetic(left=Instrument() as one, op="/", right=Instrument() as other):
            return not (is_bare_macro(one) or is_bare_macro(other))
    return False


def refusal_of(call: Call) -> Refusal | None:
    """Say why a call cannot be watched, if it cannot."""
    function = FUNCTIONS[call.function]
    kinds = [parameter.kind for parameter in function.parameters]
    match call.arguments:
        case (Instrument() as instrument, *_) if is_bare_macro(instrument) and _reads_candles(call):
            return _without_candles(call, instrument)
        case (value, other, Duration() as window) if call.function == "corr":
            return _of_correlation(call, value, other, window)
        case (value, Duration() | Word() as window) if kinds[-1] in {"window", "span"}:
            if isinstance(value, Word | Duration):
                return None
            return _of_window(call, value, window)
    return None


def _of_correlation(call: Call, one: Argument, other: Argument, window: Duration) -> Refusal | None:
    example = show(FUNCTIONS["corr"].example)
    for place, value in enumerate((one, other)):
        if not isinstance(value, Word | Duration) and ground_of(value) not in {"prices", "metric"}:
            reason = Phrase("A correlation is of prices or of metrics, at their daily closes.")
            return Refusal(place, reason, example)
    if window.seconds < SHORTEST_CORRELATION * _DAY.seconds:
        return Refusal(2, Phrase("A correlation is over at least {count} days.", {"count": 3}), example)
    return None


def _of_window(call: Call, value: Value, window: Duration | Word) -> Refusal | None:
    match ground_of(value):
        case None:
            reason = Phrase("A window is over prices, over closed candles or over one metric.")
            return Refusal(0, reason, _closing(call, value, window))
        case "prices" if window == Word("all") and not isinstance(value, Instrument):
            reason = Phrase("Only a price by itself is looked back on over all time.")
            return Refusal(1, reason, suggest(str(Call(call.function, (value, Duration(400, "d"))))))
        case "candles":
            return _of_candles(call, value, window)
        case "metric" if call.function == "zscore" and isinstance(window, Duration) and _has_sessions(value):
            if window.seconds < 2 * _DAY.seconds:
                return _too_short(call, value, _DAY, 2)
    return None


def _of_candles(call: Call, value: Value, window: Duration | Word) -> Refusal | None:
    step = step_of(value)
    if isinstance(window, Word):
        if step.seconds >= _DAY.seconds and isinstance(value, Call) and value.function in FIELDS:
            return None
        reason = Phrase("Over all time only a field of daily or weekly candles is looked back on.")
        return Refusal(1, reason, show(f"{call.function}(close(btc, 1d), all)"))
    least = 2 if call.function == "zscore" else 1
    if window.seconds < least * step.seconds:
        return _too_short(call, value, step, least)
    if _reach(call) > MOST_CANDLES * step.seconds:
        reason = Phrase("A window holds at most {count} candles.", {"count": MOST_CANDLES})
        return Refusal(1, reason, show(f"{call.function}(close(btc, 1d), 400d)"))
    return None


def _too_short(call: Call, value: Value, step: Duration, least: int) -> Refusal:
    whole = Duration(step.count * least, step.unit)
    said = {"function": call.function, "window": str(whole)}
    reason = Phrase("{function} needs a window of at least {window} here.", {**said})
    return Refusal(1, reason, suggest(str(Call(call.function, (value, whole)))))


def _without_candles(call: Call, instrument: Instrument) -> Refusal | None:
    """Refuse candles of what is known by the closes of its sessions alone: indices and stocks."""
    frame = call.arguments[-1]
    if FUNCTIONS[call.function].is_of_closes and frame == _DAY:
        return None
    reason = Phrase("Of {name} only the close of each session is known.", {"name": instrument.base.upper()})
    if FUNCTIONS[call.function].is_of_closes:
        hint = suggest(str(Call(call.function, (*call.arguments[:-1], _DAY))))
        return Refusal(len(call.arguments) - 1, reason, hint)
    return Refusal(0, reason, show(f"sma({instrument}, 200, 1d)"))


def _closing(call: Call, value: Value, window: Duration | Word) -> Phrase:
    """Suggest the same over closed candles, where that can be watched."""
    frames = [frame for _, frame in frames_in(value)]
    spans = [
        part for inner in values_within(value) if isinstance(inner, Call) for part in inner.arguments[1:]
    ]
    longest = min((part.seconds for part in [*spans, window] if isinstance(part, Duration)), default=0)
    fitting = frames or [frame for frame in TIMEFRAMES if frame.seconds <= min(longest, _DAY.seconds)]
    if fitting:
        frame = min(frames, key=lambda one: one.seconds) if frames else fitting[-1]
        closed = Call(call.function, (_closed(value, frame), window))
        inner = closed.arguments[0]
        if (
            not isinstance(inner, Word | Duration)
            and ground_of(inner) == "candles"
            and not refusal_of(closed)
        ):
            return suggest(str(closed))
    return show(FUNCTIONS[call.function].example)


def _closed(value: Value, frame: Duration) -> Value:
    """Put the closes of candles in the place of prices."""
    match value:
        case Instrument() if not is_bare_macro(value):
            return Call("close", (value, frame))
        case Arithmetic(left=left, op=op, right=right):
            return Arithmetic(_closed(left, frame), op, _closed(right, frame))
        case Negative(value=part):
            return Negative(_closed(part, frame))
        case Call(function=name, arguments=(first, *rest)) if FUNCTIONS[name].group == "movement":
            if not isinstance(first, Word | Duration):
                return Call(name, (_closed(first, frame), *rest))
    return value


def _paces(value: Value) -> frozenset[str]:
    """Say what a value changes with: prices, closes of candles, or anything else (``other``)."""
    match value:
        case Instrument():
            return frozenset(["other" if is_bare_macro(value) else "prices"])
        case Negative(value=part) | Call(function="abs", arguments=(part,)) if not isinstance(
            part, Word | Duration
        ):
            return _paces(part)
        case Arithmetic(left=left, right=right):
            return _paces(left) | _paces(right)
        case Call(function="spread", arguments=(Instrument() as one, Instrument() as other)):
            return _paces(one) | _paces(other)
        case Call() if _reads_candles(value):
            return frozenset(["candles" if _is_of_candles(value) else "other"])
        case Call(function=name, arguments=(inner, _)) if FUNCTIONS[
            name
        ].group == "movement" and not isinstance(inner, Word | Duration):
            return frozenset(["candles" if ground_of(inner) == "candles" else "other"])
        case Call():
            return frozenset(["other"])
    return frozenset()


def _reach(value: Value) -> int:
    """Give how many seconds back the windows of a value reach, one within the other."""
    match value:
        case Call(function=name, arguments=(inner, Duration() as window)) if FUNCTIONS[
            name
        ].group == "movement" and not isinstance(inner, Word | Duration):
            return window.seconds + _reach(inner)
        case Negative(value=part):
            return _reach(part)
        case Call(function="abs", arguments=(part,)) if not isinstance(part, Word | Duration):
            return _reach(part)
        case Arithmetic(left=left, right=right):
            return max(_reach(left), _reach(right))
    return 0


def _reads_candles(call: Call) -> bool:
    return FUNCTIONS[call.function].is_of_candles or call.function == "volume_24h"


def _is_of_candles(call: Call) -> bool:
    match call.arguments:
        case (Instrument() as instrument, *_, Duration()):
            return _reads_candles(call) and not is_bare_macro(instrument)
    return False


def is_metric(value: Value) -> bool:
    """Whether a value's figures come from a provider: a metric, or the closes of an index or a stock."""
    match value:
        case Instrument():
            return is_bare_macro(value)
        case Call(function=name):
            return FUNCTIONS[name].is_metric
    return False


def _has_sessions(value: Value) -> bool:
    return not isinstance(value, Call) or FUNCTIONS[value.function].has_sessions
