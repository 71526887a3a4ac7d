"""The parts that a house is built of, each from the settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import duties
from bot.alerts.lots import ALL_LOTS
from bot.catalogues import read_languages
from bot.charge import Charge, all_of, charge_of
from bot.chats.studio import Studio
from bot.codec import VERSION
from bot.commands import COMMANDS
from bot.feeds.exchanges import Exchanges, build_feeds
from bot.feeds.metrics.board import MetricFeeds, build_metrics
from bot.feeds.metrics.providers import push
from bot.pacing import Pacer
from bot.ports import Chat, Clock, Notebook
from bot.ports.rota import Turn
from bot.store import path_of
from bot.turns import Turns

if TYPE_CHECKING:
    from bot.settings import Settings

_SECONDS_OF_A_HANDOVER = 300.0


def platforms_of(settings: Settings) -> tuple[str, ...]:
    """Name the platforms that are configured: the console where there is no token."""
    tokens = {"telegram": settings.telegram_token, "discord": settings.discord_token}
    return tuple(name for name, token in tokens.items() if token) or ("console",)


def all_duties(settings: Settings) -> tuple[str, ...]:
    """Name all that there is to do: one duty, where nothing divides it."""
    if settings.nats_url is None:
        return (duties.ALL,)
    return duties.duties_of(settings.exchanges, settings.partitions, _divided(settings))


def plan_of(settings: Settings) -> tuple[str, ...]:
    """Say what those have in common who divide the work: all that there is to do, and how they word."""
    found = all_duties(settings)
    return found if settings.nats_url is None else duties.plan_of(found, VERSION)


def charge_at(settings: Settings, turn: Turn | None) -> Charge:
    """Say what is to be done at a turn: all of it, where nothing is divided."""
    if turn is None or duties.ALL in turn.duties:
        return all_of(settings.exchanges, platforms_of(settings))
    return charge_of(turn.duties, settings.exchanges, settings.partitions, _divided(settings))


def _divided(settings: Settings) -> dict[str, int]:
    """Say into how many parts the chats of each platform are divided; a terminal has one."""
    return {name: 1 if name == "console" else settings.senders for name in platforms_of(settings)}


def build_exchanges(
    settings: Settings,
    clock: Clock,
    throttle: bool = True,
    after_listing: Callable[[], None] = lambda: None,
    watched: Collection[str] | None = None,
) -> Exchanges:
    """Build a feed for each exchange of the settings, of which some are looked at; see ``build_feeds``."""
    names, quote, root = settings.exchanges, settings.quote, settings.feed_gateway
    how: dict[str, Any] = {"throttle": throttle, "streams": settings.stream, "after_listing": after_listing}
    how["watched"] = watched
    return build_feeds(names, quote, clock, gateway=root, **how)


def build_providers(
    settings: Settings,
    clock: Clock,
    exchanges: Exchanges,
    notebook: Notebook | None = None,
    is_watched: bool = True,
) -> MetricFeeds:
    """Build a feed for each provider of metrics that can be asked; ``notebook`` is where they remember.

    ``is_watched`` says whether they are looked at here; see ``build_metrics``.
    """
    can_push = {push.TOKEN: "on"} if settings.push_token else {}
    return build_metrics(
        settings.providers,
        settings.for_providers() | can_push,
        clock,
        gateway=settings.feed_gateway,
        doors=exchanges.doors,
        thread=exchanges.thread,
        notebook=notebook,
        is_watched=is_watched,
    )


def build_chats(
    settings: Settings,
    clock: Clock,
    studio: Studio | None = None,
    turn: Turn | None = None,
) -> list[Chat]:
    """Build a chat for each token that is configured, or the console where there is none.

    At a ``turn`` only those of its duties are built; it need not find out whether another of its own kind
    listens.
    """
    chats: list[Chat] = []
    studio = studio or Studio()
    lots = charge_at(settings, turn).lots
    if "telegram" in lots and settings.telegram_token:
        from bot.chats.telegram import TelegramChat
        from bot.chats.telegram_menu import Menu
        from bot.chats.telegram_reach import AFTER_ANOTHER, ON_DUTY

        roots: dict[str, Any] = {"lots": lots["telegram"]}
        roots |= {"root": settings.telegram_api} if settings.telegram_api else {}
        operators = [person for platform, person in settings.admins if platform == TelegramChat.platform]
        menu = Menu(COMMANDS, read_languages(), operators)
        if turn is not None:
            hearing = (turn.duties.get(duty) for duty in (duties.ALL, duties.chat("telegram", 0)))
            ago = min((duty.ago for duty in hearing if duty), default=math.inf)
            roots["doubts"] = AFTER_ANOTHER if ago < _SECONDS_OF_A_HANDOVER else ON_DUTY
        token, url = settings.telegram_token.get_secret_value(), settings.telegram_webhook
        webhook = (url, settings.telegram_secret) if url else None
        chats.append(TelegramChat(token, clock, menu=menu, studio=studio, webhook=webhook, **roots))
    if "discord" in lots and settings.discord_token:
        from bot.chats.discord import DiscordChat

        token = settings.discord_token.get_secret_value()
        api, gateway = settings.discord_api, settings.discord_gateway
        parts: dict[str, Any] = {"studio": studio, "languages": read_languages(), "lots": lots["discord"]}
        chats.append(DiscordChat(token, COMMANDS, api=api, gateway=gateway, **parts))
    if "console" in lots:
        from bot.chats.console import ConsoleChat

        file = path_of(settings.database_url)
        data = file.parent if file else Path("data")
        chats.append(ConsoleChat(clock, pictures=data / "charts", studio=studio))
    return chats


def build_lines(
    settings: Settings, clock: Clock, chats: Iterable[Chat], turn: Turn | None = None
) -> dict[str, Turns]:
    """Build the line of each platform, in which what is told and what is answered waits for its turn.

    At a ``turn`` others may have sent just before, and each keeps to its share of what the platform bears.
    """
    lots = charge_at(settings, turn).lots
    lines: dict[str, Turns] = {}
    for chat in chats:
        own = lots.get(chat.platform, ALL_LOTS)
        pacer = Pacer(settings.limits(chat.platform).part(own.share))
        lines[chat.platform] = Turns(pacer, clock, own)
        if turn is not None:
            pacer.follow(clock.now())
            lines[chat.platform].is_shut = turn.is_over
    return lines
