"""The tape between processes, over NATS JetStream: feeds put, engines read, each from a cursor of its own.

The store stays the truth and the exchange can be asked again, so the tape is kept for minutes only. What a
server acknowledged may be lost with its disk, and what is put again after a doubtful answer is known to be
the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType

import structlog
from nats.aio.msg import Msg
from nats.js.errors import KeyNotFoundError

from bot.codec import VERSION
from bot.metrics import Batch, Want
from bot.ports import TapeTrouble
from bot.tape.line import TROUBLE, Line, reason_of
from bot.tape.reading import Reader, Shelf
from bot.tape.reel import MESSAGE_ID, PIECES, Reel
from bot.tape.talk import Talk
from bot.tape.wishes import Wishes
from bot.tape.words import Cursor, Unreadable, digest_of, read_cursor, word_batch

LENGTH = 64
SECONDS_KEPT = 600.0
MOST_BYTES = 256 * 2**20

PATIENCE = 5.0
PATIENCE_OF_JUDGING = 20.0
WANTS_AGE = 30.0

_SERIES_AT_ONCE = 250
_SECONDS_OF_A_WAIT = 1.0
_SECONDS_BETWEEN_TRIES = 0.1
_SECONDS_UNTIL_ASKED = 0.5
"""Without a word of a cursor, after which it is looked up: the word may be lost, the cursor is not."""

_NONE: Mapping[str, str] = MappingProxyType({})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a tape is used; all processes of a deployment have the same.

    Deployments that share a server have different ``name``s, of letters, digits and dashes. Who words
    otherwise uses another tape: ``wording`` is the version of ``bot.codec``. There are ``partitions``, from
    0. ``length`` is how many batches may lie unjudged. ``patience`` is how many seconds a call waits for the
    server or for room, ``patience_of_judging`` for all to be judged, and ``wants_age`` how long a word of
    what is wanted holds. The server keeps ``seconds`` and ``size`` bytes at most.
    """

    name: str = "tocsin"
    partitions: int = 1
    length: int = LENGTH
    patience: float = PATIENCE
    patience_of_judging: float = PATIENCE_OF_JUDGING
    wants_age: float = WANTS_AGE
    seconds: float = SECONDS_KEPT
    size: int = MOST_BYTES
    wording: int = VERSION

    @property
    def root(self) -> str:
        """With what begins the name of everything of theirs on the server."""
        return f"{self.name}-{self.wording}"


USUAL = Terms()


class JetStreamTape:
    """One process's end of the tape: it may put, read partitions, or both. See ``open_tape``.

    ``talk`` is what processes say to each other beside it, on the same line.
    """

    def __init__(self, line: Line, reel: Reel, who: str, terms: Terms) -> None:
        self._line, self._reel, self._who, self._terms = line, reel, who, terms
        self.talk = Talk(line, terms.root)
        self._closing, self._moved = asyncio.Event(), asyncio.Event()
        self._cursors: dict[int, Cursor] = {}
        self._given_up: set[int] = set()
        self._unjudged: deque[int] = deque()
        self._last = self._losses = 0
        self._made = ""
        self._is_watching = False
        self._shelf = Shelf()
        self._wishes = Wishes(line, terms.root, terms.partitions, terms.wants_age, terms.patience)

    @property
    def trouble(self) -> str:
        """Say why the server cannot be reached now, or nothing."""
        return self._line.trouble

    # --- from the feeds -----------------------------------------------------------------------------------

    async def put(self, batch: Batch) -> None:
        """Hand a batch over, acknowledged by the server; waits a while where too much lies unjudged.

        A partition that does not judge at all is not waited for a second time. Raises TapeTrouble where the
        server does not take it in time; the batch may be on the tape all the same, or in part.
        """
        await self._watch_cursors()
        await self._room()
        for part in batch.parts(_SERIES_AT_ONCE):
            try:
                word = word_batch(part)
            except ValueError as error:
                raise TapeTrouble(f"a batch of {batch.source} cannot be put in words: {error}") from error
            place = await self._publish(word)
            self._made = self._reel.made
            self._last = max(self._last, place)
            self._unjudged.append(place)

    async def _publish(self, word: bytes) -> int:
        """Put a word on the tape, once however often that is tried; gives its place."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._terms.patience
        while True:
            try:
                return await self._publish_now(word, until - loop.time())
            except TROUBLE as trouble:
                self._reel.doubt()
                if loop.time() + _SECONDS_BETWEEN_TRIES >= until:
                    raise TapeTrouble(f"NATS does not take what was seen: {reason_of(trouble)}") from trouble
                await asyncio.sleep(_SECONDS_BETWEEN_TRIES)

    async def _publish_now(self, word: bytes, within: float) -> int:
        digest, most = digest_of(word), self._line.room
        headers: Mapping[str, str] = _NONE
        if len(word) > most:
            places = []
            for start in range(0, len(word), most):
                piece = word[start : start + most]
                places.append(await self._say(self._reel.piece, f"{digest}.{start}.{most}", piece, within))
            word, headers = b"", {PIECES: ",".join(map(str, places))}
        return await self._say(self._reel.seen, digest, word, within, headers)

    async def _say(
        self, subject: str, name: str, word: bytes, within: float, headers: Mapping[str, str] = _NONE
    ) -> int:
        async with self._reel.used(within) as (jetstream, _):
            self._forget_what_was_lost()
            return (await jetstream.publish(subject, word, headers={MESSAGE_ID: name, **headers})).seq

    async def judged(self) -> None:
        """Wait until every partition has judged what was put here.

        Raises TapeTrouble naming those that have not in time: nobody judges them now, or too slowly.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._terms.patience_of_judging
        while behind := self._behind(self._last):
            if loop.time() >= until:
                names = ", ".join(map(str, sorted(behind)))
                raise TapeTrouble(f"what was seen is not judged yet, in partition {names}")
            await self._await_move(until)

    async def caught_up(self) -> None:
        """Wait a second at most until every partition that is judged at all has judged what was put here."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _SECONDS_OF_A_WAIT
        while self._behind(self._last) - self._given_up and loop.time() < until:
            await self._await_move(until)

    async def _room(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._terms.patience
        before = dict(self._cursors)
        while len(self._unjudged) >= self._terms.length:
            last = self._unjudged[-self._terms.length]
            behind = self._behind(last) - self._given_up
            if not behind:
                while self._unjudged and self._unjudged[0] <= last:
                    self._unjudged.popleft()
            elif loop.time() < until:
                await self._await_move(until)
            else:
                still = {one for one in behind if self._cursors.get(one) == before.get(one)}
                if still:
                    self._given_up |= still
                    log.warning("nobody judges, and is not waited for", partitions=sorted(still))
                return

    def _behind(self, place: int) -> set[int]:
        """Name the partitions that have not judged up to a place."""
        judged = {
            partition
            for partition, cursor in self._cursors.items()
            if cursor.reel == self._made and cursor.place >= place
        }
        return set() if not place else {*range(self._terms.partitions)} - judged

    async def _await_move(self, until: float) -> None:
        """Wait until a cursor moves; one that nothing is heard of is looked up."""
        self._moved.clear()
        soon = asyncio.get_running_loop().time() + _SECONDS_UNTIL_ASKED
        try:
            async with asyncio.timeout_at(min(until, soon)):
                await self._moved.wait()
        except TimeoutError:
            await self._look_up()

    async def _look_up(self) -> None:
        try:
            for partition in range(self._terms.partitions):
                async with self._reel.used(_SECONDS_OF_A_WAIT) as (_, cursors):
                    self._forget_what_was_lost()
                    with suppress(KeyNotFoundError):
                        self._note(partition, (await cursors.get(str(partition))).value or b"")
        except (TapeTrouble, *TROUBLE) as trouble:
            self._reel.doubt()
            log.debug("the cursors are not known now", reason=reason_of(trouble))

    async def _watch_cursors(self) -> None:
        if not self._is_watching:
            self._is_watching = True
            await self._line.hear(f"{self._reel.moves}*", self._hear_move)

    async def _hear_move(self, message: Msg) -> None:
        self._note(int(message.subject.rpartition(".")[2]), message.data)

    def _note(self, partition: int, word: bytes) -> None:
        try:
            cursor = read_cursor(word)
        except Unreadable as error:
            log.error("a cursor cannot be read", partition=partition, reason=str(error))
            return
        if cursor != self._cursors.get(partition):
            self._cursors[partition] = cursor
            self._given_up.discard(partition)
            self._moved.set()

    def _forget_what_was_lost(self) -> None:
        """Wait no longer for what a server lost with its disk."""
        if self._losses != self._reel.losses:
            self._losses = self._reel.losses
            self._unjudged.clear()
            self._last = 0

    # --- to the engines -----------------------------------------------------------------------------------

    def read(self, partition: int, epoch: int = 0) -> Reader:
        """Give what reads a partition in order, for who took it over in an epoch."""
        return Reader(self._reel, partition, epoch, self._who, closing=self._closing, shelf=self._shelf)

    async def epoch(self, partition: int) -> int:
        """Give the newest epoch in which a partition was read; 0 where none is known, or nobody answers."""
        try:
            async with self._reel.used(self._terms.patience) as (_, cursors):
                return read_cursor((await cursors.get(str(partition))).value or b"").epoch
        except KeyNotFoundError:
            return 0
        except (TapeTrouble, Unreadable, *TROUBLE) as trouble:
            self._reel.doubt()
            log.debug("an epoch is not known now", partition=partition, reason=reason_of(trouble))
            return 0

    def close(self) -> None:
        """End the reading: the batch under way is the last, and what follows it is left to others."""
        self._closing.set()

    async def hang_up(self) -> None:
        """Close the tape, and wait for all that is said over it."""
        self.close()
        await self._wishes.finish()
        await self._line.close()

    # --- the wants ----------------------------------------------------------------------------------------

    def tell_wants(self, partition: int, wants: Callable[[], Sequence[Want]]) -> None:
        """Say from now on what a partition wants, whenever that changes, and before it is too old."""
        self._wishes.tell(partition, wants)

    async def say_wants(self, partition: int, wants: Sequence[Want]) -> None:
        """Say once what a partition wants. Raises TapeTrouble where no server is there."""
        await self._wishes.say(partition, wants)

    async def wants(self) -> list[Want]:
        """Give what all partitions want, one for each key. Raises TapeTrouble while that is not known."""
        return await self._wishes.all()


@asynccontextmanager
async def open_tape(url: str, who: str, terms: Terms = USUAL) -> AsyncIterator[JetStreamTape]:
    """Give a tape over the NATS server at ``url``, which need not be there yet.

    ``who`` is shown by the server. Raises ValueError for an address that is none.
    """
    line = Line(url, who)
    line.open()
    tape = JetStreamTape(line, Reel(line, terms.root, terms.seconds, terms.size), who, terms)
    try:
        yield tape
    finally:
        await tape.hang_up()
