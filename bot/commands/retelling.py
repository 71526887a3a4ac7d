"""Say what rang lately, and what became of it."""

from __future__ import annotations

from bot.alerts.message import Message, say
from bot.alerts.offers import of_pages
from bot.alerts.rings import rung_line
from bot.commands.alerts import no_alert, rows
from bot.commands.listing import clipped, width
from bot.commands.reading import label_of
from bot.commands.request import Request
from bot.ports import Replies

ALL = "all"
"""The word for every alert, where a page is to be named."""

_PAGE = 8
_WIDTH = 200
"""Eight lines of this width, escaped, are one message of 2,000 signs."""


async def history(request: Request) -> Replies:
    """Say what rang in this chat, newest first; of one alert where it is named."""
    tr, name = request.tr, request.given("alert") or ALL
    label = "" if name.lower() == ALL else label_of(name)
    asked = int(request.given("page") or 1)
    register = request.office.register
    rung, count = await register.rung(request.chat, label, asked, _PAGE)
    pages = max(-(-count // _PAGE), 1)
    page = min(asked, pages)
    if page != asked:
        rung, count = await register.rung(request.chat, label, page, _PAGE)
    if not count:
        listed = await rows(request) if label else []
        if label and label not in (row.subscription.alert.label.lower() for row in listed):
            raise no_alert(request, label, listed)
        yield say(
            tr("{label} has not rung here yet.", label=label) if label else tr("Nothing has rung here yet.")
        )
        return
    lines = []
    for one in rung:
        link = request.office.link(one)
        told = rung_line(one, "", tr, request.now)
        lines.append(f"{clipped(told, _WIDTH - width(link) - 3)} · {link}" if link else clipped(told, _WIDTH))
    said = f"/history {label.removeprefix('#') or ALL}"
    if pages > 1:
        following = f"{said} {page % pages + 1}"
        lines.append(tr("Page {page} of {pages}. Next: {line}", page=page, pages=pages, line=following))
    yield Message(lines=tuple(lines), buttons=of_pages(said, page, pages, tr))
