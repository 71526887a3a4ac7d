"""What goes wrong with an exchange, in one table of our own: ccxt's classes cannot be relied on alone.

It reports a ban as a plain error on some exchanges, a block of the whole country as one that passes, and
accepts a web page as an answer. So the HTTP status is judged first, then the class, then the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto

BLOCKED_FOR = 900.0
LIMITED_FOR = 30.0
LIMITED_AT_MOST = 600.0
FAILING_FOR = 5.0
FAILING_AT_MOST = 60.0
FREE_FAILURES = 2
"""A stumble or two are looked past at the next poll; only then the pauses grow."""


class Trouble(Enum):
    """What to do next about a fault."""

    PASSING = auto()
    """It passes: look again."""
    LIMITED = auto()
    """The exchange asks to slow down: stop until it says."""
    BLOCKED = auto()
    """The exchange refuses this country or network: only the operator can help."""
    SYMBOL = auto()
    """The exchange does not know this one instrument; the others are well."""
    ABSENT = auto()
    """The exchange does not offer this at all: asking again is useless."""
    NONSENSE = auto()
    """The exchange answered, and the answer cannot be true."""
    BUG = auto()
    """A mistake of this program."""


class Fault(Exception):
    """One failed question to an exchange; ``reason`` is a plain sentence for people, without an address."""

    def __init__(self, trouble: Trouble, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_of_all(self) -> bool:
        """Whether the exchange as a whole is concerned, so that asking on is useless."""
        return self.trouble in {Trouble.PASSING, Trouble.LIMITED, Trouble.BLOCKED}


_BY_CLASS: Mapping[str, Trouble] = {
    "BadSymbol": Trouble.SYMBOL,
    "RestrictedLocation": Trouble.BLOCKED,
    "NotSupported": Trouble.ABSENT,
    "RateLimitExceeded": Trouble.LIMITED,
    "DDoSProtection": Trouble.LIMITED,
    "BadResponse": Trouble.NONSENSE,
    "OperationFailed": Trouble.PASSING,
    "ExchangeError": Trouble.PASSING,
    "TimeoutError": Trouble.PASSING,
    "OSError": Trouble.PASSING,
    "AttributeError": Trouble.NONSENSE,
    "TypeError": Trouble.NONSENSE,
    "ValueError": Trouble.NONSENSE,
    "LookupError": Trouble.NONSENSE,
    "ArithmeticError": Trouble.NONSENSE,
}
"""The nearest class in an exception's ancestry decides; ccxt stumbles over odd answers with Python's own."""

_BY_WORDS: tuple[tuple[str, Trouble], ...] = (
    ("unknown asset pair", Trouble.SYMBOL),
    ("invalid symbol", Trouble.SYMBOL),
    ("instrument id does not exist", Trouble.SYMBOL),
    ("rate limit", Trouble.LIMITED),
    ("too many", Trouble.LIMITED),
    ("too frequent", Trouble.LIMITED),
)
_PLACES = ("country", "location", "region", "jurisdiction", "restricted")


def fault_of_status(name: str, status: int, headers: Mapping[str, str], body: str) -> Fault | None:
    """Judge an answer by its HTTP status; ``None`` where the status tells nothing bad."""
    if status == 451 or (status == 403 and any(word in body.lower() for word in _PLACES)):
        return Fault(
            Trouble.BLOCKED, f"{name} refuses this country or network (HTTP {status}); leave it out or move"
        )
    if status in {403, 418, 429}:
        after = _retry_after(headers)
        return Fault(Trouble.LIMITED, f"{name} asks to slow down (HTTP {status})", after)
    if status >= 500:
        return Fault(Trouble.PASSING, f"{name} answers with an error (HTTP {status})", _retry_after(headers))
    return None


def fault_of_error(name: str, error: BaseException) -> Fault:
    """Judge whatever a question raised."""
    if isinstance(error, Fault):
        return error
    ancestry = [kind.__name__ for kind in type(error).__mro__]
    trouble = next((_BY_CLASS[kind] for kind in ancestry if kind in _BY_CLASS), Trouble.BUG)
    if trouble is Trouble.PASSING and "ExchangeError" in ancestry:
        words = str(error).lower()
        trouble = next((which for phrase, which in _BY_WORDS if phrase in words), trouble)
    return Fault(trouble, _reason(name, trouble, ancestry))


def _reason(name: str, trouble: Trouble, ancestry: list[str]) -> str:
    match trouble:
        case Trouble.PASSING if "RequestTimeout" in ancestry or "TimeoutError" in ancestry:
            return f"{name} does not answer in time"
        case Trouble.PASSING if "NetworkError" in ancestry or "OSError" in ancestry:
            return f"{name} cannot be reached"
        case Trouble.PASSING:
            return f"{name} answers with an error"
        case Trouble.LIMITED:
            return f"{name} asks to slow down"
        case Trouble.BLOCKED:
            return f"{name} refuses this country or network; leave it out or move"
        case Trouble.SYMBOL:
            return f"{name} does not know the instrument"
        case Trouble.ABSENT:
            return f"{name} does not offer this"
        case Trouble.NONSENSE:
            return f"{name} answers nonsense"
        case Trouble.BUG:
            return f"looking at {name} failed by a mistake of this program ({ancestry[0]})"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    fields = {name.lower(): value.strip() for name, value in headers.items()}
    text = fields.get("retry-after", "")
    if text.isdecimal():
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(fields.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Pause:
    """How long to leave an exchange alone: ``failures`` in a row, and no question before ``until``.

    ``is_asked`` says that it asked for that, or refuses us: then it holds whatever happens. One that nobody
    asked for spares the questions of people, and every other look at most, so that an end is soon noticed.
    """

    failures: int = 0
    until: float = 0.0
    is_asked: bool = False

    def after(self, fault: Fault, now: float, draw: Callable[[], float]) -> Pause:
        """Give the pause that follows one more fault; ``draw`` gives jitter in [0, 1).

        What an exchange asks for is never shortened; jitter only adds to it.
        """
        failures = self.failures + 1
        grown = 2.0 ** min(failures - 1, 10)
        match fault.trouble:
            case Trouble.BLOCKED:
                seconds = BLOCKED_FOR * (1 + draw())
            case Trouble.LIMITED:
                asked = fault.retry_after
                seconds = min(LIMITED_FOR * grown, LIMITED_AT_MOST) if asked is None else asked
                seconds += min(seconds * 0.2, FAILING_FOR) * draw()
            case _:
                steps = failures - FREE_FAILURES - 1
                seconds = 0.0 if steps < 0 else min(FAILING_FOR * 2.0 ** min(steps, 10), FAILING_AT_MOST)
                seconds = max(seconds * (1 + draw()) / 2, fault.retry_after or 0.0)
        is_asked = fault.retry_after is not None or fault.trouble in {Trouble.LIMITED, Trouble.BLOCKED}
        is_held = self.is_asked and self.until > now
        return Pause(failures, max(self.until, now + seconds), is_asked or is_held)
