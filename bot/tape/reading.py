"""One reader of the tape: in order, from the cursor of its partition, through every loss of the line."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from bot.metrics import Batch
from bot.ports import TapeTrouble
from bot.tape.claim import Claim
from bot.tape.line import TROUBLE, reason_of
from bot.tape.reel import MESSAGE_ID, PIECES, Reel
from bot.tape.words import Unreadable, digest_of, read_batch

_SECONDS_OF_A_WAIT = 1.0
_SECONDS_BETWEEN_TRIES = 0.1
_BATCHES_KEPT = 16
_SECONDS_IDLE = 60.0
"""After which the server lets go of a consumer that nobody asks: whoever comes back makes another."""

log = structlog.get_logger(__name__)


class Shelf:
    """The batches that were read last in this process: each once, for all partitions."""

    def __init__(self) -> None:
        self._batches: OrderedDict[str, Batch] = OrderedDict()

    def read(self, digest: str, word: bytes) -> Batch:
        """Read a batch, by the name of its word. Raises Unreadable."""
        batch = self._batches.get(digest)
        if batch is None:
            batch = self._batches[digest] = read_batch(word)
            while len(self._batches) > _BATCHES_KEPT:
                self._batches.popitem(last=False)
        return batch


class Reader:
    """Whoever judges one partition, for as long as nobody takes it over.

    The server keeps a cursor for each partition, which moves when the next batch is asked for: so the one
    before was judged. Where it cannot be moved just now it is moved later, and a reader that dies until
    then leaves to be judged again what it judged already.
    """

    def __init__(
        self, reel: Reel, partition: int, epoch: int, who: str, *, closing: asyncio.Event, shelf: Shelf
    ) -> None:
        self._reel, self._closing, self._shelf = reel, closing, shelf
        self._claim = Claim(reel, partition, epoch, f"{who}/{uuid4().hex}")
        self._consumer: JetStreamContext.PullSubscription | None = None
        self._made_at = self._delivered = 0
        self._log = log.bind(partition=partition)

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """Yield batches in order, from the cursor on, until the tape is closed. Raises Superseded."""
        try:
            while not self._closing.is_set():
                try:
                    if (message := await self._next()) is None:
                        continue
                    batch = await self._read(message)
                except (TapeTrouble, *TROUBLE) as trouble:
                    self._log.debug("the tape is not read now", reason=reason_of(trouble))
                    self._reel.doubt()
                    await self._let_go()
                    await asyncio.sleep(_SECONDS_BETWEEN_TRIES)
                    continue
                if batch is not None:
                    yield batch
                self._claim.move(message.metadata.sequence.stream, self._claim.cursor.reel)
                await self._keep()
        finally:
            await self._let_go()

    async def _keep(self) -> None:
        try:
            await self._claim.keep(_SECONDS_OF_A_WAIT)
        except (TapeTrouble, *TROUBLE) as trouble:
            self._log.debug("the cursor is not moved now", reason=reason_of(trouble))

    async def _next(self) -> Msg | None:
        """Give the next message, if one comes before long."""
        await self._claim.take(_SECONDS_OF_A_WAIT)
        await self._claim.keep(_SECONDS_OF_A_WAIT)
        consumer = await self._asked()
        fetching = asyncio.ensure_future(consumer.fetch(1, timeout=_SECONDS_OF_A_WAIT))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait((fetching, closing), return_when=asyncio.FIRST_COMPLETED)
            if self._closing.is_set():
                return None
            (message,) = fetching.result()
        except TimeoutError:
            return None
        finally:
            fetching.cancel()
            closing.cancel()
            await asyncio.wait((fetching, closing))
        self._delivered += 1
        if message.metadata.sequence.consumer != self._delivered:
            await self._let_go()  # one before it was lost on the way, and is asked for again
            return None
        return message

    async def _asked(self) -> JetStreamContext.PullSubscription:
        """Give the consumer that begins behind the cursor: what a lost line carried is delivered again."""
        if self._consumer is not None and self._made_at == self._reel.line.times:
            return self._consumer
        await self._let_go()
        self._reel.doubt()  # what it says of its ends was true when it was last looked at
        async with self._reel.used(_SECONDS_OF_A_WAIT) as (jetstream, _):
            times = self._reel.line.times
            config = api.ConsumerConfig(
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._place() + 1,
                ack_policy=api.AckPolicy.NONE,
                filter_subject=self._reel.seen,
                inactive_threshold=_SECONDS_IDLE,
                mem_storage=True,
            )
            name = (await jetstream.add_consumer(self._reel.stream, config)).name
            self._consumer = await jetstream.pull_subscribe_bind(name, self._reel.stream)
        self._made_at, self._delivered = times, 0
        return self._consumer

    def _place(self) -> int:
        """Say up to where the reel that is there now was judged."""
        reel, cursor = self._reel, self._claim.cursor
        if cursor.reel and cursor.reel != reel.made:
            self._log.warning("the tape was lost with its server, and is read from its new start")
        elif cursor.reel and cursor.place > reel.last:
            self._log.warning("the end of the tape was lost with its server")
        elif cursor.reel and cursor.place < reel.first - 1:
            self._log.warning("what was not judged in time is on the tape no more")
        place = min(cursor.place, reel.last) if cursor.reel == reel.made else 0
        self._claim.move(place, reel.made)
        return place

    async def _let_go(self) -> None:
        """Let go of the consumer: the next one begins behind the cursor."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(*TROUBLE):
                await consumer.unsubscribe()

    async def _read(self, message: Msg) -> Batch | None:
        """Read a batch, its pieces fetched; what cannot be read is passed over, and said."""
        place, headers = message.metadata.sequence.stream, message.headers or {}
        try:
            word = message.data
            if PIECES in headers:
                word = await self._joined(headers[PIECES])
            if (digest := digest_of(word)) != headers.get(MESSAGE_ID):
                raise Unreadable("it is not what was put there")
            return self._shelf.read(digest, word)
        except NotFoundError:
            reason = "a piece of it is kept no more"
        except ValueError as error:
            reason = str(error)
        self._log.error("a batch on the tape cannot be read, and is passed over", place=place, reason=reason)
        return None

    async def _joined(self, places: str) -> bytes:
        pieces = []
        for place in map(int, places.split(",")):
            async with self._reel.used(_SECONDS_OF_A_WAIT) as (jetstream, _):
                pieces.append((await jetstream.get_msg(self._reel.stream, place, direct=True)).data or b"")
        return b"".join(pieces)
