"""What a provider must not forget when the program starts again, in its own words of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import instant_of, number_of
from bot.feeds.metrics.finality import Days, Flow, Judged
from bot.ports import Notebook, StoreTrouble

MOST_DAYS = 15
"""How many days of flows are remembered: what is older needs no second read to be final."""


class Notes:
    """A provider's page of the notebook. Without a notebook nothing outlives the program."""

    def __init__(self, name: str, notebook: Notebook | None) -> None:
        self._name = name
        self._notebook = notebook

    async def read(self) -> Mapping[str, Any]:
        """Give what was written last, maybe by an older version; nothing where nothing was. Raises Fault."""
        if self._notebook is None:
            return {}
        try:
            return await self._notebook.page(self._name)
        except StoreTrouble:
            raise self._fault("read") from None

    async def write(self, page: Mapping[str, Any], now: float) -> None:
        """Write a page in place of the one before. Raises Fault."""
        if self._notebook is None:
            return
        try:
            await self._notebook.keep_page(self._name, page, now)
        except StoreTrouble:
            raise self._fault("written") from None

    def _fault(self, done: str) -> Fault:
        reason = f"what {self._name} was asked before cannot be {done}: the database is in trouble"
        return Fault(Trouble.PASSING, reason)


class Borrowed:
    """A notebook that is read and not written in: that is for who looks at the providers."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    async def page(self, source: str) -> Mapping[str, Any]:
        """Give what a provider wrote last; an empty page where it never did."""
        return await self._notebook.page(source)

    async def keep_page(self, source: str, page: Mapping[str, Any], now: float) -> None:
        """Leave a provider's page as it is."""


def written_days(days: Days) -> list[dict[str, Any]]:
    """Write the newest of some judged days."""
    return [
        {
            "as_of": as_of,
            "total": str(one.flow.total),
            "funds": {name: None if share is None else str(share) for name, share in one.flow.funds.items()},
            "is_in": one.flow.is_in,
            "since": one.since,
            "is_final": one.is_final,
            "pending": list(one.pending),
            "awaits_read": one.awaits_read,
        }
        for as_of, one in sorted(days.items())[-MOST_DAYS:]
    ]


def read_days(rows: object) -> dict[int, Judged]:
    """Read judged days, rising; one of another form than ``written_days`` gives is left out."""
    found = (_read_day(row) for row in (rows if isinstance(rows, list) else ()))
    return dict(sorted((one.flow.as_of, one) for one in found if one is not None))


def _read_day(row: object) -> Judged | None:
    match row:
        case {
            "as_of": int() as as_of,
            "total": str() as total,
            "funds": {**funds},
            "is_in": bool() | None as is_in,
            "since": int() | float() as since,
            "is_final": bool() as is_final,
            "pending": [*pending],
            "awaits_read": bool() as awaits_read,
        } if (flow := number_of(total)) is not None and instant_of(as_of) == as_of:
            shares = {str(name): number_of(share) for name, share in funds.items()}
            names = tuple(str(name) for name in pending)
            return Judged(Flow(as_of, flow, shares, is_in), float(since), is_final, names, awaits_read)
    return None


def read_instants(raw: object) -> Iterable[float]:
    """Read a list of instants in epoch seconds; what is none is left out."""
    for one in raw if isinstance(raw, list) else ():
        if isinstance(one, int | float) and instant_of(int(one)) is not None:
            yield float(one)
