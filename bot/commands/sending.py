"""Where an alert rings, if not in the chat that it belongs to."""

from __future__ import annotations

from bot.alerts.changes import PLAIN, Basis, Document, Entry
from bot.alerts.links import platform_name
from bot.alerts.message import say
from bot.alerts.people import ChatRef
from bot.alerts.translator import Translator
from bot.commands.alerts import no_alert, rows
from bot.commands.reading import label_of
from bot.commands.request import Refusal, Request
from bot.ports import Conflict, Replies
from bot.ports.places import Place

_HERE = "here"


async def send(request: Request) -> Replies:
    """Let an alert ring in another chat, or here again."""
    label = label_of(request.given("alert"))
    where = request.given("place").strip()
    name = where[3:].strip() if where.lower().startswith("to ") else where
    yield say(*await _send(request, label, await look(request, name), PLAIN))


def described(entry: Entry, tr: Translator) -> str:
    """Say where an alert was sent."""
    if entry.after is None:
        return tr("{label} rings in its own chat", label=entry.name)
    return tr("{label} rings in {place}", label=entry.name, place=str(entry.after["place"]))


async def undo(request: Request, entry: Entry) -> Replies:
    """Send an alert where it rang before, if that is still allowed. Raises Stale."""
    place = None if entry.before is None else await look(request, _address(entry.before))
    yield say(*await _send(request, entry.name, place, Basis(undoes=entry.id)))


async def look(request: Request, name: str) -> Place | None:
    """Find a place that may be rung in. ``None`` is the chat that has the alert; raises Refusal."""
    tr, here = request.tr, request.caller.chat
    if (one := _of_pair(request, name)) is not None:
        return None if one == request.chat else Place(one, platform_name(one.platform), True, True)
    place = await request.office.find_place(here, name, request.caller.person)
    if place is None:
        raise Refusal(
            tr("I find no {name} that I could write in.", name=name[:64]),
            tr("Make me a member there first (in a channel, an administrator who may post)."),
        )
    if place.chat == request.chat:
        return None
    if not place.is_admin:
        raise Refusal(tr("You are no admin of {name}, so you cannot send alerts there.", name=place.name))
    if not place.may_post:
        raise Refusal(
            tr("I may not post in {name}.", name=place.name),
            tr("Allow me to, and say this again."),
        )
    return place


async def _send(request: Request, label: str, place: Place | None, basis: Basis) -> list[str]:
    tr, register = request.tr, request.office.register
    try:
        sent = await register.send_to(request.caller, label, place, request.instant, basis=basis)
    except Conflict:
        raise Refusal(tr("{label} rings there already.", label=label)) from None
    if sent is None:
        raise no_alert(request, label, await rows(request))
    alert, before = sent
    link = request.settings.link
    if link is not None and (place is None or place.chat in (link.chat, request.caller.chat)):
        there = platform_name(request.chat.platform) if place is None else place.name
        return [tr("{label} rings on {place} from now on.", label=alert.label, place=there)]
    if place is None:
        if not before:
            return [tr("{label} rings here, as it did.", label=alert.label)]
        return [tr("{label} rings here again, and no longer in {place}.", label=alert.label, place=before)]
    back = f"/send {alert.name or alert.number} {_HERE}"
    return [
        tr("{label} rings in {place} from now on.", label=alert.label, place=place.name),
        tr("To have it here again: {line}. If I may not post there one day, it comes back here.", line=back),
    ]


def _of_pair(request: Request, name: str) -> ChatRef | None:
    """Find which of two linked chats is meant, by its platform, its id, or as this one. Raises Refusal."""
    here, link, word = request.caller.chat, request.settings.link, name.lower()
    if word in (_HERE, *((here.platform, here.chat) if link else ())):
        return here
    if link is None or word not in (link.chat.platform, link.chat.chat):
        return None
    if link.paused_reason:
        there = platform_name(link.chat.platform)
        raise Refusal(
            request.tr("I cannot write to you on {place}: {reason}.", place=there, reason=link.paused_reason),
            request.tr("Write to me there, and say this again."),
        )
    return link.chat


def _address(document: Document) -> str:
    return str(document["chat"])
