"""The contract of a tape, in memory and over NATS JetStream, and what the latter bears of its server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from itertools import count

import nats as nats_client
import pytest
from structlog.testing import capture_logs

from bot.metrics import MINUTE, Bar, Bars, Batch, MetricKey, Print, Want
from bot.ports import Superseded, Tape, TapeTrouble
from bot.tape import MemoryTape
from bot.tape.jetstream import JetStreamTape, Terms, open_tape
from bot.tape.words import digest_of, word_batch
from tests.nats import Server
from tests.wire.proxy import Proxy

BTC, ETH = MetricKey("price", "btc/usdt"), MetricKey("price", "eth/usdt")
NAMES = (f"test-{number}" for number in count())

Open = Callable[..., AbstractAsyncContextManager[JetStreamTape]]


def batch(number: int) -> Batch:
    return Batch("binance", float(number), prints=(Print(BTC, 100.0 + number, number + 0.25, "binance"),))


def crowd(series: int, bars: int) -> Batch:
    runs = tuple(
        Bars(
            MetricKey("price", f"coin{one}/usdt"),
            tuple(Bar(at * MINUTE, 0.1, 0.3, 0.1, 0.2) for at in range(bars)),
        )
        for one in range(series)
    )
    return Batch("binance", 7.0, runs, (Print(BTC, 100.0, 7.0),))


async def take(reader: AsyncIterator[Batch], number: int) -> list[Batch]:
    """Read so many, all but the last of them judged."""
    async with asyncio.timeout(8):
        return [await anext(reader) for _ in range(number)]


async def ends(reader: AsyncIterator[Batch]) -> bool:
    async with asyncio.timeout(8):
        return await anext(reader, None) is None


async def settle() -> None:
    """Let whatever can go on go on; over a wire that is a moment."""
    await asyncio.sleep(0.05)


@pytest.fixture
def name() -> str:
    return next(NAMES)


@pytest.fixture(params=["memory", "jetstream"])
async def tape(request: pytest.FixtureRequest, name: str) -> AsyncIterator[Tape]:
    if request.param == "memory":
        yield MemoryTape(3)
        return
    url = request.getfixturevalue("nats_url")
    async with open_tape(url, "all", Terms(name, length=3)) as opened:
        yield opened


# --- either tape ------------------------------------------------------------------------------------------


async def test_batches_come_in_the_order_in_which_they_were_put(tape: Tape) -> None:
    for number in range(3):
        await tape.put(batch(number))
    assert await take(aiter(tape.read(0)), 3) == [batch(0), batch(1), batch(2)]


async def test_who_puts_waits_while_the_tape_is_full(tape: Tape) -> None:
    reader = aiter(tape.read(0))
    for number in range(3):
        await tape.put(batch(number))
    waiting = asyncio.create_task(tape.put(batch(3)))
    await settle()
    assert not waiting.done()
    assert await take(reader, 2) == [batch(0), batch(1)]
    async with asyncio.timeout(2):
        await waiting
    assert await take(reader, 2) == [batch(2), batch(3)]


async def test_a_batch_is_judged_when_the_next_is_asked_for(tape: Tape) -> None:
    reader = aiter(tape.read(0))
    await tape.judged()
    await tape.put(batch(0))
    judged = asyncio.create_task(tape.judged())
    await take(reader, 1)
    await settle()
    assert not judged.done()
    following = asyncio.create_task(take(reader, 1))
    async with asyncio.timeout(2):
        await judged
    await tape.put(batch(1))
    assert await following == [batch(1)]


async def test_a_closed_tape_ends_behind_the_batch_under_way(tape: Tape) -> None:
    reader = aiter(tape.read(0))
    for number in range(3):
        await tape.put(batch(number))
    assert await take(reader, 1) == [batch(0)]
    tape.close()
    assert await ends(reader)


async def test_who_waits_for_a_batch_is_let_go_when_the_tape_is_closed(tape: Tape) -> None:
    ending = asyncio.create_task(ends(aiter(tape.read(0))))
    await settle()
    tape.close()
    assert await ending


async def test_wants_of_all_partitions_are_one(tape: Tape) -> None:
    second = [Want(BTC, 60, 95.0, 120.0)]
    tape.tell_wants(0, lambda: [Want(BTC, 120, 90.0, 110.0), Want(ETH, 60)])
    tape.tell_wants(1, lambda: list(second))
    both = [Want(BTC, 60, 95.0, 110.0), Want(ETH, 60)]
    await heard(tape, both)
    second.clear()
    await heard(tape, [Want(BTC, 120, 90.0, 110.0), Want(ETH, 60)])


async def heard(tape: Tape, wants: list[Want]) -> None:
    async with asyncio.timeout(5):
        while await wanted(tape) != wants:  # noqa: ASYNC110 - it is heard over a wire
            await asyncio.sleep(0.01)


async def wanted(tape: Tape) -> list[Want] | None:
    """Give what is wanted; ``None`` while that is not known."""
    try:
        return await tape.wants()
    except TapeTrouble:
        return None


# --- JetStream: what is on the tape -----------------------------------------------------------------------


@pytest.fixture
async def opening(nats_url: str, name: str) -> AsyncIterator[Open]:
    """Give what opens another end of the same tape."""

    def opened(url: str = nats_url, **terms: float) -> AbstractAsyncContextManager[JetStreamTape]:
        return open_tape(url, "one", replace(Terms(name), **terms))  # type: ignore[arg-type]

    yield opened


@pytest.fixture
async def feed(opening: Open) -> AsyncIterator[JetStreamTape]:
    async with opening() as tape:
        yield tape


@pytest.fixture
async def engine(opening: Open) -> AsyncIterator[JetStreamTape]:
    async with opening() as tape:
        yield tape


async def test_a_long_look_comes_in_parts_and_a_long_part_in_one_piece(
    feed: JetStreamTape, engine: JetStreamTape
) -> None:
    look = crowd(600, 60)
    assert len(word_batch(next(look.parts(250)))) > 1_048_576
    await feed.put(look)
    await feed.put(batch(1))
    parts = await take(aiter(engine.read(0)), 4)
    assert parts == [*look.parts(250), batch(1)]
    assert [part.has_more for part in parts] == [True, True, False, False]


async def test_a_batch_that_is_put_again_is_there_once(feed: JetStreamTape, opening: Open) -> None:
    look = crowd(250, 60)
    async with opening() as another:
        for tape in (feed, another, feed):
            await tape.put(look)
        await feed.put(batch(1))
    assert await take(aiter(feed.read(0)), 2) == [look, batch(1)]


async def test_what_was_not_judged_at_a_death_is_read_again_and_nothing_else(
    feed: JetStreamTape, opening: Open
) -> None:
    for number in range(4):
        await feed.put(batch(number))
    async with opening() as engine:
        assert await take(aiter(engine.read(0)), 3) == [
            batch(0),
            batch(1),
            batch(2),
        ]  # and dies over the third
    async with opening() as engine:
        reader = aiter(engine.read(0))
        assert await take(reader, 2) == [batch(2), batch(3)]
        engine.close()
        assert await ends(reader)
    async with opening() as engine:
        await feed.put(batch(4))
        assert await take(aiter(engine.read(0)), 1) == [batch(4)]


async def test_every_partition_reads_all_from_a_cursor_of_its_own(
    feed: JetStreamTape, engine: JetStreamTape
) -> None:
    readers = [aiter(engine.read(partition)) for partition in (0, 1)]
    for number in range(3):
        await feed.put(batch(number))
    assert await take(readers[0], 3) == await take(readers[1], 3) == [batch(0), batch(1), batch(2)]


async def test_who_was_overtaken_judges_nothing_away_from_the_new_owner(
    feed: JetStreamTape, engine: JetStreamTape, opening: Open
) -> None:
    stale = aiter(engine.read(0, epoch=1))
    for number in range(3):
        await feed.put(batch(number))
    await take(stale, 1)
    async with opening() as another:
        owner = aiter(another.read(0, epoch=2))
        assert await take(owner, 1) == [batch(0)]
        with pytest.raises(Superseded, match="another process reads partition 0"):
            await take(stale, 1)
        with pytest.raises(Superseded):
            await take(aiter(engine.read(0, epoch=1)), 1)
        assert await take(owner, 2) == [batch(1), batch(2)]


async def test_a_reader_that_is_cancelled_as_its_cursor_moves_ends(
    feed: JetStreamTape, engine: JetStreamTape
) -> None:
    for number in range(20):
        reading = asyncio.create_task(take(aiter(engine.read(0)), 2))
        await feed.put(batch(number))
        await feed.judged()
        reading.cancel()
        async with asyncio.timeout(2):
            await asyncio.wait([reading])
        assert reading.cancelled()


async def test_what_cannot_be_read_is_said_and_passed_over(
    feed: JetStreamTape, engine: JetStreamTape, nats_url: str, name: str
) -> None:
    await feed.put(batch(0))
    client, root = await nats_client.connect(nats_url), Terms(name).root
    for word, of in ((b"7 [{}]", "of-another-version"), (b"", "of-nothing")):
        await client.jetstream().publish(f"{root}.tape.seen", word, headers={"Nats-Msg-Id": of})
    gone = {"Nats-Msg-Id": "of-pieces", "Tocsin-Pieces": "998,999"}
    await client.jetstream().publish(f"{root}.tape.seen", b"", headers=gone)
    word = word_batch(batch(1)).replace(b"1 ", b"2 ", 1)
    await client.jetstream().publish(f"{root}.tape.seen", word, headers={"Nats-Msg-Id": digest_of(word)})
    await client.close()
    await feed.put(batch(2))
    with capture_logs() as logs:
        assert await take(aiter(engine.read(0)), 2) == [batch(0), batch(2)]
    said = [one["reason"] for one in logs if one["event"].startswith("a batch on the tape cannot be read")]
    assert said == [
        *["it is not what was put there"] * 2,
        "a piece of it is kept no more",
        "it is worded in version 2, and this program reads 1",
    ]


async def test_who_words_otherwise_reads_and_wants_nothing_of_what_is_here(
    opening: Open, feed: JetStreamTape, engine: JetStreamTape
) -> None:
    async with opening(wording=2) as strange:
        engine.tell_wants(0, lambda: [Want(BTC, 60)])
        strange.tell_wants(0, lambda: [Want(ETH, 60)])
        await heard(feed, [Want(BTC, 60)])
        await heard(strange, [Want(ETH, 60)])
        await strange.put(batch(0))
        await feed.put(batch(1))
        assert await take(aiter(engine.read(0)), 1) == [batch(1)]
        assert await take(aiter(strange.read(0)), 1) == [batch(0)]
        assert await feed.wants() == [Want(BTC, 60)]


async def test_a_partition_that_nobody_judges_is_named_and_waited_for_once(opening: Open) -> None:
    async with opening(partitions=2, length=2, patience=0.2, patience_of_judging=0.2) as tape:
        reader = aiter(tape.read(0))
        await tape.put(batch(0))
        await tape.put(batch(1))
        judging = asyncio.create_task(take(reader, 3))
        with pytest.raises(TapeTrouble, match=r"is not judged yet, in partition 1$"):
            await tape.judged()
        loop = asyncio.get_running_loop()
        with capture_logs() as logs:
            await tape.put(batch(2))
            began = loop.time()
            await tape.put(batch(3))
            assert loop.time() - began < 0.2
        assert [one["partitions"] for one in logs if "is not waited for" in one["event"]] == [[1]]
        assert await judging == [batch(0), batch(1), batch(2)]


async def test_a_part_of_what_is_wanted_is_not_given_for_all(opening: Open) -> None:
    async with opening(partitions=2) as feed, opening(partitions=2) as engine:
        engine.tell_wants(0, lambda: [Want(BTC, 60)])
        for _ in range(20):
            with pytest.raises(TapeTrouble, match="not every partition has said yet what it wants"):
                await feed.wants()
            await asyncio.sleep(0.02)
        engine.tell_wants(1, list)
        await heard(feed, [Want(BTC, 60)])


async def test_who_begins_to_listen_need_not_wait_until_it_is_said_again(opening: Open) -> None:
    async with opening() as engine:
        engine.tell_wants(0, lambda: [Want(BTC, 60)])
        async with opening() as first:
            await heard(first, [Want(BTC, 60)])
        async with opening() as second, asyncio.timeout(3):
            await heard(second, [Want(BTC, 60)])


async def test_a_word_of_what_is_wanted_holds_for_a_while(opening: Open) -> None:
    wants = [Want(MetricKey("price", f"coin{one}/usdt"), 60, close=0.1) for one in range(9000)]
    async with opening(wants_age=0.5) as feed, opening() as engine:
        assert await wanted(feed) is None
        await engine.say_wants(0, wants)
        await heard(feed, wants)
        await heard(feed, [])


# --- JetStream: what becomes of its server ----------------------------------------------------------------


@pytest.fixture
def server(nats_server: Server) -> Server:
    nats_server.start()
    return nats_server


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
async def test_a_server_that_starts_again_goes_on_where_it_was(
    server: Server, opening: Open, by: signal.Signals
) -> None:
    async with opening(server.url) as feed, opening(server.url) as engine:
        await wanted(feed)
        reader = aiter(engine.read(0))
        for number in range(3):
            await feed.put(batch(number))
        assert await take(reader, 2) == [batch(0), batch(1)]
        server.stop(by)
        putting = asyncio.create_task(feed.put(batch(3)))
        following = asyncio.create_task(take(reader, 2))
        await settle()
        server.start()
        await putting
        assert await following == [batch(2), batch(3)]
        judged = asyncio.create_task(take(reader, 1))
        await feed.judged()
        await engine.say_wants(0, [Want(BTC, 60)])
        await heard(feed, [Want(BTC, 60)])
        await feed.put(batch(4))
        assert await judged == [batch(4)]


async def test_a_server_that_is_away_is_said_in_time(server: Server, opening: Open) -> None:
    async with opening(server.url, patience=0.3) as feed:
        await feed.put(batch(0))
        server.stop()
        with pytest.raises(TapeTrouble, match="NATS"):
            await feed.put(batch(1))
        for call in (feed.wants(), feed.say_wants(0, [])):
            with pytest.raises(TapeTrouble, match="NATS cannot be reached"):
                await call
        async with opening(server.url, patience=0.5) as begun_without:
            with pytest.raises(TapeTrouble, match="NATS cannot be reached: nobody listens at its address"):
                await begun_without.put(batch(2))
            server.start()
            await begun_without.put(batch(3))
            assert await take(aiter(begun_without.read(0)), 2) == [batch(0), batch(3)]


async def test_a_server_that_stands_is_said_in_time_and_goes_on(server: Server, opening: Open) -> None:
    async with opening(server.url, patience=0.3) as feed, opening(server.url) as engine:
        reader = aiter(engine.read(0))
        await feed.put(batch(0))
        assert await take(reader, 1) == [batch(0)]
        following = asyncio.create_task(take(reader, 1))
        server.pause()
        try:
            with pytest.raises(TapeTrouble, match="does not answer in time"):
                await feed.put(batch(1))
        finally:
            server.go_on()
        await feed.put(batch(1))
        assert await following == [batch(1)]


async def test_feeds_that_put_at_once_are_all_judged(feed: JetStreamTape, engine: JetStreamTape) -> None:
    reading = asyncio.create_task(take(aiter(engine.read(0)), 31))
    await asyncio.gather(*(feed.put(batch(number)) for number in range(30)))
    await feed.judged()
    await feed.put(batch(30))
    assert sorted(one.at for one in await reading) == [float(number) for number in range(31)]


async def test_a_tape_that_was_lost_with_the_disk_is_read_from_its_new_start(
    server: Server, opening: Open
) -> None:
    async with opening(server.url, length=3) as feed, opening(server.url) as engine:
        reader = aiter(engine.read(0, epoch=4))
        for number in range(3):
            await feed.put(batch(number))
        assert await take(reader, 2) == [batch(0), batch(1)]
        following = asyncio.create_task(take(reader, 2))
        server.stop()
        server.lose()
        server.start()
        with capture_logs() as logs:
            await feed.put(batch(3))
            await feed.put(batch(4))
            assert (await following)[-1] in (batch(3), batch(4))
        assert any("lost with its server" in one["event"] for one in logs)
        ending = asyncio.create_task(anext(reader, None))
        async with asyncio.timeout(5):
            await feed.put(batch(5))
        assert await ending in (batch(4), batch(5))


async def test_cut_connections_lose_and_repeat_nothing(server: Server, opening: Open) -> None:
    port = int(server.url.rpartition(":")[2])
    async with Proxy(port) as proxy, AsyncExitStack() as stack:
        url = f"nats://127.0.0.1:{proxy.port}"
        feed = await stack.enter_async_context(opening(url))
        engine = await stack.enter_async_context(opening(url))
        reading = asyncio.create_task(take(aiter(engine.read(0)), 60))
        for number in range(60):
            if number % 15 == 5:
                proxy.cut()
            await feed.put(batch(number))
        assert await reading == [batch(number) for number in range(60)]
        assert proxy.made >= 6


def test_an_address_that_is_none_is_refused_without_being_shown() -> None:
    async def opened() -> None:
        async with open_tape("nats.example.com:4222?token=secret", "one"):
            pass

    with pytest.raises(ValueError, match="must be like nats://host:4222") as refused:
        asyncio.run(opened())
    assert "secret" not in str(refused.value)
