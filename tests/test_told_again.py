"""What may have arrived is sent again as it went: by the same nonce, the platform shows it once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from bot.alerts.message import Message
from bot.alerts.people import ChatRef
from bot.alerts.translator import ENGLISH
from bot.deliver import LEASE, Courier
from bot.ports import Outcome, Receipt, RetryLater
from bot.store import SqlStore
from tests.conftest import SetClock
from tests.storing import ANN, arming_of, make, ring, tell


class Killed(Exception):
    """The process dies."""


@dataclass
class Ear:
    """A platform that shows a message once for each nonce; the first list meets a fault after it is shown."""

    fault: Outcome | type[Killed] | None
    shown: dict[str, list[str]] = field(default_factory=dict)
    platform: str = "telegram"
    adds_charts: bool = True

    async def send(
        self, chat: ChatRef, message: Message, dedupe: str = "", *, is_paid: bool = False
    ) -> Outcome:
        self.shown.setdefault(dedupe, list(message.lines) or [message.title])
        if "/to/" not in dedupe or self.fault is None:
            return Receipt(dedupe)
        fault, self.fault = self.fault, None
        if isinstance(fault, RetryLater):
            return fault
        raise Killed


@pytest.mark.parametrize("fault", [Killed, RetryLater(5.0, "no answer in time")])
async def test_a_list_that_may_have_arrived_is_told_once_though_more_rang_meanwhile(
    store: SqlStore, fault: Outcome | type[Killed]
) -> None:
    clock, ear = SetClock(), Ear(fault)
    for number in range(12):
        await make(store, ANN, f"btc < {100_000 - number}")
    armings = [await arming_of(store, ANN, f"#{number + 1}") for number in range(12)]
    await tell(store, *(ring(one) for one in armings[:8]))
    courier = Courier(store, ear, clock, lambda *_: ENGLISH)  # type: ignore[arg-type]
    while ear.fault is not None:
        clock.time += 1.0
        with suppress(Killed):
            await courier.drain()
    await tell(store, *(ring(one) for one in armings[8:]), at=clock.time)
    if fault is Killed:
        courier = Courier(store, ear, clock, lambda *_: ENGLISH)  # type: ignore[arg-type]
        clock.time += LEASE
    for _ in range(20):
        clock.time += 5.0
        await courier.drain()
    assert await store.next_due("telegram", clock.time) is None
    told = [line.removeprefix("• ").split()[0] for lines in ear.shown.values() for line in lines]
    assert told == [f"#{number + 1}" for number in range(12)]
    assert any(len(lines) > 1 for lines in ear.shown.values())
