"""The garbage collector, as it suits a program that keeps very much for very long."""

from __future__ import annotations

import ctypes
import gc

_UNTIL_COLLECTED = 50_000, 10, 10
"""How many objects are new, and how many of the smaller collections were, before the collector comes by."""


def settle_memory() -> None:
    """Lay aside all that is in memory, once what is left lying about is cleared away.

    The collector would else look through every market again and again, and stop everybody for tenths of a
    second. It belongs after each listing: hours lie between two. While the collector is off, all is of the
    start, and stays: it is laid aside as it is, and the collector begins. It comes by less often
    from then on: of a batch that rings very many nothing is garbage before it is kept.
    """
    gc.set_threshold(*_UNTIL_COLLECTED)
    if gc.isenabled():
        gc.unfreeze()
        gc.collect()
    gc.freeze()
    gc.enable()
    _give_back()


def _give_back() -> None:
    """Give memory that is free back to the machine, where the C library can: a start takes much of it."""
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
