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
    is_due = (
        life.tells_early
        and was_armed
        and not has_rung
        and not _was_told(before, after, minute)
        and not before.is_ended
        and minute.end > life.begins_at
        and (life.until is None or minute.at < life.until)
        and not is_cooling(before, life, minute.at)
    )
    return is_due and life.node.judge(minute, before.memory, []).may is True


def _was_told(before: AlertState, after: AlertState, minute: Minute) -> bool:
    """Say whether a ring that was told early stands for a minute: its own, and the next while it is open."""
    early = before.early
    if early is None:
        return False
    return minute.at == early.minute or (minute.at == early.minute + MINUTE and after.early == early)
