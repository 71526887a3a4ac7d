"""Show buttons on Discord, and know again which one was pressed.

A button keeps its line in its ``custom_id``, so that it works after a restart: nothing is remembered of the
messages that have some.
"""

from __future__ import annotations

import re
from typing import Any, Final, Self

import discord

from bot.alerts.message import Buttons, Message, sound
from bot.chats.discord_text import LIMIT, escape, lines_of, render, width

PRESS: Final = "press"
"""The event that the client is told of a press: ``on_press(interaction, line, is_own)``."""

ASK: Final = "ask"
"""The event of a press that asks for a window: ``on_ask(interaction, line, is_own)``."""

_HOWS = {(False, False): "say", (False, True): "own", (True, False): "ask", (True, True): "ask-own"}
"""How a ``custom_id`` begins, by whether the button has a window and whether it is said in private."""

_QUOTE = "> "
_ROWS = 5  # and as many buttons in each


class Press(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"(?P<how>say|own|ask|ask-own):(?P<line>/.+)"
):
    """A button that says a line, in private if it ``is_own``; made anew from its ``custom_id`` at a press.

    One that ``has_window`` asks for a window to write the line in instead.
    """

    def __init__(
        self, label: str, line: str, row: int | None = None, *, is_own: bool = False, has_window: bool = False
    ) -> None:
        how = _HOWS[has_window, is_own]
        super().__init__(discord.ui.Button(label=label, custom_id=f"{how}:{line}"), row=row)
        self._line = line
        self._is_own = is_own
        self._has_window = has_window

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Make the button again that was pressed."""
        label = item.label if isinstance(item, discord.ui.Button) else None
        how = match["how"]
        return cls(label or "?", match["line"], is_own=how.endswith("own"), has_window=how.startswith("ask"))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Bring the press to the client."""
        event = ASK if self._has_window else PRESS
        interaction.client.dispatch(event, interaction, self._line, self._is_own)


def view_of(rows: Buttons) -> discord.ui.View | None:
    """Give the buttons as Discord takes them; ``None`` takes those away that are there.

    More rows than Discord has are put together, and what is too many even so is left out.
    """
    if not (rows := sound(rows)):
        return None
    if len(rows) > _ROWS:
        rows = _together(rows)
    view = discord.ui.View(timeout=None)
    for number, row in enumerate(rows):
        for button in row:
            made = Press(
                button.label, button.line, number, is_own=button.is_own, has_window=button.has_window
            )
            view.add_item(made)
    return view


def _together(rows: Buttons) -> Buttons:
    """Put the buttons of the rows that are too many where the last others have room; else all anew."""
    kept, over = [list(row) for row in rows[:_ROWS]], [button for row in rows[_ROWS:] for button in row]
    room = [row for row in kept for _ in range(_ROWS - len(row))]
    if len(room) >= len(over):
        for row, button in zip(room[len(room) - len(over) :], over, strict=True):
            row.append(button)
        return tuple(map(tuple, kept))
    every = [button for row in rows for button in row]
    return tuple(tuple(every[at : at + _ROWS]) for at in range(0, _ROWS * _ROWS, _ROWS))


def changed(content: str, message: Message, by: str = "") -> str | None:
    """Give what a pressed message says after a reply; ``None`` where it does not fit into one message.

    A reply that takes its place is all of it; any other stands below as a quote, in place of the last one
    there, and names who pressed where that is given.
    """
    if message.takes_place:
        parts = render(message)
        return parts[0] if len(parts) == 1 else None
    kept = content.split("\n")
    while kept and kept[-1].startswith(_QUOTE):
        kept.pop()
    reply = [escape(line) for line in lines_of(message.plain()) if line.strip()]
    if by and reply:
        reply[0] = f"{escape(' '.join(lines_of(by)))}: {reply[0]}"
    whole = "\n".join([*kept, *(_QUOTE + line for line in reply)])
    return whole if reply and width(whole) <= LIMIT else None
