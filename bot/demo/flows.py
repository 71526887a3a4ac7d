"""Flows of the US funds that hold Bitcoin, in November 2025, and a public table as it filled up with them.

What each day came to is as it was published, and so are the sums in which the largest fund was still missing
on the 18th and the 20th. How all sums are made up of funds is invented, and so is every other partial sum,
and the hours at which the funds report: here the largest is in at five in the morning, when the table was
complete on most days. Of other coins there are no figures: their tables show dashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from aiohttp import web

SETTLED: Mapping[int, str] = {
    3: "-186.5",
    4: "-566.4",
    5: "-137.0",
    6: "239.9",
    7: "-558.4",
    10: "1.2",
    11: "524.0",
    12: "-278.1",
    13: "-866.7",
    14: "-492.1",
    17: "-254.6",
    18: "-372.8",
    19: "75.4",
    20: "-903.2",
    21: "238.4",
    24: "-151.0",
    25: "128.7",
    26: "21.1",
    28: "71.4",
}
"""Each session's flow when all funds had reported, in millions of USD, by its day of the month."""

WITHOUT_THE_LARGEST: Mapping[int, str] = {18: "139.6", 20: "-547.7"}
"""What stood in the night, where that is known, in millions of USD."""

REPORTS: Mapping[str, timedelta] = {
    "FBTC": timedelta(hours=22, minutes=30),
    "ARKB": timedelta(hours=24, minutes=30),
    "GBTC": timedelta(hours=26),
    "IBIT": timedelta(hours=29),
}
"""When each fund reports, after the UTC midnight that begins the session's date; the largest last."""

_SHARES: Mapping[str, Decimal] = {"FBTC": Decimal("0.55"), "ARKB": Decimal("0.15")}
_SHARE_OF_A_NIGHT = Decimal("0.4")
_OPENS = timedelta(hours=12)
_TENTH = Decimal("0.1")
_PAGES: Mapping[str, tuple[str, ...]] = {
    "btc": ("btc", "bitcoin-etf-flow-all-data"),
    "eth": ("eth", "ethereum-etf-flow-all-data"),
    "sol": ("sol",),
}


def flow_pages(now: Callable[[], float]) -> list[web.RouteDef]:
    """Give the addresses under which a gateway shows the tables of each coin, as of a clock."""

    def showing(coin: str) -> Callable[[web.Request], object]:
        async def show(_: web.Request) -> web.Response:
            return web.Response(text=page(coin, now()), content_type="text/html")

        return show

    return [
        web.get(f"/farside.co.uk/{name}/", showing(coin))  # type: ignore[arg-type]
        for coin, names in _PAGES.items()
        for name in names
    ]


def page(coin: str, at: float) -> str:
    """Write the web page of a coin as it was at an instant: a row for each session, opened at noon."""
    heads = "".join(f"<th>{name}</th>" for name in ("Date", *REPORTS, "Total"))
    rows = "\n".join(_row(session, reported) for session, reported in _days(at, coin == "btc"))
    return (
        f"<!DOCTYPE html><html><head><title>{coin.upper()} ETF flow (US$m)</title></head><body>"
        f'<table class="etf"><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table></body></html>'
    )


def _days(at: float, is_known: bool) -> Iterator[tuple[datetime, dict[str, Decimal | None]]]:
    """Give each session whose row is there, with what each fund reported of it so far."""
    for number in SETTLED:
        session = datetime(2025, 11, number, tzinfo=UTC)
        passed = timedelta(seconds=at - session.timestamp())
        if passed >= _OPENS:
            funds = _funds(number)
            yield (
                session,
                {
                    name: funds[name] if is_known and passed >= after else None
                    for name, after in REPORTS.items()
                },
            )


def _funds(number: int) -> dict[str, Decimal]:
    """Split a session's flow: the largest fund has what was missing in the night."""
    total = Decimal(SETTLED[number])
    if number in WITHOUT_THE_LARGEST:
        night = Decimal(WITHOUT_THE_LARGEST[number])
    else:
        night = (total * _SHARE_OF_A_NIGHT).quantize(_TENTH)
    funds = {name: (night * share).quantize(_TENTH) for name, share in _SHARES.items()}
    return {**funds, "GBTC": night - sum(funds.values()), "IBIT": total - night}


def _row(session: datetime, reported: Mapping[str, Decimal | None]) -> str:
    total = sum((share for share in reported.values() if share is not None), Decimal("0.0"))
    cells = (_figure(share) for share in (*reported.values(), total))
    return "".join(f"<td>{cell}</td>" for cell in (f"{session:%d %b %Y}", *cells)).join(("<tr>", "</tr>"))


def _figure(value: Decimal | None) -> str:
    if value is None:
        return "-"
    return f"({-value:,.1f})" if value < 0 else f"{value:,.1f}"
