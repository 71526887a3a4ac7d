"""Edit a personal alert: another rule under the same number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, delete, update

from bot.alerts.models import Alert
from bot.alerts.people import ChatRef
from bot.ports import NewArming
from bot.rules import parse
from bot.rules.tree import Mode
from bot.store.arming import Change, begin_change, move, retire_unused
from bot.store.database import Database, whole
from bot.store.rows import read_alert
from bot.store.subscribing import NONE_OWN, arm_one, fill_own, find, name_levels
from bot.store.tables import alert_levels, alerts


class SqlEditing:
    """The part of the port ``Register`` that changes what a personal alert waits for."""

    _database: Database

    @whole
    async def edit_alert(
        self, chat: ChatRef, number: int, rule: str, arming: NewArming, now: float
    ) -> Alert | None:
        """Give a personal alert another rule, with a new arming; it is taken up if it was at rest.

        It is no part of a playbook any more. ``None`` if the chat has none of that number. Raises Conflict if
        a level moved since it was filled.
        """
        async with self._database.writing() as connection:
            row = await find(connection, chat, f"#{number}")
            if row is None:
                return None
            change = await begin_change(self._database, connection, now)
            written = update(alerts).where(alerts.c.id == row.alert_id)
            await connection.execute(written.values(playbook=None, part=None))
            await rewrite(change, row, rule, arming)
            return replace(read_alert(row, chat), rule=rule, paused_at=None, playbook="", part="")


async def rewrite(
    change: Change,
    row: Row[Any],
    rule: str,
    arming: NewArming,
    own: Mapping[str, Decimal] = NONE_OWN,
) -> None:
    """Give a followed personal alert another rule and a new arming, with these levels of its own alone.

    Raises as ``arm_one`` does.
    """
    connection, tree = change.connection, parse(rule)
    is_once = (tree.options.mode or Mode.ONCE) is Mode.ONCE
    written = update(alerts).where(alerts.c.id == row.alert_id)
    await connection.execute(written.values(rule=rule, is_once=is_once, revision=change.revision))
    await connection.execute(delete(alert_levels).where(alert_levels.c.alert_id == row.alert_id))
    await name_levels(change, row.alert_id, tree)
    await move(change, [row.subscription_id], None)
    await retire_unused(change, [row.arming_id])
    await fill_own(change, row.subscription_id, own)
    arming_id = await arm_one(change, row.chat_id, row.alert_id, rule, arming, own=own)
    await move(change, [row.subscription_id], arming_id)
