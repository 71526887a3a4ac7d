"""Judge plain armings by their numbers: what ``follow`` and ``glance`` would find, in a tenth of their time.

Very many armings may wait for one price. Of a plain one nothing but that price decides, so that a minute, or
a print, is a few comparisons of floats; no tree of a condition is made for it. Where more than the one minute
came, or time was not seen, ``touch`` leaves it to ``follow``.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from bot.engine.course import Course
from bot.engine.index import EVERYWHERE, NOWHERE, Gap, gap_around
from bot.engine.plain import Plain
from bot.engine.state import AlertState, Early, Evidence, Resolution, Ring, Transition
from bot.engine.step import Stepped, is_cooling, is_finished, is_spent, may_show, overdue
from bot.engine.values import currency_of
from bot.metrics import MINUTE, Bar, Print, minute_of


def touch(plain: Plain, state: AlertState, bar: Bar) -> Course | None:
    """Judge the minute that comes next for a plain arming; ``None`` if it is not the next, or it is over."""
    if state.is_ended or state.cursor > bar.at:
        return None
    pattern, level = plain.pattern, plain.level
    life, cleared = pattern.life, pattern.cleared(level)
    far, near = (bar.low, bar.high) if pattern.is_below else (bar.high, bar.low)
    is_clear = not pattern.is_beyond(near, cleared)
    is_ringing = (
        pattern.is_beyond(far, level)
        and (state.is_armed or not pattern.is_beyond(bar.open, cleared))
        and not is_spent(state, life)
        and not is_cooling(state, life, bar.at)
    )
    was_told = is_ringing and state.early is not None and bar.at <= state.early.minute + MINUTE
    taken_back = () if was_told else overdue(state, bar.end)
    told: tuple[Transition, ...] = taken_back
    corrections = state.corrections + len(taken_back)
    if is_ringing:
        at, episode = float(bar.at), state.episode + 1
        ring = Ring(episode, at, far, _evidence(plain, far), was_told=was_told, corrections=corrections)
        told = (*taken_back, ring)
        after = AlertState(
            cursor=bar.end,
            is_armed=not pattern.is_beyond(bar.close, cleared),
            is_firing=True,
            episode=episode,
            rang_at=at,
            corrections=corrections,
            told_at=at,
        )
    else:
        after = AlertState(
            cursor=bar.end,
            is_armed=state.is_armed or is_clear,
            is_firing=state.is_firing and pattern.is_beyond(far, cleared),
            episode=state.episode,
            rang_at=state.rang_at,
            early=None if taken_back else state.early,
            corrections=corrections,
            told_at=state.told_at,
        )
        if state.is_firing and not after.is_firing and life.resolves:
            told = (*taken_back, Resolution(after.episode, float(bar.end), bar.close))
    return Course(after, told, {pattern.key: _rest(plain, after, bar, level, cleared)}, inf)


def show(plain: Plain, state: AlertState, one: Print) -> Stepped:
    """Look at a print of a minute that is not final, as ``glance`` does."""
    pattern, minute = plain.pattern, minute_of(one.at)
    is_due = may_show(state, pattern.life, plain.begins_at, minute=minute, at=one.at, since=one.since)
    if not is_due or not pattern.is_beyond(one.value, plain.level):
        return Stepped(state)
    evidence = _evidence(plain, one.value)
    ring = Ring(state.episode + 1, one.at, one.value, evidence, is_early=True, corrections=state.corrections)
    return Stepped(replace(state, early=Early(minute, one.at, one.value)), (ring,))


def _evidence(plain: Plain, price: float) -> tuple[Evidence]:
    return (Evidence(plain.term, price, currency_of(plain.pattern.key)),)


def _rest(plain: Plain, state: AlertState, bar: Bar, level: float, cleared: float) -> Gap:
    """Say where it rests while the price stays where it closed: nowhere, if a minute there changed it."""
    pattern, price = plain.pattern, bar.close
    if is_finished(state, pattern.life):
        return EVERYWHERE
    if state.early is not None:
        return NOWHERE
    is_true, is_unclear = pattern.is_beyond(price, level), pattern.is_beyond(price, cleared)
    is_ringing = (
        is_true
        and (state.is_armed or not is_unclear)
        and not is_spent(state, pattern.life)
        and not is_cooling(state, pattern.life, bar.end)
    )
    is_moving = (state.is_firing and not is_unclear) or (not state.is_armed and not is_unclear)
    if is_ringing or is_moving or (state.is_armed and is_true):
        return NOWHERE
    return gap_around(price, (level,) if level == cleared else (min(level, cleared), max(level, cleared)))
