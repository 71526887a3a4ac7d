"""One provider of metrics as a Feed: asked when it wants to be, checked, and left alone where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

import structlog

from bot.engine.sessions import DAY
from bot.feeds.faults import Fault, Pause, Trouble, fault_of_error
from bot.feeds.metrics.provider import Look, Plug, Provider
from bot.feeds.spending import Spending
from bot.metrics import MINUTE, Batch, Health, MetricKey, Observation, Unseen, Want, opening_of
from bot.ports import Clock, UnknownInstrument, Unseeable
from bot.rules.functions import FUNCTIONS

KEPT = 60 * DAY
"""How far back a series is asked for that is recorded although no alert reads it."""

READ_AGAIN = 10 * DAY
"""How far back each look goes after the first: what is corrected late must be seen again."""

_SOONEST = 60.0
_LATEST_RETRY = 1800.0
_AHEAD = 2.0

log = structlog.get_logger(__name__)


class MetricFeed:
    """Look at one provider. All wants may be handed to it: it takes those that its plug offers."""

    def __init__(self, plug: Plug, provider: Provider, clock: Clock, draw: Callable[[], float]) -> None:
        self.name = plug.name
        self.plug = plug
        self._provider = provider
        self._clock = clock
        self._draw = draw
        self._looking = asyncio.Lock()
        self._pause = Pause()
        self._next_at = 0.0
        self._asked: dict[MetricKey, int] = {}
        self._refused: dict[MetricKey, str] = {}
        self._newest: dict[MetricKey, Observation] = {}
        self._seen_at: float | None = None
        self._failing_since: float | None = None
        self._reason = ""
        self._requests = 0
        self._hour = Spending(3600.0, MINUTE)
        self._quota: int | None = None

    def due_at(self, wants: Sequence[Want]) -> float:
        """Give the instant of the next look: at once for what was never asked for, unless it has to rest."""
        served = self._served(wants)
        if not served:
            return float("inf")
        return max(self._pause.until, 0.0 if self._unasked(served) else self._next_at)

    async def poll(self, wants: Sequence[Want]) -> Batch:
        """Look once; before its time only at what was never asked for. Never raises for the world.

        A look before its time at nothing new, one during a rest, or while another runs, is an empty batch.
        """
        now = self._clock.now()
        if self._looking.locked() or now < self._pause.until:
            return Batch(self.name, now)
        async with self._looking:
            served = self._served(wants)
            self._newest = {key: word for key, word in self._newest.items() if key in served}
            is_due = now >= self._next_at
            asked = served if is_due else self._unasked(served)
            if not asked:
                return Batch(self.name, now)
            try:
                look = await self._provider.read(self._questions(asked, now), now)
            except Exception as error:
                fault = fault_of_error(self.name, error)
                if fault.trouble is Trouble.BUG:
                    log.exception(
                        "look_broke", provider=self.name, error=type(error).__name__, exc_info=False
                    )
                return self._fail(fault, asked)
            planned = max(look.next_at, self._clock.now() + _SOONEST)
            self._next_at = planned if is_due else min(self._next_at, planned)
            return self._succeed(look, asked)

    async def ask(self, key: MetricKey) -> Observation:
        """Look at the newest value of one series, whenever the next look is due.

        Raises Unseeable while the provider cannot be asked, and UnknownInstrument for what it does not know.
        """
        now = self._clock.now()
        if now < self._pause.until:
            raise Unseeable(self._reason)
        since = int(now) - READ_AGAIN
        async with self._looking:
            try:
                look = await self._provider.read([Want(key, since - since % DAY)], now)
            except Exception as error:
                fault = fault_of_error(self.name, error)
                self._fail(fault, {})
                raise Unseeable(fault.reason) from None
        good, bad = sift(look.observations, {key: since}, self._clock.now())
        refused = {**bad, **look.refused}
        if key in refused or not good:
            raise UnknownInstrument(str(key))
        return good[-1]

    def trouble(self, key: MetricKey) -> str:
        """Say why the last look could not read a series, as a sentence without full stop; else nothing."""
        return self._refused.get(key, self._reason if self._failing_since is not None else "")

    def refused(self) -> Mapping[MetricKey, str]:
        """Give the series that the last look could not read, and why."""
        return self._refused

    def newest(self) -> Iterator[Observation]:
        """Give the newest value of each series that is looked at."""
        yield from self._newest.values()

    def health(self) -> Health:
        """Say how the provider is."""
        return Health(
            self.name,
            self._seen_at,
            self._failing_since,
            self._reason,
            self._requests,
            self._quota,
            requests_in_an_hour=round(self._hour.spent(self._clock.now())),
            failures=self._pause.failures,
        )

    async def close(self) -> None:
        """Let go of nothing: the connections belong to the door that all providers share."""

    def _served(self, wants: Sequence[Want]) -> dict[MetricKey, int]:
        now = int(self._clock.now())
        kept = (key for offer in self.plug.offers if offer.is_kept for key in offer.series())
        served = dict.fromkeys(kept, now - KEPT)
        for want in wants:
            if self.plug.offer(want.key) is not None:
                served[want.key] = min(served.get(want.key, want.since), want.since)
        return {key: since - since % DAY for key, since in served.items()}

    def _unasked(self, served: Mapping[MetricKey, int]) -> dict[MetricKey, int]:
        """Pick what was not asked for, or not so far back; what was refused waits for the next look."""
        return {
            key: since
            for key, since in served.items()
            if key not in self._refused and self._asked.get(key, since + 1) > since
        }

    def _questions(self, served: Mapping[MetricKey, int], now: float) -> list[Want]:
        newest = opening_of(now - READ_AGAIN, DAY)
        return [
            Want(key, max(since, newest) if self._asked.get(key, newest) <= since else since)
            for key, since in sorted(served.items())
        ]

    def _succeed(self, look: Look, served: Mapping[MetricKey, int]) -> Batch:
        now = self._clock.now()
        good, bad = sift(look.observations, served, now)
        for word in good:
            if word.key not in self._newest or self._newest[word.key].as_of <= word.as_of:
                self._newest[word.key] = word
        kept = {key: reason for key, reason in self._refused.items() if key not in served}
        self._refused = {**kept, **dict(look.refused), **bad}
        for key, since in served.items():
            if key not in self._refused:
                self._asked[key] = min(since, self._asked.get(key, since))
        remark = "; ".join(f"{key}: {reason}" for key, reason in sorted(self._refused.items()))
        if self._failing_since is not None:
            log.info("look_recovered", provider=self.name)
        if remark and remark != self._reason:
            log.warning("look_incomplete", provider=self.name, reason=remark)
        self._pause, self._failing_since, self._reason = Pause(), None, remark
        self._requests += 1
        self._hour.spend(1, now)
        self._seen_at, self._quota = now, look.quota
        unseen = tuple(Unseen(key, reason) for key, reason in self._refused.items() if key in served)
        return Batch(self.name, now, observations=good, unseen=unseen)

    def _fail(self, fault: Fault, served: Mapping[MetricKey, int]) -> Batch:
        now = self._clock.now()
        self._pause = self._pause.after(fault, now, self._draw)
        rest = min(_SOONEST * 2.0 ** min(self._pause.failures - 1, 10), _LATEST_RETRY)
        self._pause = Pause(self._pause.failures, max(self._pause.until, now + rest))
        if self._failing_since is None or fault.reason != self._reason:
            log.warning(
                "look_failed",
                provider=self.name,
                trouble=fault.trouble.name.lower(),
                reason=fault.reason,
                again_in=round(self._pause.until - now, 1),
            )
        self._failing_since = now if self._failing_since is None else self._failing_since
        self._reason = fault.reason
        self._requests += 1
        self._hour.spend(1, now)
        return Batch(self.name, now, unseen=tuple(Unseen(key, fault.reason) for key in served))


def sift(
    found: Sequence[Observation], wanted: Mapping[MetricKey, object], now: float
) -> tuple[tuple[Observation, ...], dict[MetricKey, str]]:
    """Let through what may be true of what is wanted, rising; and say of each other series what is wrong.

    What repeats itself is passed once. A series that contradicts itself, speaks of the future, or goes beyond
    the bounds of its metric is refused whole: one impossible value makes doubtful what stands beside it.
    """
    good: list[Observation] = []
    bad: dict[MetricKey, str] = {}
    for key, words in groupby(sorted(found, key=attrgetter("key", "as_of")), key=attrgetter("key")):
        if key not in wanted:
            continue
        distinct = list(dict.fromkeys(words))
        if wrong := next(_wrongs(distinct, now), ""):
            bad[key] = wrong
        else:
            good.extend(distinct)
    return tuple(good), bad


def _wrongs(words: Sequence[Observation], now: float) -> Iterator[str]:
    said: dict[int, Observation] = {}
    for word in words:
        day = datetime.fromtimestamp(word.as_of, UTC).strftime("%Y-%m-%d")
        if word.as_of > now + _AHEAD:
            yield f"it gives a value for {day}, which is in the future"
        if said.setdefault(word.as_of, word) != word:
            yield f"it gives two values for {day}"
        if not word.value.is_finite() or not _is_possible(word.key, word.value):
            yield f"it gives {float(word.value):g} for {day}, which cannot be"


def _is_possible(key: MetricKey, value: Decimal) -> bool:
    function = FUNCTIONS.get(key.metric)
    if function is None:
        return True
    if function.bounds is not None and not function.bounds[0] <= value <= function.bounds[1]:
        return False
    return value > 0 or not function.is_above_zero
