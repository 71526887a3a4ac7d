"""What the tests of delivery share: a platform that fails as it is told, and a drain that begins again."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatRef
from bot.alerts.translator import ENGLISH
from bot.deliver import LEASE, Courier
from bot.ports import Outcome, Receipt
from bot.store import SqlStore
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.storing import arming_of, make

MARKET = HandMarket(SetClock(), btc=104_000.0)


class Killed(Exception):
    """The process dies."""


@dataclass
class Ear:
    """A platform that takes messages in its own time, and fails as it is told."""

    clock: SetClock
    platform: str = "telegram"
    adds_charts: bool = True
    said: list[tuple[float, str, Message]] = field(default_factory=list)
    fails: list[Outcome | str | None] = field(default_factory=list)

    async def send(
        self, chat: ChatRef, message: Message, dedupe: str = "", *, is_paid: bool = False
    ) -> Outcome:
        fails = self.fails.pop(0) if self.fails else None
        if fails not in (None, "killed after"):
            if fails == "killed before":
                raise Killed
            assert not isinstance(fails, str | None)
            return fails
        self.said.append((self.clock.now(), chat.chat, message))
        if fails is not None:
            raise Killed
        return Receipt(f"message {len(self.said)}")

    def told(self) -> list[str]:
        """Give what was told, one line for each ring or correction."""
        found = []
        for _, _, message in self.said:
            listed = [line.removeprefix("• ") for line in message.lines if line.startswith("• ")]
            found += listed or [message.title]
        return found


def courier_of(store: SqlStore, ear: Ear) -> Courier:
    words = ENGLISH.in_timezone
    return Courier(store, ear, ear.clock, lambda _, zone: words(zone), market=MARKET)  # type: ignore[arg-type]


async def drained(store: SqlStore, ear: Ear, until: float) -> None:
    """Deliver until nothing is due before an instant; a process that dies begins again."""
    courier = courier_of(store, ear)
    while True:
        try:
            await courier.drain()
            await courier.finish()
            due = await store.next_due("telegram", ear.clock.now())
        except Killed:
            await courier.finish()
            courier = courier_of(store, ear)
            ear.clock.time += LEASE
            continue
        if due is None or due > until:
            ear.clock.time = max(ear.clock.time, until)
            return
        ear.clock.time = max(ear.clock.time, due)


async def make_alerts(store: SqlStore, who: Caller, count: int) -> list[int]:
    """Give a chat so many alerts; gives their armings."""
    for number in range(count):
        await make(store, who, f"btc < {100_000 - number}")
    return [await arming_of(store, who, f"#{number + 1}") for number in range(count)]


def number_in(line: str) -> int:
    return int(line.partition("#")[2].split()[0].rstrip(":"))
