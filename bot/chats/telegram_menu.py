"""Tell Telegram what to show of the bot: its commands where each may be used, and what it is, per language.

Telegram knows languages by two letters, and picks a person's own where there is one, else what stands under
none. All is read from the table of commands and from the catalogues.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeChat,
    BotCommandScopeDefault,
)
from telegram.error import TelegramError

from bot.alerts.languages import Languages
from bot.alerts.people import Role
from bot.alerts.translator import Translator
from bot.commands.table import Command

_LONGEST_SUMMARY = 256

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Menu:
    """What is shown: the commands in their order, in which languages, and the ids of the operators."""

    commands: Sequence[Command] = ()
    languages: Languages = field(default_factory=Languages)
    operators: Collection[str] = ()

    def speakers(self) -> dict[str, Translator]:
        """Give the words of each language under Telegram's code for it; English is for all others.

        Of several catalogues of one language (of two scripts) Telegram can be told but one: the first.
        """
        found: dict[str, Translator] = {}
        for one in self.languages:
            code = one.tag.partition("-")[0] if found else ""
            found.setdefault(code, self.languages.translator(one.tag, "UTC"))
        return found

    def everywhere(self) -> Iterator[tuple[BotCommandScope, list[Command]]]:
        """Give the commands of each kind of chat: in private, in groups, and for the admins of groups."""
        known = [one for one in self.commands if one.role is not Role.OPERATOR]
        yield BotCommandScopeDefault(), known
        yield BotCommandScopeAllGroupChats(), [one for one in known if not one.is_for_admins]
        yield BotCommandScopeAllChatAdministrators(), known


class Shopfront:
    """What shows a menu through one bot. Nothing of it is needed to be heard, so it never raises."""

    def __init__(self, bot: Bot, menu: Menu) -> None:
        self._bot = bot
        self._menu = menu
        self._unmet = set(menu.operators)

    async def dress(self) -> None:
        """Set all that is not as it should be: what is set already is only looked at."""
        for scope, commands in self._menu.everywhere():
            if not await self._list(scope, commands):
                return
        for operator in sorted(self._menu.operators):
            await self.greet(operator)
        await self._introduce()

    async def greet(self, person: str) -> None:
        """Show an operator all commands in their private chat, once that exists."""
        if person in self._unmet and person.isdecimal():
            self._unmet.discard(person)
            if not await self._list(BotCommandScopeChat(int(person)), self._menu.commands):
                self._unmet.add(person)

    async def _list(self, scope: BotCommandScope, commands: Iterable[Command]) -> bool:
        """Set the commands of one kind of chat, in each language; gives whether Telegram took them."""
        known = list(commands)
        for code, tr in self._menu.speakers().items():
            wanted = [BotCommand(one.name, tr.known(one.summary)[:_LONGEST_SUMMARY]) for one in known]
            language = code or None
            try:
                if list(await self._bot.get_my_commands(scope, language)) == wanted:
                    continue
                if wanted:
                    await self._bot.set_my_commands(wanted, scope, language)
                else:
                    await self._bot.delete_my_commands(scope, language)
            except TelegramError as error:
                log.warning("telegram menu not set", scope=scope.type, reason=str(error))
                return False
        return True

    async def _introduce(self) -> None:
        """Say what the bot is, where nobody wrote that with @BotFather: that would be better."""
        bot, speakers = self._bot, self._menu.speakers()
        what = {
            code: tr("I watch the market and ring here when what you wrote comes true.")
            for code, tr in speakers.items()
        }
        how = {
            code: tr("Write what you want to hear of: {line}", line=tr("tell me when btc is below 100k"))
            for code, tr in speakers.items()
        }
        whole = {code: f"{what[code]}\n\n{how[code]}" for code in speakers}

        async def long(code: str) -> str:
            return (await bot.get_my_description(code or None)).description

        async def short(code: str) -> str:
            return (await bot.get_my_short_description(code or None)).short_description

        try:
            await _say_of_oneself(whole, long, bot.set_my_description)
            await _say_of_oneself(what, short, bot.set_my_short_description)
        except TelegramError as error:
            log.warning("telegram description not set", reason=str(error))


async def _say_of_oneself(
    texts: dict[str, str],
    get: Callable[[str], Awaitable[str]],
    put: Callable[[str, str | None], Awaitable[bool]],
) -> None:
    """Set a text in each language, unless another stands there. Raises TelegramError."""
    usual = await get("")
    if usual not in ("", texts[""]):
        return
    for code, text in texts.items():
        said = await get(code) if code else usual
        if said != text and said in ("", usual):
            await put(text, code or None)
