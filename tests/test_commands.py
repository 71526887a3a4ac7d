"""What people say and what they are answered, on the real store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.alerts.languages import Languages
from bot.alerts.message import Message
from bot.alerts.models import Telling
from bot.alerts.people import Caller, ChatKind, ChatRef, Role
from bot.commands import COMMANDS, Office, make_desk
from bot.delays import Delay
from bot.duties import duties_of, role_of
from bot.engine.sight import Loss, Turns
from bot.engine.state import AlertState, Ring
from bot.metrics import MINUTE, Bar, Health, MetricKey, Observation
from bot.ports import Desk, Judgement, Serving, StoreTrouble, Told, Unseeable
from bot.ports.rota import Rota
from bot.shelf import read_shelf
from bot.store import open_rota
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.metrics import HandMetrics

BTC = MetricKey("price", "btc/usdt")
ANN = Caller(ChatRef("telegram", "1"), ChatKind.PRIVATE, "ann-id", "Ann")
OPERATOR = Caller(ChatRef("telegram", "9"), ChatKind.PRIVATE, "op-id", "Olga")
GROUP = ChatRef("telegram", "-100")
MEMBER = Caller(GROUP, ChatKind.GROUP, "mem-id", "Mo", is_admin=False)
ADMIN = Caller(GROUP, ChatKind.GROUP, "adm-id", "Ada", is_admin=True)


SHELF = read_shelf()


@dataclass
class Room:
    """A desk over the real store, and a market fed by hand."""

    store: SqlStore
    market: HandMarket
    clock: SetClock
    metrics: HandMetrics = field(default_factory=HandMetrics)
    admins: set[tuple[ChatRef, str]] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    delays: list[Delay] = field(default_factory=list)
    lag: Delay | None = None
    rota: Rota | None = None

    @property
    def office(self) -> Office:
        return Office(
            register=self.store,
            market=self.market,
            metrics=self.metrics,
            clock=self.clock,
            quote="usdt",
            operators=frozenset({("telegram", "op-id")}),
            is_admin=self.is_admin,
            languages=Languages(),
            version="1.2.3",
            shelf=lambda: SHELF,
            ring_delays=lambda: self.delays,
            loop_lag=lambda: self.lag,
            rota=self.rota,
        )

    @property
    def desk(self) -> Desk:
        return make_desk(self.office)

    async def is_admin(self, chat: ChatRef, person: str, is_fresh: bool = False) -> bool:
        self.asked.append(person)
        return (chat, person) in self.admins

    async def replies(self, words: str, caller: Caller = ANN) -> list[Message]:
        return [message async for message in self.desk.dispatch(caller, words)]

    async def say(self, words: str, caller: Caller = ANN) -> str:
        """Say a line and give its one answer as text."""
        [message] = await self.replies(words, caller)
        return message.plain()

    async def script(self, *lines: str, caller: Caller = ANN) -> None:
        for line in lines:
            assert "went wrong" not in await self.say(line, caller)

    async def judge(self, *states: AlertState) -> None:
        """Write the states of the armings that live, in the order in which they were made."""
        epoch = await self.store.take(0, "test")
        made = (await self.store.changes(0, 0)).made
        written = {armed.arming.id: state for armed, state in zip(made, states, strict=True)}
        await self.store.commit(0, epoch, Judgement(self.clock.now(), written))

    async def ring(self, number: int = 1) -> None:
        """Let an arming ring, as watch would commit it."""
        epoch = await self.store.take(0, "test")
        made = (await self.store.changes(0, 0)).made
        arming = made[number - 1].arming
        ring = Ring(1, self.clock.now(), 99_980.0, ())
        state = AlertState(cursor=0, is_firing=True, episode=1, rang_at=self.clock.now())
        told = Told(arming.id, ring, {"armed_rule": arming.rule, "value": 99_980.0})
        await self.store.commit(0, epoch, Judgement(self.clock.now(), {arming.id: state}, told=[told]))


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0, eth=3_010.5, pepe=0.00001234), clock)


# --- making alerts ------------------------------------------------------------------------------------------


async def test_an_alert_is_armed_and_says_how_far_the_price_is(room: Room) -> None:
    assert await room.say("/alert btc > 70k for 5m") == (
        "#1 armed: BTC/USDT above 70,000 for 5 minutes. Now 69,400 (0.9% away)."
    )


async def test_what_was_seen_is_kept_with_the_arming(room: Room) -> None:
    await room.say("/alert btc > 70k")
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.alert.rule == "btc > 70000"
    assert subscription.arming is not None
    assert subscription.arming.rule == "btc/usdt > 70000"
    assert subscription.arming.seen[BTC].price == 69_400.0


async def test_an_alert_is_made_once_its_price_was_seen_however_long_that_took(room: Room) -> None:
    look = room.market.seen

    async def seen_slowly(key: MetricKey) -> object:
        seen = await look(key)
        await room.clock.sleep(5)
        return seen

    room.market.seen = seen_slowly  # type: ignore[assignment]
    await room.say("/alert btc > 70k")
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.arming is not None
    assert subscription.arming.made_at == NOON + 5


async def test_an_alert_that_is_true_already_says_that_it_waits_to_be_clear(room: Room) -> None:
    assert await room.say("/alert btc > 69k") == (
        "#1 armed: BTC/USDT above 69,000. Now 69,400 (0.6% away).\n"
        "It is true already, so it waits to be clear first.\n"
        "Tell it now anyway: /ringnow 1"
    )


async def test_what_is_true_already_rings_now_where_somebody_asks_for_it(room: Room) -> None:
    await room.say("/alert btc > 69k")
    await room.judge(AlertState(cursor=0))
    assert (await room.say("/ringnow 1")).splitlines() == [
        "#1 waits no more: if it is true at the next look, it rings.",
        "BTC/USDT above 69,000. Now 69,400 (0.6% away).",
    ]
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.arming is not None
    assert subscription.arming.is_eager
    assert subscription.state is None
    assert "· not judged yet ·" in await room.say("/alerts")
    assert await room.say("/ringnow 1") == "#1 is armed: it rings as soon as it is true."


@pytest.mark.parametrize(
    ("price", "state", "answer"),
    [
        (69_400.0, AlertState(0, is_armed=True), "#1 is armed: it rings as soon as it is true."),
        (68_000.0, AlertState(0), "#1 is not true now: there is nothing to tell before it is."),
        (
            69_400.0,
            AlertState(0, is_firing=True, episode=1, rang_at=NOON),
            "#1 rang 12:00 UTC, and rings again once it was clear.",
        ),
        (69_400.0, AlertState(0, is_ended=True), "#1 is at rest. /resume 1 arms it."),
    ],
)
async def test_what_does_not_wait_or_is_not_true_is_left_as_it_is(
    room: Room, price: float, state: AlertState, answer: str
) -> None:
    await room.say("/alert btc > 69k repeat")
    await room.judge(state)
    before = await room.store.subscriptions(ANN.chat)
    room.market.set("btc/usdt", price)
    assert await room.say("/ringnow 1") == answer
    assert await room.store.subscriptions(ANN.chat) == before


async def test_an_alert_that_was_armed_between_the_look_and_the_writing_is_left_as_it_is(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.say("/alert btc > 69k")
    ring_now = room.store.ring_now

    async def judged_meanwhile(*given: Any) -> object:
        await room.judge(AlertState(0, is_armed=True))
        return await ring_now(*given)

    monkeypatch.setattr(room.store, "ring_now", judged_meanwhile)
    assert await room.say("/ringnow 1") == "#1 is armed: it rings as soon as it is true."


async def test_nothing_rings_now_whose_price_is_not_seen(room: Room) -> None:
    await room.say("/alert btc > 69k")
    room.market.hide("btc/usdt")
    assert "cannot be seen" in await room.say("/ringnow 1")
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.arming is not None
    assert not subscription.arming.is_eager


async def test_within_the_rearm_distance_an_alert_is_said_not_to_be_true(room: Room) -> None:
    answer = await room.say("/alert btc < 69k repeat rearm 1000")
    assert "It is not clear by its rearm distance yet, so it waits for that first." in answer
    assert "/ringnow" not in answer
    assert "#1 is not true now" in await room.say("/ringnow 1")
    assert "/ringnow 2" in await room.say("/alert btc < 70k repeat rearm 1000")


async def test_a_shared_alert_rings_now_in_the_chat_that_asks_alone(room: Room) -> None:
    await room.script("/publish floor btc < 70k", caller=OPERATOR)
    assert "Tell it now anyway: /ringnow floor" in await room.say("/subscribe floor")
    await room.script("/subscribe floor", caller=ADMIN)
    await room.script("/ringnow floor")
    mine, theirs = [(await room.store.subscriptions(chat))[0].arming for chat in (ANN.chat, GROUP)]
    assert mine is not None
    assert theirs is not None
    assert (mine.is_eager, theirs.is_eager) == (True, False)


async def test_history_tells_whether_a_hold_is_over_its_time_already(room: Room) -> None:
    opening = int(NOON) - 10 * MINUTE
    flat = [Bar(opening + place * MINUTE, *(69_400.0,) * 4) for place in range(10)]
    room.market.feed("btc/usdt", flat)
    assert "It is true already, so it waits to be clear first." in await room.say("/alert btc > 69k for 5m")
    assert "waits" not in await room.say("/alert btc > 69k for 15m")
    assert "waits" not in await room.say("/alert btc > 69.5k for 5m")


async def test_an_alert_on_a_window_says_how_much_must_be_known_before_it_begins(room: Room) -> None:
    answer = (await room.say("/alert btc -5% in 24h")).splitlines()
    assert "It begins once 24 hours of prices show that it is not true already." in answer
    assert "Whether it is true is unknown now: 1 of 1,440 minutes of history are known." in answer
    await room.judge(AlertState(cursor=0))
    assert "· unknown: 1 of 1,440 minutes of history are known ·" in await room.say("/alerts")
    opening = int(NOON) - 1440 * MINUTE
    room.market.feed("btc/usdt", [Bar(opening + place * MINUTE, *(69_400.0,) * 4) for place in range(1440)])
    first = (await room.replies("/alert btc -5% in 24h"))[0]
    assert "begins" not in first.plain()


async def test_the_list_says_how_much_of_the_history_of_an_average_is_known(room: Room) -> None:
    midnight = int(NOON) - 12 * 3600
    days = [Bar(midnight - back * 86_400, *(60_000.0,) * 4, 1.0, 86_400) for back in range(41, 0, -1)]
    room.market.feed("btc/usdt", days)
    why = "41 of 60 days of history are known"
    answer = (await room.replies("/alert btc > sma(btc, 60, 1d)"))[0]
    assert f"Whether it is true is unknown now: {why}." in answer.lines
    await room.judge(AlertState(cursor=0))
    assert f"#1 BTC/USDT above SMA(60) of BTC/USDT on 1 day · unknown: {why} ·" in await room.say("/alerts")


async def test_what_is_known_to_be_true_waits_to_be_clear_also_where_candles_decide(room: Room) -> None:
    midnight = int(NOON) - 12 * 3600
    days = [Bar(midnight - back * 86_400, *(60_000.0,) * 4, 1.0, 86_400) for back in range(61, 0, -1)]
    room.market.feed("btc/usdt", days)
    answer = (await room.replies("/alert btc > sma(btc, 60, 1d)"))[0]
    assert "It is true already, so it waits to be clear first." in answer.lines
    await room.judge(AlertState(cursor=0))
    assert "· waits to be clear first, /ringnow 1 tells it now ·" in await room.say("/alerts")


async def test_a_list_says_which_of_several_series_lacks_history(room: Room) -> None:
    midnight = int(NOON) - 12 * 3600
    for name, count in (("btc/usdt", 30), ("eth/usdt", 12)):
        prices = [100.0 + place % 3 for place in range(count)]
        opens = range(midnight - count * 86_400, midnight, 86_400)
        bars = [Bar(at, *(price,) * 4, 1.0, 86_400) for at, price in zip(opens, prices, strict=True)]
        room.market.feed(name, bars)
    await room.replies("/alert corr(btc, eth, 20d) < 0.4")
    await room.judge(AlertState(cursor=0))
    assert "unknown: ETH/USDT: 11 of 20 days of history are known" in await room.say("/alerts")


async def test_a_history_that_cannot_be_had_is_said_and_is_no_answer(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> tuple[Bar, ...]:
        raise Unseeable("away")

    monkeypatch.setattr(room.market, "bars", fails)
    answer = await room.say("/alert btc > sma(btc, 60, 1d)")
    assert "Whether it is true is unknown now: its history cannot be had just now." in answer
    await room.judge(AlertState(cursor=0))
    assert "· waits to be clear" in await room.say("/alerts")


async def test_sugar_is_answered_with_the_rule_it_became(room: Room) -> None:
    answer = await room.say("/alert btc breaks 70k")
    assert answer.endswith("Read as: btc crosses 70000")
    assert "Read as" not in await room.say("/alert btc > 70000")


async def test_a_for_that_could_mean_the_whole_line_shows_the_other_reading(room: Room) -> None:
    answer = await room.say("/alert btc > 80k and eth > 4k for 5m")
    assert "write: (btc > 80000 and eth > 4000) for 5m" in answer
    assert "Now BTC/USDT 69,400, ETH/USDT 3,010.5." in answer


async def test_a_rule_that_cannot_be_read_is_answered_with_its_picture_and_stores_nothing(room: Room) -> None:
    [message] = await room.replies("/alert btc < 10o k")
    assert message.code == "btc < 10o k\n      ^"
    assert message.lines == ('"10o" is no number.', "Did you mean 100k?")
    assert message.is_private
    assert await room.store.subscriptions(ANN.chat) == []


async def test_a_wrong_rule_is_answered_with_an_example_that_fits(room: Room) -> None:
    [message] = await room.replies("/alert btc drops 5%%")
    assert message.lines[-1] == "For instance: btc -5% in 1h"
    assert (await room.say("/alert btc rsi 4h <")).count("btc rsi 4h < 30") == 1
    [message] = await room.replies("/alert }")
    assert message.lines[-1] == "For instance: btc < 100k"


async def test_an_unknown_instrument_is_answered_with_the_nearest_that_exist(room: Room) -> None:
    answer = await room.say("/alert btx > 1")
    assert answer == "No exchange that I watch lists BTX/USDT.\nNearest: btc/usdt, eth/usdt."
    assert await room.store.subscriptions(ANN.chat) == []


async def test_an_unknown_level_is_answered_with_the_nearest_and_how_to_set_one(room: Room) -> None:
    await room.say("/level etf_cost 65k")
    answer = await room.say("/alert btc < @etf_coast")
    assert "Did you mean @etf_cost?" in answer
    assert "/level etf_coast 98700" in answer


async def test_a_number_far_from_the_price_is_asked_about_before_it_arms(room: Room) -> None:
    answer = await room.say("/alert btc > 100.000")
    assert answer == (
        "100 is far from the price of BTC/USDT, 69,400: nothing is armed yet.\n"
        "Did you mean 100,000?\n"
        "If you mean it, send: /alert btc > 100 sure"
    )
    assert await room.store.subscriptions(ANN.chat) == []
    assert (await room.say("/alert btc > 100 sure")).startswith("#1 armed: BTC/USDT above 100.")


async def test_a_number_within_five_times_the_price_is_armed_at_once(room: Room) -> None:
    assert "armed" in await room.say("/alert btc > 347000")
    assert "far from" in await room.say("/alert btc > 347001")
    assert "armed" in await room.say("/alert btc < 13880")
    assert "far from" in await room.say("/alert btc < 13879")


async def test_an_alert_is_armed_unseen_and_says_so_while_no_exchange_answers(room: Room) -> None:
    room.market.is_down = True
    assert await room.say("/alert btc > 1") == (
        "#1 armed: BTC/USDT above 1.\nThe price cannot be seen just now; it is watched as soon as it can be."
    )
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.arming is not None
    assert subscription.arming.seen == {}


async def test_until_is_an_instant_from_the_first_moment(room: Room) -> None:
    await room.say("/alert btc > 70k until 3d")
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.alert.rule == "btc > 70000 until 2025-11-15T12:00Z"


async def test_an_alert_without_a_rule_is_answered_with_examples(room: Room) -> None:
    answer = await room.say("/alert")
    assert "/alert RULE" in answer
    assert "/alert btc < 100k" in answer


async def test_every_example_of_the_table_works(room: Room) -> None:
    room.market.set("btc/usdt", 95_000.0)
    room.market.set("eth/usd", 3_000.0)
    await room.script("/level etf_cost 98.7k", caller=OPERATOR)
    flow = Observation(
        MetricKey("etf_flow", "btc"), 1_762_819_200, Decimal("1000000"), NOON, source="farside"
    )
    await room.store.note([flow], int(NOON))
    for line in ("/alert btc < 90k", "/alert btc < 89k", "/alert btc < 96k"):
        await room.script(line, caller=OPERATOR)
    for name in ("btc/usdt", "eth/usd"):
        hours = range(int(NOON) // 86_400 * 86_400 - 5 * 86_400, int(NOON), 3600)
        room.market.feed(name, [Bar(at, 3_000.0, 3_010.0, 2_990.0, 3_000.0, 1.0, 3600) for at in hours])
    order = {"publish": 0, "subscribe": 1, "delete": 3}
    for command in sorted(COMMANDS, key=lambda command: order.get(command.name, 2)):
        for example in command.examples:
            for message in await room.replies(f"/{command.name} {example}".strip(), OPERATOR):
                is_for_one = command.name == "link"  # a code is for nobody else's eyes
                assert not message.is_private or is_for_one, message  # no refusal


# --- what a chat has ----------------------------------------------------------------------------------------


async def test_the_list_shows_how_each_alert_stands_and_where_the_price_is(room: Room) -> None:
    await room.script(
        "/alert btc > 70k", "/alert btc > 69k", "/alert btc < 60k repeat", "/alert btc < 1k sure"
    )
    await room.judge(
        AlertState(cursor=0, is_armed=True),
        AlertState(cursor=0),
        AlertState(cursor=0, is_firing=True, episode=2, rang_at=NOON),
        AlertState(cursor=0, is_firing=True, episode=1, rang_at=NOON),
    )
    await room.script("/alert btc > 71k", "/pause 5")
    assert (await room.say("/alerts")).splitlines() == [
        "#1 BTC/USDT above 70,000 · armed · now 69,400 (0.9% away)",
        "#2 BTC/USDT above 69,000 · waits to be clear first, /ringnow 2 tells it now"
        " · now 69,400 (0.6% away)",
        "#3 BTC/USDT below 60,000, every time · ringing since 12:00 UTC, cooling down until 12:15 UTC"
        " · now 69,400 (13.5% away)",
        "#5 BTC/USDT above 71,000 · paused, /resume 5 takes it up again · now 69,400 (2.3% away)",
        "#4 BTC/USDT below 1,000 · rang 12:00 UTC, /resume 4 arms it again · now 69,400 (98.6% away)",
        "/why 1 says more, /edit 1 changes it, /delete 1 ends it.",
    ]


async def test_the_list_says_when_a_price_is_not_seen(room: Room) -> None:
    await room.say("/alert btc > 70k")
    room.market.is_down = True
    [first, _] = (await room.say("/alerts")).splitlines()
    assert first == "#1 BTC/USDT above 70,000 · not judged yet · price not seen"


async def lose(room: Room, *names: str) -> None:
    """Keep series out of sight since five minutes ago, as watch writes it down."""
    reason, since = "binance does not answer in time", room.clock.now() - 300
    loss = Loss(since, reason, "binance", "lost/btc/usdt/1")
    turns = Turns({MetricKey("price", name): loss for name in names})
    epoch = await room.store.take(0, "test")
    await room.store.commit(0, epoch, Judgement(room.clock.now(), turns=turns))


async def test_the_list_says_since_when_something_is_out_of_sight_and_why(room: Room) -> None:
    await room.say("/alert btc > 70k")
    await room.say("/alert eth > 4k")
    await lose(room, "btc/usdt")
    room.market.hide("btc/usdt")
    first, second, _ = (await room.say("/alerts")).splitlines()
    assert second == "#1 BTC/USDT above 70,000 · unknown: Binance does not answer in time, since 11:55 UTC"
    assert "unknown" not in first


async def test_who_makes_an_alert_during_a_loss_hears_of_it(room: Room) -> None:
    await lose(room, "btc/usdt")
    assert (await room.say("/alert eth > 4k")).count("cannot be seen") == 0
    assert (await room.say("/alert btc > 70k")).splitlines()[1:] == [
        "BTC/USDT cannot be seen: Binance does not answer in time, since 11:55 UTC. "
        "What is missed meanwhile is looked through then."
    ]


async def test_who_follows_a_shared_alert_during_a_loss_hears_of_it(room: Room) -> None:
    await room.say("/publish floor btc < 60k", OPERATOR)
    await lose(room, "btc/usdt")
    assert "cannot be seen: Binance does not answer" in await room.say("/subscribe floor")


async def test_the_list_says_who_stands_in_for_whom(room: Room) -> None:
    await room.say("/alert btc > 70k")
    reason = "binance does not answer in time"
    btc = MetricKey("price", "btc/usdt")
    room.market.stand_ins[btc] = Serving("kraken", "binance", 1.0, room.clock.now(), reason)
    [first, _] = (await room.say("/alerts")).splitlines()
    assert first.endswith("· Kraken, standing in for Binance, which does not answer in time")


async def test_a_long_list_has_pages_and_none_is_left_out(room: Room) -> None:
    for number in range(30):
        await room.say(f"/alert btc > {70_000 + number}")
    pages = [await room.say(f"/alerts {page}") for page in (1, 2, 3)]
    assert await room.say("/alerts") == pages[0]
    assert pages[0].endswith("Page 1 of 3. Next: /alerts 2")
    assert pages[2].endswith("Page 3 of 3. Next: /alerts 1")
    labels = [line.split()[0] for line in "\n".join(pages).splitlines() if line.startswith("#")]
    assert labels == [f"#{number}" for number in range(1, 31)]
    assert await room.say("/alerts 99") == pages[2]


async def test_an_empty_list_says_how_to_begin(room: Room) -> None:
    assert "/alert btc < 100k" in await room.say("/alerts")


async def test_delete_takes_a_number_with_or_without_its_sign(room: Room) -> None:
    await room.script("/alert btc > 70k", "/alert btc > 71k")
    assert await room.say("/delete 1") == "#1 is deleted: btc > 70000"
    assert await room.say("/delete #2") == "#2 is deleted: btc > 71000"
    assert "There is no alert #2 here." in await room.say("/delete 2")


@pytest.mark.parametrize("words", ["/delete", "/delete x", "/delete 0", "/delete -1", "/delete ²"])
async def test_options_that_do_not_fit_are_answered_with_the_usage_and_change_nothing(
    room: Room, words: str
) -> None:
    await room.script("/alert btc > 70k", "/alert btc > 71k", "/alert btc > 72k")
    assert "/delete NUMBER" in await room.say(words)
    assert len(await room.store.subscriptions(ANN.chat)) == 3


async def test_a_paused_alert_is_armed_anew_when_it_is_resumed(room: Room) -> None:
    await room.say("/alert btc > 70k")
    assert await room.say("/pause 1") == "#1 is paused. /resume 1 takes it up again."
    assert "paused already" in await room.say("/pause #1")
    room.market.set("btc/usdt", 70_500.0)
    assert "It is true already" in await room.say("/resume 1")
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.arming is not None
    assert subscription.arming.seen[BTC].price == 70_500.0


async def test_an_alert_that_rang_once_can_be_resumed_and_one_that_is_armed_cannot(room: Room) -> None:
    await room.say("/alert btc > 70k")
    assert await room.say("/resume 1") == "#1 is armed already."
    await room.ring()
    assert (await room.say("/resume 1")).startswith("#1 armed:")
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.state is None


async def test_an_alert_whose_time_is_over_is_not_resumed(room: Room) -> None:
    await room.script("/alert btc > 70k until 1d", "/pause 1")
    room.clock.time += 2 * 86_400
    assert "had its time until 12:00 UTC, Nov 13" in await room.say("/resume 1")


async def test_a_wrong_name_is_answered_with_the_nearest(room: Room) -> None:
    await room.script("/publish btc-floor btc < 60k", caller=OPERATOR)
    await room.script("/subscribe btc-floor")
    assert "Did you mean btc-floor?" in await room.say("/pause btc-flor")


# --- the present --------------------------------------------------------------------------------------------


async def test_prices_are_told_with_their_time_and_nothing_is_swallowed(room: Room) -> None:
    room.market.set("eth/usdt", 3_010.5)
    assert (await room.say("/price btc, pepe eth/usd ( btc")).splitlines() == [
        "BTC/USDT 69,400, 12:00 UTC",
        "PEPE/USDT 0.00001234, 12:00 UTC",
        "No exchange that I watch lists ETH/USD.",
        "Nearest: eth/usdt, btc/usdt, pepe/usdt.",
        '"(" is no instrument. Write it like btc, eth/usd, btc/usdt@kraken.',
    ]


async def test_an_old_price_says_how_old_it_is_and_an_unseen_one_that_it_is_unseen(room: Room) -> None:
    room.clock.time += 25 * 60
    room.market.hide("eth/usdt")
    assert (await room.say("/price btc eth")).splitlines() == [
        "BTC/USDT 69,400, seen 25 minutes ago",
        "ETH/USDT: the price cannot be seen just now.",
    ]


async def test_status_tells_how_each_feed_is(room: Room) -> None:
    room.market.reports = [
        Health("binance", seen_at=NOON - 3),
        Health("okx", seen_at=NOON - 600),
        Health("kraken", seen_at=NOON - 900, failing_since=NOON - 840, reason="no answer in time"),
        Health("bybit"),
    ]
    await room.say("/alert btc > 70k")
    assert (await room.say("/status")).splitlines() == [
        "Tocsin 1.2.3",
        "Binance: well, last data 3 seconds ago",
        "OKX: late, last data 10 minutes ago",
        "Kraken: cannot be seen, last data 15 minutes ago: no answer in time",
        "Bybit: not looked at yet",
        "1 alert in this chat.",
    ]


async def test_an_operator_is_told_in_private_who_works_and_who_stands_by(room: Room, database: str) -> None:
    rota = await open_rota(database)
    first = await rota.join("desk:4711", "1.2.3", 60)
    await rota.take(first, "bot")
    room.rota = rota
    room.market.reports = []
    alone = (await room.say("/status", OPERATOR)).splitlines()[1:]
    assert alone == [
        "On duty: desk:4711, version 1.2.3, there for 0 seconds",
        "Nobody stands by: if this process ends, no other takes over.",
        "0 alerts in this chat.",
    ]
    silent = await rota.join("room:1", "1.2.2", 60)
    await rota.renew(silent, -90)
    await rota.leave(await rota.join("rack:9", "1.2.2", 60))
    await rota.join("rack:2", "1.2.4", 60)
    assert (await room.say("/status", OPERATOR)).splitlines()[1:] == [
        "On duty: desk:4711, version 1.2.3, there for 0 seconds",
        "Stands by: rack:2, version 1.2.4, there for 0 seconds",
        "Ended: rack:9, 0 seconds ago",
        "Lost: room:1, not heard of for 2 minutes",
        "0 alerts in this chat.",
    ]
    assert "rack" not in await room.say("/status")
    await rota.close()


async def test_an_operator_is_told_who_does_what_where_the_work_is_divided(room: Room, database: str) -> None:
    rota = await open_rota(database)
    plan = duties_of(("binance", "okx"), 4, {"telegram": 2})
    kinds = {"feed:1": ("feed",), "engine:1": ("engine",), "engine:2": ("engine",), "chat:1": ("chat",)}
    ids = {name: await rota.join(name, "1.2.3", 60, roles, plan) for name, roles in kinds.items()}
    for duty in plan:
        role = role_of(duty)
        await rota.take(ids["engine:1" if role == "engine" else f"{role}:1"], duty)
    await rota.join("spare:1", "1.2.4", 60, plan=plan)
    await rota.leave(ids["feed:1"])
    room.rota, room.market.reports = rota, []
    assert (await room.say("/status", OPERATOR)).splitlines()[1:] == [
        "On duty: engine:1 (engine), version 1.2.3, there for 0 seconds: engine/0-3",
        "Stands by: engine:2 (engine), version 1.2.3, there for 0 seconds",
        "On duty: chat:1 (chat), version 1.2.3, there for 0 seconds: chat/telegram/0-1, chat/upkeep",
        "Stands by: spare:1, version 1.2.4, there for 0 seconds",
        "Nobody does: feed/binance, feed/metrics, feed/okx",
        "Only spare:1 may do feed: if it ends, no other takes over.",
        "Ended: feed:1 (feed), 0 seconds ago",
        "0 alerts in this chat.",
    ]
    await room.store.divide(4)
    for partition, behind in enumerate((0, 20, 600)):
        epoch = await room.store.take(partition, "engine:1")
        await room.store.commit(partition, epoch, Judgement(NOON, horizon=int(room.clock.time) - behind))
    assert (await room.say("/status", OPERATOR)).splitlines()[7:10] == [
        "Judged up to 20 seconds ago: 2 of 4 partitions",
        "Behind: partition 2, judged up to 10 minutes ago",
        "Not judged yet: partition 3",
    ]
    await rota.close()


# --- shared alerts ------------------------------------------------------------------------------------------


async def test_an_operator_publishes_and_any_chat_follows(room: Room) -> None:
    await room.script("/level etf_cost 65k", caller=OPERATOR)
    assert await room.say("/publish btc-floor btc < @etf_cost", OPERATOR) == (
        "btc-floor is published: BTC/USDT below 65,000 (@etf_cost is 65,000).\n"
        "Follow it: /subscribe btc-floor"
    )
    assert await room.say("/subscribe BTC-Floor") == (
        "btc-floor armed: BTC/USDT below 65,000 (@etf_cost is 65,000). Now 69,400 (6.3% away)."
    )
    told, how = (await room.say("/catalogue")).splitlines()
    assert told.startswith("btc-floor: BTC/USDT below 65,000 (@etf_cost is 65,000) · now 69,400 (6.3% away)")
    assert told.endswith(" · 1 chat · did not ring in 30 days")
    assert how == "Follow one: /subscribe btc-floor"
    assert await room.say("/alerts") == (
        "btc-floor BTC/USDT below 65,000 (@etf_cost is 65,000) · not judged yet · now 69,400 (6.3% away)\n"
        "/why btc-floor says more."
    )
    assert await room.say("/unsubscribe btc-floor") == "This chat follows btc-floor no longer."
    assert "does not follow btc-floor" in await room.say("/unsubscribe btc-floor")


async def test_an_unpublished_alert_is_told_to_those_who_followed(room: Room) -> None:
    await room.script("/publish btc-floor btc < 60k", caller=OPERATOR)
    await room.script("/subscribe btc-floor")
    assert await room.say("/unpublish btc-floor", OPERATOR) == (
        "1 chat follows btc-floor, and would be told that it rings no more.\n"
        "Nothing is changed yet. /confirm 1 does it, /discard 1 drops it; it waits until 12:15 UTC."
    )
    assert await room.say("/confirm 1", OPERATOR) == (
        "btc-floor is unpublished.\n1 chat followed it and is told."
    )
    [notification] = await room.store.lease("telegram", NOON, 10)
    assert (notification.kind, notification.chat) == (Telling.WITHDRAWN, ANN.chat)
    assert "No shared alert is called btc-floor." in await room.say("/unpublish btc-floor", OPERATOR)


async def test_a_taken_name_and_a_name_out_of_bounds_are_refused(room: Room) -> None:
    await room.script("/publish btc-floor btc < 60k", caller=OPERATOR)
    assert "published already" in await room.say("/publish BTC-FLOOR btc < 60k", OPERATOR)
    for name in ("33", "a" * 33, "übel", "a.b", "--"):
        assert "A name has 1 to 32" in await room.say(f"/publish {name} btc < 60k", OPERATOR)
    assert len(await room.store.catalogue()) == 1


async def test_a_published_rule_may_not_lean_on_a_level_of_one_chat(room: Room) -> None:
    operator_in_group = replace(ADMIN, person="op-id")
    await room.script("/level own 65k", caller=ADMIN)
    assert "There is no level @own." in await room.say("/publish x btc < @own", operator_in_group)


# --- levels -------------------------------------------------------------------------------------------------


async def test_a_moved_level_says_who_follows_and_arms_anew_without_a_ring(room: Room) -> None:
    assert (await room.say("/level etf_cost 65k", OPERATOR)).splitlines() == [
        "@etf_cost is 65,000. It holds in every chat without one of its own.",
        "No alert follows it yet: /alert btc < @etf_cost",
    ]
    await room.script("/alert btc < @etf_cost")
    await room.script("/alert btc < @etf_cost", "/alert eth > 1k", caller=ADMIN)
    assert "would move from 65,000 to 70,000" in await room.say("/level ETF_cost 70k", OPERATOR)
    answer = await room.say("/confirm 1", OPERATOR)
    assert "@etf_cost moved from 65,000 to 70,000." in answer
    assert (
        "2 alerts follow it in 2 chats, armed anew: what is true already waits to be clear first." in answer
    )
    assert "Tell one now anyway: /ringnow N" in answer
    [subscription] = await room.store.subscriptions(ANN.chat)
    assert subscription.arming is not None
    assert subscription.arming.rule == "btc/usdt < 70000"
    assert subscription.arming.seen[BTC].price == 69_400.0
    told = await room.store.lease("telegram", NOON, 10)
    assert {one.kind for one in told} == {Telling.LEVEL}


async def test_a_chats_own_level_is_nearer_than_the_deployments(room: Room) -> None:
    await room.script("/level etf_cost 65k", caller=OPERATOR)
    assert "It holds in this chat." in await room.say("/level etf_cost 60k", ADMIN)
    assert "BTC/USDT below 60,000" in await room.say("/alert btc < @etf_cost", ADMIN)
    assert "BTC/USDT below 65,000" in await room.say("/alert btc < @etf_cost")
    assert (
        await room.say("/level", ADMIN)
    ) == "@etf_cost 60,000, set by Ada at 12:00 UTC, for this chat alone · 1 alert follows it in 1 chat"
    assert (await room.say("/level etf_cost")) == (
        "@etf_cost 65,000, set by Olga at 12:00 UTC · 1 alert follows it in 1 chat\n"
        "12:00 UTC: @etf_cost set to 65,000, by Olga"
    )


async def test_an_operator_in_a_group_sets_that_groups_level_only(room: Room) -> None:
    await room.script("/level etf_cost 65k", caller=replace(ADMIN, person="op-id", is_admin=None))
    assert "No levels yet" in await room.say("/level", OPERATOR)
    assert "65,000" in await room.say("/level", MEMBER)


async def test_a_level_far_from_what_it_was_is_asked_about(room: Room) -> None:
    await room.script("/level etf_cost 98.7k")
    assert await room.say("/level etf_cost 98.7") == (
        "98.7 is far from what @etf_cost was, 98,700: nothing is changed yet.\n"
        "If you mean it, send: /level etf_cost 98.7 sure"
    )
    assert "98,700" in await room.say("/level etf_cost")
    assert "moved from 98,700 to 98.7." in await room.say("/level etf_cost 98.7 sure")


@pytest.mark.parametrize(
    "words",
    [
        "/level etf_cost nine",
        "/level etf_cost btc",
        "/level etf_cost 5%",
        "/level etf_cost 1 for 5m",
        "/level a-b 3",
        "/level etf_cost 0 or btc > 1",
        "/level " + "x" * 40 + " 3",
    ],
)
async def test_what_is_no_level_is_refused_and_changes_nothing(room: Room, words: str) -> None:
    answer = await room.say(words)
    assert "no number for a level" in answer or "cannot be a level's name" in answer
    assert await room.store.levels(ANN.chat) == {}


async def test_a_level_that_moves_while_an_alert_is_made_is_filled_anew(room: Room) -> None:
    await room.script("/level etf_cost 65k", caller=OPERATOR)
    look, moved = room.market.seen, []

    async def seen_while_it_moves(key: MetricKey) -> object:
        if not moved:
            moved.append(True)
            await room.say("/level etf_cost 66k", OPERATOR)
        return await look(key)

    room.market.seen = seen_while_it_moves  # type: ignore[assignment]
    assert "BTC/USDT below 66,000" in await room.say("/alert btc < @etf_cost")


# --- who may ------------------------------------------------------------------------------------------------

CHANGING = [
    "/delete 1",
    "/pause 1",
    "/resume 1",
    "/ringnow 1",
    "/subscribe x",
    "/unsubscribe x",
]


@pytest.mark.parametrize("words", [*CHANGING, "/level x 3"])
async def test_a_groups_changes_are_for_its_admins_and_the_answer_says_so(room: Room, words: str) -> None:
    answer = await room.say(words, MEMBER)
    assert f"In a group {words.split(maxsplit=1)[0]} is for its admins" in answer
    assert await room.store.subscriptions(GROUP) == []
    assert "is for its admins" not in await room.say(words, ADMIN)


@pytest.mark.parametrize("words", ["/publish x btc < 60k", "/unpublish x"])
@pytest.mark.parametrize("caller", [ANN, ADMIN, MEMBER])
async def test_publishing_is_for_operators(room: Room, words: str, caller: Caller) -> None:
    assert await room.say(words, caller) == f"{words.split(maxsplit=1)[0]} is for the operators of this bot."
    assert await room.store.catalogue() == []


@pytest.mark.parametrize(
    "words", ["/alerts", "/price btc", "/status", "/catalogue", "/level", "/help", "/start"]
)
async def test_everybody_may_look(room: Room, words: str) -> None:
    assert "is for" not in await room.say(words, replace(MEMBER, is_admin=None))
    assert room.asked == []


async def test_the_platform_is_asked_only_where_it_matters_and_is_believed(room: Room) -> None:
    unsure = replace(MEMBER, is_admin=None)
    assert "armed" in await room.say("/alert btc > 70k", unsure)
    assert room.asked == []
    assert "is for its admins" in await room.say("/level x 3", unsure)
    room.admins.add((GROUP, "mem-id"))
    assert "@x is 3" in await room.say("/level x 3", unsure)
    assert room.asked == ["mem-id", "mem-id"]
    assert "@y is 3" in await room.say("/level y 3", replace(unsure, person="op-id"))
    assert "@z is 3" in await room.say("/level z 3", ADMIN)
    assert room.asked == ["mem-id", "mem-id"]


async def test_an_operator_of_one_platform_is_nobody_on_another(room: Room) -> None:
    stranger = replace(OPERATOR, chat=ChatRef("discord", "9"))
    assert "for the operators" in await room.say("/publish x btc < 60k", stranger)


# --- the desk -----------------------------------------------------------------------------------------------


async def test_an_unknown_command_is_answered_with_the_nearest(room: Room) -> None:
    assert (await room.say("/alrt btc > 1")).splitlines()[:2] == [
        "I know no command /alrt.",
        "Did you mean /alert?",
    ]


async def test_plain_text_that_is_a_rule_is_answered_with_how_to_arm_it(room: Room) -> None:
    assert await room.say("tell me when btc hits 100k, please") == (
        "I read that as: BTC/USDT reaching 100,000. Now 69,400 (44.1% away).\n"
        "Nothing is armed yet: press the button, or send: /alert btc crosses 100000"
    )
    assert await room.store.subscriptions(ANN.chat) == []


async def test_plain_text_that_is_no_rule_gets_a_short_answer(room: Room) -> None:
    assert "For instance: btc < 100k" in await room.say("good morning")


async def test_plain_text_in_a_group_is_none_of_the_bots_business(room: Room) -> None:
    assert await room.replies("btc 100k", ADMIN) == []
    assert await room.replies("good morning", MEMBER) == []
    assert await room.replies("   ", ANN) == []


async def test_a_command_is_found_however_it_is_written(room: Room) -> None:
    expected = await room.say("/price btc")
    for words in ("/PRICE btc", "/price@TocsinBot btc", "  /price   btc  ", "/price\nbtc"):
        assert await room.say(words) == expected
    assert "I watch the market" in await room.say("/start some-payload-of-a-link")


async def test_help_lists_the_table_and_tells_more_of_each_command(room: Room) -> None:
    listed, for_operators = await room.say("/help"), await room.say("/help", OPERATOR)
    for command in COMMANDS:
        assert f"{command.usage}: {command.summary}" in for_operators
        assert (f"{command.usage}: {command.summary}" in listed) is (command.role is not Role.OPERATOR)
        more = await room.say(f"/help {command.name}")
        assert command.summary in more
        assert all(f"/{command.name} {example}".rstrip() in more for example in command.examples)
    assert "I know no command /nix." in await room.say("/help nix")
    assert "for the operators" in await room.say("/help publish")


class BrokenStore:
    """A store whose every call fails in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def bounds(self) -> object:
        raise self.error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (StoreTrouble("disk full"), "nothing was changed"),
        (RuntimeError("btc < 100k is my secret"), "Something went wrong on my side"),
    ],
)
async def test_a_command_is_answered_whatever_breaks_and_no_log_shows_its_words(
    room: Room, error: Exception, says: str
) -> None:
    desk = make_desk(replace(room.office, register=BrokenStore(error)))  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as logs:
        [message] = [reply async for reply in desk.dispatch(ANN, "/alert btc < 100k")]
    assert says in message.plain()
    assert [line["event"] for line in logs] == ["command_failed"]
    assert "btc < 100k" not in str(logs)


_WORDS = ["btc", "<", "100k", "@x", "1", "#1", "x", "sure", "for", "5m", "repeat", '"', "\x00", "é"]


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(["", *(f"/{command.name}" for command in COMMANDS), "/nix", "/"]),
    words=st.lists(st.sampled_from(_WORDS) | st.text(max_size=6), max_size=6),
    caller=st.sampled_from([ANN, OPERATOR, ADMIN, MEMBER]),
)
async def test_any_text_is_answered_or_ignored_by_design(
    name: str, words: list[str], caller: Caller, room: Room
) -> None:
    with structlog.testing.capture_logs() as logs:
        replies = await room.replies(" ".join([name, *words]), caller)
    assert logs == []
    assert len(replies) == 1 or not name
    assert all(reply.plain() for reply in replies)


async def test_what_is_for_the_asker_alone_is_said_aside_in_a_group_and_to_all_where_all_press(
    room: Room,
) -> None:
    for line in ("/help", "/help alert", "/export"):
        assert all(message.is_private for message in await room.replies(line, ADMIN)), line
        assert not any(message.is_private for message in await room.replies(line, OPERATOR)), line
    pressing = replace(ADMIN, has_pressed=True)
    assert not any(message.is_private for message in await room.replies("/help", pressing))


def test_the_table_fits_what_the_platforms_take() -> None:
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
    for command in COMMANDS:
        assert command.name.isascii()
        assert command.name.islower()
        assert len(command.summary) <= 100
        required = [option.is_required for option in command.options]
        assert required == sorted(required, reverse=True)
        assert all(len(option.summary) <= 100 and option.name.islower() for option in command.options)
        # Of changes and of all that is here; of oneself; and of what anybody proposed.
        if command.name not in ("audit", "export", "forgetme", "link", "unlink", "confirm", "discard"):
            assert command.changes == (command.role > Role.MEMBER)
        assert not command.reads_without or command.reads_without in [one.name for one in command.options]


# --- completing ---------------------------------------------------------------------------------------------


async def suggested(room: Room, command: str, option: str, prefix: str, caller: Caller = ANN) -> list[str]:
    return [choice.value for choice in await room.desk.complete(caller, command, option, prefix)]


async def test_instruments_are_suggested_for_the_word_that_is_being_typed(room: Room) -> None:
    assert await suggested(room, "alert", "rule", "BT") == ["btc/usdt"]
    assert await suggested(room, "alert", "rule", "btc < ") == []
    assert await suggested(room, "price", "instruments", "btc pe") == ["btc pepe/usdt"]
    assert await suggested(room, "price", "instruments", "") == []


async def test_levels_are_suggested_after_their_sign(room: Room) -> None:
    await room.script("/level etf_cost 65k", "/level miner_cost 60k")
    assert await suggested(room, "alert", "rule", "btc < @e") == ["btc < @etf_cost"]
    assert await suggested(room, "level", "name", "cost") == ["etf_cost", "miner_cost"]


async def test_a_chats_own_alerts_are_suggested_and_nobody_elses(room: Room) -> None:
    await room.script("/alert btc > 70k", "/alert eth > 4k")
    await room.script("/alert pepe > 0.00002", caller=ADMIN)
    assert await suggested(room, "delete", "number", "") == ["1", "2"]
    assert await suggested(room, "pause", "alert", "eth") == ["2"]
    assert await suggested(room, "pause", "alert", "#1") == ["1"]


async def test_shared_names_and_commands_are_suggested(room: Room) -> None:
    await room.script("/publish btc-floor btc < 60k", caller=OPERATOR)
    assert await suggested(room, "subscribe", "name", "floor") == ["btc-floor"]
    assert await suggested(room, "help", "command", "al") == ["alert", "alerts"]


async def test_an_unknown_option_or_a_broken_store_suggests_nothing(room: Room) -> None:
    assert await suggested(room, "nix", "nix", "a") == []
    desk = make_desk(replace(room.office, register=BrokenStore(RuntimeError())))  # type: ignore[arg-type]
    assert await desk.complete(ANN, "delete", "number", "") == []


async def test_suggestions_keep_to_what_discord_takes(room: Room) -> None:
    for number in range(30):
        await room.say(f'/alert btc > {70_000 + number} note "{"x" * 120}"')
    choices = await room.desk.complete(ANN, "delete", "number", "")
    assert len(choices) == 25
    assert all(len(choice.shown) <= 100 for choice in choices)


@pytest.mark.parametrize(
    "rule", ["btc etf inflow 3 days", "etf_flow(btc) < -900m", "spx > 5000", "fear_greed() < 20"]
)
async def test_a_metric_that_nobody_provides_is_refused_and_not_armed(room: Room, rule: str) -> None:
    assert "Nobody provides" in await room.say(f"/alert {rule}")
    assert await room.store.subscriptions(ANN.chat) == []


async def test_a_rule_over_candles_is_armed_with_its_sentence(room: Room) -> None:
    answer = await room.say("/alert btc: rsi(14, 4h) < 30 and close(1d) > sma(200, 1d)")
    assert answer.startswith("#1 armed")
    assert "RSI(14)" in answer


async def test_a_name_that_no_exchange_lists_is_the_stock_that_somebody_gives(room: Room) -> None:
    room.metrics.give("price", "$nvda", "$eth", provider="yahoo")
    room.metrics.show(MetricKey("price", "$nvda"), "186.6", int(NOON) - int(NOON) % 86_400)
    say = room.say
    assert "NVDA stock" in await say("/alert nvda moves down 5% in 1d")
    assert "ETH/USDT" in await say("/alert eth < 3k")  # listed: the coin
    made = (await room.store.changes(0, 0)).made
    assert [one.arming.rule for one in made] == ["$nvda moves down 5% in 1d", "eth/usdt < 3000"]
    assert "No exchange that I watch lists SQNS/USDT" in await say("/alert sqns < 1")
    room.market.is_down = True
    assert "NVDA/USDT" in await say("/alert nvda < 100")  # nobody can say that no exchange lists it


async def test_a_name_that_nobody_knows_as_a_stock_is_no_stock(room: Room) -> None:
    room.metrics.give("price", "$", provider="yahoo", example="$nvda")
    room.metrics.show(MetricKey("price", "$nvda"), "186.6", int(NOON) - int(NOON) % 86_400, "yahoo")
    assert "NVDA stock" in await room.say("/alert nvda < 100")
    answer = await room.say("/alert btcc < 1")
    assert answer.startswith("No exchange that I watch lists BTCC/USDT.\nNearest: btc/usdt")


async def test_where_nobody_can_tell_whether_it_is_a_stock_that_is_said(room: Room) -> None:
    room.metrics.give("price", "$", provider="yahoo", example="$nvda")
    room.metrics.troubles[MetricKey("price", "$sqns")] = "yahoo cannot be reached"
    assert await room.say("/alert sqns < 1") == (
        "No exchange that I watch lists SQNS/USDT.\nWhether it is a stock cannot be told now: "
        "yahoo cannot be reached. If you mean the stock, write $sqns."
    )
    assert "SQNS stock" in await room.say("/alert $sqns < 1"), "as written it needs no asking"
