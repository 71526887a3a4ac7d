"""The wording of what goes over a tape between processes: see ``bot.codec``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from bot.codec import Codec, Unreadable
from bot.metrics import Batch, Want

__all__ = [
    "Cursor",
    "Unreadable",
    "digest_of",
    "read_batch",
    "read_cursor",
    "read_wants",
    "word_batch",
    "word_cursor",
    "word_wants",
]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one partition has judged the tape.

    ``place`` is the number of the last message that was judged, ``reel`` which stream has that number: one
    that was made anew counts from the start. ``epoch`` and ``holder`` say who judges.
    """

    place: int
    reel: str
    epoch: int
    holder: str


_BATCHES: Codec[Batch] = Codec(Batch)
_WANTS: Codec[tuple[Want, ...]] = Codec(tuple[Want, ...])
_CURSORS: Codec[Cursor] = Codec(Cursor)


def word_batch(batch: Batch) -> bytes:
    """Put a batch in words. Raises ValueError for text that is no Unicode."""
    return _BATCHES.word(batch)


def read_batch(word: bytes) -> Batch:
    """Read a batch. Raises Unreadable."""
    return _BATCHES.read(word)


def word_wants(wants: Sequence[Want]) -> bytes:
    """Put wants in words. Raises ValueError for text that is no Unicode."""
    return _WANTS.word(tuple(wants))


def read_wants(word: bytes) -> list[Want]:
    """Read wants. Raises Unreadable."""
    return list(_WANTS.read(word))


def word_cursor(cursor: Cursor) -> bytes:
    """Put a cursor in words."""
    return _CURSORS.word(cursor)


def read_cursor(word: bytes) -> Cursor:
    """Read a cursor. Raises Unreadable."""
    return _CURSORS.read(word)


def digest_of(word: bytes) -> str:
    """Name a word: one that is said again has the same name."""
    return blake2b(word, digest_size=16).hexdigest()
