"""Tocsin's own command line, for short lives: ``python -m tests.brief_bot run``.

Nobody else has the token that a test gives, so a life doubts that for a second only.
"""

from functools import partialmethod

from bot.__main__ import main
from bot.chats.telegram import TelegramChat
from bot.chats.telegram_reach import Doubts


def begin_soon() -> None:
    """Let whoever begins to listen on Telegram doubt but shortly that nobody else does."""
    brief = partialmethod(TelegramChat.__init__, doubts=Doubts(at_start=1.0))
    TelegramChat.__init__ = brief  # type: ignore[assignment]


if __name__ == "__main__":
    begin_soon()
    main()
