"""When may the next message go? Token buckets for each chat and for a platform as a whole, and backoff.

Nothing here waits: a reservation answers with the instant at which a message may go, and counts it as gone
then. Whoever must wait long for one chat does not reserve, but asks again later, so that other chats pass.
Instants are those of whichever clock the caller holds.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

_KEPT_CHATS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many messages a second in the long run, and ``burst`` of them at once after a rest."""

    per_second: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a platform bears: overall, in a private chat, and in a group.

    ``room`` is how many UTF-16 units of a list one message holds, with what escaping adds to them.
    """

    overall: Rate
    private: Rate
    group: Rate
    room: int = 1700


LIMITS: dict[str, Limits] = {
    # Telegram's FAQ: about 30 a second in all, 1 a second in a chat, 20 a minute in a group.
    "telegram": Limits(Rate(28, 5), Rate(1, 3), Rate(20 / 60, 5), 3800),
    # Discord documents 50 requests a second in all; its routes' own buckets are discord.py's.
    "discord": Limits(Rate(45, 5), Rate(5, 5), Rate(5, 5)),
    "console": Limits(Rate(1000, 1000), Rate(1000, 1000), Rate(1000, 1000), 3800),
}


class Bucket:
    """One token bucket, kept as the instant at which it will be full again."""

    __slots__ = ("_full_at", "_rate", "_took_at")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at = self._took_at = float("-inf")

    def ready_at(self, now: float) -> float:
        """Give the instant at which a token is there."""
        return max(now, self._full_at - (self._rate.burst - 1) / self._rate.per_second)

    def has_room(self, now: float) -> bool:
        """Ask whether there are two tokens, or all that there can be."""
        tokens = min(2, self._rate.burst)
        return self._full_at - (self._rate.burst - tokens) / self._rate.per_second <= now

    def take(self, at: float) -> None:
        """Spend a token at an instant."""
        self._full_at = max(self._full_at, at) + 1 / self._rate.per_second
        self._took_at = max(self._took_at, at)

    def took_since(self, at: float) -> bool:
        """Ask whether a token was spent after an instant."""
        return self._took_at > at

    def hold(self, until: float) -> None:
        """Let nothing go before an instant."""
        self._full_at = max(self._full_at, until + (self._rate.burst - 1) / self._rate.per_second)


class Pacer:
    """The buckets of one platform."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._overall = Bucket(limits.overall)
        self._chats: OrderedDict[str, Bucket] = OrderedDict()

    def ready_at(self, chat: str, is_group: bool, now: float) -> float:
        """Give the instant at which one chat takes its next message, whatever the others do."""
        return self._bucket(chat, is_group).ready_at(now)

    def has_room(self, chat: str, is_group: bool, now: float) -> bool:
        """Ask whether something that can wait may go to a chat now, and another message right after it."""
        return self._bucket(chat, is_group).has_room(now) and self._overall.has_room(now)

    def is_busy(self, chat: str, is_group: bool, since: float, now: float) -> bool:
        """Ask whether others keep something waiting since an instant: they went, or the pace is up."""
        bucket = self._bucket(chat, is_group)
        return bucket.took_since(since) or bucket.ready_at(now) > now

    def reserve(self, chat: str, is_group: bool, now: float) -> float:
        """Give the instant at which a message to a chat may go, and count it."""
        bucket = self._bucket(chat, is_group)
        at = max(bucket.ready_at(now), self._overall.ready_at(now))
        bucket.take(at)
        self._overall.take(at)
        return at

    def hold(self, chat: str, is_group: bool, until: float) -> None:
        """Let nothing go to one chat before an instant: the platform asked for it."""
        self._bucket(chat, is_group).hold(until)

    def hold_all(self, until: float) -> None:
        """Let nothing go at all before an instant."""
        self._overall.hold(until)

    def _bucket(self, chat: str, is_group: bool) -> Bucket:
        bucket = self._chats.setdefault(
            chat, Bucket(self._limits.group if is_group else self._limits.private)
        )
        self._chats.move_to_end(chat)
        if len(self._chats) > _KEPT_CHATS:
            self._chats.popitem(last=False)
        return bucket


def backoff(attempts: int, first: float = 2.0, most: float = 300.0) -> float:
    """Give the seconds to wait after so many failed attempts: doubling, up to a bound."""
    return min(most, first * 2.0 ** min(attempts, 30))
