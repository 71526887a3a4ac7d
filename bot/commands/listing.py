"""List a chat's alerts, the nearest to ringing first, each in a line that fits every platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from bot.alerts.message import Message, say
from bot.alerts.nearness import nearness
from bot.alerts.offers import of_list
from bot.alerts.sentences import filled_levels, meaning
from bot.alerts.translator import Translator
from bot.commands.alerts import rows
from bot.commands.request import Request
from bot.commands.sights import losses_of, remarks, unknowns
from bot.commands.standing import Row, distance, how_told
from bot.commands.stating import cools_until, state_of
from bot.engine.sight import Loss
from bot.looking import look
from bot.metrics import MetricKey, Seen
from bot.ports import Judged, Replies
from bot.rules import parse
from bot.rules.tree import Instrument

_PAGE = 10
"""How many alerts one answer lists: what a phone shows, and every platform takes in one message."""

_WIDTH = 170
"""How wide a line of the list may be: ten of them, escaped, are one message of 2,000 signs."""

_LEAST = 24
_ESCAPED = frozenset("\\*_~`|<[@")


async def show(request: Request) -> Replies:
    """List what this chat is told, how each alert stands, and where its price is."""
    tr, register, listed = request.tr, request.office.register, await rows(request)
    if not listed:
        yield say(tr("No alerts here yet. Make one: {line}", line="/alert btc < 100k"))
        return
    losses = await register.losses()
    judged = await register.judged({key for row in listed for key in row.series})
    listed.sort(key=lambda row: rank(row, _last_prices(row, judged), losses, request.now))
    listed = together(listed)
    pages = -(-len(listed) // _PAGE)
    page = min(int(request.given("page") or 1), pages)
    shown = listed[(page - 1) * _PAGE : page * _PAGE]
    seen = await look(request.office.market, (key for row in shown for key in row.keys.values()))
    shown.sort(key=lambda row: rank(row, _last_prices(row, judged) | _prices(row, seen), losses, request.now))
    shown = together(shown)
    in_force = await request.levels()
    lines = []
    for row, why in zip(shown, await unknowns(shown, seen, losses, request), strict=True):
        lost = losses_of(row, losses, tr, request.now)
        parts = [state_of(row, judged, tr, request.now, lost or why)]
        parts += how_told(row.subscription, in_force, tr, request.now)
        parts += _where(row, seen, tr, is_lost=bool(lost))
        parts += remarks(row, losses, request.office.market, tr)
        lines.append(line(row, parts, tr))
    lines.append(_hint(shown[0], tr))
    if pages > 1:
        following = f"/alerts {page % pages + 1}"
        lines.append(tr("Page {page} of {pages}. Next: {line}", page=page, pages=pages, line=following))
    alerts = [row.subscription.alert for row in shown]
    yield Message(lines=tuple(lines), buttons=of_list(alerts, page, pages, tr))


def rank(
    row: Row, prices: Mapping[Instrument, float], losses: Mapping[MetricKey, Loss], now: float
) -> tuple[int, float]:
    """Order a list: what may ring first, by how far its price is away; what is at rest comes last.

    After what may ring with the next price come what is quiet for a while or waits to be clear, and what
    cannot be seen. What has no distance goes behind what has.
    """
    near = nearness(row.armed.condition, prices)
    away = inf if near is None else near
    subscription, life = row.subscription, row.life
    state = subscription.state
    if row.is_at_rest or life is None:
        return 3, away
    if losses.keys() & set(row.series):
        return 2, away
    is_quiet = state is not None and (not state.is_armed or cools_until(life, state, now) is not None)
    return int(is_quiet), away


def together(rows: Sequence[Row]) -> list[Row]:
    """Let the alerts of a playbook stand together, where the first of them stands."""
    first: dict[str, int] = {}
    places = [
        first.setdefault(name, place) if (name := row.subscription.alert.playbook) else place
        for place, row in enumerate(rows)
    ]
    return [row for _, row in sorted(zip(places, rows, strict=True), key=lambda one: one[0])]


def line(row: Row, parts: Sequence[str], tr: Translator) -> str:
    """Write a line: label, sentence, and what else is to be said.

    A line that is too long for a list loses the end of its sentence, which /why has in full.
    """
    alert = row.subscription.alert
    label = f"{alert.label} {alert.playbook} {alert.part}:" if alert.playbook else alert.label
    rest = "".join(f" · {part}" for part in parts)
    rule = meaning(row.armed, filled_levels(parse(alert.rule), row.armed), tr)
    room = max(_WIDTH - width(label) - 1 - width(rest), _LEAST)
    return clipped(f"{label} {clipped(rule, room)}{rest}", _WIDTH)


def _where(row: Row, seen: Mapping[MetricKey, Seen], tr: Translator, *, is_lost: bool) -> list[str]:
    """Say where the prices are, and that one is not seen where nothing else says so."""
    where = distance(row.armed, row.keys, seen, tr)
    is_dark = not is_lost and any(key not in seen for key in row.keys.values())
    return [
        *([tr("now {where}", where=where)] if where else []),
        *([tr("price not seen")] if is_dark else []),
    ]


def clipped(text: str, most: int) -> str:
    """Cut a text that is wider than so many signs, and show that it was cut."""
    if width(text) <= most:
        return text
    kept = text
    while kept and width(kept) >= most:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def width(text: str) -> int:
    """Measure a text as the widest platform does: what is escaped or beyond 16 bits counts twice."""
    return len(text) + sum(sign in _ESCAPED or sign > "\uffff" for sign in text)


def _hint(row: Row, tr: Translator) -> str:
    """Say what can be typed about a line, with one of them as the example."""
    alert = row.subscription.alert
    name = alert.name or str(alert.number)
    if alert.is_shared:
        return tr("{why} says more.", why=f"/why {name}")
    return tr(
        "{why} says more, /edit {name} changes it, /delete {name} ends it.", why=f"/why {name}", name=name
    )


def _last_prices(row: Row, judged: Mapping[MetricKey, Judged]) -> dict[Instrument, float]:
    """Give the prices that an alert was last judged by, else those that it was made with."""
    arming = row.subscription.arming
    made = {} if arming is None else arming.seen
    found: dict[Instrument, float] = {}
    for instrument, key in row.keys.items():
        last = judged.get(key)
        if last is not None and last.close is not None:
            found[instrument] = last.close.price
        elif key in made:
            found[instrument] = made[key].price
    return found


def _prices(row: Row, seen: Mapping[MetricKey, Seen]) -> dict[Instrument, float]:
    return {instrument: seen[key].price for instrument, key in row.keys.items() if key in seen}
