"""Links: two private chats of one person, on two platforms, that share what they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from bot.alerts.facts import labels_of, text_of
from bot.alerts.message import Facts, Message
from bot.alerts.people import ChatRef
from bot.alerts.translator import Translator

_NAMES = {"telegram": "Telegram", "discord": "Discord"}


class Tie(StrEnum):
    """What the other chat of a link is told: they are linked, are so no more, or it keeps everything now."""

    LINKED = "linked"
    PARTED = "parted"
    MOVED = "moved"


class Hindrance(StrEnum):
    """Why two chats cannot be linked."""

    SELF = "self"  # they are one
    PLATFORM = "platform"  # both are on one platform
    HERE = "here"  # this one is linked already
    THERE = "there"  # that one is linked already
    GONE = "gone"  # that one is known no more


@dataclass(frozen=True, slots=True)
class Side:
    """What one of two chats has: how many alerts of its own, and what it follows and has set, by name."""

    chat: ChatRef
    alerts: int = 0
    shared: tuple[str, ...] = ()
    playbooks: tuple[str, ...] = ()
    levels: Mapping[str, Decimal] = field(default_factory=dict)
    language: str = "en"
    timezone: str = "UTC"
    quiet: str = ""

    @property
    def name(self) -> str:
        """The name of its platform."""
        return platform_name(self.chat.platform)


@dataclass(frozen=True, slots=True)
class Meeting:
    """What linking two chats does: ``other`` goes over to ``home``, whose things and settings come first.

    ``numbers`` are those of the alerts that go over, before and after. ``revision`` is as of when; ``by`` is
    who asked for the code.
    """

    home: Side
    other: Side
    numbers: tuple[tuple[int, int], ...] = ()
    revision: int = 0
    by: str = ""

    @property
    def shared(self) -> tuple[str, ...]:
        """The shared alerts that both follow."""
        return tuple(name for name in self.other.shared if name in self.home.shared)

    @property
    def playbooks(self) -> tuple[str, ...]:
        """The playbooks that both follow."""
        return tuple(name for name in self.other.playbooks if name in self.home.playbooks)

    @property
    def levels(self) -> dict[str, tuple[Decimal, Decimal]]:
        """The levels that both have at different numbers: at home, and in the other chat."""
        known = {name.casefold(): value for name, value in self.home.levels.items()}
        both = {name: (known[name.casefold()], value) for name, value in self.other.levels.items()
                if name.casefold() in known}  # fmt: skip
        return {name: values for name, values in both.items() if values[0] != values[1]}


@dataclass(frozen=True, slots=True)
class Parting:
    """What parting two chats does: what rings in ``other`` is its own again, all else stays at ``home``.

    ``numbers`` are those of the alerts that go, before and after; ``shared`` the shared alerts that go, and
    ``both`` those that both follow from then on; ``playbooks`` those that stay at home alone though both
    followed them.
    """

    home: ChatRef
    other: ChatRef
    numbers: tuple[tuple[int, int], ...] = ()
    shared: tuple[str, ...] = ()
    both: tuple[str, ...] = ()
    playbooks: tuple[str, ...] = ()
    stays: int = 0
    revision: int = 0


def platform_name(platform: str) -> str:
    """Name a platform as its people do."""
    return _NAMES.get(platform, platform)


def renumbered(numbers: tuple[tuple[int, int], ...], tr: Translator) -> str:
    """Say which numbers became which; those that stay as they are go without saying."""
    changed = [(before, after) for before, after in numbers if before != after]
    pairs = [
        tr("#{before} is #{after}", before=str(before), after=str(after)) for before, after in changed[:_SAID]
    ]
    if more := len(changed) - len(pairs):
        pairs.append(tr.many("{count} more is renumbered too", "{count} more are renumbered too", more))
    return tr.listed(pairs)


_SAID = 20


def word_link(facts: Facts, tr: Translator) -> Message:
    """Tell a chat what was done in the one that it is, or was, linked with."""
    place, labels = text_of(facts, "place"), labels_of(facts, "alerts")
    match text_of(facts, "what"):
        case Tie.MOVED:
            title = tr("I can no longer write in {place}, so all that rang there rings here.", place=place)
            lines = [tr("Why: {reason}.", reason=text_of(facts, "reason"))]
            if labels:
                lines.append(tr("It rings here now: {alerts}.", alerts=tr.listed(labels)))
        case Tie.PARTED:
            title = tr("This chat and the one on {place} are linked no more.", place=place)
            lines = [
                tr("/alerts shows what this chat has. It was parted there by {by}.", by=text_of(facts, "by"))
            ]
        case _:
            title = tr(
                "This chat is linked with the one of {by} on {place}.", by=text_of(facts, "by"), place=place
            )
            lines = [tr("They share alerts and settings. If that was not you: /unlink")]
    return Message(title=title, lines=tuple(lines), facts={"event": "link", "place": place})
