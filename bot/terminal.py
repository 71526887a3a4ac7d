"""What the commands of the command line share: how they begin, how they end, and how they refuse.

Answers go to stdout, everything else to stderr. A refusal is one sentence; the exit code is 2 for what the
caller can put right in the command or the configuration, and 1 for what went wrong in the world.
"""

from __future__ import annotations

import json as json_format
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO, TypeVar

import typer

if TYPE_CHECKING:
    from bot.logs import Redaction
    from bot.settings import Settings

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Write one JSON object a line, for programs.")]


def print_json(answer: dict[str, Any], out: TextIO) -> None:
    """Write one object on one line of ASCII, at once: whoever asks line by line waits for it."""
    out.write(json_format.dumps(answer, ensure_ascii=True) + "\n")
    out.flush()


def settings_or_leave(**given: Any) -> Settings:
    """Read the configuration, or leave with the sentence that says what is wrong with it.

    What is ``given`` on the command line goes before what is read.
    """
    from bot.feeds.exchanges.table import FEEDS
    from bot.feeds.metrics.providers import PROVIDERS
    from bot.settings import SettingsError, load_settings

    try:
        return load_settings(FEEDS, providers=[plug.name for plug in PROVIDERS], **given)
    except SettingsError as error:
        refuse(str(error))


def begin_log(level: str, settings: Settings | None = None, secrets: Iterable[str] = ()) -> Redaction:
    """Begin the log, without the secrets of these settings and others; gives what redacts them elsewhere."""
    from bot.logs import configure_logging

    return configure_logging([*(settings.secrets() if settings else ()), *secrets], level)


def finish(work: Coroutine[Any, Any, T], redact: Redaction) -> T:
    """Run a coroutine to its end; what the house or the system knows to say goes out as its sentence."""
    import asyncio

    from bot.ports import TocsinError

    try:
        return asyncio.run(work)
    except (TocsinError, OSError) as error:
        refuse(redact(str(error)), 1)
    except ExceptionGroup as group:
        sayable, bugs = group.split((TocsinError, OSError))
        if bugs or not sayable:
            raise
        while isinstance(first := sayable.exceptions[0], ExceptionGroup):
            sayable = first
        refuse(redact(str(first)), 1)


def refuse(sentence: str, code: int = 2) -> NoReturn:
    """Leave with a sentence on stderr, and an exit code."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
