"""The clock of an exchange, which alone says whether a minute is final."""

from __future__ import annotations

from bot.feeds.exchanges.door import Door
from bot.feeds.faults import Fault, Trouble
from bot.ports import Clock

_SECONDS = 900.0
_LOOKS = 20
_AT_MOST = 3600.0


class ExchangeTime:
    """How far an exchange's clock is ahead of ours, measured when first needed and again now and then.

    The true instant there is never earlier than the one given: a minute may be taken for final late, but
    not early. In between it goes on with our steady time: our clock may be set by minutes at any moment.
    """

    def __init__(self, name: str, door: Door, clock: Clock) -> None:
        self._name = name
        self._door = door
        self._clock = clock
        self._offset: float | None = None
        self._measured_at = 0.0
        self._looks = 0

    async def now(self) -> float:
        """Give the exchange's present instant, after a measurement where one is due. Raises Fault."""
        ours, steady = self._clock.now(), self._clock.steady()
        # After some time and also some looks: on a fast clock the time alone would measure at every look.
        is_old = self._looks >= _LOOKS and steady - self._measured_at >= _SECONDS
        if self._offset is None or is_old:
            theirs = await self._door.time()
            asked, ours = ours, self._clock.now()
            apart = max(asked - theirs, theirs - ours)
            if apart > _AT_MOST:
                raise Fault(
                    Trouble.NONSENSE,
                    f"{self._name} and this computer differ by {apart / 3600:,.1f} hours in their clocks",
                )
            steady = self._clock.steady()
            self._offset, self._measured_at, self._looks = theirs - steady, steady, 0
        return self.estimate()

    def estimate(self) -> float:
        """Give the exchange's present instant by what is known."""
        return self._clock.now() if self._offset is None else self._clock.steady() + self._offset

    def count_look(self) -> None:
        """Note that one look was taken by this measurement."""
        self._looks += 1

    def forget(self) -> None:
        """Have it measured anew: who was away may come back with another idea of the time."""
        self._offset = None
