"""Values in words that one process says to another: exact, and with their version in front.

A word is the number of the version, a blank, and JSON. Fields go by their names: one that a reader does not
know is passed over, one that is missing has its default, so that a version and the next understand each
other. Whatever changes more than that takes the next number, one for all that is worded: processes that word
otherwise do not divide the work (see ``bot.duties.collide``).
"""

from __future__ import annotations

from functools import cached_property
from math import inf
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

VERSION = 1

_MOST_SHOWN = 40
_EXACT = ConfigDict(ser_json_inf_nan="strings")

T = TypeVar("T")


class Unreadable(ValueError):
    """Bytes are no word of this version; the text says in which way, without showing them."""


class Codec(Generic[T]):
    """Put values of one kind in words of this version, and read them.

    ``is_brief`` leaves out the fields that have their defaults. A word of more than ``most`` bytes is not
    read.
    """

    def __init__(self, kind: Any, *, is_brief: bool = False, most: float = inf) -> None:
        self._kind = kind
        self._is_brief = is_brief
        self._most = most

    def word(self, value: T) -> bytes:
        """Put a value in words. Raises ValueError for text that is no Unicode."""
        json = self._adapter.dump_json((value,), exclude_defaults=self._is_brief)
        return b"%d %b" % (VERSION, json)

    def read(self, word: bytes) -> T:
        """Read a value. Raises Unreadable."""
        if len(word) > self._most:
            raise Unreadable(f"it is {len(word)} bytes long, and no more than {self._most:.0f} are read")
        version, _, json = word.partition(b" ")
        if version != b"%d" % VERSION:
            if version.isdigit() and len(version) < _MOST_SHOWN:
                worded = f"it is worded in version {version.decode()}"
                raise Unreadable(f"{worded}, and this program reads {VERSION}")
            raise Unreadable("it does not begin with the number of a version")
        try:
            (value,) = self._adapter.validate_json(json)
        except ValidationError as error:
            raise Unreadable(f"it is damaged: {_first_fault(error)}") from None
        return value

    @cached_property
    def _adapter(self) -> TypeAdapter[tuple[T]]:
        # What is worded stands in a tuple: settings of an adapter do not hold for a dataclass at its top.
        kind: Any = tuple[self._kind]  # type: ignore[name-defined]
        return TypeAdapter(kind, config=_EXACT)


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else fault["msg"]
