"""The console on real streams: files, pipes and a terminal."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TextIO

import pytest

from bot.alerts.message import Button, Message, say
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.chats.console import ME, ConsoleChat
from bot.ports import ChatGone, Choice, Desk, Receipt, Replies
from tests.conftest import NOON, SetClock

RING = Message(
    title="#1 BTC/USDT fell below 100,000.",
    lines=("Note: cut the long",),
    facts={"event": "ring", "alert": "#1", "value": 99980.0},
)


class Echo:
    """A desk that repeats what it is told and remembers who said it."""

    def __init__(self) -> None:
        self.callers: list[Caller] = []
        self.said: list[str] = []
        self._hears = asyncio.Event()

    async def dispatch(self, caller: Caller, words: str) -> AsyncIterator[Message]:
        self.callers.append(caller)
        self.said.append(words)
        self._hears.set()
        yield say(f"heard {words}", "and more", code="line\n  ^")

    async def complete(self, caller: Caller, command: str, option: str, prefix: str) -> list[Choice]:
        return []

    async def heard(self) -> None:
        """Wait until something was said."""
        async with asyncio.timeout(10):
            await self._hears.wait()

    def desk(self) -> Desk:
        return Desk(self.dispatch, self.complete)


async def run(source: TextIO, out: TextIO, echo: Echo, **options: bool) -> None:
    """Run a console until its input ends."""
    chat = ConsoleChat(SetClock(), source, out, ends_at_eof=True, **options)
    async with asyncio.timeout(10):
        await chat.run(echo.desk())


async def test_a_transcript_shows_the_time_who_said_it_and_aligned_answers() -> None:
    out = io.StringIO()
    await run(io.StringIO("/price btc\n\n"), out, Echo())
    assert out.getvalue().splitlines() == [
        "-- 2025-11-12 --",
        "12:00:00  you     > /price btc",
        "12:00:00  bot     < heard /price btc",
        "                    and more",
        "                    line",
        "                      ^",
    ]


async def test_buttons_are_written_as_what_they_say() -> None:
    out = io.StringIO()
    rows = ((Button("Confirm", "/confirm 12"), Button("Discard", "/discard 12")), (Button("Why", "/why 1"),))

    async def offer(_caller: Caller, _words: str) -> Replies:
        yield Message(lines=("@floor would move.",), buttons=rows)
        yield Message(lines=("@floor would move.", "0 rings."), buttons=rows)

    echo = Echo()
    echo.dispatch = offer  # type: ignore[method-assign]
    await run(io.StringIO("/level floor 98k\n"), out, echo)
    assert out.getvalue().splitlines()[2:] == [
        "12:00:00  bot     < @floor would move.",
        "                    [Confirm: /confirm 12] [Discard: /discard 12]",
        "                    [Why: /why 1]",
        "12:00:00  bot     < 0 rings.",
    ]


async def test_an_answer_that_is_gone_on_with_shows_only_what_is_new() -> None:
    async def dispatch(caller: Caller, words: str) -> AsyncIterator[Message]:
        yield say("armed", "read as")
        yield say("armed", "would have rung twice", "read as")
        yield say("something else")

    async def complete(caller: Caller, command: str, option: str, prefix: str) -> list[Choice]:
        return []

    for as_json, shown in (
        (False, ["< armed", "  read as", "< would have rung twice", "< something else"]),
        (True, ["armed\nread as", "armed\nwould have rung twice\nread as", "something else"]),
    ):
        out = io.StringIO()
        chat = ConsoleChat(SetClock(), io.StringIO("/alert\n"), out, as_json=as_json, ends_at_eof=True)
        await chat.run(Desk(dispatch, complete))
        lines = out.getvalue().splitlines()
        if as_json:
            assert [json.loads(line)["text"] for line in lines[1:]] == shown
        else:
            assert [line[18:] for line in lines[2:]] == shown


async def test_the_person_at_the_console_is_alone_in_a_private_chat_of_their_own() -> None:
    echo = Echo()
    await run(io.StringIO("hello\n"), io.StringIO(), echo)
    [caller] = echo.callers
    assert (caller.chat, caller.kind, caller.is_admin) == (ME, ChatKind.PRIVATE, True)
    assert await ConsoleChat(SetClock()).is_admin(ME, "me")


async def test_programs_get_one_object_a_line() -> None:
    out = io.StringIO()
    chat = ConsoleChat(SetClock(), io.StringIO("/price btc\n"), out, as_json=True, ends_at_eof=True)
    await chat.run(Echo().desk())
    await chat.send(ME, RING, "")
    said, answer, ring = (json.loads(line) for line in out.getvalue().splitlines())
    assert said == {"event": "said", "text": "/price btc"}
    assert answer == {"event": "answer", "text": "heard /price btc\nand more\nline\n  ^"}
    assert ring == dict(RING.facts)


async def test_a_pushed_message_is_written_and_acknowledged() -> None:
    out = io.StringIO()
    chat = ConsoleChat(SetClock(), io.StringIO(), out)
    assert await chat.send(ME, RING, "ring/1") == Receipt("1")
    assert chat.told == ["ring"]
    assert out.getvalue().splitlines()[1:] == [
        "12:00:00  bot     < #1 BTC/USDT fell below 100,000.",
        "                    Note: cut the long",
    ]


async def test_lines_are_read_from_a_pipe_as_they_come() -> None:
    reading, writing = os.pipe()
    echo, out = Echo(), io.StringIO()
    with os.fdopen(reading, encoding="utf-8") as source:
        running = asyncio.create_task(run(source, out, echo))
        os.write(writing, b"/alert btc > 1\n/pri")
        await echo.heard()
        assert echo.said == ["/alert btc > 1"]
        os.write(writing, "ce ￥".encode()[:-1])
        os.write(writing, "ce ￥".encode()[-1:] + b"\nlast, without an end")
        os.close(writing)
        await running
    assert echo.said == ["/alert btc > 1", "/price ￥", "last, without an end"]


async def test_lines_are_read_from_a_file(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("one\ntwo\n")
    echo = Echo()
    with script.open() as source:
        await run(source, io.StringIO(), echo)
    assert echo.said == ["one", "two"]


async def test_without_input_the_console_goes_on_telling() -> None:
    out = io.StringIO()
    chat = ConsoleChat(SetClock(), io.StringIO(""), out)
    running = asyncio.create_task(chat.run(Echo().desk()))
    await chat.say("hello")
    assert not running.done()
    await chat.send(ME, RING, "")
    assert "heard hello" in out.getvalue()
    assert "fell below" in out.getvalue()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_what_is_said_for_the_person_waits_until_the_chat_runs() -> None:
    out = io.StringIO()
    chat = ConsoleChat(SetClock(), io.StringIO(""), out, ends_at_eof=True)
    saying = asyncio.create_task(chat.say("hello"))
    await asyncio.sleep(0)
    assert out.getvalue() == ""
    await chat.run(Echo().desk())
    await saying
    assert out.getvalue().splitlines()[1:3] == [
        "12:00:00  you     > hello",
        "12:00:00  bot     < heard hello",
    ]


async def test_the_date_is_written_wherever_it_changes() -> None:
    clock, out = SetClock(), io.StringIO()
    chat = ConsoleChat(clock, io.StringIO(), out)
    for seconds in (0, 60, 12 * 3600):
        clock.time = NOON + seconds
        await chat.send(ME, say("x"), "")
    shown = [line for line in out.getvalue().splitlines() if line.startswith("--")]
    assert shown == ["-- 2025-11-12 --", "-- 2025-11-13 --"]


async def test_times_are_on_the_clock_of_the_zone_that_is_asked_for() -> None:
    out = io.StringIO()
    await ConsoleChat(SetClock(), io.StringIO(), out, timezone="Asia/Tokyo").send(ME, say("x"), "")
    assert "\n21:00:00  bot" in out.getvalue()


async def test_control_characters_never_reach_the_terminal() -> None:
    out = io.StringIO()
    await ConsoleChat(SetClock(), io.StringIO(), out).send(ME, say("a\x1b[2Jb\x07\x9bc\rd"), "")
    assert out.getvalue().splitlines()[1:] == [
        "12:00:00  bot     < a[2Jbc",
        "                    d",
    ]


async def test_a_terminal_gets_colour_and_is_not_told_what_it_shows_itself() -> None:
    master, slave = pty.openpty()
    echo = Echo()
    with os.fdopen(slave, "r+b", buffering=0) as terminal:
        text = io.TextIOWrapper(terminal, encoding="utf-8", write_through=True)
        chat = ConsoleChat(SetClock(), text, text)
        running = asyncio.create_task(chat.run(echo.desk()))
        os.write(master, b"/price btc\n")
        await echo.heard()
        await chat.send(ME, RING, "")
        shown = ""
        while "cut the long" not in shown:
            shown += os.read(master, 65536).decode()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        text.detach()
    os.close(master)
    assert "\x1b[1m#1 BTC/USDT fell below 100,000.\x1b[0m" in shown
    assert shown.count("/price btc") == 2  # what was typed, as the terminal echoes it, and the answer
    assert "you" not in shown


async def test_a_closed_output_is_a_chat_that_has_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8", buffering=1) as out:
        chat = ConsoleChat(SetClock(), io.StringIO("hello\n"), out, ends_at_eof=True)
        assert isinstance(await chat.send(ME, RING, ""), ChatGone)
        echo = Echo()
        await chat.run(echo.desk())  # nobody reads the answers, and nothing breaks
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)


def test_a_process_ends_while_its_console_waits_for_a_line() -> None:
    program = (
        "import asyncio\n"
        "from bot.chats.console import ConsoleChat\n"
        "from tests.conftest import SetClock\n"
        "from tests.test_console import Echo\n"
        "async def main():\n"
        "    task = asyncio.create_task(ConsoleChat(SetClock()).run(Echo().desk()))\n"
        "    await asyncio.sleep(0.05)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    ) as process:
        try:
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_no_chat_but_its_own_is_administered_here() -> None:
    other = ChatRef("console", "somebody")
    assert asyncio.run(ConsoleChat(SetClock()).is_admin(other, "me")) is False
