"""What stands before every command: who is shut out, who was let in, and who asks too much.

It is held in memory, so that a flood costs the store nothing: what is refused here reaches nobody.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

import structlog

from bot.alerts.bounds import Ban, Bounds, Thing, Whose
from bot.alerts.people import Caller, ChatKind
from bot.alerts.refusals import banned, not_allowed, too_fast
from bot.alerts.translator import Translator
from bot.pacing import Bucket, Rate
from bot.ports import Bounding

log = structlog.get_logger(__name__)

_MINUTE = 60.0
_SECONDS_OF_SILENCE = 60.0
_SECONDS_OF_PATIENCE = 3600.0
_MOST_KEPT = 10_000
_QUESTIONS = 4
_MOST_NAMED = 5

Key = tuple[Whose, str, str]


class Shut(Exception):
    """This caller is not heard now; ``text`` is what they are told, or empty for silence."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Hurry:
    """Somebody who lately asked more than they may."""

    name: str
    person: str
    at: float


class Gate:
    """The gate of one desk.

    ``allowed`` are the ids of those that are let in, by platform: persons, chats and servers; if there are
    none, everybody is. Operators always pass.
    """

    def __init__(
        self,
        register: Bounding,
        operators: Collection[tuple[str, str]],
        allowed: Collection[tuple[str, str]] = (),
    ) -> None:
        self._register = register
        self._operators = operators
        self._allowed = allowed
        self._bounds: Bounds | None = None
        self._reading = asyncio.Lock()
        self._buckets: OrderedDict[Key, tuple[int, Bucket]] = OrderedDict()
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._hurried: OrderedDict[str, Hurry] = OrderedDict()

    async def bounds(self) -> Bounds:
        """Give the quotas and bans that hold."""
        if self._bounds is None:
            await self.refresh()
        assert self._bounds is not None  # noqa: S101 - it was read above
        return self._bounds

    async def refresh(self) -> None:
        """Read the quotas and bans anew, after they were changed."""
        async with self._reading:
            self._bounds = await self._register.bounds()

    def hurried(self) -> list[Hurry]:
        """Give those who lately asked too much, the last one first."""
        return list(reversed(self._hurried.values()))[:_MOST_NAMED]

    def forget(self, caller: Caller) -> None:
        """Forget who somebody is and what they were told; how much they asked of late is no name."""
        platform = caller.chat.platform
        self._hurried.pop(f"{platform}:{caller.person}", None)
        self._told.pop((f"{platform}:{Whose.PERSON}", caller.person), None)

    async def admit(self, caller: Caller, now: float, tr: Translator, *, is_leaving: bool = False) -> None:
        """Let a caller's command pass. Raises Shut, with a text the first time.

        One that ``is_leaving`` is about their own data: a ban does not keep that from them.
        """
        if self._is_operator(caller):
            return
        bounds = await self.bounds()
        self._slow_down(caller, bounds, now, tr)
        if not self._is_allowed(caller):
            raise Shut(self._once(caller, now, not_allowed(self._address(caller), tr)))
        if not is_leaving and (ban := _ban_on(caller, bounds, now)) is not None:
            raise Shut(await self._tell_ban(caller, ban, now, tr))

    async def is_open(self, caller: Caller, now: float) -> bool:
        """Ask whether a caller would be heard, without counting it."""
        if self._is_operator(caller):
            return True
        return self._is_allowed(caller) and _ban_on(caller, await self.bounds(), now) is None

    async def lets_ask(self, caller: Caller, now: float) -> bool:
        """Ask whether what a caller is just typing may be answered; it counts apart from what they say.

        One word typed is several questions, so that there may be several times as many of them.
        """
        if self._is_operator(caller):
            return True
        most = _QUESTIONS * (await self.bounds()).most(Thing.COMMANDS, Whose.PERSON)
        bucket = self._bucket((Whose.PERSON, f"{caller.chat.platform}, typing", caller.person), most)
        if bucket.ready_at(now) > now or not await self.is_open(caller, now):
            return False
        bucket.take(now)
        return True

    def _is_operator(self, caller: Caller) -> bool:
        return (caller.chat.platform, caller.person) in self._operators

    def _is_allowed(self, caller: Caller) -> bool:
        if not self._allowed:
            return True
        # In a group it is the place that was let in, not each person who happens to be in it.
        person = (caller.person,) if caller.kind is ChatKind.PRIVATE else ()
        return any((caller.chat.platform, one) in self._allowed for one in (*caller.places, *person))

    def _slow_down(self, caller: Caller, bounds: Bounds, now: float, tr: Translator) -> None:
        platform = caller.chat.platform
        for whose, one in ((Whose.PERSON, caller.person), (Whose.CHAT, caller.group.chat)):
            most = bounds.most(Thing.COMMANDS, whose)
            bucket = self._bucket((whose, platform, one), most)
            at = bucket.ready_at(now)
            if at > now:
                raise Shut(self._once(caller, now, too_fast(whose, most, at - now, tr), whose))
            bucket.take(now)

    def _bucket(self, key: Key, most: int) -> Bucket:
        known = self._buckets.get(key)
        if known is None or known[0] != most:
            known = (most, Bucket(Rate(most / _MINUTE, most)))
            self._buckets[key] = known
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_KEPT:
            self._buckets.popitem(last=False)
        return known[1]

    def _once(self, caller: Caller, now: float, text: str, whose: Whose | None = None) -> str:
        """Give a text, or nothing where it was said a moment ago."""
        platform = caller.chat.platform
        if whose is Whose.PERSON:
            self._note(caller, now)
        one = caller.person if whose is Whose.PERSON else caller.group.chat
        silence = _SECONDS_OF_PATIENCE if whose is None else _SECONDS_OF_SILENCE
        key = (f"{platform}:{whose or ''}", one)
        said = self._told.get(key)
        if said is not None and 0 <= now - said < silence:
            return ""
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > _MOST_KEPT:
            self._told.popitem(last=False)
        return text

    def _note(self, caller: Caller, now: float) -> None:
        person = f"{caller.chat.platform}:{caller.person}"
        if person not in self._hurried:
            log.warning("too many commands of one person", person=person)
        self._hurried[person] = Hurry(caller.name or caller.person, person, now)
        self._hurried.move_to_end(person)
        if len(self._hurried) > _MOST_NAMED:
            self._hurried.popitem(last=False)

    def _address(self, caller: Caller) -> str:
        platform = caller.chat.platform
        if caller.kind is ChatKind.PRIVATE:
            return f"{platform}:{caller.person}"
        return f"{platform}:{caller.server or caller.group.chat}"

    async def _tell_ban(self, caller: Caller, ban: Ban, now: float, tr: Translator) -> str:
        if ban.told_at is not None:
            return ""
        await self._register.note_told(ban.platform, ban.person, now)
        await self.refresh()
        is_group = caller.kind is ChatKind.GROUP and ban.person in caller.places
        return banned(ban.until, tr, now, is_group=is_group, has_alerts=False)


def _ban_on(caller: Caller, bounds: Bounds, now: float) -> Ban | None:
    return bounds.ban_on(caller.chat.platform, (caller.person, *caller.places), now)
