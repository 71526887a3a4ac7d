"""What a reply to a ring means, and which message goes on with which, on the real store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.alerts.models import Notification, Telling
from bot.alerts.people import Caller, ChatRef
from bot.commands import make_desk
from bot.engine.state import AlertState, Correction, Reminder, Resolution, Ring
from bot.ports import ChatMoved, Judgement, Receipt, Told
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.test_commands import ADMIN, ANN, MEMBER
from tests.test_inquiries import Speaking


class Ringing(Speaking):
    """A room in which alerts ring and are told."""

    async def commit(self, *tellings: Ring | Correction | Reminder | Resolution, number: int = 1) -> None:
        epoch = await self.store.take(0, "test")
        made = (await self.store.changes(0, 0)).made
        arming = made[number - 1].arming
        state = AlertState(cursor=0, is_firing=True, episode=1, rang_at=self.clock.now())
        told = [Told(arming.id, one, {"armed_rule": arming.rule, "value": 99_980.0}) for one in tellings]
        await self.store.commit(0, epoch, Judgement(self.clock.now(), {arming.id: state}, told=told))

    async def tell(self, message: str) -> list[Notification]:
        """Send all that is due, as one message each; the first of a chat gets this id there."""
        leased = await self.store.lease("telegram", self.clock.now(), 10)
        for one in leased:
            await self.store.settle(one, Receipt(message), self.clock.now())
        return leased


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Ringing:
    return Ringing(store, HandMarket(clock, btc=104_000.0, eth=3_010.5), clock)


def ring(episode: int = 1, corrections: int = 0) -> Ring:
    return Ring(episode, NOON, 99_980.0, (), corrections=corrections)


async def replied(room: Ringing, words: str, caller: Caller = ANN, to: str = "77") -> str:
    """Reply to a message; gives what is answered, empty for silence."""
    answers = await room.replies(words, replace(caller, answers=to))
    return answers[-1].plain() if answers else ""


@pytest.fixture
async def rung(room: Ringing) -> Ringing:
    await room.script("/alert eth < 2k", "/alert btc < 103k repeat")
    await room.commit(ring(), number=2)
    assert [one.kind for one in await room.tell("77")] == [Telling.RING]
    return room


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("mute 1h", "#2 is muted until 13:00 UTC."),
        ("Mute for 2h!", "#2 is muted until 14:00 UTC."),
        ("/mute 1h", "#2 is muted until 13:00 UTC."),
        ("/snooze 30m", "#2 is muted until 12:30 UTC."),
        ("静音1小时", "#2 is muted until 13:00 UTC."),
        ("why?", "#2 BTC/USDT below 103,000"),
        ("为什么", "#2 BTC/USDT below 103,000"),
        ("pause it", "#2 is paused."),
        ("delete", "#2 is deleted: btc < 103000 repeat"),
        ("/delete ask", "Delete #2?"),
        ("edit < 90k", "#2 armed: BTC/USDT below 90,000, every time."),
        ("edit 90k", "#2 armed: BTC/USDT below 90,000, every time."),
        ("edit to 90000", "#2 armed: BTC/USDT below 90,000, every time."),
        ("改成跌破9万", "#2 armed: BTC/USDT below 90,000, every time."),
        ("edit > 110k once", "#2 armed: BTC/USDT above 110,000, once."),
        ("edit eth < 1k", "#2 armed: ETH/USDT below 1,000."),
        ("history", "fell below 103,000"),
        ("/mute 1 1h", "#1 is muted until 13:00 UTC."),
        ("/price btc", "BTC/USDT 104,000"),
    ],
)
async def test_a_reply_to_a_ring_is_about_its_alert(rung: Ringing, words: str, answer: str) -> None:
    assert answer in await replied(rung, words)


async def test_talk_below_a_ring_is_left_alone_in_a_group(room: Ringing) -> None:
    await room.script("/alert btc < 103k", caller=ADMIN)
    await room.commit(ring())
    await room.tell("77")
    for words in ("why does it always fall?", "delete this group lol", "mute him", "nice", "stop crying"):
        assert await replied(room, words, MEMBER) == ""
    assert "is for its admins and for who made the alert" in await replied(room, "delete", MEMBER)
    assert "BTC/USDT below 103,000" in await replied(room, "why", MEMBER)
    assert "#1 is deleted" in await replied(room, "delete", ADMIN)


async def test_a_reply_to_any_other_message_is_what_it_would_be_without(rung: Ringing) -> None:
    assert await replied(rung, "why", MEMBER, to="12") == ""
    assert "Did you mean /why" in await replied(rung, "why", to="12")
    assert "All 2 alerts here are muted" in await replied(rung, "/mute 1h", to="12")
    others = replace(ANN, chat=ChatRef("telegram", "5"))
    assert "There is no alert here to mute" in await replied(rung, "/mute 1h", others)


@pytest.mark.both
async def test_a_reply_to_a_list_asks_which_alert_is_meant(room: Ringing) -> None:
    await room.script("/alert btc < 103k", "/alert btc < 102k")
    await room.commit(ring())
    await room.commit(ring(), number=2)
    [first] = await room.store.lease("telegram", room.clock.now(), 10)
    others = await room.store.gather(first, room.clock.now(), 10, 60.0)
    await room.store.settle(first, Receipt("77"), room.clock.now(), others)
    assert await replied(room, "mute 1h") == (
        "That message tells of #1 and #2. Say which you mean: /mute 1 1h"
    )
    assert "#2 is muted" in await replied(room, "/mute 2 1h")


async def test_who_is_shut_out_is_not_heard_in_a_reply_either(rung: Ringing) -> None:
    desk = make_desk(replace(rung.office, allowed=frozenset({("telegram", "-100")})))
    caller = replace(ANN, answers="77")
    told = [message.plain() async for message in desk.dispatch(caller, "delete")]
    assert "deleted" not in "".join(told)


# --- what goes on with an episode ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "telling",
    [
        Correction(1, NOON, 99_980.0, 0),
        Reminder(1, NOON + 600, 99_000.0),
        Resolution(1, NOON + 900, 104_500.0),
    ],
)
async def test_what_goes_on_with_an_episode_answers_the_message_of_its_ring(
    rung: Ringing, telling: Correction | Reminder | Resolution
) -> None:
    await rung.commit(telling, number=2)
    [told] = await rung.tell("78")
    assert told.answers == "77"


async def test_what_is_of_another_episode_or_was_never_told_answers_nothing(rung: Ringing) -> None:
    await rung.commit(Resolution(10, NOON, 104_500.0), number=2)
    [told] = await rung.tell("78")
    assert told.answers == ""
    await rung.commit(ring(11), number=2)
    await rung.commit(Resolution(11, NOON, 104_500.0), number=2)
    [newest] = await rung.tell("79")
    assert newest.answers == ""
    [over] = await rung.tell("80")
    assert over.answers == "79"


async def test_what_was_sent_before_a_group_moved_is_answered_no_more(room: Ringing) -> None:
    await room.script("/alert btc < 103k", caller=ADMIN)
    await room.commit(ring())
    await room.tell("77")
    await room.commit(Reminder(1, NOON + 600, 99_000.0))
    [reminder] = await room.store.lease("telegram", room.clock.now(), 10)
    assert reminder.answers == "77"
    to = ChatRef("telegram", "-1001")
    await room.store.settle(reminder, ChatMoved(to), room.clock.now())
    [again] = await room.store.lease("telegram", room.clock.now() + 1, 10)
    assert (again.chat, again.answers) == (to, "")
