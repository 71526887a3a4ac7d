"""How the process writes its log: events with fields, and never a token.

Readable lines where a person looks on, else one JSON object a line; always on stderr, so that stdout stays
the program's answer. Every line, whoever wrote it, passes ``Redaction`` last, after tracebacks and fields
have become text, so that nothing can hide from it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import structlog

TOKENS = re.compile(r"(?<!\d)\d{6,}:[\w-]{10,}")
"""What a Telegram bot token looks like; it stands in every address that the Bot API is asked at."""

PASSWORDS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
"""The user and password in an address."""

CHATTY = ("httpx", "httpcore", "telegram", "discord", "aiohttp.access", "alembic", "aiosqlite")
"""Libraries that tell each request at INFO."""

SCHEDULER = "apscheduler"
"""It warns of every look that is left out because the one before still runs, which is as it should be."""


class Redaction:
    """Replace tokens, passwords and the secrets of this deployment in a text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        longest_first = sorted((secret for secret in secrets if secret), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """Give the text with ``[redacted]`` in place of what nobody may read."""
        if self._secrets is not None:
            text = self._secrets.sub("[redacted]", text)
        return PASSWORDS.sub("[redacted]", TOKENS.sub("[redacted]", text))


def configure_logging(
    secrets: Iterable[str] = (), level: str = "INFO", json: bool | None = None
) -> Redaction:
    """Send structlog's and the standard library's events through one redacted handler on stderr.

    ``secrets`` are the deployment's tokens, redacted by value wherever they stand. ``json`` asks for JSON
    lines; ``None`` means JSON unless stderr is a terminal. An error that ends the process is an event too.
    May be called again; the last call holds. Gives the redaction, for what is written beside the log.
    """
    redact = Redaction(secrets)
    if json is None:
        json = not sys.stderr.isatty()

    def last(_logger: Any, _name: str, line: Any) -> str:
        return redact(str(line))

    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    tracebacks: list[structlog.typing.Processor] = [structlog.processors.format_exc_info] if json else []
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *tracebacks,
                renderer,
                last,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # A log call that fails would print its raw arguments.
    logging.raiseExceptions = False
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(SCHEDULER).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )

    def bury(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        logging.getLogger("tocsin").critical("ended by an error", exc_info=(kind, error, trace))

    sys.excepthook = bury
    return redact
