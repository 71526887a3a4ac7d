"""Telegram by webhook: the real library, the bot's own web server, and a Bot API server that delivers.

And what two bots with one token do, however they listen: who was there first stays, who comes later leaves.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import structlog

from bot.alerts.message import say
from bot.chats.telegram import SECRET_HEADER, TelegramChat
from bot.chats.telegram_reach import RIVAL, Doubts
from bot.demo.clock import FastClock
from bot.ports import Desk, Refused, RetryLater
from bot.web import Hook, serve
from tests.conftest import SetClock
from tests.test_doctor import free_port
from tests.test_end_to_end import Market, OnTelegram, arm, fast, market, minutes_pass, rings, running, until
from tests.test_telegram import ANN, BEN, Person, chat_of, private, server
from tests.wire.telegram import TelegramServer, bad

__all__ = ["fast", "market", "server"]

SECRET = "0123456789abcdef" * 4
ALONE = Doubts(at_start=0, after_webhook=0)


@dataclass
class Post:
    """A bot that listens by webhook, with its web server; ``url`` is where Telegram delivers."""

    chat: TelegramChat
    url: str

    async def get(self, body: bytes, secret: str | None = SECRET) -> tuple[int, str]:
        """Send something to the webhook; gives the status and the text that came back."""
        headers = {} if secret is None else {SECRET_HEADER: secret}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()


@asynccontextmanager
async def hooked(
    server: TelegramServer, clock: SetClock | FastClock, desk: Desk, port: int = 0, doubts: Doubts = ALONE
) -> AsyncIterator[Post]:
    """Run a bot by webhook; it takes deliveries in when the block begins."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}/telegram"
    chat = TelegramChat(server.token, clock, root=server.root, webhook=(url, SECRET), doubts=doubts)
    hook = Hook("/telegram", SECRET_HEADER, SECRET, chat.accept)
    async with serve("127.0.0.1", port, list, hook=hook):
        before = len(server.called("getMyCommands"))
        task = asyncio.create_task(chat.run(desk))
        begun = asyncio.create_task(server.until(lambda: len(server.called("getMyCommands")) >= before + 3))
        await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        try:
            if task.done():
                task.result()
            yield Post(chat, url)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def update(number: int, text: str) -> bytes:
    person = {"id": ANN, "is_bot": False, "first_name": "Ann"}
    message = {"message_id": number, "date": 1, "chat": {"id": ANN, "type": "private"}, "from": person}
    return json.dumps({"update_id": number, "message": message | {"text": text}}).encode()


# --- what is delivered --------------------------------------------------------------------------------------


@dataclass
class ByWebhook(OnTelegram):
    """Telegram as a person sees it, with a bot to which it delivers."""

    port: int

    def settings(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.port}/telegram"
        return {**super().settings(), "telegram_webhook": url, "http": f"127.0.0.1:{self.port}"}


async def test_an_alert_is_armed_by_webhook_and_rings_once_over_repetitions_and_a_restart(
    server: TelegramServer, market: Market, database: str, fast: FastClock
) -> None:
    platform = ByWebhook(server, free_port())
    async with running(platform, market, database, fast):
        await until(lambda: bool(server.hook.url), platform)
        server.hook.lost = 2  # it is taken in, and Telegram does not hear so
        await arm(platform, "btc < 100k")
        await until(lambda: server.unconfirmed == 0, platform)
    assert len(server.hook.sent) >= 3
    await platform.say("/alerts")  # nobody is there
    await until(lambda: server.hook.sent[-1][1] == 0, platform)
    async with running(platform, market, database, fast):
        await until(lambda: any("/why 1" in text for text in platform.texts()), platform)
        market.ticks.set(99_500)
        await until(lambda: bool(rings(platform)), platform)
        await minutes_pass(fast, 3)
    assert len(rings(platform)) == 1
    assert not any("#2" in text for text in platform.texts())
    [call, *_] = server.called("setWebhook")
    assert call.params["secret_token"] not in server.token
    assert len(call.params["secret_token"]) == 64
    heard = ["message", "channel_post", "callback_query", "inline_query"]
    assert json.loads(call.params["allowed_updates"]) == heard
    assert not server.called("getUpdates")


async def test_who_does_not_know_the_webhooks_secret_is_turned_away_unread_and_unheard(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person()
    async with hooked(server, clock, person.desk) as post:
        for secret in (None, "", "x" * 64, SECRET[:-1], "é", server.token):
            assert await post.get(update(1, "/delete 1"), secret) == (401, "")
        assert await post.get(b"x" * 1_000_000, "guess") == (401, "")
        async with aiohttp.ClientSession() as session, session.get(post.url) as answer:
            assert answer.status == 405
        await server.say(ANN, ANN, "mine")
        await server.received(ANN, 1)
    assert person.words == ["mine"]


async def test_what_is_no_update_stops_no_other_and_is_in_no_log(
    server: TelegramServer, clock: SetClock
) -> None:
    person = Person()
    server.private(ANN)
    with structlog.testing.capture_logs() as lines:
        async with hooked(server, clock, person.desk) as post:
            for body in (b"", b"whale", b"\xff\xfe", b"[]", b"{}", b'{"update_id": "1"}', b"[" * 200_000):
                assert await post.get(body) == (400, "")
            assert (await post.get(update(2, "y" * 300_000)))[0] == 413
            odd = {"update_id": 3, "message": {"whale": "song"}}
            assert await post.get(json.dumps(odd).encode()) == (200, "")
            assert await post.get(update(4, "whale")) == (200, "")
            assert await post.get(update(4, "whale")) == (200, "")
            await server.received(ANN, 1)
    assert person.words == ["whale"]
    assert [line["update"] for line in lines if line["event"] == "an update cannot be read"] == [3]
    assert "song" not in str(lines) and "whale" not in str(lines)


async def test_what_the_bot_cannot_take_in_now_is_delivered_again_in_order(
    server: TelegramServer, clock: SetClock
) -> None:
    person, port = Person(), free_port()
    url = f"http://127.0.0.1:{port}/telegram"
    chat = TelegramChat(server.token, clock, root=server.root, webhook=(url, SECRET), doubts=ALONE)
    async with serve("127.0.0.1", port, list, hook=Hook("/telegram", SECRET_HEADER, SECRET, chat.accept)):
        server.hook.url, server.hook.secret = url, SECRET  # of the life before
        for words in ("one", "two"):
            await server.say(ANN, ANN, words)
        await server.say(BEN, BEN, "three")
        await server.until(lambda: (server.hook.sent or [(0, 0)])[-1][1] == 503)
        task = asyncio.create_task(chat.run(person.desk))
        await server.received(ANN, 2)
        await server.received(BEN, 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert [words for words in person.words if words != "three"] == ["one", "two"]
    assert len(person.words) == 3


async def test_a_queue_that_is_full_asks_telegram_to_wait_and_loses_nothing(
    server: TelegramServer, clock: SetClock
) -> None:
    async with hooked(server, clock, Person().desk) as post:
        queue = post.chat._application.update_queue
        taken = [post.chat.accept(update(number, "hi")) for number in range(1, 300)]  # nobody has a turn
        assert taken == [True] * 256 + [False] * 43
        assert queue.full()
        assert post.chat.accept(update(256, "hi"))
        assert not post.chat.accept(update(257, "hi"))


# --- how the webhook is -------------------------------------------------------------------------------------


async def test_deliveries_that_fail_are_told_until_one_arrives(
    server: TelegramServer, clock: SetClock
) -> None:
    looks = ALONE._replace(between_looks=0.02)
    with structlog.testing.capture_logs() as lines:
        async with hooked(server, clock, Person().desk, doubts=looks) as post:
            assert post.chat.is_connected and not post.chat.trouble
            server.hook.secret = "what a proxy makes of it"
            await server.say(ANN, ANN, "hello")
            await server.until(lambda: bool(post.chat.trouble))
            assert post.chat.trouble == (
                "Telegram cannot deliver to the webhook: Wrong response from the webhook: 401 Unauthorized"
            )
            assert post.chat.is_connected
            server.hook.secret = SECRET
            clock.time = time.time() + 60
            await server.received(ANN, 1)
            await server.until(lambda: not post.chat.trouble)
        assert not post.chat.is_connected
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "telegram cannot deliver to the webhook"
    ]
    assert SECRET not in str(lines)


async def test_an_address_that_telegram_refuses_is_told_and_tried_again_and_keeps_no_ring_back(
    server: TelegramServer, clock: SetClock
) -> None:
    server.private(ANN)
    server.order("setWebhook", *[bad("bad webhook: Failed to resolve host")] * 3)
    looks = ALONE._replace(between_looks=0.02)
    with structlog.testing.capture_logs() as lines:
        async with hooked(server, clock, Person().desk, doubts=looks) as post:
            assert "failed to resolve host" in post.chat.trouble
            assert post.chat.is_connected  # what rings goes out
            await post.chat.send(private(), say("rang"), "ring/1")
            await server.until(lambda: bool(server.hook.url))
            await server.until(lambda: not post.chat.trouble)
    assert server.texts(ANN) == ["rang"]
    assert len([line for line in lines if line["log_level"] == "error"]) == 1


# --- two with one token -------------------------------------------------------------------------------------


@asynccontextmanager
async def polling(server: TelegramServer, clock: Any, desk: Desk, **more: Any) -> AsyncIterator[TelegramChat]:
    """Run a bot that polls, and has done so for longer than a minute."""
    chat = chat_of(server, clock, **more)
    task = asyncio.create_task(chat.run(desk))
    try:
        await server.until(lambda: server._poll is not None)
        clock.time += 61
        yield chat
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_second_bot_with_the_token_says_so_and_leaves_before_it_tells_or_hears_anything(
    server: TelegramServer, clock: SetClock
) -> None:
    first, second = Person(), Person()
    server.private(ANN)
    async with polling(server, clock, first.desk) as chat:
        with structlog.testing.capture_logs() as lines:
            late = chat_of(server, SetClock(), doubts=Doubts())
            leaving = asyncio.create_task(late.run(second.desk))
            await server.until(lambda: bool(chat.trouble))
            outcome = await late.send(private(), say("rang"), "ring/1")
            with pytest.raises(Refused, match=r"Another program listens on Telegram .* stop the other one"):
                await asyncio.wait_for(leaving, 10)
        assert isinstance(outcome, RetryLater)
        assert isinstance(await late.send(private(), say("rang"), "ring/1"), RetryLater)
        assert chat.trouble == RIVAL
        await server.say(ANN, ANN, "who is there?")
        await server.received(ANN, 1)
        await chat.send(private(), say("rang"), "ring/1")
        clock.time += 601
        assert not chat.trouble
    assert server.texts(ANN) == ["heard who is there?", "rang"]
    assert (first.words, second.words) == (["who is there?"], [])
    assert len([line for line in lines if line["log_level"] == "error"]) == 1


async def test_a_newcomer_sees_that_another_fetches_what_waits(
    server: TelegramServer, clock: SetClock
) -> None:
    await server.say(ANN, ANN, "one")
    await server.say(ANN, ANN, "two")
    second = Person()
    leaving = asyncio.create_task(chat_of(server, clock, doubts=Doubts()).run(second.desk))
    await server.until(lambda: bool(server.called("getUpdates")))
    async with aiohttp.ClientSession() as other:
        params = {"offset": server._updates[1]["update_id"], "timeout": 0}
        await other.get(f"{server.root}/bot{server.token}/getUpdates", params=params)
    with pytest.raises(Refused):
        await asyncio.wait_for(leaving, 10)
    assert second.words == []
    assert server.unconfirmed == 1


async def test_a_bot_that_listens_takes_its_ear_back_from_a_webhook_and_the_newcomer_leaves(
    server: TelegramServer, clock: SetClock
) -> None:
    first, second = Person(), Person()
    server.conflict_pause = 0.2
    async with polling(server, clock, first.desk) as chat:
        with pytest.raises(Refused, match="Another program"):
            async with hooked(server, SetClock(), second.desk, doubts=Doubts(at_start=0.5)):
                pass
        await server.say(ANN, ANN, "hello")
        await server.received(ANN, 1)
        assert chat.trouble == RIVAL
    assert (first.words, second.words) == (["hello"], [])


async def test_a_webhook_that_another_takes_is_set_again_and_the_newcomer_leaves(
    server: TelegramServer, clock: SetClock
) -> None:
    first, second = Person(), Person()
    looks = ALONE._replace(between_looks=0.05)
    newcomer = Doubts(at_start=0.5, after_webhook=0.5)
    with structlog.testing.capture_logs() as lines:
        async with hooked(server, clock, first.desk, doubts=looks) as post:
            clock.time += 61
            with pytest.raises(Refused, match="Another program"):
                async with hooked(server, SetClock(), second.desk, doubts=newcomer):
                    pass
            assert post.chat.trouble == RIVAL
            with pytest.raises(Refused, match="Another program"):
                await chat_of(server, SetClock(), doubts=newcomer).run(second.desk)
            await server.until(lambda: server.hook.url == post.url)
            await server.say(ANN, ANN, "hello")
            await server.received(ANN, 1)
    assert (first.words, second.words) == (["hello"], [])
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "another process took telegram's webhook; it is set again"
    ]


async def test_two_bots_that_begin_together_do_not_both_stay(server: TelegramServer) -> None:
    bots = [chat_of(server, SetClock(), doubts=Doubts(at_start=0.3)) for _ in range(2)]
    tasks = [asyncio.create_task(one.run(Person().desk)) for one in bots]
    done, left = await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == len(left) == 1
    [gone], [staying] = done, left
    assert isinstance(gone.exception(), Refused)
    await server.say(ANN, ANN, "hello")
    await server.received(ANN, 1)
    staying.cancel()
    with suppress(asyncio.CancelledError):
        await staying


async def test_a_webhook_of_before_is_removed_by_who_polls_and_what_waited_is_heard(
    server: TelegramServer, clock: SetClock
) -> None:
    server.hook.url = "https://bot.example.com/telegram"
    person = Person()
    with structlog.testing.capture_logs() as lines:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(polling(server, clock, person.desk))
            await server.say(ANN, ANN, "hello")
            await server.received(ANN, 1)
    assert "telegram's webhook is removed, since this bot polls" in [line["event"] for line in lines]
