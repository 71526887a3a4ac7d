"""The reel: what a NATS server keeps of the tape, which is made wherever it is missing.

It is a stream of what was seen, of bounded age and size, and a bucket with a cursor for each partition. A
batch that is longer than a message may be lies in pieces aside, and its message names their places.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.js import JetStreamContext, api
from nats.js.errors import BadRequestError
from nats.js.kv import KeyValue

from bot.ports import TapeTrouble
from bot.tape.line import TROUBLE, Line, reason_of

MESSAGE_ID = str(api.Header.MSG_ID.value)
PIECES = "Tocsin-Pieces"

_NAME_IN_USE = 10058
_SECONDS_ALIKE = 120.0
"""For how long a message that is published again is known to be the same."""


class Reel:
    """The stream and the cursors of one deployment, under its name.

    ``seconds`` and ``size`` bound what is kept, in seconds and bytes: whoever comes later asks the exchange.
    ``made`` says when the stream was: one that was lost with its server's disk is another one. ``first`` and
    ``last`` were its ends when it was last looked at, and ``losses`` counts how often that had lost its end.
    """

    def __init__(self, line: Line, name: str, seconds: float, size: int) -> None:
        self.line = line
        self.stream, self.cursors = f"{name}-tape", f"{name}-cursors"
        self.seen, self.piece = f"{name}.tape.seen", f"{name}.tape.piece"
        self.moves = f"$KV.{self.cursors}."
        self.made = ""
        self.first = self.last = self.losses = 0
        self._seconds, self._size = seconds, size
        self._ready_at = 0
        self._parts: tuple[JetStreamContext, KeyValue] | None = None

    @asynccontextmanager
    async def used(self, within: float) -> AsyncIterator[tuple[JetStreamContext, KeyValue]]:
        """Give what talks to JetStream, and the cursors, for as long as an answer may take.

        It is waited for ``within`` seconds, and everything is there then. Raises TapeTrouble, and inside
        whatever nats-py does.
        """
        parts = await self._ready(within)
        async with self.line.held(within):
            yield parts

    async def _ready(self, within: float) -> tuple[JetStreamContext, KeyValue]:
        jetstream = await self.line.jetstream(within)
        if self._parts is None or self._ready_at != self.line.times:
            self._ready_at = self.line.times
            try:
                async with self.line.held():
                    self._parts = jetstream, await self._make(jetstream)
            except TROUBLE as trouble:
                self.doubt()
                raise TapeTrouble(f"NATS keeps no tape: {reason_of(trouble)}") from trouble
        return self._parts

    def doubt(self) -> None:
        """Look again whether everything is there, before it is next used."""
        self._parts = None

    async def _make(self, jetstream: JetStreamContext) -> KeyValue:
        config = api.StreamConfig(
            name=self.stream,
            subjects=[self.seen, self.piece],
            storage=api.StorageType.FILE,
            discard=api.DiscardPolicy.OLD,
            max_age=self._seconds,
            max_bytes=self._size,
            duplicate_window=min(self._seconds, _SECONDS_ALIKE),
            allow_direct=True,
        )
        try:
            info = await jetstream.add_stream(config)
        except BadRequestError as error:
            if error.err_code != _NAME_IN_USE:
                raise
            info = await jetstream.update_stream(config)  # another version bounded it otherwise
        made = "" if info.created is None else info.created.isoformat()
        self.losses += made != self.made or info.state.last_seq < self.last
        self.made, self.first, self.last = made, info.state.first_seq, info.state.last_seq
        return await jetstream.create_key_value(
            bucket=self.cursors, history=1, storage=api.StorageType.FILE, direct=True
        )
