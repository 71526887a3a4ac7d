"""Inline mode on Telegram: typed over real sockets, against a loopback Bot API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from bot.alerts.message import Message, say
from bot.alerts.people import Caller, ChatKind
from bot.ports import Card, Desk
from tests.test_telegram import (
    ANN,
    BEN,
    Person,
    chat_of,
    check_against_schema,
    listening,
    private,
)
from tests.wire.telegram import TelegramServer, bad

if TYPE_CHECKING:
    from tests.conftest import SetClock

PRICE = Card(
    "BTC/USDT 104,000",
    "Binance, 12:00 UTC.",
    Message("BTC/USDT 104,000", ("now < 105k & rising",)),
    "Make an alert",
    "w-YnRj",
)


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as running:
        running.me["supports_inline_queries"] = True
        yield running
    for call in running.calls:
        check_against_schema(call)


class Offering:
    """A desk that offers the same cards to whoever asks, and writes down who asked what."""

    def __init__(self, *cards: Card) -> None:
        self.person = Person()
        self.asked: list[tuple[Caller, str]] = []
        self.cards = list(cards)
        self.gate = asyncio.Event()
        self.gate.set()
        self.desk = Desk(self.person.desk.dispatch, self.person.desk.complete, inquire=self._inquire)

    async def _inquire(self, caller: Caller, words: str) -> list[Card]:
        self.asked.append((caller, words))
        await self.gate.wait()
        return self.cards


async def test_what_is_typed_in_any_chat_is_answered_with_cards(
    server: TelegramServer, clock: SetClock
) -> None:
    offering = Offering(PRICE, Card("What is wrong", "", say("What is <wrong>")))
    async with listening(chat_of(server, clock), server, offering.desk):
        first, second = await server.inquire(ANN, "btc", name="Ann", language="zh-hans")
    assert offering.asked == [(Caller(private(), ChatKind.PRIVATE, str(ANN), "Ann", True, "zh-hans"), "btc")]
    assert first == {
        "type": "article",
        "id": "0",
        "title": "BTC/USDT 104,000",
        "description": "Binance, 12:00 UTC.",
        "input_message_content": {
            "message_text": "<b>BTC/USDT 104,000</b>\nnow &lt; 105k &amp; rising",
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        },
        "reply_markup": {
            "inline_keyboard": [
                [{"text": "Make an alert", "url": "https://t.me/tocsin_test_bot?start=w-YnRj"}]
            ]
        },
    }
    assert "reply_markup" not in second
    assert "description" not in second
    assert server.inline.options.popitem()[1] == (5, True)


async def test_no_more_is_offered_than_telegram_takes(server: TelegramServer, clock: SetClock) -> None:
    async with listening(chat_of(server, clock), server, Offering(*[PRICE] * 60).desk):
        assert len(await server.inquire(ANN, "b")) == 50


async def test_who_is_offered_nothing_is_answered_too(server: TelegramServer, clock: SetClock) -> None:
    async with listening(chat_of(server, clock), server, Offering().desk):
        assert await server.inquire(ANN, "b") == []
    assert len(server.called("answerInlineQuery")) == 1


async def test_of_what_somebody_types_quickly_the_newest_is_answered_and_others_do_not_wait(
    server: TelegramServer, clock: SetClock
) -> None:
    offering = Offering(PRICE)
    offering.gate.clear()
    async with listening(chat_of(server, clock), server, offering.desk):
        typing = [asyncio.create_task(server.inquire(ANN, "b"))]
        await server.until(lambda: server.unconfirmed == 0)
        await asyncio.wait_for(_until(lambda: len(offering.asked) == 1), 5)
        typing += [asyncio.create_task(server.inquire(ANN, words)) for words in ("bt", "btc", "btc <")]
        other = asyncio.create_task(server.inquire(BEN, "eth"))
        await asyncio.wait_for(_until(lambda: len(offering.asked) == 2), 5)
        await server.until(lambda: server.unconfirmed == 0)
        offering.gate.set()
        assert await other
        assert await typing[0]
        assert await typing[-1]
        for one in typing[1:3]:
            one.cancel()
    assert [words for caller, words in offering.asked if caller.person == str(ANN)] == ["b", "btc <"]


async def _until(is_so: Any) -> None:
    while not is_so():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.005)


async def test_an_answer_that_comes_too_late_harms_nothing(server: TelegramServer, clock: SetClock) -> None:
    offering = Offering(PRICE)
    with structlog.testing.capture_logs() as lines:
        async with listening(chat_of(server, clock), server, offering.desk):
            server.order("answerInlineQuery", bad("query is too old and response timeout expired"))
            typing = asyncio.create_task(server.inquire(ANN, "b"))
            await server.until(lambda: len(server.called("answerInlineQuery")) == 1)
            typing.cancel()
            assert await server.inquire(ANN, "btc")
    assert "inquiry not answered" in [line["event"] for line in lines]


async def test_an_answer_to_what_is_typed_takes_nobodys_turn(server: TelegramServer, clock: SetClock) -> None:
    turns: list[Caller] = []

    async def turn(caller: Caller) -> bool:
        turns.append(caller)
        return False

    offering = Offering(PRICE)
    desk = Desk(offering.desk.dispatch, offering.desk.complete, turn, offering.desk.inquire)
    async with listening(chat_of(server, clock), server, desk):
        await server.inquire(ANN, "btc")
    assert turns == []


async def test_what_is_posted_from_a_card_is_no_word_to_the_bot(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    offering = Offering(PRICE)
    async with listening(chat_of(server, clock), server, offering.desk):
        await server.inquire(ANN, "btc", chat=ANN)
        [posted] = server.shown(ANN)
        assert not posted.has_preview
        await server.until(lambda: server.unconfirmed == 0)
        await server.press(ANN, BEN, "Make an alert")
        await server.received(BEN, 1)
    assert offering.person.words == ["/start w-YnRj"]


async def test_without_inline_mode_all_else_goes_on(server: TelegramServer, clock: SetClock) -> None:
    server.me["supports_inline_queries"] = False
    offering = Offering(PRICE)
    async with listening(chat_of(server, clock), server, offering.desk):
        assert await server.inquire(ANN, "btc") == []
        await server.say(ANN, ANN, "/price btc")
        await server.received(ANN, 1)
    assert offering.asked == []
