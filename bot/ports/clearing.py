"""What the house needs so that its memory does not grow for ever."""

from __future__ import annotations

from typing import Protocol


class Clearing(Protocol):
    """Where what is over can be let go of."""

    async def clear(self, cut: float) -> int:
        """Drop what was over before ``cut`` and nobody asks for; gives how many rows went."""
