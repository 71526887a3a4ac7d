"""The wording of what goes over a tape between processes: exact, and with its version in front.

A word is the number of the version, a blank, and JSON. Fields go by their names: one that a reader does not
know is passed over, one that is missing has its default, so that a version and the next understand each
other. Whatever changes more than that takes the next number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bot.metrics import Batch, Want

VERSION = 1

_MOST_SHOWN = 40

T = TypeVar("T")


class Unreadable(ValueError):
    """Bytes are no word of this version; the text says in which way, without showing them."""


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


_EXACT = ConfigDict(ser_json_inf_nan="strings")
# What is worded stands in a tuple: settings of an adapter do not hold for a dataclass at its top.
_BATCHES = TypeAdapter(tuple[Batch], config=_EXACT)
_WANTS: TypeAdapter[tuple[Want, ...]] = TypeAdapter(tuple[Want, ...], config=_EXACT)
_CURSORS = TypeAdapter(tuple[Cursor], config=_EXACT)


def word_batch(batch: Batch) -> bytes:
    """Put a batch in words. Raises ValueError for text that is no Unicode."""
    return _word(_BATCHES.dump_json((batch,)))


def read_batch(word: bytes) -> Batch:
    """Read a batch. Raises Unreadable."""
    (batch,) = _read(_BATCHES, word)
    return batch


def word_wants(wants: Sequence[Want]) -> bytes:
    """Put wants in words. Raises ValueError for text that is no Unicode."""
    return _word(_WANTS.dump_json(tuple(wants)))


def read_wants(word: bytes) -> list[Want]:
    """Read wants. Raises Unreadable."""
    wants: tuple[Want, ...] = _read(_WANTS, word)
    return list(wants)


def word_cursor(cursor: Cursor) -> bytes:
    """Put a cursor in words."""
    return _word(_CURSORS.dump_json((cursor,)))


def read_cursor(word: bytes) -> Cursor:
    """Read a cursor. Raises Unreadable."""
    (cursor,) = _read(_CURSORS, word)
    return cursor


def _word(json: bytes) -> bytes:
    return b"%d %b" % (VERSION, json)


def _read(adapter: TypeAdapter[T], word: bytes) -> T:
    version, _, json = word.partition(b" ")
    if version != b"%d" % VERSION:
        if version.isdigit() and len(version) < _MOST_SHOWN:
            raise Unreadable(f"it is worded in version {version.decode()}, and this program reads {VERSION}")
        raise Unreadable("it does not begin with the number of a version")
    try:
        return adapter.validate_json(json)
    except ValidationError as error:
        raise Unreadable(f"it is damaged: {_first_fault(error)}") from None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else fault["msg"]


def digest_of(word: bytes) -> str:
    """Name a word: one that is said again has the same name."""
    return blake2b(word, digest_size=16).hexdigest()
