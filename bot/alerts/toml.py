"""Read and write TOML, the form of what people keep, edit by hand and bring back."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal, InvalidOperation
from typing import Any


class NoToml(Exception):
    """A text that is no TOML; it says where, or nothing where that cannot be told."""

    @property
    def is_double(self) -> bool:
        """Whether two things in it have one name."""
        return "overwrite" in str(self)


def read_toml(text: str) -> dict[str, Any]:
    """Read a document, its numbers exact. Raises NoToml; whoever calls bounds the text before."""
    try:
        return tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        raise NoToml(str(error)) from error
    except (RecursionError, InvalidOperation, ValueError) as error:  # nested too deep, or digits without end
        raise NoToml from error


def quoted(text: str) -> str:
    """Write a basic string, which knows the escapes of JSON, and one more sign that must be."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace("_", ""))
