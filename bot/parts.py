"""The parts that a house is built of, each from the settings."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import duties
from bot.catalogues import read_languages
from bot.charge import Charge, all_of, charge_of
from bot.chats.studio import Studio
from bot.codec import VERSION
from bot.commands import COMMANDS
from bot.feeds.exchanges import Exchanges, build_feeds
from bot.feeds.metrics.board import MetricFeeds, build_metrics
from bot.feeds.metrics.providers import push
from bot.ports import Chat, Clock, Notebook
from bot.ports.rota import Turn
from bot.store import path_of

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
    return duties.duties_of(settings.exchanges, settings.partitions, platforms_of(settings))


def plan_of(settings: Settings) -> tuple[str, ...]:
    """Say what those have in common who divide the work: all that there is to do, and how they word."""
    found = all_duties(settings)
    return found if settings.nats_url is None else duties.plan_of(found, VERSION)


def charge_at(settings: Settings, turn: Turn | None) -> Charge:
    """Say what is to be done at a turn: all of it, where nothing is divided."""
    exchanges, platforms = settings.exchanges, platforms_of(settings)
    if turn is None or duties.ALL in turn.duties:
        return all_of(exchanges, platforms)
    return charge_of(turn.duties, exchanges, settings.partitions, platforms)


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
    platforms = charge_at(settings, turn).platforms
    if "telegram" in platforms and settings.telegram_token:
        from bot.chats.telegram import TelegramChat
        from bot.chats.telegram_menu import Menu
        from bot.chats.telegram_reach import AFTER_ANOTHER, ON_DUTY

        roots: dict[str, Any] = {"root": settings.telegram_api} if settings.telegram_api else {}
        operators = [person for platform, person in settings.admins if platform == TelegramChat.platform]
        menu = Menu(COMMANDS, read_languages(), operators)
        if turn is not None:
            ago = turn.duties[duties.ALL if duties.ALL in turn.duties else duties.chat("telegram")].ago
            roots["doubts"] = AFTER_ANOTHER if ago < _SECONDS_OF_A_HANDOVER else ON_DUTY
        token, url = settings.telegram_token.get_secret_value(), settings.telegram_webhook
        webhook = (url, settings.telegram_secret) if url else None
        chats.append(TelegramChat(token, clock, menu=menu, studio=studio, webhook=webhook, **roots))
    if "discord" in platforms and settings.discord_token:
        from bot.chats.discord import DiscordChat

        token = settings.discord_token.get_secret_value()
        api, gateway = settings.discord_api, settings.discord_gateway
        parts: dict[str, Any] = {"studio": studio, "languages": read_languages()}
        chats.append(DiscordChat(token, COMMANDS, api=api, gateway=gateway, **parts))
    if "console" in platforms:
        from bot.chats.console import ConsoleChat

        file = path_of(settings.database_url)
        data = file.parent if file else Path("data")
        chats.append(ConsoleChat(clock, pictures=data / "charts", studio=studio))
    return chats
