"""Rounds: operators are told what became unwell with the bot, and what is well again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from bot.alerts.health import health_facts
from bot.ports import StoreTrouble
from bot.spell import Spell
from bot.vigil import Bulletin, Organ, Vigil, resumed

if TYPE_CHECKING:
    from bot.alerts.models import Notification
    from bot.deliver import Courier
    from bot.ports import Clock
    from bot.ports.infirmary import Infirmary

log = structlog.get_logger(__name__)

_PAGE = "vigil"
"""Where it stands in the notebook what operators were told of the bot."""


@dataclass(slots=True)
class Rounds:
    """Who tells the ``operators``, as (platform, person), in their private chats.

    What cannot be promised, since the database keeps nothing, is told without a promise: a restart may then
    repeat it.
    """

    infirmary: Infirmary
    clock: Clock
    couriers: Sequence[Courier]
    operators: Collection[tuple[str, str]] = ()
    _vigil: Vigil | None = field(default=None, init=False)
    _addressed: Sequence[Notification] = field(default=(), init=False)
    _spell: Spell = field(default_factory=Spell, init=False)

    async def go(self, found: Mapping[Organ, str | None]) -> None:
        """Take in how every organ is, and tell each turn; what nobody took is told on the next round."""
        now = self.clock.now()
        try:
            self._addressed = await self.infirmary.addressed(self.operators, now)
            if self._vigil is None:
                self._vigil = resumed(await self.infirmary.page(_PAGE))
        except StoreTrouble as trouble:
            self._note(trouble)
        vigil, bulletins = (self._vigil or Vigil()).watch(found, now)
        if bulletins and not await self._told(bulletins, vigil, now):
            return
        self._vigil = vigil
        for one in bulletins:
            is_well = one.well_since is not None
            log.warning("an organ turned", organ=str(one.organ.kind), name=one.organ.name, is_well=is_well)
        if bulletins:
            for courier in self.couriers:
                courier.wake()

    async def _told(self, bulletins: Sequence[Bulletin], vigil: Vigil, now: float) -> bool:
        try:
            facts = health_facts(bulletins)
            await self.infirmary.tell_operators(self.operators, facts, _PAGE, vigil.page(), now)
        except StoreTrouble as trouble:
            self._note(trouble)
            return await self.tell_unkept(bulletins)
        self._spell.ends()
        return True

    async def tell_unkept(self, bulletins: Sequence[Bulletin]) -> bool:
        """Tell without a promise; gives whether anybody took it, or there is nobody to tell."""
        now, facts = self.clock.now(), health_facts(bulletins)
        by_platform = {courier.chat.platform: courier for courier in self.couriers}
        taken = [
            await by_platform[one.chat.platform].tell_unkept(
                replace(one, facts=facts, dedupe=f"health/{now:.3f}", made_at=now)
            )
            for one in self._addressed
            if one.chat.platform in by_platform
        ]
        return any(taken) or not self._addressed

    def _note(self, trouble: StoreTrouble) -> None:
        if self._spell.begins(str(trouble), self.clock.now()):
            log.warning("what operators are told cannot be kept", reason=str(trouble))
