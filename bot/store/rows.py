"""Rows and values: how what the house speaks of is written down, and read back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, Select, select

from bot.alerts.models import Alert, Arming
from bot.alerts.people import ChatRef
from bot.engine.restoring import Resting
from bot.engine.state import AlertState, Early, Grounds
from bot.metrics import Bar, MetricKey, Seen
from bot.ports import Stored
from bot.store.tables import alert_states, alerts, armings, chats, subscriptions

STATE_COLUMNS = tuple(field.name for field in fields(AlertState))
_fields_of = attrgetter(*STATE_COLUMNS)


def key_of(name: str) -> str:
    """Give what names are compared by."""
    return name.casefold()


# --- armings ------------------------------------------------------------------------------------------------


def written_seen(rule: str, seen: Mapping[MetricKey, Seen]) -> list[list[Any]]:
    """Write down what was seen of the series that a filled and qualified rule reads."""
    return [
        [key.metric, key.instrument, key.venue, one.at, _written_bar(one.bar), one.home]
        for key, one in seen.items()
        if _reads(rule, key)
    ]


def _reads(rule: str, key: MetricKey) -> bool:
    name = f"{key.instrument}@{key.venue}" if key.venue else key.instrument
    return re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/:@.])", rule) is not None


def _written_bar(bar: Bar) -> list[float]:
    return [bar.at, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.span]


def read_seen(document: list[list[Any]]) -> dict[MetricKey, Seen]:
    """Read back what was seen."""
    return {
        _key(metric, instrument, venue): Seen(at, Bar(*bar), *home)
        for metric, instrument, venue, at, bar, *home in document
    }


_ONE_SEEN = 3
"""So many brackets open where one series was seen."""


def read_resting(stored: Stored) -> Resting | None:
    """Read an arming as the engine puts many to rest; ``None`` where there is more to it than that.

    Of what was seen when it was made only the instant still matters, and no document is read for that.
    """
    if stored.memory != "[]" or stored.early or stored.grounds or stored.is_eager:
        return None
    if stored.told_at != stored.rang_at or stored.cursor is None:
        return None
    begins_at = stored.made_at
    if stored.seen != "[]":
        if stored.seen.count("[") != _ONE_SEEN:
            return None
        begins_at = float(stored.seen.split(",", 4)[3])
    return Resting(
        stored.id,
        stored.rule,
        bool(stored.is_shared),
        begins_at,
        stored.cursor,
        bool(stored.is_armed),
        bool(stored.is_firing),
        stored.episode or 0,
        stored.rang_at,
        stored.corrections or 0,
        bool(stored.is_ended),
    )


@lru_cache(maxsize=10_000)
def _key(metric: str, instrument: str, venue: str) -> MetricKey:
    """Make a key once: a million armings read a few hundred series."""
    return MetricKey(metric, instrument, venue)


def written_levels(levels: Mapping[str, Decimal]) -> dict[str, str]:
    """Write down the values that a rule was filled with."""
    return {name: str(value) for name, value in sorted(levels.items())}


def read_levels(document: Mapping[str, str] | None) -> dict[str, Decimal]:
    """Read back the values that a rule was filled with."""
    return {name: Decimal(value) for name, value in (document or {}).items()}


# --- states -------------------------------------------------------------------------------------------------


def written_state(arming_id: int, state: AlertState) -> dict[str, Any]:
    """Write a state down as the columns of ``alert_states``."""
    row = dict(zip(STATE_COLUMNS, _fields_of(state), strict=True))
    early = state.early
    row["memory"] = list(state.memory)
    row["early"] = [early.minute, early.at, early.value, early.is_gone] if early else None
    row["grounds"] = _written_grounds(state.grounds) if state.grounds else None
    return {"arming_id": arming_id, **row}


def _written_grounds(grounds: Grounds) -> list[Any]:
    bars = [_written_bar(bar) if bar else None for bar in grounds.bars]
    minute = [grounds.at, grounds.span, grounds.blind]
    return [*minute, grounds.told, grounds.corrections, list(grounds.sessions), bars, list(grounds.memory)]


def sessions_in(document: list[Any]) -> list[int]:
    """Name the sessions that written grounds rest on."""
    return [as_of for as_of in document[5] if as_of is not None]


def _read_grounds(document: list[Any]) -> Grounds:
    at, span, blind, told, corrections, sessions, bars, memory = document
    known = tuple(Bar(*bar) if bar else None for bar in bars)
    return Grounds(at, span, blind, told, corrections, tuple(sessions), known, tuple(memory))


def read_state(row: Any) -> AlertState | None:
    """Read a state back; ``None`` where the arming's life has not begun (an outer join without a match)."""
    if row.cursor is None:
        return None
    return AlertState(
        cursor=row.cursor,
        is_armed=row.is_armed,
        is_firing=row.is_firing,
        episode=row.episode,
        rang_at=row.rang_at,
        memory=tuple(row.memory),
        early=Early(*row.early) if row.early else None,
        corrections=row.corrections,
        is_ended=row.is_ended,
        told_at=row.told_at,
        grounds=_read_grounds(row.grounds) if row.grounds else None,
    )


# --- alerts -------------------------------------------------------------------------------------------------

FOLLOWED = (
    alerts.c.id.label("alert_id"),
    alerts.c.rule.label("alert_rule"),
    alerts.c.author,
    alerts.c.made_at.label("alert_made_at"),
    alerts.c.number,
    alerts.c.name,
    alerts.c.playbook,
    alerts.c.part,
    alerts.c.is_once,
    subscriptions.c.id.label("subscription_id"),
    subscriptions.c.chat_id,
    subscriptions.c.paused_at,
    subscriptions.c.arming_id,
    subscriptions.c.muted_at,
    subscriptions.c.muted_until,
    subscriptions.c.is_urgent,
    subscriptions.c.place,
    armings.c.rule.label("armed_rule"),
    armings.c.made_at.label("armed_at"),
    armings.c.seen,
    armings.c.levels,
    armings.c.is_eager,
    *(alert_states.c[name] for name in STATE_COLUMNS),
)
"""The columns of a subscription with its alert, and its arming and state where it has them."""


def followed() -> Select[Any]:
    """Select subscriptions with all that hangs on them."""
    return select(*FOLLOWED).select_from(
        subscriptions.join(alerts, subscriptions.c.alert_id == alerts.c.id)
        .outerjoin(armings, subscriptions.c.arming_id == armings.c.id)
        .outerjoin(alert_states, alert_states.c.arming_id == armings.c.id)
    )


def read_alert(row: Row[Any], chat: ChatRef | None) -> Alert:
    """Read an alert as ``chat`` has it; for a shared one the chat is not its owner."""
    return Alert(
        id=row.alert_id,
        rule=row.alert_rule,
        author=row.author,
        made_at=row.alert_made_at,
        chat=None if row.name else chat,
        number=row.number or 0,
        name=row.name or "",
        paused_at=row.paused_at,
        playbook=row.playbook or "",
        part=row.part or "",
    )


def read_arming(row: Row[Any]) -> Arming | None:
    """Read the arming of a subscription, ``None`` while it is paused."""
    if row.arming_id is None:
        return None
    return Arming(
        id=row.arming_id,
        alert_id=row.alert_id,
        rule=row.armed_rule,
        is_shared=row.name is not None,
        made_at=row.armed_at,
        seen=read_seen(row.seen),
        is_eager=row.is_eager,
    )


def read_ref(row: Row[Any]) -> ChatRef:
    """Read where a chat is."""
    return ChatRef(row.platform, row.chat, row.thread)


def same_chat(ref: ChatRef) -> Any:
    """Compare the columns of ``chats`` with a chat."""
    return (chats.c.platform == ref.platform) & (chats.c.chat == ref.chat) & (chats.c.thread == ref.thread)
