"""The whole life of an arming, as one pure function over its minutes.

``step(state, minute, life) -> (state, transitions)``. Its laws:

1. State is a fold over final minutes: polls, restarts and crashes in between change nothing.
2. Unknown rings nothing, arms nothing, ends nothing.
3. What is already true when it is made waits to be clear first.
4. Episodes count 1, 2, 3 without a gap, and each telling has a name of its own.
5. ``cooldown`` is time and does not swallow the last state: what is still true when it ends, rings then.
6. All that the next step depends on is in the state.
7. A source's correction of a metric's newest session is heard: it may ring late, and takes back, once, the
   last ring where that rested on it. A correction of an older session does neither.

``glance`` is the early look: a print of a minute that is not final may tell the coming ring, and moves
nothing but the mark that it was told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf
from typing import NamedTuple

from bot.engine.grounds import correction_of, ground, hear_again
from bot.engine.judge import Slots
from bot.engine.life import Life
from bot.engine.minute import Minute
from bot.engine.state import (
    AlertState,
    Correction,
    Early,
    Ended,
    Memory,
    Reminder,
    Resolution,
    Ring,
    Transition,
)
from bot.engine.truth import Truth
from bot.engine.world import World
from bot.metrics import MINUTE, Bar, MetricKey, minute_of, point


class Stepped(NamedTuple):
    """The state after a step, and what must be told."""

    state: AlertState
    transitions: tuple[Transition, ...] = ()


def begin(life: Life, world: World, history: Iterable[Minute] = ()) -> AlertState:
    """Begin a life at the instant of its making.

    It is armed if it is clear at that moment, or eager. ``history`` is the final minutes before (for
    ``warmup`` seconds, rising), which fill the memories: a condition held before the alert was made counts.
    """
    memory: Memory = (None,) * life.slots
    known_to: int | None = None
    for minute in history:
        memory, known_to = _judged(life, minute, memory)[2], minute.end
    if any(key not in life.seen for key in life.priced):
        return AlertState(minute_of(life.made_at) + MINUTE, is_armed=life.is_eager, memory=memory)
    cursor = max((seen.bar.at for seen in life.seen.values()), default=minute_of(life.made_at))
    if known_to is not None and known_to < cursor:  # minutes that are not final yet: nobody saw them
        unseen = Minute(known_to, {}, world, span=cursor - known_to)
        memory = _judged(life, unseen, memory)[2]
    bars = {key: point(life.seen[key].price, cursor) for key in life.priced}
    made = Minute(cursor, bars, world, is_over=False)
    _, clarity, after = _judged(life, made, memory)
    running = {slot for holding in life.holdings for slot in holding.slots}
    memory = tuple(  # a running time counts whole minutes, and this one is not over
        memory[slot] if slot in running else after[slot] for slot in range(life.slots)
    )
    return AlertState(cursor=cursor, is_armed=life.is_eager or clarity.must is False, memory=memory)


def step(state: AlertState, minute: Minute, life: Life) -> Stepped:
    """Judge one final minute: ``minute.at`` is at or after the state's cursor."""
    if state.is_ended or minute.end <= state.cursor:
        return Stepped(state)
    state = _blinded(state, minute)
    if life.until is not None and minute.at >= life.until:
        ended = replace(state, cursor=minute.end, is_ended=True, grounds=None)
        corrections = overdue(state, inf)
        told = () if is_spent(state, life) else (Ended(life.until, state.episode),)
        transitions: tuple[Transition, ...] = (*corrections, *told)
        return Stepped(_unmarked(ended) if corrections else ended, transitions)

    minute = _excess(minute, life, state.early)
    state, taken_back = hear_again(state, minute, life)
    truth, clarity, memory = _judged(life, minute, state.memory)
    if truth.may is None:
        state = _unchecked(state, minute.at)
    is_ringing = (
        truth.may is True
        and (state.is_armed or _clarity(life, minute.at_open(), state.memory).must is False)
        and not is_spent(state, life)
        and not is_cooling(state, life, minute.at)
    )
    if not is_ringing:
        is_firing = state.is_firing and clarity.may is not False
        is_armed = state.is_armed or clarity.must is False
        after = replace(state, cursor=minute.end, memory=memory, is_armed=is_armed, is_firing=is_firing)
        corrections = overdue(state, minute.end)
        if corrections:
            after = _unmarked(after)
        after, followed = _followed(after, state, minute, life)
        return Stepped(after, (*taken_back, *corrections, *followed))

    closing = _clarity(life, minute.at_close(), memory)
    at = max(float(life.node.instant(minute, state.memory)), life.begins_at)
    evidence = tuple(life.node.evidence(minute, state.memory))
    was_told = state.early is not None and minute.at <= state.early.minute + MINUTE
    late = () if was_told else overdue(state, minute.end)
    ring = Ring(
        episode=state.episode + 1,
        at=at,
        value=evidence[0].value if evidence else _last_price(minute, life),
        evidence=evidence,
        was_told=was_told,
        corrections=state.corrections + len(late),
        revised=correction_of(minute, state.memory, life),
    )
    after = AlertState(
        cursor=minute.end,
        is_armed=closing.must is False,
        is_firing=True,
        episode=state.episode + 1,
        rang_at=at,
        memory=memory,
        corrections=ring.corrections,
        told_at=at,
        grounds=ground(minute, state.memory, life, ring.value, ring.corrections),
    )
    return Stepped(after, (*taken_back, *late, ring))


def glance(state: AlertState, minute: Minute, at: float, since: float, life: Life) -> Stepped:
    """Look at prints of a minute that is not final: ``minute`` holds a point for each key that has one.

    ``at`` is the instant of the newest print, and none was traded before ``since``.
    """
    is_due = may_show(state, life, life.begins_at, minute=minute.at, at=at, since=since)
    if not is_due or life.node.judge(minute, state.memory, []).may is not True:
        return Stepped(state)
    evidence = tuple(life.node.evidence(minute, state.memory))
    value = evidence[0].value if evidence else _last_price(minute, life)
    ring = Ring(state.episode + 1, at, value, evidence, is_early=True, corrections=state.corrections)
    return Stepped(replace(state, early=Early(minute.at, at, value)), (ring,))


def may_show(
    state: AlertState, life: Life, begins_at: float, *, minute: int, at: float, since: float
) -> bool:
    """Whether prints of a minute, the newest ``at`` an instant, may tell a ring.

    What is shown up to ``begins_at`` does not count.
    """
    return (
        life.tells_early
        and state.early is None
        and state.is_armed
        and not state.is_ended
        and minute >= state.cursor
        and at > begins_at
        and (life.until is None or at < life.until)
        and not is_spent(state, life)
        and not is_cooling(state, life, minute_of(since))
        and not _is_of_before(state, minute, since, begins_at)
    )


def overdue(state: AlertState, judged_to: float) -> tuple[Correction, ...]:
    """Take back an early ring once the minute after its own is final without it."""
    early = state.early
    if early is None or judged_to < early.minute + 2 * MINUTE:
        return ()
    count = state.corrections
    return (Correction(state.episode + 1, early.at, early.value, count, is_gone=early.is_gone),)


def is_finished(state: AlertState, life: Life) -> bool:
    """Whether nothing can ever happen to it again: a ring that may be taken back arms it anew."""
    return state.is_ended or (is_spent(state, life) and not state.is_firing and state.grounds is None)


def may_ring(state: AlertState, life: Life) -> bool:
    """Whether it may ring once more."""
    return not state.is_ended and not is_spent(state, life)


def is_spent(state: AlertState, life: Life) -> bool:
    """Whether it was to ring once, and has rung."""
    return life.is_once and state.rang_at is not None


def is_cooling(state: AlertState, life: Life, at: int) -> bool:
    """Whether a minute lies within the cooldown of the last ring."""
    return state.rang_at is not None and at < state.rang_at + life.cooldown


def is_settled(state: AlertState, minute: Minute, life: Life) -> bool:
    """Whether nothing can happen while every price stays where this minute's closes are between the breaks.

    The index may then leave the arming alone until a price reaches a break (or its ``until`` comes).
    """
    if (life.is_restless and not life.is_still) or state.early is not None:
        return False
    if state.is_firing and life.remind:
        return False
    if any(holding.is_running(state.memory) for holding in life.holdings):
        return False
    if not life.is_still and any(key not in minute.bars for key in life.priced):
        return False
    closes = {key: point(bar.close, minute.end) for key, bar in minute.bars.items()}
    following = Minute(minute.end, closes, minute.world)
    after, transitions = step(state, following, life)
    if transitions or (state.is_armed and life.node.judge(following, state.memory, []).may is not False):
        return False
    return not after.differs(state)


def _followed(
    after: AlertState, before: AlertState, minute: Minute, life: Life
) -> tuple[AlertState, tuple[Transition, ...]]:
    """Tell what follows a ring: that it still lasts, or that it is over."""
    at = float(minute.end)
    if before.is_firing and not after.is_firing and life.resolves:
        return after, (Resolution(after.episode, at, _last_price(minute, life)),)
    is_due = after.told_at is not None and life.remind and at >= after.told_at + life.remind
    if after.is_firing and is_due:
        return replace(after, told_at=at), (Reminder(after.episode, at, _last_price(minute, life)),)
    return after, ()


def _clarity(life: Life, minute: Minute, memory: Memory) -> Truth:
    """Judge the condition with its levels moved outward: where it must be false, the alert is clear."""
    return life.clear.judge(minute, memory, [])


def _is_of_before(state: AlertState, minute: int, since: float, begins_at: float) -> bool:
    """Whether a print may be the last price of the minute before: a judged one, or one up to the making."""
    made_at = minute_of(begins_at)
    return since < max(state.cursor, min(minute, made_at + MINUTE))


def _judged(life: Life, minute: Minute, memory: Memory) -> tuple[Truth, Truth, Memory]:
    """Judge the condition and its clarity; gives both, and the memory after it."""
    out: Slots = list(memory)
    truth = life.node.judge(minute, memory, out)
    clarity = truth if life.clear is life.node else life.clear.judge(minute, memory, out)
    return truth, clarity, tuple(out)


def _excess(minute: Minute, life: Life, early: Early | None) -> Minute:
    """Clip the minute in which an alert was made to what came after: only an excess over what was seen.

    A price that was told early came after, and counts, if the minute went there at all.
    """
    clipped: dict[MetricKey, Bar] = {}
    for key, bar in minute.bars.items():
        seen = life.seen.get(key)
        if seen is None or seen.bar.at != bar.at:
            continue
        price = seen.price
        high = bar.high if bar.high > seen.bar.high else max(price, bar.close)
        low = bar.low if bar.low < seen.bar.low else min(price, bar.close)
        if early is not None and early.minute == bar.at and bar.low <= early.value <= bar.high:
            high, low = max(high, early.value), min(low, early.value)
        clipped[key] = replace(bar, open=price, high=high, low=low)
    return replace(minute, bars={**minute.bars, **clipped}) if clipped else minute


def _blinded(state: AlertState, minute: Minute) -> AlertState:
    """Note of an early ring that a minute which may have shown it was not read."""
    early = state.early
    if early is None or not minute.blind or minute.at <= early.minute:
        return state
    return _unchecked(state, max(early.minute, minute.at - minute.blind))


def _unchecked(state: AlertState, at: int) -> AlertState:
    """Note of an early ring that nobody knows whether its minute ``at``, or the next, bears it out."""
    early = state.early
    if early is None or not early.minute <= at <= early.minute + MINUTE:
        return state
    return replace(state, early=replace(early, is_gone=True))


def _unmarked(state: AlertState) -> AlertState:
    return replace(state, early=None, corrections=state.corrections + 1)


def _last_price(minute: Minute, life: Life) -> float:
    return next((minute.bars[key].close for key in life.keys if key in minute.bars), 0.0)
