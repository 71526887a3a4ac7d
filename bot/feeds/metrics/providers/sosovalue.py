"""SoSoValue: flows of US funds by day, and whether the newest day is complete, with the key of an account.

https://sosovalue.gitbook.io/soso-value-api-doc/. Two generations of the API give the history; only the older
one tells which funds have reported: ``status`` "1" is in, "3" pending. Documents and answers differ in what
they wrap the rows, and in how they spell the fields, so all of it is read.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bot.engine.sessions import DAY, HOUR, XNYS, day_of, midnight_of
from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import day_of_text, number_of
from bot.feeds.metrics.finality import FINAL_FROM, Flow, Judged, judge, words, wrong_of
from bot.feeds.metrics.flows import COINS
from bot.feeds.metrics.hours import SETTLING, next_look
from bot.feeds.metrics.http import Allowance, Http, wait_in
from bot.feeds.metrics.notes import Notes, read_days, read_instants, written_days
from bot.feeds.metrics.provider import Look, Offer, Plug
from bot.metrics import MetricKey, Observation, Want

NAME = "sosovalue"

MOST_A_DAY = 12
"""Questions in 24 hours. What is planned below stays within it on a day on which everything is late."""

_HOURS: Mapping[str, tuple[int, ...]] = {"btc": (26, *SETTLING), "eth": (29, 32), "sol": (29, 32)}
"""When each coin is looked at, in hours after its session's date begins; at noon all of them are."""

_NEWER = "https://openapi.sosovalue.com/openapi/v1/etfs/summary-history"
_OLDER = "https://api.sosovalue.xyz/openapi/v2/etf"
_MOST_ROWS = 30
_MOST_LOOKS = 3
"""At a coin, on a day on which all is late; but for the first in the table, of which most is read."""

_NIGHT = 10 * HOUR
"""Seconds from the look before a day may be final to the last of the looks after."""

_MOST_KEPT = 40
"""How many days of a history are remembered over a restart."""

_UNTIL_REPEATED = 1800.0
"""Seconds: a question that failed counts, so it is not repeated at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """One day of the history, in USD: the flow, and the flow since the funds began where it is given."""

    as_of: int
    flow: Decimal
    total: Decimal | None


@dataclass(slots=True)
class _Desk:
    """What is known of one coin."""

    looked_at: float | None = None
    history_at: float = 0.0
    is_newer: bool = False
    rows: dict[int, Row] = field(default_factory=dict)
    days: dict[int, Judged] = field(default_factory=dict)

    def is_finished(self, now: float) -> bool:
        """Whether the newest session of which the funds may have reported is final."""
        day = day_of(now - 22 * HOUR)
        session = day if XNYS.is_session(day) else XNYS.previous_session(day)
        judged = self.days.get(midnight_of(session))
        return judged is not None and judged.is_final


class SoSoValue:
    """Ask for each coin at its hours, and give what is known at any other time.

    What was asked and answered is written down, each question before it is asked: a restart neither asks
    again nor forgets what two equal reads have shown. Another key begins anew.
    """

    def __init__(self, http: Http, key: str, notes: Notes) -> None:
        self._http = http
        self._notes = notes
        self._is_recalled = False
        self._account = hashlib.blake2s(key.encode(), digest_size=4).hexdigest()
        self._headers = {"x-soso-api-key": key}
        self._asked: deque[float] = deque()
        self._shut_until = 0.0
        self._desks = {coin: _Desk() for coin in COINS}

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask about the coins whose hour has come. Raises Fault where that fails for all of them."""
        await self._recall()
        wanted = {want.key.instrument for want in wants}
        due = [coin for coin in COINS if coin in wanted and self._is_due(coin, now)]
        faults: dict[str, Fault] = {}
        for place, coin in enumerate(due):
            try:
                await self._look(coin, now)
            except Fault as fault:
                is_of_all = fault.trouble in {Trouble.BLOCKED, Trouble.LIMITED}
                faults.update(dict.fromkeys(due[place:] if is_of_all else [coin], fault))
                if is_of_all:
                    break
        if due:
            await self._notes.write(self._page(), now)
        if faults and len(faults) == len(due):
            raise next(iter(faults.values()))
        keys = [want.key for want in wants]
        found = [word for key in keys if key.instrument not in faults for word in self._words(key, now)]
        refused = {key: faults[key.instrument].reason for key in keys if key.instrument in faults}
        next_at = float(min(next_look(now, hours) for hours in _HOURS.values()))
        if faults:
            next_at = min(next_at, now + _UNTIL_REPEATED)
        return Look(next_at, tuple(found), refused, self._left(now))

    def _is_due(self, coin: str, now: float) -> bool:
        looked_at = self._desks[coin].looked_at
        return looked_at is None or next_look(looked_at, _HOURS[coin]) <= now

    async def _look(self, coin: str, now: float) -> None:
        """Ask for the newest day until it is final, and for the history then, where a question is to spare.

        The day is also looked at before it may be final, where no question of that is missing later.
        """
        desk = self._desks[coin]
        newest: Flow | None = None
        flows: list[Flow] = []
        if desk.looked_at is None or desk.is_newer:
            flows = await self._history(coin, now)
            if not desk.is_newer:
                with suppress(Fault):  # the history is worth having alone; the next hour brings the rest
                    newest = await self._newest(coin, now)
        elif not desk.is_finished(now) and (_may_be_final(now) or self._left(now, _NIGHT) == MOST_A_DAY):
            newest = await self._newest(coin, now)
        self._take(desk, [*flows, *([newest] if newest else [])], now)
        if desk.is_finished(now) and now - desk.history_at > DAY / 2 and self._can_spare(now):
            with suppress(Fault):  # what is final is said all the same; another look asks again
                self._take(desk, [*await self._history(coin, now), *([newest] if newest else [])], now)
        desk.looked_at = now

    def _can_spare(self, now: float) -> bool:
        """Whether enough questions are left for the looks at what is not final yet."""
        unfinished = sum(not desk.is_finished(now) for desk in self._desks.values())
        return self._left(now) > _MOST_LOOKS * unfinished

    def _take(self, desk: _Desk, flows: Sequence[Flow], now: float) -> None:
        """Judge what was read; of a day that is in it twice the later word counts: that of the newest day."""
        read = {flow.as_of: flow for flow in flows}.values()
        if wrong := wrong_of(read, now):
            raise Fault(Trouble.NONSENSE, f"{NAME} answers nonsense: {wrong}")
        desk.days = dict(sorted({**desk.days, **judge(read, desk.days, now)}.items()))

    def _words(self, key: MetricKey, now: float) -> Iterator[Observation]:
        desk = self._desks[key.instrument]
        if key.metric == "etf_flow":
            yield from words(key, desk.days, now, NAME)
            return
        for as_of, row in desk.rows.items():
            day = desk.days.get(as_of)
            if day is not None and row.total is not None and day.says_something:
                is_final = day.is_final and day.flow.total == row.flow
                yield Observation(key, as_of, row.total, now, is_final, source=NAME, pending=day.pending)

    async def _history(self, coin: str, now: float) -> list[Flow]:
        """Read a coin's history: of the older generation, or of the newer one where the key is for that."""
        desk = self._desks[coin]
        if not desk.history_at:
            desk.is_newer = any(other.is_newer for other in self._desks.values())
        try:
            if desk.is_newer:
                rows = await self._newer(coin, now)
            else:
                rows = rows_of(await self._ask(f"{_OLDER}/historicalInflowChart", now, body=_body(coin)))
        except Fault as fault:
            if desk.is_newer or desk.history_at or fault.trouble is Trouble.LIMITED:
                raise
            rows = await self._newer(coin, now, fault)
            desk.is_newer = True
        flows = [Flow(row.as_of, row.flow) for row in rows]
        if wrong := wrong_of(flows, now):
            raise Fault(Trouble.NONSENSE, f"{NAME} answers nonsense: {wrong}")
        desk.rows, desk.history_at = {row.as_of: row for row in rows}, now
        return flows

    async def _newer(self, coin: str, now: float, before: Fault | None = None) -> list[Row]:
        """Ask the newer generation; ``before`` is the older one's fault, which is raised where both fail."""
        params = {"symbol": coin.upper(), "country_code": "US", "limit": _MOST_ROWS}
        try:
            return rows_of(await self._ask(_NEWER, now, params=params))
        except Fault as fault:
            raise before or fault from None

    async def _newest(self, coin: str, now: float) -> Flow:
        flow = newest_of(await self._ask(f"{_OLDER}/currentEtfDataMetrics", now, body=_body(coin)))
        if flow is None:
            raise Fault(Trouble.NONSENSE, f"{NAME} gives no newest flow that can be read")
        return flow

    async def _ask(self, url: str, now: float, **how: Any) -> Any:
        if now < self._shut_until:
            raise Fault(Trouble.LIMITED, f"{NAME} asks to slow down", self._shut_until - now)
        if not self._left(now):
            reason = f"{NAME} was asked {MOST_A_DAY} times within a day, and is not asked more often"
            raise Fault(Trouble.LIMITED, reason, self._asked[0] + DAY - now)
        self._asked.append(now)
        await self._notes.write(self._page(), now)
        try:
            return unwrapped(await self._http.json(NAME, url, headers=self._headers, **how))
        except Fault as fault:
            if fault.trouble is Trouble.PASSING and fault.retry_after is None:
                fault.retry_after = _UNTIL_REPEATED
            raise
        finally:
            allowance = self._http.allowances.get(NAME, Allowance())
            self._shut_until = now + (allowance.wait(now) or 0.0)

    async def _recall(self) -> None:
        """Go on from where the program was when it ended. Raises Fault."""
        if self._is_recalled:
            return
        page = await self._notes.read()
        if page.get("account") == self._account:
            self._asked.extend(sorted(read_instants(page.get("asked"))))
            self._shut_until = max(read_instants([page.get("shut_until")]), default=0.0)
            for coin, desk in self._desks.items():
                _recall_desk(desk, page.get(coin))
        self._is_recalled = True

    def _page(self) -> dict[str, Any]:
        desks = {coin: _written_desk(desk) for coin, desk in self._desks.items()}
        asked = {"asked": list(self._asked), "shut_until": self._shut_until}
        return {"account": self._account, **asked, **desks}

    def _left(self, now: float, later: float = 0.0) -> int:
        """Count the questions that may be asked now, or so many seconds later if none is asked till then."""
        while self._asked and self._asked[0] <= now - DAY:
            self._asked.popleft()
        return MOST_A_DAY - sum(when > now + later - DAY for when in self._asked)


def _written_desk(desk: _Desk) -> dict[str, Any]:
    rows = [desk.rows[as_of] for as_of in sorted(desk.rows)[-_MOST_KEPT:]]
    return {
        "looked_at": desk.looked_at,
        "history_at": desk.history_at,
        "is_newer": desk.is_newer,
        "rows": [[row.as_of, str(row.flow), None if row.total is None else str(row.total)] for row in rows],
        "days": written_days(desk.days),
    }


def _recall_desk(desk: _Desk, page: object) -> None:
    """Take over what was written of a coin; a page of another form leaves it as if nothing was."""
    match page:
        case {
            "looked_at": looked_at,
            "history_at": history_at,
            "is_newer": bool() as is_newer,
            "rows": [*rows],
            "days": days,
        }:
            desk.looked_at = max(read_instants([looked_at]), default=None)
            desk.history_at = max(read_instants([history_at]), default=0.0)
            desk.is_newer = is_newer
            desk.days = read_days(days)
            for row in rows:
                match row:
                    case [int() as as_of, str() as flow, str() | None as total] if (
                        number_of(flow) is not None
                    ):
                        desk.rows[as_of] = Row(as_of, Decimal(flow), number_of(total))


def _may_be_final(now: float) -> bool:
    return (now % DAY) >= FINAL_FROM - DAY


def unwrapped(answer: object) -> object:
    """Take what an answer holds out of whatever wraps it. Refusals come with HTTP 200 too. Raises Fault."""
    match answer:
        case {"code": raw} if (code := str(raw)) != "0":
            if code.startswith("429"):
                raise Fault(Trouble.LIMITED, f"{NAME} asks to slow down", wait_in(answer))
            if code.startswith(("401", "402", "403")):
                raise Fault(Trouble.BLOCKED, f"{NAME} does not take the key: check it, and its plan")
            raise Fault(Trouble.PASSING, f"{NAME} answers with an error")
        case {"data": data}:
            return data
        case _:
            return answer


def rows_of(data: object) -> list[Row]:
    """Read the days of a history, in any of its forms. Raises Fault where there is none."""
    match data:
        case {"list": [*rows]} | [*rows]:
            found = list(_rows(rows))
        case _:
            raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
    if not found:
        raise Fault(Trouble.NONSENSE, f"{NAME} gives no day that can be read")
    return sorted(found, key=lambda row: row.as_of)


def _rows(rows: Sequence[object]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, dict):
            as_of = day_of_text(row.get("date"))
            flow = number_of(row.get("totalNetInflow", row.get("total_net_inflow")))
            total = number_of(row.get("cumNetInflow", row.get("cum_net_inflow")))
            if as_of is not None and flow is not None:
                yield Row(as_of, flow, total)


def newest_of(data: object) -> Flow | None:
    """Read the newest day with its funds; ``None`` where its total is not there yet.

    A fund that is pending did not report, whatever value stands beside it; one without assets is gone.
    """
    match data:
        case {"dailyNetInflow": {"value": raw, "lastUpdateDate": day, **said}, **rest}:
            funds = rest.get("list")
        case _:
            raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
    as_of, total = day_of_text(day), number_of(raw)
    if as_of is None or total is None:
        return None
    shares = dict(_shares(funds, as_of)) if isinstance(funds, list) else {}
    return Flow(as_of, total, shares, _is_in(said))


def _shares(funds: Sequence[object], as_of: int) -> Iterator[tuple[str, Decimal | None]]:
    for fund in funds:
        match fund:
            case {"netAssets": {"value": assets}} if number_of(assets) == 0:
                continue
            case {"ticker": str() as ticker, "dailyNetInflow": {"value": raw, **said}}:
                is_of_day = day_of_text(said.get("lastUpdateDate")) in {None, as_of}
                yield ticker, number_of(raw) if is_of_day and _is_in(said) is not False else None
            case {"ticker": str() as ticker}:
                yield ticker, None


def _is_in(said: Mapping[Any, object]) -> bool | None:
    status = said.get("status")
    return None if status is None else str(status) == "1"


def _body(coin: str) -> dict[str, str]:
    return {"type": f"us-{coin}-spot"}


PLUG = Plug(
    NAME,
    (Offer("etf_flow", COINS, is_kept=True), Offer("etf_flow_total", COINS, is_kept=True)),
    lambda means: SoSoValue(means.http, means.given["TOCSIN_SOSOVALUE_KEY"], Notes(NAME, means.notebook)),
    needs="TOCSIN_SOSOVALUE_KEY",
    hint="the key of an account at sosovalue.com",
)
