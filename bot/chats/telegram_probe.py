"""Ask Telegram who the bot is, and what would keep messages from it."""

from __future__ import annotations

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from bot.chats.telegram import IN_PLACE_OF_TOKEN
from bot.chats.telegram_http import AiohttpRequest
from bot.ports import Finding

_TELEGRAM = "telegram"


async def probe(token: str, root: str | None = None, patience: float = 10.0) -> Finding:
    """Call the Bot API with a token, once; ``root`` is the address of another server than Telegram's own."""
    base = f"{(root or 'https://api.telegram.org').rstrip('/')}/bot"
    request = AiohttpRequest(token, patience=patience, connections=1)
    bot = Bot(IN_PLACE_OF_TOKEN, base_url=lambda _: base, base_file_url=lambda _: base, request=request)
    try:
        await request.initialize()
        me = await bot.get_me()
        webhook = await bot.get_webhook_info()
    except InvalidToken:
        hint = "ask @BotFather for it again with /token, and set TOCSIN_TELEGRAM_TOKEN"
        return Finding(_TELEGRAM, "unwell", "Telegram refuses the token", hint)
    except TelegramError as error:
        hint = f"see whether this machine reaches {root or 'api.telegram.org'}"
        return Finding(_TELEGRAM, "unwell", f"no answer: {error}", hint)
    finally:
        await request.shutdown()
    found = f"@{me.username} answers"
    if webhook.url:
        hint = "another program may be using this token: two of them take each other's messages"
        return Finding(_TELEGRAM, "doubtful", f"{found}, and its messages go to a webhook now", hint)
    if not me.can_join_groups:
        hint = "allow it with @BotFather: /setjoingroups"
        return Finding(_TELEGRAM, "doubtful", f"{found}, and may not be added to groups", hint)
    return Finding(_TELEGRAM, "well", found)
