"""The start: what stays is laid aside, and what goes is cleared away afterwards."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from bot.collector import settle_memory


class Knot:
    """Something that only the collector can clear away."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.freeze()  # as it was: no other test looks through what all of them are


def test_the_collector_begins_when_an_exchange_has_said_what_it_lists() -> None:
    gc.disable()
    left = weakref.ref(Knot())
    settle_memory()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 10_000
    gc.collect()
    assert left() is not None  # it is of the start, and nobody looks through that now


def test_what_the_start_left_lying_about_is_cleared_away_when_memory_is_settled_again() -> None:
    gc.disable()
    left = weakref.ref(Knot())
    settle_memory()
    settle_memory()
    assert left() is None
    assert gc.get_freeze_count() > 10_000
