"""Say what rang lately, and what became of it."""

from __future__ import annotations

from dataclasses import replace

from bot.alerts.aftermath import tally
from bot.alerts.message import Message, say
from bot.alerts.offers import of_pages
from bot.alerts.rings import Rung, after_lines, rung_line
from bot.commands.alerts import no_alert, rows
from bot.commands.listing import clipped, width
from bot.commands.reading import label_of
from bot.commands.request import Request
from bot.ports import Replies

ALL = "all"
"""The word for every alert, where a page is to be named."""

_PAGE = 8
_PAGE_OF_ONE = 4
_WIDTH = 200
_WIDTH_OF_AFTER = 120
"""Eight lines, or four with two more below each, of these widths, escaped, are one message of 2,000 signs."""


async def history(request: Request) -> Replies:
    """Say what rang in this chat, newest first; of one alert, where it is named, with what came after."""
    tr, name = request.tr, request.given("alert") or ALL
    label = "" if name.lower() == ALL else label_of(name)
    asked = int(request.given("page") or 1)
    register = request.office.register
    size = _PAGE_OF_ONE if label else _PAGE
    rung, count = await register.rung(request.chat, label, asked, size)
    pages = max(-(-count // size), 1)
    page = min(asked, pages)
    if page != asked:
        rung, count = await register.rung(request.chat, label, page, size)
    if not count:
        listed = await rows(request) if label else []
        if label and label not in (row.subscription.alert.label.lower() for row in listed):
            raise no_alert(request, label, listed)
        yield say(
            tr("{label} has not rung here yet.", label=label) if label else tr("Nothing has rung here yet.")
        )
        return
    lines = []
    if label:
        changed = await register.outcomes(request.chat, label)
        lines += [tally(span, shares, tr) for span, shares in changed.items() if len(shares) > 1]
    for one in rung:
        lines += _told(one, request, is_whole=bool(label))
    said = f"/history {label.removeprefix('#') or ALL}"
    if pages > 1:
        following = f"{said} {page % pages + 1}"
        lines.append(tr("Page {page} of {pages}. Next: {line}", page=page, pages=pages, line=following))
    yield Message(lines=tuple(lines), buttons=of_pages(said, page, pages, tr))


def _told(rung: Rung, request: Request, *, is_whole: bool) -> list[str]:
    """Tell a ring in a line, and where the whole is asked for what came after it in lines of their own."""
    tr, now, link = request.tr, request.now, request.office.link(rung)
    after = [f"→ {clipped(line, _WIDTH_OF_AFTER)}" for line in after_lines(rung, tr, now)] if is_whole else []
    told = rung_line(replace(rung, aftermaths=()) if is_whole else rung, "", tr, now)
    return [f"{clipped(told, _WIDTH - width(link) - 3)} · {link}" if link else clipped(told, _WIDTH), *after]
