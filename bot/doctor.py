"""Examine a deployment before somebody sleeps on it: what is not well, and what to do about it.

Every look is taken for itself, at the real thing, and changes nothing. The bot may run meanwhile.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.feeds.exchanges import Exchanges, build_feeds
from bot.feeds.exchanges.feed import ExchangeFeed
from bot.parts import build_providers
from bot.ports import Damaged, Finding, StoreTrouble, Unseeable
from bot.store import check, path_of

if TYPE_CHECKING:
    from bot.ports import Clock
    from bot.settings import Settings

Look = Coroutine[Any, Any, Finding]

_PATIENCE = 20.0
_LEAST_ROOM = 500_000_000
_MOST_APART = 5.0
_ZONES = ("Europe/Berlin", "Asia/Shanghai", "America/New_York")
_SIGNS = "−→·…×µ€"
_LETTERS = "提醒跌破持仓量"


async def examine(settings: Settings, clock: Clock) -> list[Finding]:
    """Look at everything at once; the order of the findings does not depend on who answers first.

    No look takes longer than some twenty seconds.
    """
    async with _feeds(settings, clock) as exchanges:
        looks: list[tuple[str, Look]] = [
            ("operators", _operators(settings)),
            *_chats(settings),
            *((feed.name, _exchange(feed)) for feed in exchanges.feeds),
            ("metrics", _providers(settings, clock, exchanges)),
            ("database", _database(settings)),
            ("disk", _disk(settings)),
            ("http", _address(settings)),
            ("fonts", _fonts()),
            ("locale", _locale()),
        ]
        return list(await asyncio.gather(*(_in_time(*look) for look in looks)))


def table(findings: Sequence[Finding]) -> str:
    """Write the findings for a terminal: a line each, and below it what to do."""
    width = max(len(one.about) for one in findings)
    lines: list[str] = []
    for one in findings:
        lines.append(f"{one.state:<8}  {one.about:<{width}}  {one.found}")
        if one.hint:
            lines.append(f"{'':8}  {'':{width}}  -> {one.hint}")
    return "\n".join(lines)


@asynccontextmanager
async def _feeds(settings: Settings, clock: Clock) -> AsyncIterator[Exchanges]:
    exchanges = build_feeds(settings.exchanges, settings.quote, clock, gateway=settings.feed_gateway)
    try:
        yield exchanges
    finally:
        await exchanges.close()


async def _in_time(about: str, look: Look) -> Finding:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await look
    except TimeoutError:
        return Finding(about, "unwell", "no answer in time", "see whether this machine reaches the network")


# --- who talks ----------------------------------------------------------------------------------------------


async def _operators(settings: Settings) -> Finding:
    spoken = {
        name
        for name, token in (("telegram", settings.telegram_token), ("discord", settings.discord_token))
        if token
    } or {"console"}
    known = [f"{platform}:{person}" for platform, person in sorted(settings.admins) if platform in spoken]
    if known:
        return Finding("operators", "well", ", ".join(known))
    hint = f"name yourself in TOCSIN_ADMINS: {min(spoken)}:YOUR_NUMBER"
    return Finding("operators", "doubtful", "nobody may use the operators' commands", hint)


def _chats(settings: Settings) -> list[tuple[str, Look]]:
    looks: list[tuple[str, Look]] = []
    if settings.telegram_token:
        from bot.chats import telegram_probe

        token = settings.telegram_token.get_secret_value()
        address = settings.telegram_webhook
        looks.append(("telegram", telegram_probe.probe(token, settings.telegram_api, address=address)))
    if settings.discord_token:
        from bot.chats import discord_probe

        token = settings.discord_token.get_secret_value()
        looks.append(("discord", discord_probe.probe(token, settings.discord_api)))
    return looks or [("chats", _console())]


async def _console() -> Finding:
    hint = "set TOCSIN_TELEGRAM_TOKEN or TOCSIN_DISCORD_TOKEN to be told on a phone"
    return Finding("chats", "doubtful", "no token is set, so the bot talks on its terminal alone", hint)


# --- who is watched -----------------------------------------------------------------------------------------


async def _exchange(feed: ExchangeFeed) -> Finding:
    try:
        await feed.ready()
        ahead = await feed.ahead()
    except Unseeable as trouble:
        hint = "see whether this machine may reach it; the others of TOCSIN_EXCHANGES stand in meanwhile"
        return Finding(feed.name, "unwell", str(trouble), hint)
    found = f"answers; its clock and this one are {abs(ahead):.1f} s apart"
    if abs(ahead) > _MOST_APART:
        return Finding(feed.name, "doubtful", found, "let this machine's clock be set by NTP")
    return Finding(feed.name, "well", found)


async def _providers(settings: Settings, clock: Clock, exchanges: Exchanges) -> Finding:
    metrics = build_providers(settings, clock, exchanges)
    try:
        used = [feed.plug.name for feed in metrics.feeds]
        lacking = sorted({f"{plug.name} ({need})" for plug, need in metrics.lacking.items()})
    finally:
        await metrics.close()
    found = f"{', '.join(used) or 'none'} are asked"
    return Finding("metrics", "well", f"{found}; not {', '.join(lacking)}" if lacking else found)


# --- where it stands ----------------------------------------------------------------------------------------


async def _database(settings: Settings) -> Finding:
    path = path_of(settings.database_url)
    if path is not None and not path.is_file():
        return Finding("database", "well", f"the first start makes {path}")
    is_file = path is not None
    restore = (
        f"stop the bot, and put a backup in its place: {'tocsin restore FILE' if is_file else 'pg_restore'}"
    )
    try:
        condition = await check(settings.database_url)
    except Damaged as damage:
        return Finding("database", "unwell", damage.reason, restore)
    except StoreTrouble as trouble:
        return Finding("database", "unwell", str(trouble))
    if condition.faults:
        return Finding("database", "unwell", condition.faults[0], restore)
    if not condition.is_current:
        found = f"it is at revision {condition.revision or 'none'}, not at {condition.head}"
        copy = "tocsin backup FILE" if is_file else "pg_dump"
        hint = f"make a backup ({copy}); the next start brings it up to date"
        return Finding("database", "doubtful", found, hint)
    return Finding("database", "well", f"whole, at revision {condition.revision}")


async def _disk(settings: Settings) -> Finding:
    path = path_of(settings.database_url)
    if path is None:
        return Finding("disk", "well", "the database is another machine's")
    there = _nearest(path.absolute().parent)
    room = shutil.disk_usage(there).free
    found = f"{room / 1e9:,.1f} GB free in {there}"
    if not os.access(there, os.W_OK):
        return Finding("disk", "unwell", f"nothing can be written in {there}", "let the bot's user own it")
    if room < _LEAST_ROOM:
        return Finding("disk", "unwell", found, "make room: what cannot be kept cannot ring")
    return Finding("disk", "well", found)


def _nearest(folder: Path) -> Path:
    """Give the folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


async def _address(settings: Settings) -> Finding:
    if settings.http is None:
        hint = "set TOCSIN_HTTP=127.0.0.1:8080 for /healthz, /readyz and /metrics"
        return Finding("http", "doubtful", "nobody outside is told how the bot is", hint)
    host, port = settings.http
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return Finding("http", "well", f"{host}:{port} is in use, as it is while the bot runs")
        return Finding("http", "unwell", f"{host}:{port}: {error.strerror}", "choose another TOCSIN_HTTP")
    server.close()
    return Finding("http", "well", f"{host}:{port} is free")


# --- what it draws and writes with --------------------------------------------------------------------------


async def _fonts() -> Finding:
    from bot.chats.charts import signs_missing

    missing = await asyncio.to_thread(signs_missing, _SIGNS + _LETTERS)
    if missing:
        hint = "install the package again: its pictures need the fonts that come with it"
        return Finding("fonts", "doubtful", f"pictures cannot show {missing}", hint)
    return Finding("fonts", "well", "pictures have their letters")


async def _locale() -> Finding:
    try:
        for zone in _ZONES:
            ZoneInfo(zone)
    except ZoneInfoNotFoundError as error:
        return Finding("locale", "unwell", f"the time zones are not there: {error}", "install tzdata again")
    encoding = sys.stdout.encoding or "ascii"
    try:
        _SIGNS.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        hint = "set LANG=C.UTF-8 and PYTHONUTF8=1"
        return Finding("locale", "doubtful", f"this terminal is {encoding}, and cannot show all signs", hint)
    return Finding("locale", "well", f"time zones are there, and the terminal is {encoding}")
