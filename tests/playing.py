"""Play a transcript: people speak, the market moves, and the bot says what is written, and nothing else.

A scenario is a text file. Lines that begin with ``#`` are remarks; the first lines may say ``on: telegram,
discord`` (else it is played on these and on the console, where everybody is the one person at it) and
``people: olga operator, boss admin``. On a ``pair`` of platforms the people are ``telegram`` and ``discord``,
one person in private on each. Then each line is a time, somebody, a sign, and what happens:

    12:00:00  olga        > /level floor 98k          somebody writes to the bot in private
    12:00:00  boss@group  > /subscribe btc-floor      or in the group
    12:00:01  boss@group  ^ mute 1h           replies to the bot's last message there
    12:00:01  ann@group   ? btc               types to the bot there (`@bot btc`), and posts what it gives
    12:00:01  boss@group  ! Confirm                   presses a button under the bot's last message there
    12:00:02  boss@group  & btc < 98k                 writes into the window that the button opened
    12:00:01  bot@aside   < ...                       what Discord showed in the group to one person alone
    12:00:00  bot@olga    < @floor is 98,000. ...     the next message there, with its lines below each other
    12:00:05  bot@olga    ~ ...2 rings at 98,000...   that message was edited to this; elsewhere it goes on so
    12:00:09  bot@olga    + #1 rang...#9 rang...      as many messages as it takes say this together
    12:00:10  olga        * /import                   sends the last file that the bot gave there, with words
    12:01:00  market      = btc/usdt 97000            a trade
    12:02:00  world       = restart                   or: boss is no admin, boss is an admin
    12:04:00  world       = has looked                every minute that has begun is final and was judged
    37:30:00  world       = looks back                what came after rings that are a day old is kept

Last lines like ``[Why]  [Delete]`` are of the buttons below a message. ``...`` stands for any text, and
``{token}`` in what the bot says for a word that is the same wherever it is written again, in what is said to
the bot too. The clock runs, and jumps to a line's time where that is still ahead; what the bot says comes
when it comes. Whatever it says beyond what is written fails the scenario.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from bot.demo.clock import FastClock
from bot.house import House
from bot.metrics import MINUTE, minute_of
from tests.conftest import NOON
from tests.stages import ConsoleStage, Stage, staged
from tests.test_end_to_end import Market, running

PLATFORMS = ("console", "telegram", "discord")
_PATIENCE = 15.0
_QUIET = 0.15
_LONGEST_REST = 3.0
"""Real seconds to wait for rest: where a platform takes nothing, there is none."""

_ANYTHING = re.compile(r"(\.{3}(?!\.)|\{[a-z]+\})")
_LABEL = re.compile(r"\[([^]]+)\]")
_ROW = re.compile(rf"{_LABEL.pattern}( +{_LABEL.pattern})*")
_LINE = re.compile(r"(\d\d+):(\d\d):(\d\d)\s+(\w+)(?:@(\w+))?\s*([><~+!=?^&*]) ?(.*)")


@dataclass(frozen=True)
class Step:
    """One line of a scenario, with those that go on with it."""

    number: int
    at: float
    who: str
    place: str
    sign: str
    text: str


@dataclass(frozen=True)
class Scenario:
    """A scenario as it was read."""

    name: str
    platforms: tuple[str, ...]
    people: dict[str, str]
    steps: tuple[Step, ...]


class JumpingClock(FastClock):
    """A fast clock that can be put forward; whoever sleeps then wakes a little late."""

    def __init__(self, start: float, rate: float) -> None:
        super().__init__(start, rate)
        self._ahead = 0.0

    def now(self) -> float:
        return super().now() + self._ahead

    @property
    def is_held(self) -> bool:
        """Whether somebody does what time waits for."""
        return self._holders > 0

    def jump_to(self, at: float) -> None:
        self._ahead += max(0.0, at - self.now())


def read(path: Path) -> Scenario:
    """Read a scenario; raises ValueError for a line that is none."""
    platforms, people, steps = PLATFORMS, {}, []
    place = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("on:"):
            platforms = tuple(line[3:].replace(",", " ").split())
        elif line.startswith("people:"):
            people = dict((one.split() * 2)[:2] for one in line[7:].split(","))
        elif match := _LINE.match(line):
            hours, minutes, seconds, who, where, sign, text = match.groups()
            at = NOON + (int(hours) - 12) * 3600 + int(minutes) * 60 + int(seconds)
            if sign != "=":
                place = where or (place if who == "bot" else who)
            steps.append(Step(number, at, who, place, sign, text))
        elif line.startswith(" ") and steps:
            last = steps[-1]
            steps[-1] = Step(
                last.number, last.at, last.who, last.place, last.sign, f"{last.text}\n{line.strip()}"
            )
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{path.name}, line {number}: {line}")
    return Scenario(path.stem, platforms, people, tuple(steps))


def split_buttons(text: str) -> tuple[str, list[str]]:
    """Split what a message says from what the buttons below it say."""
    lines = text.split("\n")
    rows = list(takewhile(_ROW.fullmatch, reversed(lines)))[::-1]
    return "\n".join(lines[: len(lines) - len(rows)]), [
        label for row in rows for label in _LABEL.findall(row)
    ]


def pattern_of(text: str) -> re.Pattern[str]:
    """Give what matches a text in which ``...`` stands for anything and ``{token}`` for a word."""
    parts = [re.escape(part) for part in _ANYTHING.split(text)]
    parts[1::2] = [".*" if part == "..." else rf"(?P<{part[1:-1]}>\S+)" for part in _ANYTHING.findall(text)]
    return re.compile("".join(parts), re.DOTALL)


class Play:
    """A scenario as it is being played."""

    def __init__(self, scenario: Scenario, stage: Stage, market: Market, clock: JumpingClock) -> None:
        self.scenario, self.stage, self.market, self.clock = scenario, stage, market, clock
        self.heard: dict[str, int] = {}
        self.words: dict[str, str] = {}
        self._is_console = isinstance(stage, ConsoleStage)

    async def run(self, database: str) -> None:
        """Play it from the first line to the last."""
        steps = iter(self.scenario.steps)
        while await self._act(steps, database):
            pass
        for place in ["group", *self.scenario.people]:
            said = self._messages(place)[self.heard.get(self._place(place), 0) :]
            assert not said, f"{self.scenario.name}: in {place} the bot said more: {said}"

    async def _act(self, steps: Iterator[Step], database: str) -> bool:
        """Play until the bot restarts, and say whether it did."""
        more: dict[str, Any] = {"admins": self.stage.operators()}
        async with running(self.stage, self.market, database, self.clock, **more) as house:  # type: ignore[arg-type]
            for step in steps:
                if step.at > self.clock.now():
                    await self._rest(house)
                    self.clock.jump_to(step.at)
                if (step.who, step.text) == ("world", "restart"):
                    return True
                if (step.who, step.text) == ("world", "looks back"):
                    await house.afterwards.turn()
                    continue
                if (step.who, step.text) == ("world", "has looked"):
                    await self._until(step, partial(has_judged, house, minute_of(self.clock.now()) + MINUTE))
                    continue
                await self._play(step)
            await asyncio.sleep(_QUIET)
        return False

    async def _play(self, step: Step) -> None:
        match step.who, step.sign:
            case "market", _:
                _, price = step.text.split()
                self.market.ticks.set(float(price))
            case "world", _:
                who, *_, last = step.text.split()
                assert last == "admin", step
                self.stage.appoint(who, " no " not in step.text)
            case "bot", "<":
                place = self._place(step.place)
                number = self.heard.get(place, 0)
                await self._until(step, lambda: self._has(step, number))
                self.heard[place] = number + 1
            case "bot", "+":
                place = self._place(step.place)
                number = self.heard.get(place, 0)
                await self._until(step, lambda: self._has(step, number, len(self._messages(place))))
                self.heard[place] = len(self._messages(place))
            case "bot", "~":
                place = self._place(step.place)
                number = self.heard[place] - (0 if self._is_console else 1)
                await self._until(step, lambda: self._has(step, number))
                self.heard[place] = number + 1
            case who, "^":
                await self.stage.reply(step.place, who, step.text)
            case who, "?":
                await self.stage.post(step.place, who, step.text)
            case who, "&":
                await self.stage.write(step.place, who, self._said(step.text))
            case who, "!":
                await self.stage.press(step.place, who, step.text)
            case who, "*":
                await self.stage.bring(step.place, who, step.text)
            case who, _:
                await self.stage.say(step.place, who, self._said(step.text))

    def _place(self, place: str) -> str:
        return "" if self._is_console else place

    def _messages(self, place: str) -> Sequence[tuple[str, ...]]:
        return self.stage.messages(place)

    def _has(self, step: Step, number: int, end: int | None = None) -> bool:
        """Say whether that message has had the text, or those up to ``end`` say it together."""
        messages = self._messages(step.place)
        words, labels = split_buttons(self._said(step.text))
        if (
            labels
            and not self._is_console
            and labels not in self.stage.labels(step.place)[number : number + 1]
        ):
            return False
        if labels and self._is_console:  # which prints below it what its buttons say
            words += "..."
        pattern = pattern_of(words)
        if end is not None:
            texts: tuple[str, ...] = ("\n".join(versions[-1] for versions in messages[number:end]),)
        else:
            texts = messages[number] if len(messages) > number else ()
        match = next(filter(None, (pattern.fullmatch(text.strip()) for text in texts)), None)
        self.words |= {} if match is None else match.groupdict()
        return match is not None

    def _said(self, text: str) -> str:
        """Put the words that are known into a text."""
        for name, word in self.words.items():
            text = text.replace(f"{{{name}}}", word)
        return text

    async def _rest(self, house: House) -> None:
        """Wait until nothing is under way: what was asked before a jump must not be answered after it."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + _LONGEST_REST
        while loop.time() < latest:
            if await has_rest(house, self.clock.now()) and not self.clock.is_held:
                return
            await asyncio.sleep(0.002)

    async def _until(self, step: Step, is_so: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                while not is_so():  # noqa: ASYNC110 - what is waited for has no event
                    await asyncio.sleep(0.01)
        except TimeoutError:
            said = self._messages(step.place)[max(0, self.heard.get(self._place(step.place), 0) - 1) :]
            shown = "\n---\n".join("\n=>\n".join(texts) for texts in said)
            raise AssertionError(
                f"{self.scenario.name}, line {step.number}: expected\n{step.text}\n\nthe bot said\n{shown}"
            ) from None


def has_judged(house: House, to: int) -> bool:
    """Ask whether every price that alerts wait for was judged up to an instant."""
    wants = [want for want in house.watches[0].wants() if want.key.metric == "price"]
    return all(want.since >= to for want in wants)


async def has_rest(house: House, now: float) -> bool:
    """Ask whether nobody is being asked, and nothing is due to be sent or on its way."""
    for courier in house.couriers:
        due = await house.outbox.next_due(courier.chat.platform, now, has_room=True)
        if courier._carrying or (due is not None and due <= now):
            return False
    return not house.rhythm.under_way  # looked at last, as nothing was awaited since


@asynccontextmanager
async def played(
    scenario: Scenario, platform: str, market: Market, clock: JumpingClock
) -> AsyncIterator[Play]:
    """Set the stage for a scenario."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(staged(platform, scenario.people))
        yield Play(scenario, stage, market, clock)
