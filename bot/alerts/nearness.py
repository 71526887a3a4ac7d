"""How near an alert is to ringing, as far as prices tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bot.alerts.sentences import Threshold, thresholds
from bot.rules.tree import And, AtLeast, Compare, Condition, Crosses, Held, Instrument, Not, Number, Or, Zone

Prices = Mapping[Instrument, float]


def nearness(condition: Condition, prices: Prices) -> float | None:
    """Give by which fraction of itself a price must at least move before a condition can be true.

    0 where it is true, ``None`` where no price tells: one is not seen, or it is about something else.
    """
    match condition:
        case Held(condition=part):
            return nearness(part, prices)
        case Compare() | Crosses():
            return _of_threshold(next(thresholds(condition), None), prices)
        case Not(condition=Compare() as part):
            return _of_opposite(next(thresholds(part), None), prices)
        case Zone(value=Instrument() as instrument, way=way, low=Number() as low, high=Number() as high):
            price = prices.get(instrument)
            if price is None:
                return None
            is_inside = float(low.value) <= price <= float(high.value)
            ways = [abs(float(edge.value) / price - 1) for edge in (low, high)]
            return min(ways) if is_inside is (way == "leaves") else None
        case And(parts=parts):
            return max(_known(parts, prices), default=None)
        case Or(parts=parts):
            return min(_known(parts, prices), default=None)
        case AtLeast(count=count, parts=parts):
            known = sorted(_known(parts, prices))
            return known[count - 1] if len(known) >= count else None
        case _:
            return None


def _known(parts: tuple[Condition, ...], prices: Prices) -> list[float]:
    return [near for part in parts if (near := nearness(part, prices)) is not None]


def _of_threshold(one: Threshold | None, prices: Prices) -> float | None:
    if one is None or (price := prices.get(one.instrument)) is None:
        return None
    level = float(one.level)
    is_met = (one.op in (">", ">=") and price > level) or (one.op in ("<", "<=") and price < level)
    return 0.0 if is_met else abs(level / price - 1)


def _of_opposite(one: Threshold | None, prices: Prices) -> float | None:
    if one is None or (price := prices.get(one.instrument)) is None:
        return None
    level = float(one.level)
    is_met = (one.op in (">", ">=") and price <= level) or (one.op in ("<", "<=") and price >= level)
    return 0.0 if is_met else abs(level / price - 1)
