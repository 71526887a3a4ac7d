"""What it means that Discord closes the gateway. Pure."""

from __future__ import annotations

from typing import Final

from bot.rules.phrases import to_say

REFUSED: Final = (
    "Discord refuses the bot token: copy it again from the developer portal to TOCSIN_DISCORD_TOKEN."
)

BAD_TOKEN: Final = 4004
TOO_MANY_SERVERS: Final = 4011
NOT_ALLOWED: Final = 4014

BARRED: Final = {
    TOO_MANY_SERVERS: to_say(
        "Discord wants a bot in so many servers to divide itself: see Several machines in the README"
    ),
    4012: to_say("Discord no longer takes the version of its gateway that this bot speaks: update Tocsin"),
    4013: to_say("Discord does not know the intents that this bot asks for: update Tocsin"),
    NOT_ALLOWED: to_say(
        "Discord does not allow this bot an intent: see its page Bot in the developer portal"
    ),
}
"""What no new try puts right by itself, by the code of the close; it is tried all the same."""
