"""Whom a price concerns that nobody bears out. Pure."""

from __future__ import annotations

from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.state import AlertState
from bot.engine.step import is_cooling, is_spent
from bot.metrics import MINUTE


def would_ring(before: AlertState, after: AlertState, minute: Minute, life: Life) -> bool:
    """Say whether an arming would have rung in a minute by the prices in it, were they to be trusted.

    A doubt comes with other minutes, as after an outage: ``before`` is the state before all of them, and
    ``after`` the one behind them. Armed at either, or rung between, it may have been armed in this minute.
    """
    was_armed = before.is_armed or after.is_armed or after.episode > before.episode
    has_rung = is_spent(before, life) or (is_spent(after, life) and (after.rang_at or 0.0) < minute.at)
    was_told = before.early is not None and before.early.minute <= minute.at <= before.early.minute + MINUTE
    is_due = (
        life.tells_early
        and was_armed
        and not has_rung
        and not was_told
        and not before.is_ended
        and minute.end > life.begins_at
        and (life.until is None or minute.at < life.until)
        and not is_cooling(before, life, minute.at)
    )
    return is_due and life.node.judge(minute, before.memory, []).may is True
