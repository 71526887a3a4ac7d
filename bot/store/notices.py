"""Promise what is to be told of sight: to each chat once, with its own alerts, whoever has them.

A chat may have alerts in several partitions, and each tells by itself of the same series. Each writes while
no other writes rows of the outbox, so it finds what the others have promised. Of what still waits it makes
one message with its own. Of what is on its way or told it repeats nothing: a chat that knows that a series
cannot be seen is not told so for another of its alerts. Only where prices may have touched an alert unseen,
or one price is doubted, that alert is named all the same, in a message of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.facts import number_of
from bot.alerts.models import Notice, Telling
from bot.metrics import MetricKey
from bot.store.database import Database, chunks, each
from bot.store.link_table import links
from bot.store.metric_tables import losses
from bot.store.partitions import COUNT
from bot.store.promise import URGENT, content
from bot.store.tables import alerts, armings, chats, is_living, outbox, subscriptions

SECONDS_TO_JOIN = 2.0
"""For how long a loss waits for what other partitions have to say of it; whoever is later adds nothing."""

_SIGHT = (Telling.LOST.value, Telling.BACK.value)

_Chat = tuple[str, int]
_Words = Mapping[int, Sequence[Row[Any]]]
"""What chats were told of sight, the oldest first."""


async def promise_notice(
    database: Database, connection: AsyncConnection, partition: int, notice: Notice, at: float
) -> int:
    """Write one row for each chat that a notice concerns, and none twice; gives how many are new."""
    if notice.kind is Telling.BACK:
        words = await _words(connection, number_of(notice.facts, "since") or 0.0)
        rows = _answering(words, notice, at)
    else:
        rows = await _concerned(connection, notice, at)
    if rows and (await connection.scalar(select(COUNT)) or 1) > 1:
        if notice.kind in {Telling.LOST, Telling.BACK}:
            rows = await _beside_sight(connection, notice, rows, at)
        else:
            rows = await _beside_same(connection, partition, notice, rows)
    written = 0
    for piece in chunks(rows):
        writing = database.insert(outbox).values(list(piece))
        told = writing.on_conflict_do_nothing(index_elements=["chat_id", "dedupe"])
        written += (await connection.execute(told)).rowcount
    return written


async def _concerned(
    connection: AsyncConnection,
    notice: Notice,
    at: float,
    known: Mapping[int, Collection[str]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Address each chat that follows one of the armings, with those of its alerts and their series.

    Series that are ``known`` to a chat are left out, with the alerts that read no other. What rings in a chat
    that is linked to the one that has it concerns that chat.

    What concerns an alert that is urgent to it is as urgent: it may have to look for itself.
    """
    found: dict[_Chat, tuple[dict[tuple[str, str], None], dict[str, None]]] = {}
    urgent: set[int] = set()
    is_one = and_(links.c.chat_id == subscriptions.c.place_id, links.c.home_id == subscriptions.c.chat_id)
    for piece in chunks(notice.armings):
        chosen = (
            select(
                chats.c.platform,
                chats.c.id,
                alerts.c.number,
                alerts.c.name,
                armings.c.rule,
                armings.c.id.label("arming"),
                subscriptions.c.is_urgent,
            )
            .select_from(
                subscriptions.outerjoin(links, is_one)
                .join(chats, chats.c.id == func.coalesce(links.c.chat_id, subscriptions.c.chat_id))
                .join(alerts, subscriptions.c.alert_id == alerts.c.id)
                .join(armings, subscriptions.c.arming_id == armings.c.id)
            )
            .where(armings.c.id.in_(piece), is_living, chats.c.paused_reason == "")
            .order_by(subscriptions.c.id)
        )
        for row in await connection.execute(chosen):
            names = [one for one in notice.armings[row.arming] if one not in known.get(row.id, ())]
            if not names:
                continue
            labels, series = found.setdefault((row.platform, row.id), ({}, {}))
            urgent |= {row.id} if row.is_urgent else set()
            labels[row.name or f"#{row.number}", row.rule] = None
            series.update(dict.fromkeys(names))
    return [
        _row(
            notice,
            at,
            chat,
            {
                "alerts": [{"alert": label, "rule": rule} for label, rule in labels],
                "series": _named(series),
            },
            is_urgent=chat[1] in urgent,
        )
        for chat, (labels, series) in found.items()
    ]


async def _words(
    connection: AsyncConnection, since: float, only: Collection[int] | None = None
) -> dict[int, list[Row[Any]]]:
    """Give what chats were told since an instant, or still will be, of what they cannot see and see again."""
    chosen = select(outbox).where(
        outbox.c.kind.in_(_SIGHT), outbox.c.given_up_at.is_(None), outbox.c.made_at >= since
    )
    found: dict[int, list[Row[Any]]] = {}
    for piece in (None,) if only is None else chunks(sorted(only)):
        some = chosen if piece is None else chosen.where(outbox.c.chat_id.in_(piece))
        for row in await connection.execute(some.order_by(outbox.c.id).with_for_update()):
            found.setdefault(row.chat_id, []).append(row)
    return found


def _unseen(words: Iterable[Row[Any]]) -> dict[str, Row[Any]]:
    """Name the series of which a chat was told last that they cannot be seen, with what told it."""
    last = {name: row for row in words for name in _series(row.facts)}
    return {name: row for name, row in last.items() if row.kind == Telling.LOST.value}


def _answering(words: _Words, notice: Notice, at: float) -> list[dict[str, Any]]:
    """Address whoever was told what this answers, or still will be: it waits where that one waits."""
    rows: list[dict[str, Any]] = []
    for several in words.values():
        unseen = _unseen(several)
        series = [name for name in notice.series if name in unseen]
        if series:
            lost = max((unseen[name] for name in series), key=lambda row: int(row.id))
            gone: Any = notice.facts.get("gone") or ()
            facts = {"series": _named(series), "gone": [one for one in gone if one["series"] in series]}
            where, is_urgent = (lost.platform, lost.chat_id), lost.priority == URGENT
            dedupe = f"{notice.dedupe}/{lost.dedupe}/{series[0]}"
            row = _row(notice, at, where, facts, lost.held_at, is_urgent=is_urgent)
            rows.append(row | {"dedupe": dedupe})
    return rows


# --- where several partitions tell --------------------------------------------------------------------------


async def _beside_sight(
    connection: AsyncConnection, notice: Notice, rows: Sequence[dict[str, Any]], at: float
) -> list[dict[str, Any]]:
    """Join what waits to be told of sight already; gives the rows that are to be told beside it."""
    first = {
        str(MetricKey(row.metric, row.instrument, row.venue)): row.since
        for row in await connection.execute(select(losses).order_by(losses.c.since.desc()))
    }
    since = min([at - SECONDS_TO_JOIN, *first.values()])
    words = await _words(connection, since, [row["chat_id"] for row in rows])
    joining, left, known = [], [], {}
    for row in rows:
        told = words.get(row["chat_id"], [])
        if told and _is_one(told[-1], row, at):
            joining.append((told[-1], row))
        elif notice.kind is Telling.BACK:
            left.append(row)
        else:
            known[row["chat_id"]] = {
                name for name, one in _unseen(told).items() if one.made_at >= first.get(name, at)
            }
    await _join(connection, joining)
    if known:
        rest = await _concerned(connection, notice, at, known)
        left += [row | {"not_before": at + SECONDS_TO_JOIN} for row in rest if row["chat_id"] in known]
    return left


async def _beside_same(
    connection: AsyncConnection, partition: int, notice: Notice, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Join what waits to tell the same already; gives the rows that are to be told beside it.

    A chat hears of doubted prices once an hour, but of the very same one also whom of another partition it
    concerns.
    """
    known: dict[int, Row[Any]] = {}
    for piece in chunks([row["chat_id"] for row in rows]):
        chosen = select(outbox).where(outbox.c.chat_id.in_(piece), outbox.c.dedupe == notice.dedupe)
        known |= {row.chat_id: row for row in await connection.execute(chosen.with_for_update())}
    joining, left = [], []
    for row in rows:
        told = known.get(row["chat_id"])
        if told is None:
            left.append(row)
        elif _waits(told):
            joining.append((told, row))
        elif all(told.facts.get(name) == row["facts"].get(name) for name in ("at", "value")):
            named = told.facts["alerts"]
            others = [one for one in row["facts"]["alerts"] if one not in named]
            facts = {**row["facts"], "alerts": others}
            left += [row | {"facts": facts, "dedupe": f"{notice.dedupe}/{partition}"}] if others else []
    await _join(connection, joining)
    return left


def _is_one(told: Row[Any], row: Mapping[str, Any], at: float) -> bool:
    """Whether a message that waits is of the same kind and moment, and for the same cause."""
    is_for_one = all(told.facts.get(name) == row["facts"].get(name) for name in ("reason", "source"))
    is_now = at - told.made_at <= SECONDS_TO_JOIN
    return bool(told.kind == row["kind"] and is_for_one and is_now and _waits(told))


def _waits(told: Row[Any]) -> bool:
    return bool(not told.attempts and told.sent_at is None and told.given_up_at is None)


async def _join(connection: AsyncConnection, joining: Iterable[tuple[Row[Any], Mapping[str, Any]]]) -> None:
    """Say in one message what two would say."""
    rows = (
        {
            "this": told.id,
            "joined": _joined(told.facts, row["facts"]),
            "first": min(told.priority, row["priority"]),
        }
        for told, row in joining
    )
    await each(connection, _JOINED, rows)


_JOINED = (
    update(outbox)
    .where(outbox.c.id == bindparam("this"))
    .values(
        facts=bindparam("joined", type_=outbox.c.facts.type),
        priority=bindparam("first", type_=outbox.c.priority.type),
    )
)


_CHOICES: tuple[tuple[str, Callable[[Iterable[Any]], Any]], ...] = (
    ("since", min),
    ("until", max),
    ("low", min),
    ("high", max),
)


def _joined(told: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    facts = {**more, **told}
    for name in ("alerts", "series", "gone"):
        if name in facts:
            some = told.get(name) or []
            both = [*some, *(one for one in more.get(name) or [] if one not in some)]
            facts[name] = sorted(both, key=_place)
    for name, choose in _CHOICES:
        if name in facts:
            ends = [told.get(name), more.get(name)]
            facts[name] = None if None in ends else choose(ends)
    return facts


def _place(said: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order alerts by their number, then by name; series by theirs."""
    label = said.get("alert", "")
    return (
        not label.startswith("#"),
        len(label) * label.startswith("#"),
        label,
        said.get("series"),
        said.get("since"),
    )


# --- a row --------------------------------------------------------------------------------------------------


def _row(
    notice: Notice,
    at: float,
    chat: _Chat,
    facts: Mapping[str, Any],
    held_at: float | None = None,
    *,
    is_urgent: bool = False,
) -> dict[str, Any]:
    platform, chat_id = chat
    told = content(notice.kind, notice.dedupe, {**notice.facts, **facts}, at)
    told |= {"priority": URGENT} if is_urgent else {}
    return {"platform": platform, "chat_id": chat_id, "held_at": held_at, **told}


def _named(series: Iterable[str]) -> list[dict[str, str]]:
    return [{"series": name} for name in series]


def _series(facts: Mapping[str, Any]) -> list[str]:
    return [one["series"] for one in facts["series"]]
