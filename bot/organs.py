"""How each organ of the bot is now: its feeds, its chats, and the outbox of each platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot import duties
from bot.deliver import Courier
from bot.metrics import Health
from bot.ports import Chat
from bot.ports.rota import Roll
from bot.rules.phrases import to_say
from bot.spell import Stall
from bot.vigil import Kind, Organ

_POLLS_UNTIL_SILENT = 3
_SECONDS_FOR_A_LOOK = 30.0
_SECONDS_UNTIL_STALLED = 60.0
_FAILURES_UNTIL_UNWELL = 2
"""A provider is asked seldom: one answer that failed is no news before the next fails too."""

MEMORY = Organ(Kind.MEMORY, "database")
TAPE = Organ(Kind.TAPE, "nats")


@dataclass(frozen=True, slots=True)
class Organs:
    """What works in the bot, at one instant ``now``.

    ``stall`` is what keeps memory from keeping anything, ``tape`` what keeps this process from others;
    ``None`` where it is alone.
    """

    exchanges: Sequence[Health]
    providers: Sequence[Health]
    chats: Sequence[Chat]
    couriers: Sequence[Courier]
    poll_seconds: float
    now: float
    stall: Stall | None = None
    tape: str | None = None

    def found(self) -> dict[Organ, str | None]:
        """Say of each organ what ails it, as a sentence without full stop, or nothing.

        ``None`` is for an exchange whose first look is still under way: nothing is known of it yet. Nor is it
        known of a platform that is not connected whether all that people say there is heard.
        """
        feeds = {one.source: self._silence(one) if _is_known(one) else None for one in self.exchanges}
        feeds |= {one.source: _failure(one) for one in self.providers}
        return {
            **{Organ(Kind.FEED, name): reason for name, reason in feeds.items()},
            **{
                Organ(Kind.CHAT, chat.platform): ""
                if chat.is_connected
                else (chat.trouble or to_say("it is not connected"))
                for chat in self.chats
            },
            **{
                Organ(Kind.EAR, chat.platform): chat.trouble if chat.is_connected else None
                for chat in self.chats
            },
            **{Organ(Kind.OUTBOX, one.chat.platform): self._stall(one) for one in self.couriers},
            MEMORY: self.stall.reason if self.stall else "",
            **({} if self.tape is None else {TAPE: self.tape}),
        }

    def reasons(self) -> list[str]:
        """Say what keeps the bot from its work now, one sentence each; nothing of what another stands in for.

        An exchange that is silent keeps it from nothing while another is heard, nor does a provider.
        """
        found = self.found()
        silent = {one.source: self._silence(one) for one in self.exchanges}
        reasons = (
            [f"{name} brings no data: {reason}" for name, reason in silent.items()]
            if all(silent.values())
            else []
        )
        for organ, reason in found.items():
            match organ.kind:
                case Kind.CHAT if reason:
                    reasons.append(f"{organ.name} is not connected")
                case Kind.MEMORY if reason:
                    reasons.append(f"nothing can be kept: {reason}")
                case Kind.TAPE if reason:
                    reasons.append(f"nothing goes over NATS: {reason}")
                case Kind.OUTBOX if reason:
                    reasons.append(f"nothing goes out on {organ.name}: {reason}")
        return reasons

    def _silence(self, health: Health) -> str:
        oldest = self.now - _POLLS_UNTIL_SILENT * self.poll_seconds - _SECONDS_FOR_A_LOOK
        if health.is_well and (health.seen_at or 0) >= oldest:
            return ""
        return health.reason or ("it is not looked at" if _is_known(health) else "it was not asked yet")

    def _stall(self, courier: Courier) -> str:
        stall = courier.stall
        is_stalled = stall is not None and self.now - stall.since >= _SECONDS_UNTIL_STALLED
        return stall.reason if stall is not None and is_stalled else ""


def of_crews(plan: Sequence[str], roll: Roll) -> dict[Organ, str | None]:
    """Say for each role whether somebody does all that it has to do, of all that there is."""
    done = {duty for one in roll.living for duty in one.duties}
    missing = {duties.role_of(duty): to_say("nobody does it") for duty in plan if duty not in done}
    return {Organ(Kind.CREW, role): missing.get(role, "") for role in map(duties.role_of, plan)}


def _is_known(health: Health) -> bool:
    return health.seen_at is not None or health.failing_since is not None


def _failure(health: Health) -> str:
    is_failing = health.failing_since is not None and health.failures >= _FAILURES_UNTIL_UNWELL
    return (health.reason or "it fails") if is_failing else ""
