"""What a command is handed: who asks, in which words, and the parts of the house that may answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot import gauges
from bot.alerts.languages import Languages
from bot.alerts.message import Button, Buttons, Message
from bot.alerts.people import Caller, ChatKind, ChatRef, Role
from bot.alerts.playbooks import Shelf
from bot.alerts.rings import Rung
from bot.alerts.translator import Translator
from bot.commands.gate import Gate
from bot.commands.guesses import Guesses
from bot.delays import Delay
from bot.illustrate import Illustrator
from bot.ports import ChatSettings, Clock, Market, Metrics, Register
from bot.ports.places import Place
from bot.ports.rota import Rota

_PREVIEWS = 2
_SECONDS_FOR_A_CHART = 10.0
_CHARTS_AT_ONCE = 16


async def find_nothing(_asking: ChatRef, _name: str, _person: str) -> Place | None:
    """Find no place, where no platform is there to ask."""
    return None


@dataclass(frozen=True, slots=True)
class Office:
    """What commands need of the house.

    * ``quote``: the currency of an instrument that names none, such as ``usdt``.
    * ``operators``: (platform, person) of those who run the deployment.
    * ``allowed``: (platform, id) of the persons, chats and servers that are let in; empty: all are.
    * ``is_admin``: asks a platform whether a person administers a chat; with ``True`` at the end, what it
      said a moment ago does not do.
    * ``languages``: those that people may choose; they give the words of a (language, time zone).
    * ``link``: gives the address of the message that told a ring, or nothing.
    * ``invitation``: gives the address that brings a token to the bot on a platform, or nothing.
    * ``late_after``: seconds after which what a feed last saw counts as late.
    * ``ring_delays``, ``loop_lag``: how long the newest rings took, and how late the event loop is.
    * ``illustrator``: asks the market for the candles of charts.
    * ``shelf``: gives the playbooks as their files have them.
    * ``rota``: who works and who stands by, where several processes take turns.
    * ``find_place``: asks a platform for the chat that a person names in another.
    * ``previews``: the places for those who look through history, which costs calls and time.
    """

    register: Register
    market: Market
    metrics: Metrics
    clock: Clock
    quote: str
    operators: frozenset[tuple[str, str]]
    is_admin: Callable[[ChatRef, str, bool], Awaitable[bool]]
    languages: Languages
    link: Callable[[Rung], str] = lambda _: ""
    version: str = ""
    invitation: Callable[[str, str], str] = lambda _platform, _token: ""
    allowed: frozenset[tuple[str, str]] = frozenset()
    late_after: float = 120.0
    shelf: Callable[[], Shelf] = Shelf
    ring_delays: Callable[[], list[Delay]] = gauges.ring_delays
    loop_lag: Callable[[], Delay | None] = gauges.loop_lag
    previews: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PREVIEWS), compare=False)
    rota: Rota | None = None
    find_place: Callable[[ChatRef, str, str], Awaitable[Place | None]] = find_nothing
    illustrator: Illustrator = field(init=False, compare=False)
    gate: Gate = field(init=False, compare=False)
    guesses: Guesses = field(default_factory=Guesses, init=False, compare=False)

    def __post_init__(self) -> None:
        illustrator = Illustrator(self.market, _SECONDS_FOR_A_CHART, _CHARTS_AT_ONCE)
        object.__setattr__(self, "illustrator", illustrator)
        object.__setattr__(self, "gate", Gate(self.register, self.operators, self.allowed))


@dataclass(frozen=True, slots=True)
class Request:
    """One command as it was said; ``values`` are the options given, by name, as text."""

    office: Office
    caller: Caller
    settings: ChatSettings
    role: Role
    tr: Translator
    now: float
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def chat(self) -> ChatRef:
        """The chat whose things are spoken of: the home of the one that asks, where it is linked to one."""
        return self.settings.home

    @property
    def instant(self) -> float:
        """The present instant: what is made is made once its prices were seen, not when it was asked for."""
        return self.office.clock.now()

    @property
    def is_for_all(self) -> bool:
        """Whether what is set holds for the whole deployment: an operator's word in a private chat.

        In a group even an operator speaks for that group, so that nobody moves every chat's levels from
        within one of them by mistake.
        """
        return self.role is Role.OPERATOR and self.caller.kind is ChatKind.PRIVATE

    def given(self, option: str) -> str:
        """Give an option's text, or nothing if it was left out."""
        return self.values.get(option, "")

    async def levels(self) -> dict[str, Decimal]:
        """Give the levels in force for the chat that asks."""
        levels = await self.office.register.levels(self.chat)
        return {name: level.value for name, level in levels.items()}


class Refusal(Exception):
    """A command that cannot be done, with the answer that says why and what to do instead.

    ``misspelt`` is a word of what was said and the one that was meant for it, as far as anybody can tell.
    """

    def __init__(
        self,
        *lines: str,
        code: str = "",
        buttons: Buttons = (),
        misspelt: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(" ".join(lines))
        self.message = Message(lines=lines, code=code, is_private=True, buttons=buttons)
        self.misspelt = misspelt

    def add(self, button: Button) -> None:
        """Offer a way on."""
        self.message = replace(self.message, buttons=(*self.message.buttons, (button,)))
