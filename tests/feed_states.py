"""What watch needs of the store, in memory, for histories that are too many for a database."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from bot.alerts.models import Arming
from bot.engine.restoring import Resting
from bot.engine.sight import Loss
from bot.engine.state import AlertState
from bot.metrics import Close, MetricKey, Observation
from bot.ports import Armed, Changes, Judgement, Listener, Noted, Stored, StoreTrouble
from bot.store.rows import read_resting, written_seen, written_state


def stored(arming: Arming, state: AlertState | None) -> Stored:
    """Write an arming down as the store does."""
    seen = json.dumps(written_seen(arming.rule, arming.seen))
    head = arming.id, arming.alert_id, arming.rule, arming.is_shared, arming.made_at, seen, arming.is_eager
    if state is None:
        return Stored(*head, *[None] * (len(Stored._fields) - len(head)))  # type: ignore[arg-type]
    row = written_state(arming.id, state)
    documents = ("memory", "early", "grounds")
    body = [
        row[name] if name not in documents or row[name] is None else json.dumps(row[name])
        for name in Stored._fields[len(head) :]
    ]
    return Stored(*head, *body)


class Killed(Exception):
    """The process ended here."""


class States:
    """What watch needs of the store, and all that it told: it ends with the process that is killed in it."""

    def __init__(self) -> None:
        self.armings: list[Arming] = []
        self.states: dict[int, AlertState] = {}
        self.ends: dict[MetricKey, int] = {}
        self.prices: dict[MetricKey, Close] = {}
        self.lost: dict[MetricKey, Loss] = {}
        self.judgements: list[Judgement] = []
        self.mishap: Callable[[], Exception | None] = lambda: None

    async def take(self, partition: int, holder: str, beyond: int = 0) -> int:
        return 1

    async def changes(self, partition: int, since: int) -> Changes:
        fresh = tuple(Armed(one, self.states.get(one.id)) for one in self.armings[since:])
        return Changes(len(self.armings), fresh)

    async def revision(self) -> int:
        return len(self.armings)

    async def living(self, partition: int, after: int = 0) -> list[Stored]:
        return [stored(one, self.states.get(one.id)) for one in self.armings if one.id > after]

    def read(self, stored: Stored) -> Armed:
        arming = self.armings[stored.id - 1]
        return Armed(arming, self.states.get(arming.id))

    def resting(self, stored: Stored) -> Resting | None:
        return read_resting(stored)

    async def judged_to(self, partition: int) -> dict[MetricKey, int]:
        return dict(self.ends)

    async def closes(self, partition: int) -> dict[MetricKey, Close]:
        return dict(self.prices)

    async def losses(self, partition: int | None = None) -> dict[MetricKey, Loss]:
        return dict(self.lost)

    async def note(
        self, observations: Sequence[Observation], at: float, listener: Listener | None = None
    ) -> Noted:
        return Noted()

    async def newest_place(self) -> int:
        return 0

    async def recall(self, key: MetricKey, since: int) -> list[Observation]:
        return []

    async def commit(self, partition: int, epoch: int, judgement: Judgement) -> int:
        mishap = self.mishap()
        if isinstance(mishap, StoreTrouble):
            raise mishap
        self.states |= judgement.states
        self.ends |= judgement.judged_to
        self.prices |= judgement.closes
        self.lost |= judgement.turns.lost
        for key in (*judgement.turns.back, *judgement.turns.let_go):
            self.lost.pop(key, None)
        self.judgements.append(judgement)
        if mishap is not None:
            raise mishap
        return 0
