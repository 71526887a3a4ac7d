"""A bot that is killed again and again, on a busy market: nothing is lost, and hardly anything told twice.

The long run is a command: ``python -m tests.kills``.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests import kills
from tests.kills_judge import Remains, judge

KILLS = 8
RULES = (kills.RULES[0], kills.RULES[3], kills.RULES[-1])


async def test_what_the_true_market_rang_is_told_over_kills_and_only_what_was_in_flight_twice(
    tmp_path: Path,
) -> None:
    remains = await kills.run(KILLS, 3, tmp_path, RULES)
    figures = judge(remains)
    assert figures.faults == []
    assert figures.kills.total() == KILLS
    assert figures.rings > 0
    for chat in remains.shown:
        assert any("again" in fault for fault in judge(_told_twice(remains, chat)).faults)
    _silence(remains, 1)
    assert any("is silent" in fault for fault in judge(remains).faults)


def _told_twice(remains: Remains, chat: tuple[str, str]) -> Remains:
    """Tell a chat its first ring once more when there is peace."""
    known = min(remains.lives[-1][chat], key=int)
    twin = str(10**20)
    shown = {**remains.shown[chat], twin: remains.shown[chat][known]}
    stood = remains.lives[-1][chat] | {twin}
    lives = [*remains.lives[:-1], {**remains.lives[-1], chat: stood}]
    return replace(remains, shown={**remains.shown, chat: shown}, lives=lives)


def _silence(remains: Remains, arming: int) -> None:
    """Take the rings of an arming out of what is left, with all that came of them."""
    with closing(sqlite3.connect(remains.database)) as connection, connection:
        its = "select id from rings where arming_id = ?"
        connection.execute(f"delete from outbox where ring_id in ({its})", (arming,))  # noqa: S608
        connection.execute("delete from rings where arming_id = ?", (arming,))
