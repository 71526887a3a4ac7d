"""The sockets between the rooms: who needs what of whom, and the errors that may come back.

Ports belong to their users: ``Ledger`` is what watch needs of the store, ``Outbox`` what deliver needs,
``Register`` what commands need, ``Archive`` what is kept of metrics; one class implements them all.
"""

from __future__ import annotations

from bot.ports.bounds import Bounding
from bot.ports.chronicle import Chronicle, Judged
from bot.ports.errors import (
    Already,
    Beyond,
    Conflict,
    Damaged,
    Refused,
    Settled,
    Stale,
    StoreTrouble,
    Superseded,
    TocsinError,
    UnknownInstrument,
    Unseeable,
)
from bot.ports.findings import Finding
from bot.ports.memory import (
    Archive,
    Armed,
    Changes,
    ChatGone,
    ChatMoved,
    Judgement,
    Ledger,
    Notebook,
    Noted,
    Outbox,
    Outcome,
    Receipt,
    Rejected,
    RetryLater,
    Told,
)
from bot.ports.metrics import Metrics, Offered
from bot.ports.people import (
    Card,
    Chat,
    Choice,
    Desk,
    Replies,
)
from bot.ports.playbooks import Armer, KeptPlaybook, Parts, PlaybookChange
from bot.ports.register import (
    ChatSettings,
    Following,
    LevelChange,
    NewArming,
    Reach,
    Refill,
    Register,
    Store,
)
from bot.ports.world import (
    Clock,
    Feed,
    Market,
    Serving,
    StreamHealth,
    Tape,
)

__all__ = [
    "Already",
    "Archive",
    "Armed",
    "Armer",
    "Beyond",
    "Bounding",
    "Card",
    "Changes",
    "Chat",
    "ChatGone",
    "ChatMoved",
    "ChatSettings",
    "Choice",
    "Chronicle",
    "Clock",
    "Conflict",
    "Damaged",
    "Desk",
    "Feed",
    "Finding",
    "Following",
    "Judged",
    "Judgement",
    "KeptPlaybook",
    "Ledger",
    "LevelChange",
    "Market",
    "Metrics",
    "NewArming",
    "Notebook",
    "Noted",
    "Offered",
    "Outbox",
    "Outcome",
    "Parts",
    "PlaybookChange",
    "Reach",
    "Receipt",
    "Refill",
    "Refused",
    "Register",
    "Rejected",
    "Replies",
    "RetryLater",
    "Serving",
    "Settled",
    "Stale",
    "Store",
    "StoreTrouble",
    "StreamHealth",
    "Superseded",
    "Tape",
    "TocsinError",
    "Told",
    "UnknownInstrument",
    "Unseeable",
]
