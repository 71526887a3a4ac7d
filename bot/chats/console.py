"""The console: one person at one terminal, for trying the bot out, for the demonstration, and for programs.

What is said and answered is written as a transcript, or as one JSON object a line.
"""

from __future__ import annotations

import asyncio
import codecs
import io
import json
import os
import sys
import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from bot.alerts.chart import Chart, Sketch
from bot.alerts.message import Button, Facts, File, Message
from bot.alerts.people import Brought, Caller, ChatKind, ChatRef
from bot.alerts.steering import unsteered
from bot.chats.sparkline import sparkline
from bot.chats.studio import Studio
from bot.ports import ChatGone, Clock, Desk, Outcome, Receipt, Rejected
from bot.ports.places import Place

ME = ChatRef("console", "me")
"""The one chat of a console; its person is ``me`` too."""

_NAME = 8
_INDENT = " " * (len("12:00:00  ") + _NAME + len("< "))
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_CHUNK = 65536
_MOST_PICTURES = 50
_IMPORT = "/import "
_MOST_NAMES = 1000


class ConsoleChat:
    """A private chat on two streams, standard input and output unless others are given.

    ``as_json`` writes objects instead of a transcript: ``said``, ``answer``, and whatever a message tells
    programs of itself, such as ``ring``. ``timezone`` is an IANA name; the date is written wherever it
    changes. ``ends_at_eof`` lets ``run`` return when the input ends; else it goes on telling what rings.
    Colour is used on a terminal alone, and not where NO_COLOR is set. A chart is a line of blocks; where
    there is a folder for ``pictures``, ``studio`` draws it too, and its file is named. A file is written into
    the folder for ``files`` under a name that is new there, and ``/import NAME`` brings it back. ``told``
    names the events that were pushed, in order.
    """

    platform = "console"
    adds_charts = False
    is_connected = True
    trouble = ""
    told: list[str]

    def __init__(
        self,
        clock: Clock,
        source: TextIO | None = None,
        out: TextIO | None = None,
        *,
        as_json: bool = False,
        timezone: str = "UTC",
        ends_at_eof: bool = False,
        pictures: Path | None = None,
        files: Path = Path(),
        studio: Studio | None = None,
    ) -> None:
        self._clock = clock
        self._files = files
        self._source = source if source is not None else sys.stdin
        self._out = out if out is not None else sys.stdout
        self._as_json = as_json
        self._zone: tzinfo = UTC if timezone == "UTC" else ZoneInfo(timezone)
        self._ends_at_eof = ends_at_eof
        self._is_coloured = self._out.isatty() and "NO_COLOR" not in os.environ
        self._pictures = pictures
        self._studio = studio or Studio()
        self._drawn = 0
        self._day = ""
        self.told = []
        self._desk: asyncio.Future[Desk] | None = None

    async def take_over(self, said: bytes) -> bool:
        """Take nothing: a terminal is heard where it is told."""
        return False

    async def run(self, desk: Desk) -> None:
        """Answer what is typed, until cancelled or, if so told, until the input ends."""
        self._opened().set_result(desk)
        is_echoed = not self._source.isatty()  # a terminal shows what is typed by itself
        async for line in _lines(self._source):
            if text := line.strip():
                await self._answer(desk, text, is_echoed)
        if not self._ends_at_eof:
            await asyncio.Event().wait()

    async def say(self, text: str) -> None:
        """Say a line in the person's place: write it down, and its answers. Waits until the chat runs."""
        desk = await asyncio.shield(self._opened())
        await self._answer(desk, text, is_echoed=True)

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        """Write one message. A closed output is a chat that has gone."""
        try:
            await self._show(message)
        except OSError as error:
            return ChatGone(f"the output cannot be written: {error.strerror}")
        self.told.append(str(message.facts.get("event", "")))
        return Receipt(str(len(self.told)))

    async def illustrate(self, chat: ChatRef, sent: str, message: Message) -> Outcome:
        """Refuse: what is written on a terminal stays as it is, so a message waits for its chart."""
        return Rejected("a chart comes with its message")

    def link(self, chat: ChatRef, message: str, is_private: bool) -> str:
        """Give nothing: what was written to a terminal has no address."""
        return ""

    def invitation(self, token: str) -> str:
        """Give nothing: a console has no address."""
        return ""

    async def find_place(self, name: str, asking: ChatRef, person: str) -> Place | None:
        """Find none: a console has one chat."""
        return None

    async def is_admin(self, chat: ChatRef, person: str, is_fresh: bool = False) -> bool:
        """Say yes: who sits at the console owns its chat."""
        return chat == ME

    async def _answer(self, desk: Desk, text: str, is_echoed: bool) -> None:
        brought = await asyncio.to_thread(self._brought, text) if text.startswith(_IMPORT) else None
        caller = Caller(ME, ChatKind.PRIVATE, ME.chat, "you", is_admin=True, brought=brought)
        try:
            if self._as_json:
                self._write_json({"event": "said", "text": text})
            elif is_echoed:
                self._write("you", ">", [text])
            shown: Message | None = None
            async for reply in desk.dispatch(caller, text):
                await self._show(reply if shown is None or self._as_json else _added(reply, shown))
                shown = reply
        except OSError:  # nobody reads any more: what was said is done all the same
            return

    async def _show(self, message: Message) -> None:
        if self._as_json:
            self._write_json(message.facts or {"event": "answer", "text": message.plain()})
            if message.file is not None:
                self._write_json({"event": "file", "name": message.file.name, "text": message.file.text})
            return
        kept = [str(await asyncio.to_thread(self._put, message.file))] if message.file else []
        chart = await self._charted(message.chart)
        buttons = [_typed(row) for row in message.buttons]
        parts = (message.title, *message.lines, *message.code.splitlines(), *chart, *kept, *buttons)
        lines = [line for line in parts if line]
        self._write("bot", "<", lines, has_title=bool(message.title))

    async def _charted(self, chart: Chart | Sketch | None) -> list[str]:
        """Give the lines that stand for a chart: it in blocks, and where its picture is."""
        if chart is None or isinstance(chart, Sketch):
            return []
        lines = [f"{sparkline(chart)}  {chart.subtitle}"]
        if self._pictures is not None and (picture := await self._studio.picture(chart)) is not None:
            lines.append(str(await asyncio.to_thread(self._keep, self._pictures, picture)))
        return lines

    def _keep(self, folder: Path, picture: bytes) -> Path:
        """Write a picture into a folder, and drop the oldest of those that are too many."""
        folder.mkdir(parents=True, exist_ok=True)
        moment = datetime.fromtimestamp(self._clock.now(), self._zone)
        self._drawn += 1
        path = folder / f"{moment:%Y%m%d-%H%M%S}-{self._drawn}.png"
        path.write_bytes(picture)
        kept = sorted(folder.glob("*.png"), key=lambda one: one.stat().st_mtime)
        for old in kept[:-_MOST_PICTURES]:
            old.unlink(missing_ok=True)
        return path

    def _put(self, file: File) -> Path:
        """Write a file under the first name that no other has there. Raises OSError."""
        stem, dot, ending = file.name.rpartition(".")
        names = (file.name, *(f"{stem}-{number}{dot}{ending}" for number in range(2, _MOST_NAMES)))
        for name in names:
            with suppress(FileExistsError), (self._files / name).open("x", encoding="utf-8") as out:
                out.write(file.text)
                return self._files / name
        raise FileExistsError(f"too many files are called {file.name}")

    def _brought(self, text: str) -> Brought | None:
        """Find the file that a line names to be taken in, if it names one."""
        path = self._files / text.removeprefix(_IMPORT).strip()

        async def fetch(most: int) -> bytes:
            def look() -> bytes:
                with path.open("rb") as file:
                    return file.read(most)

            return await asyncio.to_thread(look)

        try:
            return Brought(path.name, path.stat().st_size, fetch) if path.is_file() else None
        except (OSError, ValueError):  # no name of a file
            return None

    def _write(self, name: str, sign: str, lines: list[str], has_title: bool = False) -> None:
        moment = datetime.fromtimestamp(self._clock.now(), self._zone)
        if (day := f"{moment:%Y-%m-%d}") != self._day:
            self._day = day
            self._out.write(self._coloured(f"-- {day} --", _DIM) + "\n")
        front = self._coloured(f"{moment:%H:%M:%S}  {name:<{_NAME}}{sign} ", _DIM)
        shown = [row for line in lines for row in line.splitlines()]
        for place, line in enumerate(_printable(line) for line in shown):
            text = self._coloured(line, _BOLD) if has_title and place == 0 else line
            self._out.write(f"{front if place == 0 else _INDENT}{text}\n")
        self._out.flush()

    def _write_json(self, facts: Facts) -> None:
        self._out.write(json.dumps(facts) + "\n")
        self._out.flush()

    def _coloured(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._is_coloured else text

    def _opened(self) -> asyncio.Future[Desk]:
        if self._desk is None:
            self._desk = asyncio.get_running_loop().create_future()
        return self._desk


async def _lines(source: TextIO) -> AsyncIterator[str]:
    """Yield the lines of a stream as they come, without a thread that could not be ended.

    A terminal or a pipe is read when the loop says that there is something; all else (a file, a text in
    memory) never keeps anybody waiting, and is read at once.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        descriptor = source.fileno()
        loop.add_reader(descriptor, ready.set)
    except (io.UnsupportedOperation, PermissionError):
        for line in await asyncio.to_thread(source.readlines):
            yield line
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    try:
        while True:
            await ready.wait()
            ready.clear()
            try:
                chunk = os.read(descriptor, _CHUNK)
            except OSError:  # a terminal that hung up
                chunk = b""
            *lines, rest = (rest + decoder.decode(chunk, final=not chunk)).split("\n")
            for line in lines:
                yield line
            if not chunk:
                break
    finally:
        loop.remove_reader(descriptor)
    if rest:
        yield rest


def _added(reply: Message, shown: Message) -> Message:
    """Leave out what stands there already: on a terminal an answer cannot be replaced, only gone on with."""
    lines = tuple(line for line in reply.lines if line not in shown.lines)
    if not lines or (reply.title, reply.code) != (shown.title, shown.code):
        return reply
    buttons = () if reply.buttons == shown.buttons else reply.buttons
    return replace(reply, title="", lines=lines, code="", buttons=buttons)


def _typed(row: Sequence[Button]) -> str:
    """Write buttons as what they say; of those with a sign for a word the text itself tells the line."""
    return " ".join(f"[{one.label}: {one.line}]" for one in row if any(map(str.isalpha, one.label)))


def _printable(line: str) -> str:
    """Drop control codes and halves of characters: a note that somebody wrote must not steer the terminal."""
    return "".join(sign for sign in unsteered(line) if unicodedata.category(sign) not in ("Cc", "Cs"))
