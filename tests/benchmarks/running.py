"""Measure as the bot runs: quiet, and with its way of sharing the interpreter among threads."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

from bot.app import SECONDS_OF_A_TURN


@contextmanager
def as_it_runs() -> Iterator[None]:
    """Let threads change as often as in the bot that runs; its log is no figure, and what it froze thaws."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS_OF_A_TURN)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        sys.setswitchinterval(usual)
        gc.unfreeze()
