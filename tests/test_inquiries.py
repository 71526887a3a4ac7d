"""What may be posted in any chat, and what its button brings, on the real store."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.bounds import Thing, Whose
from bot.alerts.handouts import is_token, read_out, write_out
from bot.alerts.message import Message
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.catalogues import read_languages
from bot.commands import make_desk
from bot.metrics import MINUTE, Bar
from bot.ports import Card
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.test_commands import ANN, OPERATOR, Room

BEA = Caller(ChatRef("telegram", "2"), ChatKind.PRIVATE, "2", "Bea")
_DAY = 86_400


class Speaking(Room):
    """A room in which every language that comes with the program is spoken."""

    @property
    def office(self):  # type: ignore[no-untyped-def]
        return replace(super().office, languages=read_languages())


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Speaking(store, HandMarket(clock, btc=104_000.0, eth=3_010.5), clock)


async def asked(room: Room, words: str, caller: Caller = ANN) -> list[Card]:
    return await room.desk.inquire(caller, words)


async def opened(room: Room, card: Card, caller: Caller = BEA) -> Message:
    [message] = await room.replies(f"/start {card.token}", caller)
    return message


async def test_the_card_of_a_price_says_what_it_did_in_a_day(room: Room) -> None:
    start = int(NOON) - _DAY
    bars = [Bar(at, 100_000.0, 100_000.0, 100_000.0, 100_000.0) for at in range(start, int(NOON), MINUTE)]
    room.market.feed("btc/usdt", bars)
    [card] = await asked(room, "btc")
    assert card.title == "BTC/USDT 104,000, up 4% in 24 hours."
    assert card.message.plain() == f"{card.title}\nBinance, 12:00 UTC."
    [falling] = await asked(room, " BTC ", replace(BEA, language="zh-CN"))
    assert falling.title == "BTC/USDT 104,000，24小时涨 4%。"


async def test_without_a_history_the_card_says_the_price_alone(room: Room) -> None:
    [card] = await asked(room, "eth")
    assert card.title == "ETH/USDT 3,010.5"


async def test_the_levels_of_the_asker_are_shown_and_not_posted(room: Room) -> None:
    await room.script("/alert btc < 90k", "/alert btc < 103k")
    [card] = await asked(room, "btc")
    assert card.summary == "Yours next: #2 at 103,000, 1% away"
    assert "103,000" not in card.message.plain()
    [others] = await asked(room, "btc", BEA)
    assert "103,000" not in others.summary


async def test_the_button_of_a_price_offers_alerts_on_that_instrument(room: Room) -> None:
    [card] = await asked(room, "eth")
    message = await opened(room, card)
    assert [button.line for row in message.buttons for button in row] == [
        "/alert eth/usdt moves 5% in 1h",
        "/alert eth/usdt < 2900",
        "/alert eth/usdt > 3200",
    ]
    assert await room.store.subscriptions(BEA.chat) == []


async def test_a_rule_is_offered_to_whoever_presses(room: Room) -> None:
    [card] = await asked(room, "btc < 90k")
    assert card.title == "btc < 90000"
    assert card.message.plain() == (
        "BTC/USDT below 90,000. Now 104,000 (13.5% away).\nTyped, it is: /alert btc < 90000"
    )
    message = await opened(room, card)
    assert message.plain().startswith("The alert that you pressed:\nBTC/USDT below 90,000.")
    [[button]] = message.buttons
    assert "#1 armed" in await room.say(button.line, replace(BEA, has_pressed=True))
    assert await room.store.subscriptions(ANN.chat) == []


async def test_a_rule_that_is_too_long_for_a_link_is_kept_under_a_token(room: Room) -> None:
    rule = "btc < 90k and eth < 2000 and btc rsi 4h < 30 repeat cooldown 1h remind 30m"
    [card] = await asked(room, rule)
    assert is_token(card.token)
    assert "ETH/USDT below 2,000" in (await opened(room, card)).plain()


async def test_plain_and_chinese_words_are_read_as_in_private(room: Room) -> None:
    assert [card.title for card in await asked(room, "tell me when eth is above 5000")] == ["eth > 5000"]
    [card] = await asked(room, "btc 跌破 9万", replace(BEA, language="zh"))
    assert (card.title, card.label) == ("btc < 90000", "设这个提醒")


async def test_others_get_the_numbers_of_levels_that_are_the_askers_own(room: Room) -> None:
    await room.script("/level stop 99k")
    [card] = await asked(room, "btc < @stop")
    assert card.title == "btc < 99000"


async def test_what_begins_like_an_instrument_shows_those_that_do(room: Room) -> None:
    assert [card.title for card in await asked(room, "bt")] == ["BTC/USDT 104,000"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("nonesuch", "No exchange that I watch lists NONESUCH/USDT."),
        ("btc <", "A number or a level must follow."),
        ("btc < @nowhere", "There is no level @nowhere"),
        ("?!", ""),
        ("x" * 900, ""),
    ],
)
async def test_what_cannot_be_read_is_one_card_with_the_sentence(
    room: Room, words: str, sentence: str
) -> None:
    [card] = await asked(room, words)
    assert sentence in card.message.plain()
    assert card.title
    assert card.label == ""


async def test_no_words_show_help_and_what_the_asker_follows(room: Room) -> None:
    help_card, *usual = await asked(room, "  ")
    assert help_card.title == "Write an instrument or a rule"
    assert [card.title.split()[0] for card in usual] == ["BTC/USDT", "ETH/USDT"]
    await room.script("/alert eth < 2000")
    _, *own = await asked(room, "")
    assert [card.title.split()[0] for card in own] == ["ETH/USDT"]


async def test_asking_writes_nothing_down(room: Room) -> None:
    for words in ("", "b", "bt", "btc", "btc <", "btc < 9", "btc < 90k"):
        await asked(room, words, BEA)
    assert await room.store.met(BEA.chat) is None


async def test_who_is_shut_out_is_given_nothing(room: Room) -> None:
    await room.say("/ban telegram:2", OPERATOR)
    assert await asked(room, "btc", BEA) == []
    assert len(await asked(room, "btc")) == 1
    invited = make_desk(replace(room.office, allowed=frozenset({("telegram", "-100")})))
    assert await invited.inquire(ANN, "btc") == []


async def test_who_types_faster_than_anybody_is_given_nothing_for_a_while_and_is_heard_all_the_same(
    room: Room, clock: SetClock
) -> None:
    desk = room.desk
    most = (await room.store.bounds()).most(Thing.COMMANDS, Whose.PERSON)
    answers = [await desk.inquire(ANN, "?!") for _ in range(5 * most)]
    assert [bool(cards) for cards in answers] == [True] * (4 * most) + [False] * most
    [message] = [one async for one in desk.dispatch(ANN, "/price btc")]
    assert "104,000" in message.plain()
    clock.time += 60
    assert await desk.inquire(ANN, "?!")


# --- tokens that carry a text -------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).map(str.strip).filter(bool))
def test_a_text_that_fits_into_a_link_is_read_out_of_it_as_it_was(text: str) -> None:
    token = write_out(text)
    if token:
        assert read_out(token) == text
        assert not is_token(token)
        assert len(token) <= 64
    else:
        assert len(text.encode()) > 40


@given(st.text(max_size=80))
def test_whatever_somebody_writes_into_a_link_is_read_or_is_nothing(token: str) -> None:
    assert isinstance(read_out(token), str)
    assert isinstance(read_out(f"w-{token}"), str)
