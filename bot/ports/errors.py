"""The errors that may come back through a port: one tree, each with a name for what is the case."""

from __future__ import annotations

from collections.abc import Sequence

from bot.alerts.bounds import Thing, Whose


class TocsinError(Exception):
    """What a port may raise; anything else that escapes an adapter is a bug."""


class Unseeable(TocsinError):
    """The world cannot be seen just now: an exchange is down, slow, blocked or answers nonsense."""


class UnknownInstrument(TocsinError):
    """No configured exchange lists the instrument; ``nearest`` names some that exist, best first."""

    def __init__(self, name: str, nearest: Sequence[str] = ()) -> None:
        super().__init__(name)
        self.name = name
        self.nearest = tuple(nearest)


class StoreTrouble(TocsinError):
    """The database could not be read or written now (locked, full, damaged): nothing of the call was kept."""


class TapeTrouble(TocsinError):
    """The tape between processes cannot be reached now. What was handed over may be on it or not.

    Nobody needs to keep it: the exchange can be asked again.
    """


class Damaged(StoreTrouble):
    """What the database holds cannot be trusted: nothing is read or written any more, and the bot ends.

    The text is one sentence for the operator that says what to do; ``reason`` is what was found.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class Outdated(StoreTrouble):
    """A newer version wrote the database: this one cannot work with it, and ends."""


class Superseded(TocsinError):
    """Another process took over what this one does: stop that, write nothing."""


class Unheard(TocsinError):
    """There is news of metrics that a partition has not heard, and that was known before it judged so far."""


class Conflict(TocsinError):
    """A name is taken, or a row changed since it was read."""


class Beyond(TocsinError):
    """A person or a chat has as much of a thing as its quota allows: ``most``."""

    def __init__(self, thing: Thing, whose: Whose, most: int) -> None:
        super().__init__(f"a {whose} has {most} {thing} already")
        self.thing = thing
        self.whose = whose
        self.most = most


class Already(TocsinError):
    """The very same is there already, under this ``label``."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


class Stale(TocsinError):
    """Something newer changed the same thing: look at it again before you change it."""


class Settled(TocsinError):
    """A proposal is open no more: it was confirmed, discarded, or has expired."""


class Refused(TocsinError):
    """A platform does not let the bot in: its token is wrong.

    ``Chat.run`` raises it at the start. The text is one sentence for the operator that names the setting,
    never the token.
    """
