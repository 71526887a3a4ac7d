"""How an armed alert stands, in plain words: what it waits for, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.alerts.translator import Translator
from bot.commands.standing import Row, said, window_of
from bot.engine.judge import Holding
from bot.engine.life import Life
from bot.engine.state import AlertState
from bot.engine.step import is_cooling
from bot.metrics import MetricKey
from bot.ports import Judged
from bot.rules.phrases import to_say

_UNITS = ((3 * 3600, 60, to_say("min")), (3 * 86_400, 3600, to_say("h")))


@dataclass(frozen=True, slots=True)
class Hold:
    """A time that runs: for how many seconds of those needed a condition was true, as far as is judged.

    It rings at ``ends_at``, if nothing happens before.
    """

    seconds: float
    needed: int
    ends_at: float

    def words(self, tr: Translator) -> str:
        """Say how much of the time is over: ``true for 3 of 15 min``."""
        length, unit = next(
            ((length, unit) for most, length, unit in _UNITS if self.needed <= most), (86_400, to_say("d"))
        )
        known, needed = (Decimal(int(10 * one / length)) / 10 for one in (self.seconds, self.needed))
        counts = {"known": _plain(known if length > 60 else Decimal(int(known))), "needed": _plain(needed)}
        return tr("true for {known} of {needed} {unit}", **counts, unit=tr(unit))


def hold_of(life: Life, state: AlertState, judged_to: int | None) -> Hold | None:
    """Find the time that runs longest in an alert, if one does; its series were judged to ``judged_to``."""
    if len(state.memory) != life.slots:
        return None
    running = [one for one in life.holdings if one.is_running(state.memory)]
    if not running:
        return None
    last = max(running, key=lambda one: one.ends_at(state.memory))
    return Hold(
        _held(last, state, max(judged_to or 0, state.cursor)), last.seconds, last.ends_at(state.memory)
    )


def _held(holding: Holding, state: AlertState, judged_to: int) -> float:
    since, blind = state.memory[holding.slot] or 0.0, state.memory[holding.slot + 1] or 0.0
    return min(max(judged_to - since - blind, 0.0), float(holding.seconds))


def cools_until(life: Life, state: AlertState, now: float) -> float | None:
    """Say until when an alert that rang is quiet, if it is."""
    if life.is_once or state.rang_at is None or not is_cooling(state, life, int(now)):
        return None
    return state.rang_at + life.cooldown


def judged_to(row: Row, judged: Mapping[MetricKey, Judged]) -> int | None:
    """Say how far an alert was judged: as far as the slowest of its series."""
    series = row.series
    known = [judged[key].to for key in series if key in judged]
    return min(known) if known and len(known) == len(series) else None


def state_of(row: Row, judged: Mapping[MetricKey, Judged], tr: Translator, now: float, why: str = "") -> str:
    """Say how an alert stands; ``why`` it is unknown whether it is true, if it is."""
    alert, state, arming = row.subscription.alert, row.subscription.state, row.subscription.arming
    again = said("resume", alert)
    if alert.paused_at is not None:
        return tr("paused, {line} takes it up again", line=again)
    if arming is None:
        return tr("at rest, {line} arms it", line=again)
    if why and not row.is_at_rest:
        return tr("unknown: {why}", why=why)
    if state is None:
        return tr("not judged yet") if arming.seen or not row.keys else tr("waits for its first price")
    if state.is_ended:
        return tr("its time is over")
    if state.rang_at is not None and row.is_at_rest:
        return tr("rang {at}, {line} arms it again", at=tr.instant(state.rang_at, now), line=again)
    if state.early is not None:
        return tr("rang {at}, its minute is not final yet", at=tr.instant(state.early.at, now))
    life = row.life
    parts = []
    if state.rang_at is not None and state.is_firing and not state.is_armed:
        parts.append(tr("ringing since {at}", at=tr.instant(state.rang_at, now)))
    if life is not None and (until := cools_until(life, state, now)) is not None:
        parts.append(tr("cooling down until {at}", at=tr.instant(until, now)))
    hold = hold_of(life, state, judged_to(row, judged)) if life is not None and state.is_armed else None
    if hold is not None:
        parts.append(hold.words(tr))
    if parts:
        return tr.row(parts)
    if row.is_waiting:
        line, window = said("ringnow", alert), window_of(row.armed)
        if window:
            time = tr.duration(window)
            return tr(
                "waits for {time} of prices to show it clear, {line} tells it now", time=time, line=line
            )
        return tr("waits to be clear first, {line} tells it now", line=line)
    return tr("armed") if state.is_armed else tr("waits to be clear first")


def _plain(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value
