"""When a day's flow of funds is final. Pure: one law for every provider of such flows.

A total of the same day is no number yet: funds report over half a day, the largest last, and on one day in
three the partial total has the other sign. So a session is final when all of this holds:

* it is one: New York's exchange was open;
* it is 04:00 UTC of the next day, or later;
* every fund reported that is expected, which are those that reported in any of the three sessions before;
* the funds' flows add up to the total, but for what rounding explains: 0.05 million for each number printed;
* the provider itself calls it final, or two reads twenty minutes apart show the same.

What nothing vouches for must have stood until noon: a day of nothing but zeros, which tables print before
the first fund reports, and a total of which neither funds nor a status are shown. Where a provider calls
final what does not add up, two reads decide. Once the next session is settled, one read is enough; and of
what is three sessions old no fund is waited for any more. A final day that shows another total later was
revised, and is final again.

A row in which no fund reported says nothing, whatever its total is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from bot.engine.sessions import DAY, HOUR, XNYS, day_of
from bot.metrics import MetricKey, Observation

MOST = Decimal(3_000_000_000)
"""USD. No coin's funds ever took in or gave back half of it in a day."""

LEAST = Decimal(10_000)
"""USD. Shares of funds are made and redeemed by thousands; what is smaller is millions taken for dollars."""

FINAL_FROM = DAY + 4 * HOUR
DOUBTFUL_UNTIL = DAY + 12 * HOUR
"""Seconds after the UTC midnight that begins the session's date."""

APART = 20 * 60
"""Seconds between two reads that confirm each other."""

REACH = 3
"""Sessions: so long is a fund waited for, and remembered."""

ROUNDING = Decimal(50_000)
"""USD: half of the tenth of a million to which tables are rounded."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What a provider shows of one day: the ``total`` in USD, and each fund's share, ``None`` for no report.

    ``as_of`` is the UTC midnight that begins the session's date. ``funds`` is empty where only totals are
    shown. ``is_in`` is the provider's own word on whether the day is complete, ``None`` where it has none.
    """

    as_of: int
    total: Decimal
    funds: Mapping[str, Decimal | None] = field(default_factory=dict)
    is_in: bool | None = None

    def reported(self) -> list[Decimal]:
        """List the shares that were reported."""
        return [share for share in self.funds.values() if share is not None]

    def shows_the_same_as(self, other: Flow) -> bool:
        """Whether the figures are the same, whatever is said of them."""
        return (self.total, self.funds) == (other.total, other.funds)

    @property
    def is_zero(self) -> bool:
        """Whether it is nothing but zeros: true, or printed too early."""
        return self.total == 0 and not any(self.reported())

    @property
    def adds_up(self) -> bool:
        """Whether the total is the sum of what was reported, but for rounding; nothing says otherwise."""
        shares = self.reported()
        return not shares or abs(self.total - sum(shares)) <= ROUNDING * (len(shares) + 1)


@dataclass(frozen=True, slots=True)
class Judged:
    """A day as it stands: ``since`` is the first of the reads in a row that showed it so.

    ``pending`` are the funds that are waited for. ``awaits_read`` says that another read which shows the same
    makes it final.
    """

    flow: Flow
    since: float
    is_final: bool
    pending: tuple[str, ...] = ()
    awaits_read: bool = False

    @property
    def says_something(self) -> bool:
        """Whether the total is a number yet: some fund reported, or it is final."""
        if self.flow.funds:
            return bool(self.flow.reported())
        return self.is_final or not self.flow.is_zero


Days = Mapping[int, Judged]
"""Days by ``as_of``, rising."""


def wrong_of(flows: Iterable[Flow], now: float) -> str:
    """Say what cannot be in one answer at ``now``, as a sentence without full stop; nothing where all can."""
    seen: dict[int, Flow] = {}
    for flow in flows:
        if flow.as_of > now:
            return f"it gives a flow for {day_of(flow.as_of)}, which is in the future"
        if abs(flow.total) > MOST or 0 < abs(flow.total) < LEAST:
            return f"it gives a flow of {flow.total:,.0f} USD for {day_of(flow.as_of)}, which cannot be"
        if seen.setdefault(flow.as_of, flow) != flow:
            return f"it gives two flows for {day_of(flow.as_of)}"
    return ""


def judge(flows: Iterable[Flow], before: Days, at: float) -> dict[int, Judged]:
    """Judge each session of a read at the instant ``at``; ``before`` is what the reads before it came to.

    Days that are no sessions are left out.
    """
    read = {flow.as_of: flow for flow in flows if XNYS.is_session(day_of(flow.as_of))}
    recent = _recent(at)
    expected = dict(_expected(read, before))
    return {
        as_of: _judge(read[as_of], expected[as_of], before.get(as_of), at, _age(day_of(as_of), recent))
        for as_of in sorted(read)
    }


def words(key: MetricKey, days: Days, now: float, source: str) -> list[Observation]:
    """Put into words what stands of some days, as known at ``now``."""
    return [
        Observation(key, as_of, one.flow.total, now, one.is_final, source=source, pending=one.pending)
        for as_of, one in days.items()
        if one.says_something
    ]


def _judge(flow: Flow, expected: Iterable[str], before: Judged | None, at: float, age: int) -> Judged:
    waited_for = expected if flow.funds and age < REACH else ()
    pending = tuple(sorted(name for name in waited_for if flow.funds.get(name) is None))
    since = before.since if before is not None and before.flow.shows_the_same_as(flow) else at
    has_stood = at - since >= APART
    is_doubtful = flow.is_zero or (not flow.funds and flow.is_in is None)
    is_complete = not pending and flow.is_in is not False and (flow.adds_up or flow.is_in is True)
    if not is_complete or at < flow.as_of + FINAL_FROM:
        return Judged(flow, since, False, pending)
    if before is not None and before.is_final and (before.flow.total == flow.total or not flow.is_zero):
        is_final = True
    elif age > 0:
        is_final = flow.adds_up or has_stood
    elif is_doubtful:
        is_final = has_stood and at >= flow.as_of + DOUBTFUL_UNTIL
    else:
        is_final = has_stood or (flow.is_in is True and flow.adds_up)
    awaits_read = not is_final and not (is_doubtful and at < flow.as_of + DOUBTFUL_UNTIL)
    return Judged(flow, since, is_final, pending, awaits_read)


def _expected(read: Mapping[int, Flow], before: Days) -> Iterator[tuple[int, set[str]]]:
    """Say for each day which funds must report: those that did lately, or all where that is not known."""
    known = {**{as_of: one.flow for as_of, one in before.items()}, **read}
    lately: deque[set[str]] = deque(maxlen=REACH)
    for as_of in sorted(known):
        flow = known[as_of]
        if as_of in read:
            yield as_of, set().union(*lately) if any(lately) else set(flow.funds)
        if flow.funds:
            lately.append({name for name, share in flow.funds.items() if share is not None})


def _recent(at: float) -> list[date]:
    """List the newest sessions that are settled, the newest first."""
    days = [XNYS.latest_settled(at)]
    while len(days) < REACH:
        days.append(XNYS.previous_session(days[-1]))
    return days


def _age(day: date, recent: list[date]) -> int:
    """Count the sessions after a day that are settled, up to REACH."""
    if day > recent[0]:
        return 0
    return recent.index(day) if day in recent else REACH
