"""The clock and the language of a chat: shown, and set by a tap or a word."""

from __future__ import annotations

from bot.alerts.languages import Languages
from bot.alerts.message import LABEL, Button, Buttons, Message, sound
from bot.alerts.people import ChatKind
from bot.commands.request import Refusal, Request
from bot.commands.zones import COMMON, city_of, find_zone, near_zones, offset_name, shown
from bot.ports import Replies
from bot.rules.zone import is_zone

_IN_A_ROW = 2


async def timezone(request: Request) -> Replies:
    """Show the clock of this chat and common ones, or set it."""
    tr, wanted = request.tr, request.given("zone")
    if not wanted:
        here = tr(
            "Times are told on the clock of {zone}: it is {time}.",
            zone=shown(request.settings.timezone, request.now),
            time=tr.instant(request.now, request.now),
        )
        if not is_zone(request.settings.timezone):
            here = tr(
                "{zone} is no time zone any more, so times are told in UTC until you choose another.",
                zone=request.settings.timezone,
            )
        how = tr("Another one: press it, or send a city or an offset: {line}", line="/timezone Europe/Berlin")
        yield Message(lines=(here, how), buttons=zone_buttons(request, COMMON))
        return
    zone = find_zone(wanted)
    if zone is None:
        raise _unknown(wanted, request)
    await request.office.register.set_timezone(request.caller, zone, request.instant)
    there = request.office.languages.translator(request.settings.language, zone)
    lines = [
        there(
            "Times are told on the clock of {zone} from now on: it is {time}.",
            zone=shown(zone, request.now),
            time=there.instant(request.now, request.now),
        ),
        there("A time in a rule is read on it too: {example}", example="until 2026-12-31 22:00"),
    ]
    if request.caller.kind is ChatKind.GROUP:
        lines.append(there("It holds for everybody in this group."))
    yield Message(lines=tuple(lines), buttons=((Button(there("Examples"), "/start"),),))


async def language(request: Request) -> Replies:
    """Show the language of this chat and those that there are, or set it."""
    tr, wanted, languages = request.tr, request.given("language"), request.office.languages
    if not wanted:
        spoken = languages.find(request.settings.language) or next(iter(languages))
        yield Message(
            lines=(tr("I speak {language} here.", language=spoken.name),), buttons=language_buttons(languages)
        )
        return
    chosen = languages.find(wanted)
    if chosen is None:
        known = ", ".join(one.name for one in languages)
        raise Refusal(
            tr('I do not speak "{language}". I know: {known}.', language=wanted[:64], known=known),
            buttons=language_buttons(languages),
        )
    await request.office.register.set_language(request.caller, chosen.tag)
    there = request.office.languages.translator(chosen.tag, request.settings.timezone)
    lines = (there("I speak {language} here from now on.", language=chosen.name),)
    yield Message(lines=lines, buttons=((Button(there("Examples"), "/start"),),))


def settings_button(request: Request) -> Button:
    """Offer to choose a clock."""
    return Button(request.tr("Time zone"), "/timezone")


def zone_buttons(request: Request, zones: tuple[str, ...] | list[str]) -> Buttons:
    """Offer time zones, two in a row, each with how far it is from UTC now."""
    row = [Button(_label(zone, request.now), f"/timezone {zone}") for zone in zones]
    return sound(tuple(tuple(row[at : at + _IN_A_ROW]) for at in range(0, len(row), _IN_A_ROW)))


def language_buttons(languages: Languages) -> Buttons:
    """Offer the languages that there are, in one row."""
    return sound((tuple(Button(one.name, f"/language {one.tag}") for one in languages),))


def _label(zone: str, now: float) -> str:
    away, city = offset_name(zone, now), city_of(zone)
    label = away if city == away else f"{away} {city}"
    return label if len(label) <= LABEL else city[:LABEL]


def _unknown(wanted: str, request: Request) -> Refusal:
    tr, near = request.tr, near_zones(wanted)
    lines = [tr('I know no time zone "{name}".', name=wanted[:64])]
    if near:
        lines.append(tr("Did you mean {names}?", names=", ".join(near)))
    lines.append(tr("Send a large city, or how far you are from UTC: {line}", line="/timezone UTC+8"))
    return Refusal(*lines, buttons=zone_buttons(request, near))
