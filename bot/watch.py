"""Watch: one batch off the tape -> plan -> commit -> apply.

One task judges one partition. What commands wrote is applied before each batch; what a batch changes is
committed in one transaction with the promise to tell, and only then taken over into memory. A commit that
fails drops the plan, and the batch is judged again.

Several may judge, each its own partition: in one process or in several, from tapes that bring the same
batches in the same order.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import starmap
from typing import TYPE_CHECKING

import structlog

from bot import gauges
from bot.alerts.notices import of_doubt, of_lapse, of_loss
from bot.engine.compiler import compile_rule
from bot.engine.course import start_of
from bot.engine.life import Life
from bot.engine.news import reach_of
from bot.engine.partition import Partition
from bot.engine.plan import Plan
from bot.engine.resuming import is_fitting
from bot.engine.retention import KEPT
from bot.engine.sight import HOLD, Sight, Turns, price_reach, reaches_of
from bot.engine.state import AlertState
from bot.metrics import MINUTE, Batch, Close, MetricKey, Observation, Want
from bot.pacing import backoff
from bot.ports import Armed, Judgement, Listener, Noted, StoreTrouble, Unheard, Unseeable
from bot.rules import RuleError, parse
from bot.spell import Spell
from bot.teller import Teller

if TYPE_CHECKING:
    from bot.alerts.models import Arming
    from bot.ports import Clock, Ledger, Market

_HISTORY_PAUSE = 15.0
"""Seconds before history is asked for again: whoever cannot answer must not delay the rings of others."""

_UNTIL_FINAL = 30.0
"""Seconds after a minute in which it may not be shown as final yet: many an alert is made within them."""

_UNTIL_ASKED_AGAIN = 3.0

SILENCE = 60.0
"""Seconds without a batch after which sight is asked as of now."""

_SERIES_AT_ONCE = 250
"""Whoever says something in a chat meanwhile waits for so many series at most."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An arming that cannot be judged before its history is there."""

    arming: Arming
    life: Life
    state: AlertState | None


@dataclass(slots=True)
class Watch:
    """The judge of one partition.

    ``late_after`` is how many seconds after it happened a ring is said to be late. ``wake`` is called
    whenever something was promised, for whoever delivers. ``spell`` is that in which nothing can be kept:
    a batch is judged again and again then, and nothing of it is told before it is kept.
    """

    ledger: Ledger
    market: Market
    clock: Clock
    wake: Callable[[], None]
    late_after: float
    partition: int = 0
    holder: str = ""
    epoch: int = field(default=0, init=False)
    spell: Spell = field(default_factory=Spell)
    _armings: Partition = field(default_factory=Partition)
    _waiting: dict[int, _Waiting] = field(default_factory=dict)
    _begun: dict[int, AlertState] = field(default_factory=dict)
    _sight: Sight = field(default_factory=Sight)
    _venues: dict[MetricKey, str] = field(default_factory=dict)
    _recalled: set[MetricKey] = field(default_factory=set)
    _history_at: float = 0.0
    _revision: int = 0
    _quiet_since: float = 0.0
    _heard: int = 0
    _kept: set[MetricKey] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _taken_at: float = 0.0
    _looked_at: float = 0.0

    async def open(self, beyond: int = 0) -> None:
        """Take the partition over in an epoch beyond those that others know of, and load what lives in it."""
        self.epoch = await self.ledger.take(self.partition, self.holder, beyond)
        self._heard = await self.ledger.newest_place()
        self._taken_at = self.clock.now()
        for key, close in (await self.ledger.closes(self.partition)).items():
            self._armings.closes.restore(key, close)
        self._sight = Sight(await self.ledger.losses(self.partition))
        await self._load_living()
        await self._sync()

    async def _load_living(self) -> None:
        """Take in all that lives: many are put to rest at once, the others follow one by one."""
        revision = await self.ledger.revision()
        judged_to = await self.ledger.judged_to(self.partition)
        self._kept = set(judged_to)
        restoring, last = self._armings.restoring(judged_to), 0
        while page := await self.ledger.living(self.partition, last):
            last = page[-1].id
            resting = restoring.take([one for one in map(self.ledger.resting, page) if one is not None])
            for stored in page:
                if stored.id not in resting:
                    self._await(self.ledger.read(stored), judged_to)
        self._armings.restored(restoring)
        self._revision = revision

    async def run(self, batches: AsyncIterable[Batch]) -> None:
        """Judge batch after batch, until cancelled or superseded."""
        async for batch in batches:
            with self.clock.still():
                for part in batch.parts(_SERIES_AT_ONCE):  # between them, others have their turn
                    await self.take(part)

    async def heed_silence(self) -> None:
        """Tell what cannot be seen, where no batch came for long; to be called every half minute or so.

        Where all feeds are another process's, nothing comes at all while those are down, or the tape is.
        Sight alone is asked as of now then: what was seen in time may come yet, and must find a rule of
        several series waiting. While a backlog is read this tells nothing, for batches come; of one that
        comes after a silence nothing is seen again before it has come near to that.
        """
        now = self.clock.now()
        if not self._turn.locked() and now - self._taken_at >= SILENCE:
            self._looked_at = now
            await self._judge(Batch("", self._armings.seen_to))

    def wants(self) -> list[Want]:
        """Say which series are read here, and from which minute each is needed."""
        prices = self._armings.wants()
        now = int(self.clock.now())
        return prices + [Want(key, now - reach_of(key)) for key in sorted(self._armings.metrics())]

    async def tidy(self) -> None:
        """Let go of what was said of metrics and can be read no more.

        The archive is one for all partitions, so that whoever judges the first clears it. Whoever waits for
        history will judge from where it stopped; nothing is dropped that it may read.
        """
        now = int(self.clock.now())
        self._armings.forget(now)
        if self.partition != 0:
            return
        starts = [start_of(waiting.life, waiting.state) for waiting in self._waiting.values()]
        try:
            gone = await self.ledger.forget(min([now - KEPT, *starts]), now)
        except StoreTrouble as trouble:
            log.warning("nothing was tidied up", reason=str(trouble))
        else:
            log.info("tidied up", words=gone)

    async def take(self, batch: Batch) -> None:
        """Judge one batch, and do not return before it is kept. Raises Superseded."""
        self._sight.note(batch)
        self._venues.update({run.key: run.source or batch.source for run in batch.bars})
        self._venues.update({one.key: one.source or batch.source for one in batch.prints})
        await self._judge(batch)
        self._taken_at = self.clock.now()

    async def _judge(self, batch: Batch) -> None:
        async with self._turn:
            await self._judge_until_kept(batch)

    async def _judge_until_kept(self, batch: Batch) -> None:
        said: tuple[Observation, ...] | None = batch.observations or None
        moved: tuple[MetricKey, ...] = ()
        read_at, attempts = batch.at, 0
        batch = replace(batch, observations=()) if said else batch
        while True:
            try:
                await self._sync()
                if said is not None:  # what was noted is no news a second time
                    noted, said = await self._note(said, read_at), None
                    moved, news = (*moved, *noted.moved), (*batch.observations, *noted.news)
                    batch = replace(batch, at=max(batch.at, noted.at), observations=news)
                await self._hand_over(moved, batch.observations)
                self._armings.observe(batch)
                await asyncio.sleep(0)
                plan = await self._plan()
                turns = self._turns(plan, batch)
                await asyncio.sleep(0)
                await self._commit(plan, turns, batch)
            except Unheard:
                said = ()
            except StoreTrouble as trouble:
                if self.spell.begins(str(trouble), self.clock.now()):
                    log.error("nothing can be kept, and is judged again", reason=str(trouble))
                await self.clock.sleep(backoff(attempts, first=0.5, most=30))
                attempts += 1
            else:
                if self.spell.ends():
                    log.warning("what was judged is kept again", attempts=attempts)
                for _ in self._armings.applying(plan):
                    await asyncio.sleep(0)
                self._sight.apply(turns)
                self._count(batch, len(plan.states))
                for arming_id, reason in plan.broken.items():
                    log.error("an arming cannot be judged, and is left out", arming=arming_id, reason=reason)
                return

    async def _plan(self) -> Plan:
        for plan in self._armings.planning():  # noqa: B007 - the last is whole
            await asyncio.sleep(0)  # here and elsewhere, whoever waits in a chat has a turn
        return plan

    async def _note(self, said: Sequence[Observation], read_at: float) -> Noted:
        """Keep what a batch says of metrics; gives the news, as of when it becomes known here.

        That is when it was read, and after everything that was judged already, here and by whoever judges
        another partition: the first of them to note a word settles from when on it is known to all (see
        ``Archive.note``), and whoever comes to it later finds it in the archive. A crash from here on loses
        nothing: who starts again recalls it, and has not judged it yet.
        """
        listener = Listener(read_at, self._heard, self._armings.horizon)
        noted = await self.ledger.note(said, max(math.ceil(read_at), listener.horizon + 1), listener)
        self._heard = noted.place
        return noted

    async def _hand_over(self, moved: Iterable[MetricKey], news: Iterable[Observation]) -> None:
        """Read the series that another source speaks for now as that source tells them."""
        for key in moved:
            log.warning("another source speaks", key=str(key))
            self._armings.retell(key, await self._recall(key))
        self._venues.update({word.key: word.source for word in news})

    async def _recall(self, key: MetricKey) -> list[Observation]:
        words = await self.ledger.recall(key, int(self.clock.now()) - reach_of(key))
        self._venues.update({word.key: word.source for word in words})
        return words

    async def _sync(self) -> None:
        changes = await self.ledger.changes(self.partition, self._revision)
        for arming_id in changes.retired:
            self._armings.remove(arming_id)
            self._waiting.pop(arming_id, None)
            self._begun.pop(arming_id, None)
        self._recalled &= self._armings.metrics()
        known = self._armings, self._waiting
        made = [armed for armed in changes.made if not any(armed.arming.id in some for some in known)]
        if made:
            judged_to = await self.ledger.judged_to(self.partition)
            for armed in made:
                self._await(armed, judged_to)
        for arming_id, waiting in list(self._waiting.items()):
            if self.clock.now() < self._history_at:
                break
            if await self._load(waiting.life, waiting.state):
                text = waiting.arming.rule, waiting.arming.is_shared
                begun = self._armings.add(arming_id, waiting.life, waiting.state, *text)
                if waiting.state is None:
                    self._begun[arming_id] = begun
                del self._waiting[arming_id]
        self._revision = changes.revision

    def _await(self, armed: Armed, judged_to: Mapping[MetricKey, int]) -> None:
        """Let an arming wait for its history; a state goes on from what its series were judged to now.

        That is settled here, once: while it waits, others may judge the same series further.
        """
        arming, state = armed.arming, armed.state
        try:
            rule = parse(arming.rule)
            life = compile_rule(rule, arming.is_shared, arming.made_at, arming.seen, arming.is_eager)
        except (RuleError, ValueError) as error:
            log.error("an arming cannot be read, and is left out", arming=arming.id, reason=str(error))
            return
        if state is not None:
            state = self._armings.resume_from(life, state, judged_to)
            if not is_fitting(state, life):
                log.warning("a state of another version goes on with a new memory", arming=arming.id)
        self._waiting[arming.id] = _Waiting(arming, life, state)

    async def _load(self, life: Life, state: AlertState | None) -> bool:
        found = []
        for stretch in self._armings.missing(life, state):
            try:
                bars = await self.market.bars(*stretch)
            except Unseeable as trouble:
                log.warning("no history yet", key=str(stretch.key), reason=str(trouble))
                self._sight.blame(stretch.key, str(trouble))
                self._history_at = self.clock.now() + _HISTORY_PAUSE
                return False
            is_whole = bool(bars) and bars[-1].end >= stretch.until
            now = self.clock.now()
            if not is_whole and stretch.span == MINUTE and now < stretch.until + _UNTIL_FINAL:
                self._history_at = now + _UNTIL_ASKED_AGAIN  # a hole there would stay for the whole window
                return False
            found.append((stretch, bars))
        for stretch, bars in found:
            self._armings.preload(life, stretch, bars)
        for key in life.calendars:
            if key not in self._recalled:
                self._armings.recall(life, await self._recall(key))
                self._recalled.add(key)
        return True

    def _turns(self, plan: Plan, batch: Batch) -> Turns:
        """Find what is out of sight now, and what is seen again; a stream alone tells neither."""
        if (batch.is_streamed or batch.has_more) and not plan.lapses:
            return Turns()
        now, hold = self._at(batch), max(HOLD, self.late_after)
        reaches = reaches_of(plan.ends, self._armings.points, now, hold)
        for waiting in self._waiting.values():  # no feed is asked for what waits for its history
            start = start_of(waiting.life, waiting.state)
            for key in waiting.life.priced:
                reaches.setdefault(key, price_reach(start, hold))
        return self._sight.turns(now, reaches, plan.lapses, lambda key: bool(self._readers(key)))

    def _readers(self, key: MetricKey) -> list[int]:
        """Name the armings that read a series and may ring, or wait for its history."""
        waiting = (arming for arming, one in self._waiting.items() if key in one.life.keys)
        return sorted({*self._armings.readers(key), *waiting})

    async def _commit(self, plan: Plan, turns: Turns, batch: Batch) -> None:
        states = {**self._begun, **{arming: plan.states[arming] for arming in plan.changed}}
        teller = Teller(self._armings, self._venues, self.market, self.late_after, batch)
        told = await teller.tell_all(plan.told)
        notices = [
            *map(of_lapse, plan.lapses),
            *starmap(of_doubt, plan.doubted),
            *of_loss(turns, self._at(batch), self._readers),
        ]
        is_quiet = not (states or told or notices) and turns.is_quiet
        if is_quiet and (batch.has_more or batch.at < self._quiet_since + MINUTE):
            return
        judged_to = self._judged_to(plan)
        left = self._kept.difference(judged_to)
        left = left.difference(*(one.life.keys for one in self._waiting.values())) if left else left
        known = ((key, self._armings.closes.at(key, to)) for key, to in judged_to.items())
        closes = {key: self._at_home(key, close) for key, close in known if close is not None}
        horizon = max(self._armings.horizon, *plan.ends.values(), 0)
        at, which = self._at(batch), (frozenset(left), horizon, self._heard)
        judgement = Judgement(at, states, judged_to, told, closes, turns, notices, *which)
        promised = await self.ledger.commit(self.partition, self.epoch, judgement)
        self._begun.clear()
        self._kept = (self._kept | judged_to.keys()) - left
        self._quiet_since = batch.at
        kinds = Counter(type(transition).__name__.lower() for _, transition in plan.told)
        for kind, count in kinds.items():
            gauges.count_transitions(kind, count)
        if promised:
            self.wake()

    def _at(self, batch: Batch) -> float:
        """Give the instant of a batch: of one that comes late, that at which it was last missed."""
        return max(batch.at, self._looked_at)

    def _judged_to(self, plan: Plan) -> dict[MetricKey, int]:
        """Give what a restart may go on from: no further than who still waits for history has come."""
        judged_to = dict(plan.judged_to)
        for waiting in self._waiting.values():
            cursor = start_of(waiting.life, waiting.state)
            for key in waiting.life.keys:
                if key in judged_to:
                    judged_to[key] = min(judged_to[key], cursor)
        return judged_to

    def _at_home(self, key: MetricKey, close: Close) -> Close:
        """Name the exchange at whose level a price is: a program that starts anew could not know it."""
        serving = None if key.venue or close.home else self.market.serving(key)
        return close if serving is None else replace(close, home=serving.home)

    def _count(self, batch: Batch, verdicts: int) -> None:
        gauges.count_verdicts(verdicts)
        if self.partition == 0 and batch.source:  # whoever judges the others is brought the same
            minutes, prices = sum(len(run.bars) for run in batch.bars), len(batch.prints)
            values = len(batch.observations)
            gauges.count_observations(batch.source, minutes=minutes, prices=prices, values=values)
