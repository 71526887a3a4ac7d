"""The platforms as those in a scenario see them: what is shown there, and how one speaks and presses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from simcord.backend.models import Interaction

from bot.chats.console import ConsoleChat
from bot.chats.discord import DiscordChat
from bot.chats.telegram import TelegramChat
from bot.demo.clock import FastClock
from bot.parts import build_chats
from bot.ports import Chat
from bot.settings import Settings
from tests.wire.discord import DiscordServer, Received
from tests.wire.telegram import TelegramServer

GROUP = -100
Operators = frozenset[tuple[str, str]]
_MARKUP = re.compile(r"\*\*|\\(?=[^\w\s]|_)")


SLOWNESS = 5
"""How many times as long as ordinary the bot and the servers wait for each other: a machine may be slow."""


def _patient(chats: list[Chat]) -> list[Chat]:
    """Let what depends on how fast a machine is (when a press is too old, a window too late) not happen."""
    for chat in chats:
        if isinstance(chat, TelegramChat):
            chat._presses._answer_within *= SLOWNESS
        if isinstance(chat, DiscordChat):
            chat._front._answer_within *= SLOWNESS
            chat._front._complete_within *= SLOWNESS
    return chats


class Stage(Protocol):
    """One platform as those in a scenario see it; a place is a person's private chat, or the group."""

    def settings(self) -> dict[str, str]: ...

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]: ...

    def operators(self) -> Operators: ...

    def texts(self) -> list[str]: ...

    def messages(self, place: str) -> list[tuple[str, ...]]:
        """Give the bot's messages there, each with all the texts that it has had."""

    def labels(self, place: str) -> list[list[str]]:
        """Give what the buttons under each of these messages say."""

    async def say(self, place: str, who: str, text: str) -> None: ...

    async def reply(self, place: str, who: str, text: str) -> None:
        """Reply to the bot's last message there."""

    async def post(self, place: str, who: str, words: str) -> None:
        """Post there what the bot gives somebody who types these words to it."""

    async def press(self, place: str, who: str, label: str) -> None: ...

    async def bring(self, place: str, who: str, text: str) -> None:
        """Send the last file that the bot gave there back to it, with a text."""

    async def write(self, place: str, who: str, text: str) -> None:
        """Write into the window that somebody opened last, and send it in."""

    def appoint(self, who: str, is_admin: bool) -> None: ...


@dataclass
class TelegramStage:
    server: TelegramServer
    people: dict[str, str]

    def __post_init__(self) -> None:
        self.ids = {name: 1001 + place for place, name in enumerate(self.people)}
        self.server.me["supports_inline_queries"] = True
        admins = [self.ids[name] for name, role in self.people.items() if role == "admin"]
        self.group = self.server.group(GROUP, admins=[1, *admins])
        for name, person in self.ids.items():
            self.server.private(person, name)

    def settings(self) -> dict[str, str]:
        return {"telegram_token": self.server.token, "telegram_api": self.server.root}

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]:
        return _patient(build_chats(settings, clock))

    def operators(self) -> Operators:
        found = [name for name, role in self.people.items() if role == "operator"]
        return frozenset(("telegram", str(self.ids[name])) for name in found)

    def texts(self) -> list[str]:
        return [text for place in ("group", *self.ids) for text, *_ in self.messages(place)]

    def messages(self, place: str) -> list[tuple[str, ...]]:
        return [tuple(one.texts) for one in self.server.shown(self._chat(place))]

    def labels(self, place: str) -> list[list[str]]:
        shown = self.server.shown(self._chat(place))
        return [[label for row in one.buttons for label, _ in row] for one in shown]

    async def say(self, place: str, who: str, text: str) -> None:
        await self.server.say(self._chat(place), self.ids[who], text, name=who)

    async def press(self, place: str, who: str, label: str) -> None:
        await self.server.press(self._chat(place), self.ids[who], label)

    async def write(self, place: str, who: str, text: str) -> None:
        raise AssertionError("Telegram has no windows")

    async def reply(self, place: str, who: str, text: str) -> None:
        last = self.server.shown(self._chat(place))[-1].id
        await self.server.say(self._chat(place), self.ids[who], text, name=who, to=last)

    async def post(self, place: str, who: str, words: str) -> None:
        await self.server.inquire(self.ids[who], words, name=who, chat=self._chat(place))

    async def bring(self, place: str, who: str, text: str) -> None:
        given = next(one.document for one in reversed(self.server.shown(self._chat(place))) if one.document)
        document = self.server.upload("mine.toml", given)
        await self.server.say(self._chat(place), self.ids[who], "", name=who, caption=text, document=document)

    def appoint(self, who: str, is_admin: bool) -> None:
        if is_admin:
            self.group.admins[self.ids[who]] = "administrator"
        else:
            del self.group.admins[self.ids[who]]

    def _chat(self, place: str) -> int:
        return GROUP if place == "group" else self.ids[place]


@dataclass
class DiscordStage:
    server: DiscordServer
    people: dict[str, str]
    pressed: Interaction | None = None

    def __post_init__(self) -> None:
        self.ids = {name: self.server.person(name) for name in self.people}
        self.role = self.server.manager_role()
        for name, role in self.people.items():
            if role == "admin":
                self.appoint(name, True)

    def settings(self) -> dict[str, str]:
        return {
            "discord_token": self.server.token,
            "discord_api": self.server.api,
            "discord_gateway": self.server.gateway,
        }

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]:
        return _patient(build_chats(settings, clock))

    def operators(self) -> Operators:
        found = [name for name, role in self.people.items() if role == "operator"]
        return frozenset(("discord", str(self.ids[name])) for name in found)

    def texts(self) -> list[str]:
        return [texts[-1] for place in ("group", *self.ids) for texts in self.messages(place)]

    def messages(self, place: str) -> list[tuple[str, ...]]:
        """Read what everybody there is shown, without the bold face and the strokes before other signs."""
        texts = [(*one.before, one.text) for one in self._shown(place)]
        return [tuple(_MARKUP.sub("", text) for text in versions) for versions in texts]

    def labels(self, place: str) -> list[list[str]]:
        """Leave out those that open a window, which no other platform has; they can be pressed."""
        return [
            [label for label, name in one.buttons if not name.startswith("ask")] for one in self._shown(place)
        ]

    def _shown(self, place: str) -> list[Received]:
        shown = self.server.shown(self._channel(place))
        return [one for one in shown if one.is_private is (place == "aside")]

    async def say(self, place: str, who: str, text: str) -> None:
        if place == "group":
            await self.server.say(self.server.channel, self.ids[who], "{bot} " + text)
        else:
            await self.server.dm(self.ids[who], text)

    async def press(self, place: str, who: str, label: str) -> None:
        self.pressed = await self.server.press(self._channel(place), self.ids[who], label)

    async def write(self, place: str, who: str, text: str) -> None:
        assert self.pressed is not None, "no window was opened"
        await self.server.write(self.pressed, text)

    async def reply(self, place: str, who: str, text: str) -> None:
        raise AssertionError("replies mean nothing on Discord")

    async def post(self, place: str, who: str, words: str) -> None:
        raise AssertionError("on Discord nothing is posted by typing to a bot")

    async def bring(self, place: str, who: str, text: str) -> None:
        assert place == who, "files are brought in private"
        given = next(one.pictures[-1] for one in reversed(self._shown(place)) if one.pictures)
        await self.server.dm(self.ids[who], text, ("mine.toml", given))

    def appoint(self, who: str, is_admin: bool) -> None:
        self.server.appoint(self.ids[who], self.role, is_admin)

    def _channel(self, place: str) -> str:
        return self.server.channel if place in ("group", "aside") else self.server.direct(self.ids[place])


@dataclass
class PairStage:
    """Two platforms at once: ``telegram`` and ``discord`` are one person, in private on each."""

    sides: dict[str, Stage]

    def settings(self) -> dict[str, str]:
        return {name: one for stage in self.sides.values() for name, one in stage.settings().items()}

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]:
        return _patient(build_chats(settings, clock))

    def operators(self) -> Operators:
        return frozenset[tuple[str, str]]().union(*(stage.operators() for stage in self.sides.values()))

    def texts(self) -> list[str]:
        return [text for place, stage in self.sides.items() for text, *_ in stage.messages(place)]

    def messages(self, place: str) -> list[tuple[str, ...]]:
        return self.sides[place].messages(place) if place in self.sides else []

    def labels(self, place: str) -> list[list[str]]:
        return self.sides[place].labels(place)

    async def say(self, place: str, who: str, text: str) -> None:
        await self.sides[place].say(place, who, text)

    async def reply(self, place: str, who: str, text: str) -> None:
        await self.sides[place].reply(place, who, text)

    async def post(self, place: str, who: str, words: str) -> None:
        await self.sides[place].post(place, who, words)

    async def bring(self, place: str, who: str, text: str) -> None:
        await self.sides[place].bring(place, who, text)

    async def press(self, place: str, who: str, label: str) -> None:
        await self.sides[place].press(place, who, label)

    def appoint(self, who: str, is_admin: bool) -> None:
        raise AssertionError("a pair has no group")


@dataclass
class ConsoleStage:
    people: dict[str, str]
    files: Path
    out: StringIO = field(default_factory=StringIO)
    chat: ConsoleChat | None = None

    def settings(self) -> dict[str, str]:
        return {}

    def chats(self, settings: Settings, clock: FastClock) -> list[Chat]:
        self.chat = ConsoleChat(clock, StringIO(), self.out, files=self.files)
        return [self.chat]

    def operators(self) -> Operators:
        return frozenset({("console", "me")} if "operator" in self.people.values() else ())

    def texts(self) -> list[str]:
        return [self.out.getvalue()]

    def messages(self, place: str) -> list[tuple[str, ...]]:
        """Read the transcript: a message begins with ``bot <``; what replaces another there is one more."""
        found: list[list[str]] = []
        for line in self.out.getvalue().splitlines():
            if " bot     < " in line:
                found.append([line.partition("< ")[2]])
            elif line.startswith(" ") and found:
                found[-1].append(line.strip())
        return [("\n".join(lines),) for lines in found]

    def labels(self, place: str) -> list[list[str]]:
        """A console has no buttons: it prints the lines that they say."""
        return []

    async def say(self, place: str, who: str, text: str) -> None:
        assert self.chat is not None
        await self.chat.say(text)

    async def press(self, place: str, who: str, label: str) -> None:
        raise AssertionError("nothing is pressed at a console")

    async def write(self, place: str, who: str, text: str) -> None:
        raise AssertionError("a console has no windows")

    async def reply(self, place: str, who: str, text: str) -> None:
        raise AssertionError("there are no replies at a console")

    async def post(self, place: str, who: str, words: str) -> None:
        raise AssertionError("a console is the only chat there is")

    async def bring(self, place: str, who: str, text: str) -> None:
        given = max(self.files.iterdir(), key=lambda one: one.stat().st_mtime_ns)
        await self.say(place, who, f"{text} {given.name}")

    def appoint(self, who: str, is_admin: bool) -> None:
        raise AssertionError("nobody is appointed at a console")


@asynccontextmanager
async def staged(platform: str, people: dict[str, str]) -> AsyncIterator[Stage]:
    """Set a platform up, with its server on loopback."""
    match platform:
        case "telegram":
            async with TelegramServer() as telegram:
                yield TelegramStage(telegram, people)
        case "discord":
            async with DiscordServer(SLOWNESS) as discord:
                yield DiscordStage(discord, people)
        case "pair":
            async with TelegramServer() as telegram, DiscordServer(SLOWNESS) as discord:
                phone = TelegramStage(telegram, {"telegram": people["telegram"]})
                desk = DiscordStage(discord, {"discord": people["discord"]})
                yield PairStage({"telegram": phone, "discord": desk})
        case _:
            with TemporaryDirectory() as folder:
                yield ConsoleStage(people, Path(folder))
