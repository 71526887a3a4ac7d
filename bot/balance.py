"""What one process should take and let go, look by look at who else lives.

What nobody has is taken at once. What another should have is let go only when nobody came or went for a
while: work begins anew with every change of what it is on, and processes are started one after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bot.duties import collide, duties_in, share
from bot.ports.rota import Process


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be done: duties to take now, and to let go; and those that others are to let go to it."""

    take: tuple[str, ...] = ()
    let_go: AbstractSet[str] = frozenset()
    awaited: AbstractSet[str] = frozenset()


class Balance:
    """The view of one process: what it saw free since when, and since when the same processes live.

    Those who have another ``plan`` are left alone: they have what they have until they end. What another
    should have is let go after so many seconds of ``calm``. Who does not take what it should for ``patience``
    seconds is passed over for the next ``memory`` seconds.
    """

    def __init__(
        self, process: str, plan: Sequence[str], *, calm: float, patience: float, memory: float
    ) -> None:
        self._process = process
        self._plan, self._duties = tuple(plan), duties_in(plan)
        self._calm, self._patience, self._memory = calm, patience, memory
        self._free_since: dict[str, float] = {}
        self._slow_at: dict[str, float] = {}
        self._crew: AbstractSet[str] = frozenset()
        self._changed_at = 0.0

    def look(self, living: Sequence[Process], has: Collection[str], now: float) -> Errand | None:
        """Reckon with those who live ``now``, by any steady clock; ``has`` is what this one knows to have.

        Gives ``None`` where it is not seen to live itself.
        """
        crew = [one for one in living if one.plan == self._plan]
        own = next((one for one in crew if one.id == self._process), None)
        if own is None:
            return None
        due = share(crew, self._duties)
        mine = due[self._process]
        free = self._free(living)
        self._free_since = {duty: self._free_since.get(duty, now) for duty in free}
        slow = self._slow(due, now)
        wanted = mine | share([one for one in crew if one.id not in slow], self._duties)[self._process]
        # What it has without knowing was taken by a call that was cut off before its answer.
        unknown = [duty for duty in own.duties if duty not in has]
        others = {duty for one, theirs in due.items() if one not in slow for duty in theirs - mine}
        let_go = others.intersection(has, own.duties) if self._is_calm(crew, now) else ()
        return Errand(
            (*unknown, *(duty for duty in free if duty in wanted and duty not in has)),
            frozenset(let_go),
            mine - {*free, *own.duties},
        )

    def _free(self, living: Sequence[Process]) -> list[str]:
        held = {duty for one in living for duty in one.duties}
        strange = [(duty, one.plan) for one in living if one.plan != self._plan for duty in one.duties]
        return [
            duty
            for duty in self._duties
            if duty not in held and not any(collide(duty, self._plan, other, plan) for other, plan in strange)
        ]

    def _slow(self, due: Mapping[str, AbstractSet[str]], now: float) -> AbstractSet[str]:
        """Name those who did not take in time what they should; they may stand still."""
        late = {duty for duty, since in self._free_since.items() if now - since >= self._patience}
        self._slow_at |= {one: now for one in due if one != self._process and due[one] & late}
        self._slow_at = {one: at for one, at in self._slow_at.items() if now - at < self._memory}
        return frozenset(self._slow_at)

    def _is_calm(self, crew: Sequence[Process], now: float) -> bool:
        ids = frozenset(one.id for one in crew)
        if ids != self._crew:
            self._crew, self._changed_at = ids, now
        return now - self._changed_at >= self._calm
