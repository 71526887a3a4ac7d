"""The duties that processes divide among them: what there is to do, and who should do what.

A duty is one piece of work that one process has at a time: ``feed/binance``, ``engine/3``,
``chat/telegram/0``. The word before the first slash is its role, and a process has duties of its own roles
alone. Where nothing is divided there is one duty, ``bot``, which is all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

FEED, ENGINE, CHAT = "feed", "engine", "chat"
ROLES = (FEED, ENGINE, CHAT)

ALL = "bot"
"""The one duty of who divides nothing: feeds, engine and chats together."""

METRICS = f"{FEED}/metrics"
"""To ask every provider of metrics."""

UPKEEP = f"{CHAT}/upkeep"
"""What is told by the clock, cleared away and looked after, for all platforms."""

_WORDING = "wording"

_BY_WEIGHT = (ALL, CHAT, FEED, ENGINE)
"""In this order roles are shared out: the last evens out what the first, of few duties, leave uneven."""


class Member(Protocol):
    """A process that lives: what it may do, since when, and what it does now."""

    @property
    def id(self) -> str: ...

    @property
    def roles(self) -> Collection[str]: ...

    @property
    def joined_at(self) -> float: ...

    @property
    def duties(self) -> Collection[str]: ...


def feed(exchange: str) -> str:
    """Name the duty to look at an exchange."""
    return f"{FEED}/{exchange}"


def engine(partition: int) -> str:
    """Name the duty to judge a partition of the alerts."""
    return f"{ENGINE}/{partition}"


def chat(platform: str, part: int) -> str:
    """Name the duty to tell a part of a platform's chats; the first is to hear what people say there, too."""
    return f"{CHAT}/{platform}/{part}"


def duties_of(exchanges: Iterable[str], partitions: int, platforms: Mapping[str, int]) -> tuple[str, ...]:
    """Name all duties of a deployment that divides its work, the chats of a platform into so many parts."""
    feeds = (*map(feed, exchanges), METRICS)
    chats = (chat(platform, part) for platform, parts in platforms.items() for part in range(parts))
    return (*feeds, *map(engine, range(partitions)), *chats, UPKEEP)


def plan_of(duties: Iterable[str], wording: int) -> tuple[str, ...]:
    """Make the plan of who divides such duties, and words what it says to others in such a version."""
    return (*duties, f"{_WORDING}/{wording}")


def duties_in(plan: Iterable[str]) -> tuple[str, ...]:
    """Give the duties of a plan."""
    return tuple(one for one in plan if role_of(one) != _WORDING)


def role_of(duty: str) -> str:
    """Give the role that a duty belongs to; that of all of them is a role by itself."""
    return duty.partition("/")[0]


def read_roles(words: str) -> tuple[str, ...]:
    """Read roles with commas between them, in the order of ``ROLES``.

    Raises ValueError with what is wrong, as the end of a sentence without the words: they may be a secret.
    """
    named = [word.strip().lower() for word in words.split(",") if word.strip()]
    if not named:
        raise ValueError("names no role")
    if odd := [place for place, word in enumerate(named, 1) if word not in ROLES]:
        raise ValueError(f"has a part that is no role (part {odd[0]})")
    return tuple(role for role in ROLES if role in named)


def may_have(roles: Collection[str], duty: str) -> bool:
    """Ask whether a process of such roles may have a duty: all of them, only one that has every role."""
    return all(role in roles for role in ROLES) if duty == ALL else role_of(duty) in roles


def collide(one: str, plan: Collection[str], other: str, others: Collection[str]) -> bool:
    """Ask whether two duties may not be had by two processes at once.

    ``plan`` and ``others`` are those of each; see ``is_apart``.
    """
    return one == other or ALL in (one, other) or is_apart(plan, others)


def is_apart(plan: Collection[str], others: Collection[str]) -> bool:
    """Ask whether who has one plan does nothing at all while somebody has a duty of the other.

    Whoever divides the engine, or the chats of a platform, into other pieces has something of every piece of
    mine, and waits until pieces are judged that nobody has here. Who words otherwise hears nothing of what is
    seen here. What else each looks at or tells is its own.
    """
    mine, theirs = _pieces(plan), _pieces(others)
    both = {ENGINE, _WORDING, *mine.keys() & theirs.keys()}
    return any(mine.get(kind) != theirs.get(kind) for kind in both)


def share(members: Iterable[Member], duties: Iterable[str]) -> Mapping[str, AbstractSet[str]]:
    """Say who should have what: the duties of each member, by its id.

    Every duty that a member may have is exactly one's. Of each role those who have it have equally many, or
    one more. One more has, role by role, who has least so far; of those who has it already, then who has
    least now, then who was there first: so members of the same roles differ by one duty at most in all.
    A member keeps as many as it should have of what it has, and nothing else moves.
    """
    crew = sorted(members, key=lambda one: (one.joined_at, one.id))
    shares: dict[str, set[str]] = {one.id: set() for one in crew}
    by_role: dict[str, list[str]] = {}
    for duty in sorted(set(duties), key=_in_order):
        by_role.setdefault(role_of(duty), []).append(duty)
    for role in sorted(by_role, key=_BY_WEIGHT.index):
        able = [one for one in crew if may_have(one.roles, by_role[role][0])]
        if able:
            _share_out(able, by_role[role], shares)
    return shares


def _share_out(able: Sequence[Member], duties: Sequence[str], shares: Mapping[str, set[str]]) -> None:
    """Give the duties of one role to those who have it."""
    least, left = divmod(len(duties), len(able))
    holder: dict[str, str] = {}
    for one in able:
        for duty in one.duties:
            holder.setdefault(duty, one.id)
    held = {one.id: [duty for duty in duties if holder.get(duty) == one.id] for one in able}

    def turn(one: Member) -> tuple[int, bool, int]:
        return len(shares[one.id]), len(held[one.id]) <= least, len(one.duties)

    have_more = {one.id for one in sorted(able, key=turn)[:left]}
    counts = {one.id: least + (one.id in have_more) for one in able}
    kept = {duty for who, count in counts.items() for duty in held[who][:count]}
    free = [duty for duty in duties if duty not in kept]
    for who, count in counts.items():
        own = held[who][:count]
        missing = count - len(own)
        shares[who].update(own, free[:missing])
        del free[:missing]


def in_short(duties: Iterable[str]) -> str:
    """Write duties in short, those of a role together: ``feed/binance, feed/okx, engine/0-3``."""
    written: list[str] = []
    numbers: list[int] = []
    before = ""
    for duty in sorted(duties, key=lambda one: (_place(one), _kind(one), _number(one) or 0)):
        kind, number = _kind(duty), _number(duty)
        if number is None:
            written.append(duty)
            continue
        if kind == before and numbers[-1] + 1 == number:
            written.pop()
        else:
            numbers.clear()
        before = kind
        numbers.append(number)
        written.append(f"{kind}/{numbers[0]}-{number}" if len(numbers) > 1 else duty)
    return ", ".join(written)


def _kind(duty: str) -> str:
    """Give what a numbered duty is a part of; any other is all there is of its kind."""
    return duty if _number(duty) is None else duty.rpartition("/")[0]


def _number(duty: str) -> int | None:
    last = duty.rpartition("/")[2]
    return int(last) if last.isdecimal() else None


def _pieces(plan: Iterable[str]) -> dict[str, set[str]]:
    """Give what is numbered in a plan, by kind."""
    pieces: dict[str, set[str]] = {}
    for one in plan:
        if _number(one) is not None:
            pieces.setdefault(_kind(one), set()).add(one)
    return pieces


def _place(duty: str) -> int:
    return ROLES.index(role) if (role := role_of(duty)) in ROLES else -1


def _in_order(duty: str) -> tuple[int, int, str]:
    """Sort by role, and by number: so each of those who share has its part of every platform."""
    return _place(duty), _number(duty) or 0, duty
