"""What the judging of a batch brought: nothing of it holds before it is committed."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.engine.board import Series
from bot.engine.index import Gap
from bot.engine.state import AlertState, Transition
from bot.engine.unread import Lapse
from bot.metrics import Doubt, MetricKey


@dataclass(slots=True)
class Plan:
    """What judging brought: to be committed, then applied.

    ``states`` holds every arming that was judged, ``changed`` those whose state differs by more than its
    cursor, and so must be stored. ``judged_to`` is, for each series, the first minute that some arming has
    not judged. ``broken`` are the armings that could not be judged at all, and why. ``lapses`` are minutes
    that are gone, and ``doubted`` the armings that a price would ring which nobody bears out.
    """

    states: dict[int, AlertState] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    told: list[tuple[int, Transition]] = field(default_factory=list)
    judged_to: dict[MetricKey, int] = field(default_factory=dict)
    rests: dict[int, dict[Series, Gap]] = field(default_factory=dict)
    behind: dict[int, int | None] = field(default_factory=dict)
    ends: dict[MetricKey, int] = field(default_factory=dict)
    dues: dict[int, float] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    lapses: list[Lapse] = field(default_factory=list)
    doubted: list[tuple[Doubt, tuple[int, ...]]] = field(default_factory=list)
