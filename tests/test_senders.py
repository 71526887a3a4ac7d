"""Several senders share the chats of a platform and its pace: each message goes once, and none too fast."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest

from bot.alerts.lots import Lots
from bot.alerts.message import Message
from bot.alerts.people import ChatRef
from bot.alerts.translator import ENGLISH
from bot.clock import SystemClock
from bot.deliver import Courier
from bot.pacing import Pacer, telegram_limits
from bot.ports import Outcome, Receipt
from bot.store import SqlStore
from bot.turns import Turns
from tests.storing import ANN, arming_of, caller, follow, ring, tell
from tests.streaming import until

pytestmark = pytest.mark.both

LIMIT, CHATS = 80, 160


@dataclass
class Platform:
    """What takes messages of one bot, whoever of its processes sends them."""

    platform: str = "telegram"
    adds_charts: bool = False
    taken: list[tuple[float, str]] = field(default_factory=list)

    async def send(
        self, chat: ChatRef, message: Message, dedupe: str = "", *, is_paid: bool = False
    ) -> Outcome:
        self.taken.append((asyncio.get_running_loop().time(), chat.chat))
        await asyncio.sleep(0.01)
        return Receipt(str(len(self.taken)))

    def most_in_a_second(self) -> int:
        times = [at for at, _ in self.taken]
        return max(sum(at <= one < at + 1.0 for one in times) for at in times)


def sender(store: SqlStore, platform: Platform, lots: Lots, is_shut: list[bool]) -> Courier:
    clock = SystemClock()
    pacer = Pacer(telegram_limits(LIMIT).part(lots.share))
    pacer.follow(clock.now())
    line = Turns(pacer, clock, lots, lambda: is_shut[0])
    words = ENGLISH.in_timezone
    how = {"longest_rest": 0.2, "turns": line}
    return Courier(store, platform, clock, lambda _, zone: words(zone), **how)  # type: ignore[arg-type]


async def test_a_crowd_is_told_once_and_never_too_fast_while_parts_change_hands_and_a_sender_stands_still(
    store: SqlStore,
) -> None:
    crowd = [caller(10_000 + number) for number in range(CHATS)]
    await store.publish(ANN, "floor", "btc < 100000", 0.0)
    for one in crowd:
        await follow(store, one, "floor")
    await tell(store, ring(await arming_of(store, crowd[0], "floor"), 1))

    platform, shut = Platform(), [False]
    first, second = (sender(store, platform, Lots((part,), 2), shut) for part in (0, 1))
    pair = [asyncio.create_task(one.run()) for one in (first, second)]
    await until(lambda: len(platform.taken) >= CHATS / 3)
    shut[0] = True  # the first two may have been taken for dead: another has both parts
    await asyncio.sleep(0)
    before = len(platform.taken)
    await asyncio.sleep(0.3)
    assert len(platform.taken) == before, "who may have been followed sends nothing"
    for one in pair:
        one.cancel()
    await asyncio.gather(*pair, return_exceptions=True)

    third = sender(store, platform, Lots((0, 1), 2), [False])
    # What was leased and not sent is free again once its lease is over, which nobody waits for here.
    await store.bring_forward(600, SystemClock().now())
    last = asyncio.create_task(third.run())
    await until(lambda: len(platform.taken) >= CHATS)
    third.close()
    await last
    assert max(Counter(chat for _, chat in platform.taken).values()) == 1
    assert {chat for _, chat in platform.taken} == {one.chat.chat for one in crowd}
    assert platform.most_in_a_second() <= LIMIT
