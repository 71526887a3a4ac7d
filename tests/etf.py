"""Flows of funds as days fill up, and the same days as Farside, CoinGlass and SoSoValue show them.

Totals of a day are those that were recorded; how they are made up of funds is invented.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

HOUR, DAY = 3600, 86_400
FUNDS = ("IBIT", "FBTC", "ARKB", "GBTC")
MILLION = 1_000_000

Shares = Mapping[str, Decimal | None]


def at(text: str) -> int:
    """Read an instant: ``2025-11-21`` or ``2025-11-21 05:00``."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def date_of(as_of: int) -> str:
    return datetime.fromtimestamp(as_of, UTC).strftime("%Y-%m-%d")


@dataclass(frozen=True)
class Row:
    """One day in millions of USD; ``total`` is the sum of what was reported unless it is said."""

    as_of: int
    shares: Shares
    said: Decimal | None = None

    @property
    def total(self) -> Decimal:
        return sum(filter(None, self.shares.values()), Decimal(0)) if self.said is None else self.said

    @property
    def is_complete(self) -> bool:
        return None not in self.shares.values()


def row(day: str, *shares: str | None, total: str | None = None, funds: Sequence[str] = FUNDS) -> Row:
    """Make a day by its date, in millions; ``None`` or ``-`` is a fund that did not report."""
    values = [None if share in {None, "-"} else Decimal(str(share)) for share in shares]
    return Row(at(day), dict(zip(funds, values, strict=True)), None if total is None else Decimal(total))


# --- as each of them shows it -------------------------------------------------------------------------------


def cell(value: Decimal | None) -> str:
    shown = Decimal(0) if value is None else value
    text = f"({-shown:,.1f})" if shown < 0 else "-" if value is None else f"{shown:,.1f}"
    return f'<td><div align="right"><span class="tabletext">{text}</span></div></td>'


def page(rows: Iterable[Row], head: str | None = None, foot: str = "", css_class: str = "etf") -> str:
    """Show days as Farside does: funds by their tickers, and a blank name over the dates and the totals."""
    rows = list(rows)
    funds = list(rows[-1].shares)
    if head is None:
        head = "<tr>" + "".join(f"<th>{name}</th>" for name in ["", *funds, ""]) + "</tr>"
    body = ""
    for one in rows:
        when = datetime.fromtimestamp(one.as_of, UTC).strftime("%d %b %Y")
        cells = "".join(cell(one.shares.get(name)) for name in funds)
        body += f'<tr><td><span class="tabletext">{when}</span></td>{cells}{cell(one.total)}</tr>\n'
    return (
        "<!DOCTYPE html><html><head><title>Flows</title><style>td {color: red}</style></head><body>"
        f'<p>US$m</p><table class="{css_class}"><thead>{head}</thead><tbody>\n{body}{foot}</tbody></table>'
        "<script>var table = '<td>1</td>';</script></body></html>"
    )


def usd(value: Decimal) -> float | int:
    exact = value * MILLION
    return int(exact) if exact == int(exact) else float(exact)


def glass(rows: Iterable[Row], code: object = "0") -> str:
    """Show days as CoinGlass does: a fund that did not report has no flow."""
    data = [
        {
            "timestamp": one.as_of * 1000,
            "flow_usd": usd(one.total),
            "price_usd": 90_000.5,
            "etf_flows": [
                {"etf_ticker": name} | ({} if share is None else {"flow_usd": usd(share)})
                for name, share in one.shares.items()
            ],
        }
        for one in rows
    ]
    return json.dumps({"code": code, "msg": "success", "data": data})


FIRST_TOTAL = Decimal(60_000)


def soso_rows(rows: Iterable[Row], is_newer: bool = False) -> list[dict[str, object]]:
    """Show days as SoSoValue's history does, the newest first, in either generation's spelling."""
    names = ("total_net_inflow", "cum_net_inflow") if is_newer else ("totalNetInflow", "cumNetInflow")
    found, total = [], FIRST_TOTAL
    for one in rows:
        total += one.total
        found.append({"date": date_of(one.as_of), names[0]: usd(one.total), names[1]: usd(total)})
    return found[::-1]


def soso_newest(one: Row, is_in: bool | None = None) -> str:
    """Show the newest day as SoSoValue does, with what is in and what is pending."""

    def figure(value: Decimal | None, is_in: bool) -> dict[str, object]:
        shown = None if value is None else str(usd(value))
        return {"value": shown, "lastUpdateDate": date_of(one.as_of), "status": "1" if is_in else "3"}

    is_in = one.is_complete if is_in is None else is_in
    funds = [
        {
            "ticker": name,
            "netAssets": {"value": "5000000.0", "status": "1"},
            "dailyNetInflow": figure(share, share is not None),
        }
        for name, share in one.shares.items()
    ]
    data = {
        "dailyNetInflow": figure(one.total, is_in),
        "cumNetInflow": figure(one.total, is_in),
        "list": funds,
    }
    return json.dumps({"code": 0, "msg": None, "data": data})


# --- as they fill up ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Day:
    """A day's flow as funds report it: each at its hour after the UTC midnight of the session's date.

    ``zero_at`` are hours between which all funds are printed as zero, too early. ``corrected`` is an hour and
    what is added to the first fund's share from then on.
    """

    as_of: int
    shares: Mapping[str, Decimal]
    hours: Sequence[float] = (28.6, 22.4, 24.2, 26.3)
    zero_at: tuple[float, float] | None = None
    corrected: tuple[float, Decimal] | None = None

    def row(self, now: float) -> Row | None:
        """Show the day at an instant: the row appears at noon, with nothing in it."""
        hour = (now - self.as_of) / HOUR
        if hour < 12:
            return None
        if self.zero_at is not None and self.zero_at[0] <= hour < self.zero_at[1]:
            return Row(self.as_of, dict.fromkeys(self.shares, Decimal(0)))
        if self.zero_at is not None and hour < self.zero_at[0]:
            return Row(self.as_of, dict.fromkeys(self.shares, None))
        shown = {
            name: share if hour >= reported else None
            for (name, share), reported in zip(self.shares.items(), self.hours, strict=True)
        }
        if self.corrected is not None and hour >= self.corrected[0]:
            first = next(iter(shown))
            shown[first] = (shown[first] or Decimal(0)) + self.corrected[1]
        return Row(self.as_of, shown)


def day(date: str, total: str, others: Sequence[str] = ("10", "-5", "1.5"), **more: object) -> Day:
    """Make a day of a total, the first fund's share being what the others leave."""
    rest = [Decimal(share) for share in others]
    shares = dict(zip(FUNDS, [Decimal(total) - sum(rest), *rest], strict=True))
    return Day(at(date), shares, **more)  # type: ignore[arg-type]


def zeros(date: str) -> Day:
    """Make a row of zeros, as tables print them on holidays."""
    return Day(at(date), dict.fromkeys(FUNDS, Decimal(0)), hours=(12, 12, 12, 12))


@dataclass(frozen=True)
class Story:
    """Days that fill up one after the other."""

    days: tuple[Day, ...]

    def rows(self, now: float) -> list[Row]:
        """Show the table at an instant, rising."""
        return [shown for one in self.days if (shown := one.row(now)) is not None]


NOVEMBER = Story(
    (
        day("2025-11-03", "-186.5"),
        day("2025-11-04", "-566.4"),
        day("2025-11-05", "-137.0"),
        day("2025-11-06", "239.9"),
        day("2025-11-07", "-558.4"),
        day("2025-11-10", "1.2"),
        day("2025-11-11", "524.0"),
        day("2025-11-12", "-278.1"),
        day("2025-11-13", "-866.7"),
        day("2025-11-14", "-492.1"),
        day("2025-11-17", "-254.6"),
        # Without the largest fund it has the other sign; two days later it is corrected.
        day("2025-11-18", "-372.8", ("60", "39.6", "40"), corrected=(63.0, Decimal("-2.5"))),
        day("2025-11-19", "75.4"),
        day("2025-11-20", "-903.2", ("-300.2", "52.9", "-300.4"), hours=(28.6, 22.4, 24.2, 26.3)),
        day("2025-11-21", "258.4", corrected=(57.0, Decimal("-20"))),
        day("2025-11-24", "-151.0", zero_at=(28.0, 30.7)),
        day("2025-11-25", "128.7"),
        day("2025-11-26", "21.1"),
        zeros("2025-11-27"),
        day("2025-11-28", "71.4"),
        day("2025-12-01", "8.5"),
    )
)
"""November 2025, and what a table may do: a sign that turns, corrections, zeros too early, a holiday."""
