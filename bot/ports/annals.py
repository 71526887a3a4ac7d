"""What came after the rings of the past: a socket of afterwards, which looks and writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.alerts.aftermath import Course
from bot.metrics import MetricKey


@dataclass(frozen=True, slots=True)
class Bygone:
    """A ring that stands: the rule as it was armed, the ``terms`` that decided it, and when it came true."""

    id: int
    rule: str
    terms: tuple[str, ...]
    at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Account:
    """What is written down of a ring: what the price of ``key`` did in ``span`` seconds from ``since`` on.

    No key is for a rule that is about no price, no course for what nobody can know any more.
    """

    ring: int
    span: int
    since: int
    key: MetricKey | None = None
    course: Course | None = None


class Annals(Protocol):
    """What afterwards needs of the store."""

    async def unaccounted(
        self, span: int, before: float, seen_since: float, after: int, limit: int
    ) -> Sequence[Bygone]:
        """Give rings of before an instant of which nothing is written down for a span, by rising id.

        Their ids are greater than ``after``, and they were seen at ``seen_since`` or later. What was taken
        back is left out.
        """

    async def account(self, accounts: Sequence[Account]) -> None:
        """Write down what came after some rings; what is written down already stays."""
