"""The operator's own values, as programs of theirs push them: ``POST /observations/NAME``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

from bot.engine.sessions import DAY
from bot.feeds.metrics.figures import number_of
from bot.feeds.metrics.files import read_time
from bot.feeds.metrics.metric_feed import sift
from bot.feeds.metrics.provider import Look, Offer, Plug
from bot.feeds.metrics.providers.files import key_of_name
from bot.metrics import Observation, Want
from bot.ports import TocsinError

NAME = "push"
TOKEN = "TOCSIN_PUSH_TOKEN"  # noqa: S105 - the name of a variable

_MOST = 1000
_SHAPE = '{"value": 41000, "as_of": "2025-11-20", "final": true}'


class BadPush(TocsinError):
    """What was pushed cannot be used; the text is one sentence that says why."""


class Pushed:
    """What is pushed comes by itself: there is nothing to ask."""

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Find nothing."""
        return Look(now + DAY)


def read_push(name: str, body: str, now: float) -> list[Observation]:
    """Read what was pushed under a name: one value, or a list of them, as JSON.

    ``name`` is a metric as rules name it, or the plain name of an operator's own. A value has ``value``, and
    may have ``as_of`` (else it is of now), ``final`` (else it is) and ``pending``. Raises BadPush.
    """
    key = key_of_name(name)
    if key is None:
        raise BadPush("That is no name of a metric: write one like whale_btc or etf_flow(btc).")
    try:
        said = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise BadPush(f"The body is no JSON: send something like {_SHAPE}.") from None
    rows = said if isinstance(said, list) else [said]
    if not 1 <= len(rows) <= _MOST:
        raise BadPush(f"The body holds {len(rows)} values: send 1 to {_MOST} at once.")
    words = []
    for place, row in enumerate(rows, 1):
        where = f"Value {place}: " if len(rows) > 1 else ""
        match row:
            case {"value": raw}:
                others: dict[str, object] = {name: one for name, one in row.items() if name != "value"}
            case _:
                raise BadPush(f"{where}there is no value: send something like {_SHAPE}.")
        if unknown := sorted(others.keys() - {"as_of", "final", "pending"}):
            raise BadPush(f"{where}there is no field {unknown[0][:40]}: send something like {_SHAPE}.")
        value, as_of = number_of(raw), read_time(str(others.get("as_of", int(now))))
        if value is None:
            raise BadPush(f"{where}value is no number.")
        if as_of is None:
            raise BadPush(f"{where}as_of is no time: write 2025-11-20, 2025-11-20T14:00Z or an epoch.")
        final, pending = others.get("final", True), others.get("pending", [])
        if not isinstance(final, bool):
            raise BadPush(f"{where}final is neither true nor false.")
        if not isinstance(pending, list) or not all(
            isinstance(one, str) and len(one) <= 40 for one in pending
        ):
            raise BadPush(f"{where}pending is no list of short names.")
        words.append(
            Observation(key, int(as_of), value, now, final, source=NAME, pending=tuple(pending[:40]))
        )
    good, bad = sift(words, {key: 0}, now)
    if bad:
        raise BadPush(f"That cannot be true: {bad[key]}.")
    return list(good)


PLUG = Plug(
    NAME,
    (Offer("metric", (), example="whale_btc", note="pushed by the operator"),),
    lambda means: Pushed(),
    TOKEN,
)
