"""Parse Telegram's HTML as the Bot API server does: the text that is left, its entities, or the complaint.

Its tags, its order of checks and its descriptions follow the server's behaviour; a refused text raises
``ValueError`` with the part of the description behind ``can't parse entities: ``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
}

_REFERENCE = re.compile(r"&(?:#(?:x([0-9a-fA-F]{1,7})|([0-9]{1,8}))|(lt|gt|amp|quot));?")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_START = re.compile(r"<([^\s>/][^\s>]*)(\s[^>]*)?>")
_END = re.compile(r"</([^\s>]*)\s*>")


@dataclass
class _Open:
    tag: str
    attributes: str
    at: int


def units(text: str) -> int:
    """Count UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def parse_html(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Take the markup out; offsets and lengths are in UTF-16 units."""
    text: list[str] = []
    length = 0
    at = 0
    stack: list[_Open] = []
    entities: list[dict[str, Any]] = []
    while at < len(source):
        byte = len(source[:at].encode()) if source[at] == "<" else 0
        if source[at] == "&" and (reference := _REFERENCE.match(source, at)):
            hexadecimal, decimal, name = reference.groups()
            piece = _NAMED[name] if name else chr(int(hexadecimal, 16) if hexadecimal else int(decimal))
            at = reference.end()
        elif source[at] != "<":
            piece = source[at]
            at += 1
        elif source.startswith("</", at):
            if not stack:
                raise ValueError(f"Unexpected end tag at byte offset {byte}")
            end = _END.match(source, at)
            if end is None:
                raise ValueError(f"Unclosed end tag at byte offset {byte}")
            opened = stack.pop()
            found = end[1].lower()
            if found and found != opened.tag:
                raise ValueError(
                    f'Unmatched end tag at byte offset {byte}, expected "</{opened.tag}>", found "</{found}>"'
                )
            if length > opened.at:
                entities.append(_entity(opened, length))
            at = end.end()
            continue
        else:
            start = _START.match(source, at)
            tag = (start[1] if start else re.split(r"[\s>]", source[at + 1 :], maxsplit=1)[0]).lower()
            if start is None and ">" not in source[at:]:
                raise ValueError(f"Unclosed start tag at byte offset {byte}")
            if start is None or tag not in TAGS:
                raise ValueError(f'Unsupported start tag "{tag}" at byte offset {byte}')
            if tag == "span" and "tg-spoiler" not in (start[2] or ""):
                raise ValueError(f'Tag "span" must have class "tg-spoiler" at byte offset {byte}')
            stack.append(_Open(tag, start[2] or "", length))
            at = start.end()
            continue
        text.append(piece)
        length += units(piece)
    if stack:
        raise ValueError(f"Can't find end tag corresponding to start tag {stack[-1].tag}")
    return _trimmed("".join(text), sorted(entities, key=lambda one: (one["offset"], -one["length"])))


def _entity(opened: _Open, end: int) -> dict[str, Any]:
    entity: dict[str, Any] = {"type": TAGS[opened.tag], "offset": opened.at, "length": end - opened.at}
    if opened.tag == "a" and (link := re.search(r"href=[\"']?([^\"'>\s]+)", opened.attributes)):
        entity["url"] = link[1]
    return entity


def _trimmed(text: str, entities: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Take the white space off both ends, as the server does, and move the entities along."""
    kept = text.strip()
    lead = units(text[: len(text) - len(text.lstrip())])
    end = units(kept)
    moved = []
    for entity in entities:
        first = max(entity["offset"] - lead, 0)
        last = min(entity["offset"] + entity["length"] - lead, end)
        if last > first:
            moved.append({**entity, "offset": first, "length": last - first})
    return kept, moved
