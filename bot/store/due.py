"""What is due: the rows that may be told now, or next, of each lane of a chat the first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, case, exists, func, or_, select

from bot.alerts.lots import Lots
from bot.store.promise import URGENT
from bot.store.tables import chats, is_waiting, outbox

_is_announced = outbox.c.broadcast_id.is_not(None)
_is_urgent = outbox.c.priority == URGENT


def _heads() -> ColumnElement[bool]:
    """Tell the rows that a chat waits for: of each lane the oldest, since the order within a lane must hold.

    What is urgent waits for nothing else, and all else for it; announcements come last. So one of them that
    waits, or is kept, or is under way, holds up nothing that rings, and none of those what is urgent.
    """
    older = outbox.alias("older")
    is_older = older.c.id < outbox.c.id
    was_announced, was_urgent = older.c.broadcast_id.is_not(None), older.c.priority == URGENT
    return and_(
        is_waiting,
        ~exists().where(
            older.c.chat_id == outbox.c.chat_id,
            case(
                (_is_urgent, and_(was_urgent, is_older)),
                (_is_announced, or_(~was_announced, is_older)),
                else_=or_(was_urgent, and_(~was_announced, is_older)),
            ),
            older.c.sent_at.is_(None),
            older.c.given_up_at.is_(None),
            older.c.held_at.is_(None),
        ),
    )


def _due(*of: ColumnElement[bool]) -> Select[Any]:
    return (
        select(outbox.c.id)
        .where(_is_there, outbox.c.not_before <= _NOW, outbox.c.leased_until <= _NOW, *of, _is_head)
        .order_by(outbox.c.priority, outbox.c.not_before, outbox.c.id)
        .limit(bindparam("room", type_=Integer))
    )


def _next(*of: ColumnElement[bool]) -> Select[Any]:
    waits_on = outbox.c.leased_until > outbox.c.not_before
    due_at = case((waits_on, outbox.c.leased_until), else_=outbox.c.not_before)
    return select(func.min(due_at)).where(_is_there, *of, _is_head)


_NOW = bindparam("now", type_=outbox.c.not_before.type)
_is_there = outbox.c.platform == bindparam("platform")
_is_head = _heads()
_is_own = exists().where(
    chats.c.id == outbox.c.chat_id,
    (chats.c.lot % bindparam("of", type_=Integer)).in_(bindparam("parts", expanding=True)),
)


class Asked(NamedTuple):
    """What is asked again and again of some rows: it is built once, for that costs more than to run it.

    ``taken`` are rows that may be told ``now``, at most as many as there is ``room``, and ``taken_news`` are
    announcements among them. ``any_due`` is one of both, and ``next_due`` the instant of the next: with
    announcements, or without.
    """

    taken: Select[Any]
    taken_news: Select[Any]
    any_due: Mapping[bool, Select[Any]]
    next_due: Mapping[bool, Select[Any]]


def _asked(*of: ColumnElement[bool]) -> Asked:
    return Asked(
        _due(~_is_announced, *of).with_for_update(skip_locked=True),
        _due(_is_announced, *of).with_for_update(skip_locked=True),
        {True: _due(*of), False: _due(~_is_announced, *of)},
        {True: _next(*of), False: _next(~_is_announced, *of)},
    )


_OF_ALL, _OF_SOME = _asked(), _asked(_is_own)


def asking(platform: str, lots: Lots) -> tuple[Asked, dict[str, Any]]:
    """Give what to ask about some chats of a platform, with the values that say which they are."""
    if lots.are_all:
        return _OF_ALL, {"platform": platform}
    return _OF_SOME, {"platform": platform, "of": lots.of, "parts": lots.parts}
