"""Suggest what an option may be while it is typed."""

from __future__ import annotations

import structlog

from bot.alerts.people import Caller
from bot.commands.books import shelf_of
from bot.commands.going_on import go_on
from bot.commands.request import Office
from bot.commands.table import Completes
from bot.commands.zones import zones_from
from bot.ports import Choice

log = structlog.get_logger(__name__)

_MOST = 25
_LONGEST = 100
"""What Discord takes: so many choices, each so long."""

_TIMES = ("30m", "1h", "4h", "8h", "12h", "1d", "3d", "7d")


async def complete(office: Office, caller: Caller, command: str, option: str, prefix: str) -> list[Choice]:
    """Suggest values for an option that begins with ``prefix``; never raises, at worst suggests nothing."""
    try:
        if not await office.gate.is_open(caller, office.clock.now()):
            return []
        found = await _suggest(office, caller, _kind(command, option), prefix)
    except Exception as trouble:
        log.warning("nothing_suggested", command=command, option=option, error=type(trouble).__name__)
        return []
    fitting = (choice for choice in found if len(choice.value) <= _LONGEST)
    return [Choice(choice.shown[:_LONGEST], choice.value) for choice in fitting][:_MOST]


def _kind(command: str, option: str) -> Completes:
    from bot.commands.verbs import COMMANDS

    for one in COMMANDS:
        for known in one.options:
            if (one.name, known.name) == (command, option):
                return known.completes
    return ""


async def _suggest(office: Office, caller: Caller, kind: Completes, prefix: str) -> list[Choice]:
    text = prefix.lstrip().lower()
    match kind:
        case "rule":
            return await go_on(office, caller, prefix, _MOST)
        case "instrument":
            return await _instruments(office, text)
        case "alert":
            subscriptions = await office.register.subscriptions(caller.chat)
            named = [
                (str(one.alert.number) if not one.alert.name else one.alert.name, one)
                for one in subscriptions
            ]
            wanted = text.lstrip("#")
            return [
                Choice(f"{one.alert.label} {one.alert.rule}", value)
                for value, one in named
                if value.startswith(wanted) or wanted in one.alert.rule
            ]
        case "shared":
            shared = [one.alert for one in await office.register.catalogue()]
            return [Choice(f"{one.name}: {one.rule}", one.name) for one in shared if text in one.name]
        case "level":
            levels = await office.register.levels(caller.chat)
            wanted = text.lstrip("@")
            return [
                Choice(f"@{name} {levels[name].value}", name) for name in sorted(levels) if wanted in name
            ]
        case "playbook":
            books = await shelf_of(office.register, office.shelf())
            return [
                Choice(f"{one.name}: {one.title}", one.name)
                for one in books.books.values()
                if text in one.name
            ]
        case "command":
            from bot.commands.verbs import COMMANDS

            names = [one.name for one in COMMANDS]
            return [Choice(f"/{name}", name) for name in names if name.startswith(text.lstrip("/"))]
        case "language":
            return [
                Choice(one.name, one.tag)
                for one in office.languages
                if any(name.casefold().startswith(text) for name in (one.tag, one.name, *one.others))
            ]
        case "coin":
            offers = [one for one in office.metrics.offers() if one.metric == "etf_flow" and not one.lacks]
            coins = dict.fromkeys(coin for one in offers for coin in one.instruments)
            return [Choice(coin.upper(), coin) for coin in coins if coin.startswith(text)]
        case "time":
            return [Choice(one, one) for one in _TIMES if one.startswith(text)]
        case "zone":
            return [Choice(zone, zone) for zone in zones_from(text, _MOST)]
        case "":
            return []


async def _instruments(office: Office, text: str) -> list[Choice]:
    """Suggest the instrument that ends a list of them."""
    head, last = _last_word(text)
    if not last:
        return []
    names = await office.market.instruments(last, _MOST)
    return [Choice(f"{head}{name}", f"{head}{name}") for name in names]


def _last_word(text: str) -> tuple[str, str]:
    head, space, last = text.rpartition(" ")
    return head + space, last
