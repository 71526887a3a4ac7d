"""A reader's claim to a partition: the cursor that it moves, for as long as nobody newer does."""

from __future__ import annotations

from dataclasses import replace

import structlog
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

from bot.ports import Superseded
from bot.tape.reel import Reel
from bot.tape.words import Cursor, Unreadable, read_cursor, word_cursor

log = structlog.get_logger(__name__)


class Claim:
    """How far a reader has judged, here and on the server.

    The greater epoch owns the cursor, and of equals who came last; every move says what it believes to be
    there, so that one that was overtaken changes nothing.
    """

    def __init__(self, reel: Reel, partition: int, epoch: int, holder: str) -> None:
        self.cursor = Cursor(0, "", epoch, holder)
        self._reel, self._partition = reel, partition
        self._revision = 0
        self._is_taken = False
        self._kept: Cursor | None = None

    async def take(self, within: float) -> None:
        """Take the cursor over where the one before left it, once. Raises Superseded."""
        while not self._is_taken:
            if (found := await self._look(within)) is not None:
                if found.epoch > self.cursor.epoch:
                    raise Superseded(f"another process reads partition {self._partition}")
                self.cursor = replace(self.cursor, place=found.place, reel=found.reel)
            self._is_taken = await self._write(within)

    def move(self, place: int, reel: str) -> None:
        """Remember that all up to a place is judged."""
        self.cursor = replace(self.cursor, place=place, reel=reel)

    async def keep(self, within: float) -> None:
        """Have the server remember it too. Raises Superseded."""
        while self._is_taken and self._kept != self.cursor and not await self._write(within):
            found = await self._look(within)
            is_other = found is not None and found.holder != self.cursor.holder
            if is_other and found is not None and found.epoch >= self.cursor.epoch:
                raise Superseded(f"another process reads partition {self._partition}")

    async def _write(self, within: float) -> bool:
        """Write the cursor, unless another one is there than was seen last."""
        cursor = self.cursor
        try:
            async with self._reel.used(within) as (_, cursors):
                word = word_cursor(cursor)
                self._revision = await cursors.update(str(self._partition), word, self._revision)
        except KeyWrongLastSequenceError:
            return False
        self._kept = cursor
        return True

    async def _look(self, within: float) -> Cursor | None:
        try:
            async with self._reel.used(within) as (_, cursors):
                entry = await cursors.get(str(self._partition))
        except KeyNotFoundError:
            self._revision = 0
            return None
        self._revision = entry.revision or 0
        try:
            return read_cursor(entry.value or b"")
        except Unreadable as error:
            log.error("a cursor cannot be read, and is written anew", reason=str(error))
            return None
