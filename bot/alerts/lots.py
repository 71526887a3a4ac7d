"""Lots: which of several senders tells a chat.

Every chat draws a lot, by its id alone, so that whoever knows a chat knows it, too. Where several processes
tell the chats of a platform, each has some of its parts, and a chat is of the part that its lot leaves as a
remainder. A group and its topics are one chat: what a platform limits there is counted in one place.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

LOTS = 1 << 16


def lot_of(chat: str) -> int:
    """Give the lot of a chat, by the id that its platform gave it: from 0 to below ``LOTS``."""
    return zlib.crc32(chat.encode()) % LOTS


@dataclass(frozen=True, slots=True)
class Lots:
    """Those ``parts`` of a platform's chats, of so many ``of`` in all."""

    parts: tuple[int, ...] = (0,)
    of: int = 1

    @property
    def are_all(self) -> bool:
        """Whether no chat is another's."""
        return len(self.parts) == self.of

    @property
    def share(self) -> float:
        """How much of what the platform bears is theirs, from 0 to 1."""
        return len(self.parts) / self.of

    def part_of(self, chat: str) -> int:
        """Give the part that a chat is of."""
        return lot_of(chat) % self.of

    def have(self, chat: str) -> bool:
        """Ask whether a chat is among them."""
        return self.are_all or self.part_of(chat) in self.parts


ALL_LOTS = Lots()
