"""Farside Investors: public tables of the flows of US funds, read from the pages or from saved ones.

https://farside.co.uk/btc/. There is no API and no key, and servers are often refused; so it is asked only
where the operator says so, and the same tables are read from a folder of pages that somebody saved.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from bot.engine.sessions import DAY
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import day_of_text, number_of
from bot.feeds.metrics.finality import ROUNDING, Flow
from bot.feeds.metrics.flows import COINS, FlowTables, Table
from bot.feeds.metrics.html_table import read_tables
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.notes import Notes
from bot.feeds.metrics.provider import Means, Offer, Plug, Provider

NAME = "farside"

_URL = "https://farside.co.uk/{page}/"
_LONG = {"btc": "bitcoin-etf-flow-all-data", "eth": "ethereum-etf-flow-all-data"}
_SHORT_REACH = 14 * DAY
"""How far back the short page goes at least."""

_MILLION = 1_000_000
_MOST_BYTES = 8 * 1024 * 1024
_FRESH_FOR = 600.0
_BETWEEN_FILES = 600.0
_TICKER = re.compile(r"[A-Z][A-Z0-9]{1,6}", re.ASCII)


class Pages:
    """Farside's pages in the web. One that was just read is not asked for again."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._read: dict[str, Table] = {}

    async def ask(self, coin: str, since: int, now: float) -> Table:
        """Read a coin's days: from its long page where they are wanted from long ago. Raises Fault."""
        known = self._read.get(coin)
        is_long = since < now - _SHORT_REACH and coin in _LONG
        if known and now - known.at < _FRESH_FOR and known.flows[0].as_of - since <= 4 * DAY:
            return known
        if is_long:
            try:
                return await self._load(coin, _LONG[coin], now)
            except Fault as fault:
                if fault.trouble in {Trouble.BLOCKED, Trouble.LIMITED}:
                    raise
        return await self._load(coin, coin, now)

    async def _load(self, coin: str, page: str, now: float) -> Table:
        try:
            text = await self._http.page(NAME, _URL.format(page=page))
        except Fault as fault:
            if fault.trouble is Trouble.BLOCKED:
                reason = f"{NAME} refuses this server; save its pages, and set TOCSIN_FARSIDE to their folder"
                raise Fault(Trouble.BLOCKED, reason) from None
            raise
        self._read[coin] = Table(flows_of(text), now)
        return self._read[coin]


class SavedPages:
    """Pages that somebody saved as btc.html, eth.html and sol.html; each is as old as its file says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def ask(self, coin: str, since: int, now: float) -> Table:
        """Read a coin's page. Raises Fault."""
        try:
            text, saved_at = await asyncio.to_thread(self._load, f"{coin}.html")
        except FileNotFoundError:
            raise Fault(Trouble.ABSENT, f"there is no {coin}.html in the folder of TOCSIN_FARSIDE") from None
        except OSError:
            reason = f"{coin}.html in the folder of TOCSIN_FARSIDE cannot be read"
            raise Fault(Trouble.PASSING, reason) from None
        return Table(flows_of(text), min(saved_at, now))

    def _load(self, name: str) -> tuple[str, float]:
        path = self._folder / name
        saved_at = path.stat().st_mtime
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise Fault(Trouble.NONSENSE, f"{name} in the folder of TOCSIN_FARSIDE is too big to be a page")
        return raw.decode("utf-8", errors="replace"), saved_at


def flows_of(page: str) -> list[Flow]:
    """Read the days of a page's table, rising; its millions become USD. Raises Fault.

    Columns are told by their names, never by their place. The total's name may be blank: then it is the blank
    column that is the sum of the others.
    """
    for rows in read_tables(page, "etf"):
        flows = list(_flows_of_rows(rows))
        if flows:
            return sorted(flows, key=lambda flow: flow.as_of)
    raise Fault(Trouble.NONSENSE, f"{NAME} shows a page without a table of flows that can be read")


def _flows_of_rows(rows: Sequence[Sequence[str]]) -> Iterator[Flow]:
    first = next((place for place, row in enumerate(rows) if _date_of(row) is not None), None)
    if first is None:
        return
    width = len(rows[first])
    when = next(place for place, cell in enumerate(rows[first]) if day_of_text(cell) is not None)
    heads = [row for row in rows[:first] if len(row) == width]
    names = [_name([head[place] for head in heads]) for place in range(width)]
    days = [row for row in rows[first:] if len(row) == width and day_of_text(row[when]) is not None]
    shares = [place for place in range(width) if place != when]
    total = _total(names, shares, days)
    if total is None:
        return
    shares.remove(total)
    labels = dict(zip(shares, _labels(names[place] for place in shares), strict=True))
    for row in days:
        as_of, value = day_of_text(row[when]), _usd(row[total])
        if as_of is not None and value is not None:
            yield Flow(as_of, value, {name: _usd(row[place]) for place, name in labels.items()})


def _date_of(row: Sequence[str]) -> int | None:
    return next((at for cell in row if (at := day_of_text(cell)) is not None), None)


def _name(texts: Sequence[str]) -> str:
    """Name a column by what stands over it: the total, a ticker, or whatever is no share of fees."""
    if any(text.casefold() == "total" for text in texts):
        return "total"
    tickers = [text for text in texts if _TICKER.fullmatch(text)]
    others = [text for text in texts if text and number_of(text.removesuffix("%")) is None and text != "-"]
    return next(iter([*tickers[::-1], *others]), "")


def _total(names: Sequence[str], places: Sequence[int], days: Sequence[Sequence[str]]) -> int | None:
    named = [place for place in places if names[place] == "total"]
    if named:
        return named[0] if len(named) == 1 else None
    fits = {place: _fits(place, places, days) for place in places if not names[place]}
    best = max(fits.values(), default=0)
    found = [place for place, count in fits.items() if count == best]
    return found[0] if len(found) == 1 and 2 * best > len(days) else None


def _fits(total: int, places: Sequence[int], days: Sequence[Sequence[str]]) -> int:
    """Count the days on which a column is the sum of the others."""
    count = 0
    for row in days:
        shares = [share for place in places if place != total and (share := _usd(row[place])) is not None]
        value = _usd(row[total])
        count += value is not None and abs(value - sum(shares)) <= ROUNDING * (len(shares) + 1)
    return count


def _labels(names: Iterable[str]) -> Iterator[str]:
    """Tell columns apart that have one name, or none."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        shown = name or "a fund without a name"
        yield shown if seen[name] == 1 else f"{shown} ({seen[name]})"


def _usd(cell: str) -> Decimal | None:
    value = number_of(cell)
    return None if value is None else value * _MILLION


def build(means: Means) -> Provider:
    """Build it for pages of the web, or of the folder that is set."""
    where = means.given["TOCSIN_FARSIDE"]
    notes = Notes(NAME, means.notebook)
    if where == "on":
        return FlowTables(NAME, Pages(means.http).ask, notes)
    return FlowTables(NAME, SavedPages(Path(where)).ask, notes, most_apart=_BETWEEN_FILES)


PLUG = Plug(
    NAME,
    (Offer("etf_flow", COINS, is_kept=True),),
    build,
    needs="TOCSIN_FARSIDE",
    hint="to on, or to a folder of its pages saved as btc.html, eth.html and sol.html",
)
