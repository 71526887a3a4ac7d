"""Going on from a state that was stored, also where another version of the engine wrote it."""

from __future__ import annotations

from dataclasses import replace

from bot.engine.course import history
from bot.engine.life import Life
from bot.engine.state import AlertState
from bot.engine.step import begin
from bot.engine.world import World


def is_fitting(state: AlertState, life: Life) -> bool:
    """Whether what a state remembers has a slot for each node of the rule, as it is compiled now."""
    grounds = state.grounds
    return len(state.memory) == life.slots and (
        grounds is None
        or (len(grounds.memory), len(grounds.sessions), len(grounds.bars))
        == (life.slots, len(life.calendars), len(life.priced))
    )


def refilled(state: AlertState, life: Life, world: World) -> AlertState:
    """Begin the memory of a state anew, from the history before its cursor; what it rang is kept.

    A ring can be taken back no more: what it rested on cannot be read.
    """
    fresh = replace(life, seen={}, made_at=float(state.cursor))
    minutes = history(world, life, state.cursor - life.warmup, state.cursor)
    return replace(state, memory=begin(fresh, world, minutes).memory, grounds=None)
