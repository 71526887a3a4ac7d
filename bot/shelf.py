"""Read the playbooks that come with the program, and those of the operator's folder, once at start.

A file is called after its playbook: ``risk-off.toml``. One of the operator's stands before one of the same
name that came along. What cannot be used is left out with its reason; the others are read all the same.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from bot.alerts.playbooks import LONGEST, Playbook, PlaybookError, Shelf, read_playbook
from bot.rules import english
from bot.rules.phrases import Phrase

log = structlog.get_logger(__name__)

SHIPPED = Path(__file__).parent / "playbooks"
"""The folder of the playbooks that come along."""

_SUFFIX = ".toml"
_BYTES_OF_A_SIGN = 4


def read_shelf(folder: Path | None = None, shipped: Path = SHIPPED) -> Shelf:
    """Read all playbooks; never raises. What cannot be used is named in the log, and in the shelf."""
    books: dict[str, Playbook] = {}
    problems: dict[str, Phrase] = {}
    for place in filter(None, (shipped, folder)):
        for path in _files(place, problems):
            name = path.name.removesuffix(_SUFFIX)
            books.pop(name, None)
            try:
                books[name] = read_playbook(name, _text(path))
            except PlaybookError as error:
                problems[name] = error.reason
            else:
                problems.pop(name, None)
    for name, reason in problems.items():
        log.error("playbook_left_out", playbook=name, reason=english(reason))
    return Shelf(dict(sorted(books.items())), dict(sorted(problems.items())))


def _files(folder: Path, problems: dict[str, Phrase]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIX))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problems[folder.name] = Phrase("The folder cannot be read: {reason}.", {"reason": reason})
        return []


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST * _BYTES_OF_A_SIGN + 1)
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise PlaybookError("It is no UTF-8 text: save it as UTF-8.") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PlaybookError("It cannot be read: {reason}.", reason=reason) from error
