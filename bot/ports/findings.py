"""What an examination of the deployment finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["well", "doubtful", "unwell"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    ``about`` names it in a word or two, ``found`` is what was seen, as a sentence without full stop, and
    ``hint`` what to do about it, where it is not well. ``unwell`` keeps the bot from its work; what is
    ``doubtful`` does not, and may be meant so.
    """

    about: str
    state: State
    found: str
    hint: str = ""
