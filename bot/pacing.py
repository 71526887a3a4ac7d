"""When may the next message go? What a platform bears, the line in which messages wait for it, and backoff.

Nothing here waits. Whoever has a message joins the line of its platform; whoever keeps the line calls out who
may go now, which counts it, and asks when to call again. Alerts are called before answers, answers before
digests, digests before broadcasts. Of equals the chats take turns, and who came first goes first: between two
messages of a chat no other goes more than twice. Who must wait for their own chat let others pass.

A limit is kept to with a twentieth to spare, since what goes evenly may arrive unevenly: so many in so many
seconds are sent at 95 in 100 of that rate, and the rest of it is what may go at once after a pause. Instants
are those of whichever clock the caller holds.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import count

SHARE = 0.95
"""How much of a documented limit is used."""

MINUTE = 60.0
_BURST_IN_GROUP = 5
_MOST_AT_ONCE = 25.0
"""A burst beyond it gains nothing, and would leave no room for what arrives unevenly."""

_KEPT_CHATS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many messages a second in the long run, and ``burst`` of them at once after a rest.

    ``most`` bounds how many go within any minute, where a burst on top of the rate would be too many.
    """

    per_second: float
    burst: float = 1.0
    most: int | None = None


def below(limit: float, seconds: float = 1.0) -> Rate:
    """Give a rate that in no stretch of so many seconds sends more than the limit."""
    return Rate(SHARE * limit / seconds, min(max(1.0, (1 - SHARE) * limit), _MOST_AT_ONCE))


def _part(rate: Rate, share: float) -> Rate:
    """Give a share of a rate. In any second all parts together send no more than the whole would.

    Each may send one message at once, whatever the others do, so its rate has to leave room for that.
    """
    burst = max(1.0, share * rate.burst)
    return Rate(share * (rate.per_second + rate.burst) - burst, burst)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a platform bears: overall, in a private chat, and in a group.

    ``paid`` is what it bears overall where each message beyond the first limit is paid for. ``room`` is how
    many UTF-16 units of a list one message holds, with what escaping adds to them.
    """

    overall: Rate
    private: Rate
    group: Rate
    room: int = 1700
    paid: Rate | None = None

    def part(self, share: float) -> Limits:
        """Give what one of several senders keeps to, so that all of them together keep to the whole.

        A chat is one sender's: what it bears is not divided.
        """
        if share == 1:
            return self
        paid = None if self.paid is None else _part(self.paid, share)
        return replace(self, overall=_part(self.overall, share), paid=paid)


def telegram_limits(
    per_second: int = 30, per_chat: float = 1.0, per_group: int = 20, paid: int | None = None
) -> Limits:
    """Give Telegram's limits: a second overall, a second in a chat, a minute in a group, a second if paid.

    Source: the FAQ for bots. A chat bears short bursts above its second; how short is not said, so a burst
    here is one that keeps the minute below sixty such seconds.
    """
    group = Rate(
        SHARE * per_group / MINUTE, min(_BURST_IN_GROUP, per_group), max(1, math.floor(SHARE * per_group))
    )
    return Limits(
        overall=below(per_second),
        private=below(per_chat * MINUTE, MINUTE),
        group=group,
        room=3800,
        paid=below(paid) if paid is not None else None,
    )


def discord_limits(per_second: int = 45) -> Limits:
    """Give Discord's limit: so many a second overall, of the 50 that it documents.

    Its routes' own buckets are discord.py's; what is bounded here keeps one channel from being in the way.
    """
    channel = Rate(5, 5)
    return Limits(Rate(per_second, max(1.0, per_second / 10)), channel, channel)


_ANY = Rate(1000, 1000)
LIMITS: dict[str, Limits] = {
    "telegram": telegram_limits(),
    "discord": discord_limits(),
    "console": Limits(_ANY, _ANY, _ANY, 3800),
}
"""What holds where nothing else is configured."""


class Bucket:
    """One token bucket, kept as the instant at which it will be full again."""

    __slots__ = ("_full_at", "_held_until", "_rate", "_taken", "_took_at")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at = self._took_at = self._held_until = -math.inf
        self._taken = deque[float](maxlen=rate.most) if rate.most else None

    @property
    def held_until(self) -> float:
        """Give the instant before which nothing may go, since somebody asked for it."""
        return self._held_until

    def ready_at(self, now: float) -> float:
        """Give the instant at which a token is there."""
        at = max(now, self._held_until, self._full_at - (self._rate.burst - 1) / self._rate.per_second)
        if self._taken and len(self._taken) == self._rate.most:
            return max(at, self._taken[0] + MINUTE)
        return at

    def is_ready(self, now: float) -> bool:
        """Ask whether a token is there."""
        return self.ready_at(now) <= now

    def has_room(self, now: float) -> bool:
        """Ask whether there are two tokens, or all that there can be."""
        missing = self._rate.burst - min(2.0, self._rate.burst)
        return self.is_ready(now) and self._full_at - missing / self._rate.per_second <= now

    def is_at_rest(self, now: float) -> bool:
        """Ask whether it is as good as a new one."""
        last = max(self._held_until, self._full_at, self._took_at + MINUTE if self._taken else -math.inf)
        return last <= now

    def take(self, at: float) -> None:
        """Spend a token at an instant."""
        self._full_at = max(self._full_at, at) + 1 / self._rate.per_second
        self._took_at = max(self._took_at, at)
        if self._taken is not None:
            self._taken.append(at)

    def took_since(self, at: float) -> bool:
        """Ask whether a token was spent after an instant."""
        return self._took_at > at

    def hold(self, until: float) -> None:
        """Let nothing go before an instant, and no burst at it."""
        self._held_until = max(self._held_until, until)
        self._full_at = max(self._full_at, until + (self._rate.burst - 1) / self._rate.per_second)


class Rank(IntEnum):
    """What goes first where several wait."""

    ALERT = 0
    ANSWER = 1
    DIGEST = 2
    BROADCAST = 3


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """A place in the line; in each ``round`` of a rank every chat that waits has one turn."""

    rank: Rank
    round: int
    number: int
    chat: str = field(compare=False)
    is_group: bool = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """Whose turn it is; the message is ``is_paid`` if it goes beyond what is free."""

    turn: Turn
    is_paid: bool = False


class Pacer:
    """The line of one platform, and its buckets."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._overall = Bucket(limits.overall)
        self._paid = Bucket(limits.paid) if limits.paid else None
        self._chats: OrderedDict[str, Bucket] = OrderedDict()
        self._line: list[Turn] = []
        self._rounds = dict.fromkeys(Rank, 0)
        self._numbers = count()

    @property
    def held_until(self) -> float:
        """Give the instant before which nothing at all may go."""
        return self._overall.held_until

    def join(self, chat: str, is_group: bool, rank: Rank = Rank.ALERT) -> Turn:
        """Join the line with a message to a chat."""
        own = (turn.round + 1 for turn in self._line if turn.chat == chat and turn.rank is rank)
        now_on = max(self._rounds[rank], max(own, default=0))
        turn = Turn(rank, now_on, next(self._numbers), chat, is_group)
        insort(self._line, turn)
        return turn

    def leave(self, turn: Turn) -> None:
        """Leave the line, uncalled; whoever is not in it may do so too."""
        if turn in self._line:
            self._line.remove(turn)

    def call(self, now: float) -> Call | None:
        """Call who may go now, and count the message as gone; ``None`` where nobody may."""
        if self._whole_at(now) > now:
            return None
        for turn in self._line:
            if self._bucket(turn.chat, turn.is_group, now).is_ready(now):
                self._line.remove(turn)
                self._rounds[turn.rank] = max(self._rounds[turn.rank], turn.round)
                return Call(turn, is_paid=self.spend(turn.chat, turn.is_group, now))
        return None

    def next_at(self, now: float) -> float:
        """Give the instant at which somebody in the line may go; never where nobody waits."""
        whole_at, first = self._whole_at(now), math.inf
        for turn in self._line:
            first = min(first, self.ready_at(turn.chat, turn.is_group, now))
            if first <= whole_at:
                break
        return max(first, whole_at)

    def spend(self, chat: str, is_group: bool, now: float) -> bool:
        """Count a message that goes now, and say whether it is beyond what is free."""
        is_paid = self._paid is not None and not self._overall.is_ready(now)
        self._bucket(chat, is_group, now).take(now)
        if not is_paid:
            self._overall.take(now)
        if self._paid is not None:
            self._paid.take(now)
        return is_paid

    def ready_at(self, chat: str, is_group: bool, now: float) -> float:
        """Give the instant at which one chat takes its next message, whatever the others do."""
        return self._bucket(chat, is_group, now).ready_at(now)

    def has_room(self, chat: str, is_group: bool, now: float) -> bool:
        """Ask whether what can wait may go to a chat now for free, and another message right after it."""
        is_free = not self._line and self._overall.has_room(now)
        return is_free and self._bucket(chat, is_group, now).has_room(now)

    def is_busy(self, chat: str, is_group: bool, since: float, now: float) -> bool:
        """Ask whether others keep something waiting since an instant: they went, or the pace is up."""
        bucket = self._bucket(chat, is_group, now)
        return bucket.took_since(since) or not bucket.is_ready(now)

    def hold(self, chat: str, is_group: bool, until: float, now: float) -> None:
        """Let nothing go to one chat before an instant: the platform asked for it."""
        self._bucket(chat, is_group, now).hold(until)

    def follow(self, now: float) -> None:
        """Begin after another sender, who may have sent just now all that goes at once."""
        rate = self.limits.overall
        self.hold_all(now + max(1.0, rate.burst) / rate.per_second)

    def hold_all(self, until: float) -> None:
        """Let nothing go at all before an instant, paid for or not."""
        self._overall.hold(until)
        if self._paid is not None:
            self._paid.hold(until)

    def _whole_at(self, now: float) -> float:
        """Give the instant at which the platform takes its next message, free or paid for."""
        return (self._overall if self._paid is None else self._paid).ready_at(now)

    def _bucket(self, chat: str, is_group: bool, now: float) -> Bucket:
        bucket = self._chats.get(chat)
        if bucket is None:
            bucket = self._chats[chat] = Bucket(self.limits.group if is_group else self.limits.private)
            while len(self._chats) > _KEPT_CHATS and next(iter(self._chats.values())).is_at_rest(now):
                self._chats.popitem(last=False)
        else:
            self._chats.move_to_end(chat)
        return bucket


def backoff(attempts: int, first: float = 2.0, most: float = 300.0) -> float:
    """Give the seconds to wait after so many failed attempts: doubling, up to a bound."""
    return min(most, first * 2.0 ** min(attempts, 30))
