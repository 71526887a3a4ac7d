"""Read docker-compose.yml as docker compose would, as far as ours goes.

Of YAML this knows mappings and lists by their indentation, anchors, merged mappings, and values on one line.
Whatever else stands in the file is refused, so that nothing of it is read wrongly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "docker-compose.yml"

_WORD = re.compile(r"[A-Za-z0-9_.$/<-][^#\"'{}\[\]>|]*")
_GIVEN = re.compile(r"\$\{(\w+):-(\w*)\}")


def services_of(text: str, profile: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Give the services of a profile by name; variables are those ``given``, else what the file says."""
    filled = _GIVEN.sub(lambda found: given.get(found[1]) or found[2], text)
    services = _Reader(filled).read()["services"]
    return {name: one for name, one in services.items() if profile in one.get("profiles", ())}


class _Reader:
    def __init__(self, text: str) -> None:
        kept = [line.rstrip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
        self._lines = [(len(line) - len(line.lstrip()), line.lstrip()) for line in kept]
        self._anchors: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """Read the whole of it."""
        found = self._mapping(0)
        assert not self._lines, self._lines[0]
        return found

    def _block(self, beyond: int) -> Any:
        """Read what stands deeper than so many blanks; nothing may."""
        if not self._lines or self._lines[0][0] <= beyond:
            return None
        depth, line = self._lines[0]
        return self._list(depth) if line.startswith("- ") else self._mapping(depth)

    def _list(self, depth: int) -> list[Any]:
        found = []
        while self._lines and self._lines[0][0] == depth:
            _, line = self._lines[0]
            item = line.removeprefix("- ")
            assert item != line, line
            if ": " in item:
                self._lines[0] = depth + 2, item
                found.append(self._mapping(depth + 2))
            else:
                del self._lines[0]
                found.append(_value(item))
        return found

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while self._lines and self._lines[0][0] == depth:
            _, line = self._lines.pop(0)
            name, colon, rest = f"{line} ".partition(": ")
            assert colon and name not in found, line
            rest = rest.strip()
            if name == "<<":
                merged = self._anchors[rest.removeprefix("*")]
            elif rest.startswith("&"):
                found[name] = self._anchors[rest[1:]] = self._block(depth)
            else:
                found[name] = _value(rest) if rest else self._block(depth)
        return merged | found


def _value(written: str) -> Any:
    if written[0] in '["' or written in ("true", "false") or written.isdecimal():
        return json.loads(written)
    assert _WORD.fullmatch(written) or written.startswith("${"), written
    return written
