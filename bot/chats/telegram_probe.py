"""Ask Telegram who the bot is, and what would keep messages from it."""

from __future__ import annotations

from telegram import Bot, WebhookInfo
from telegram.error import InvalidToken, TelegramError

from bot.chats.telegram import IN_PLACE_OF_TOKEN
from bot.chats.telegram_http import AiohttpRequest
from bot.ports import Finding

_TELEGRAM = "telegram"


_HINTS = (
    (
        ("certificate", "ssl"),
        "give the address a certificate that every browser trusts, with its whole chain",
    ),
    (("resolve", "dns"), "see whether the name in TOCSIN_TELEGRAM_WEBHOOK is known outside"),
    (("response from the webhook: 401",), "let the proxy hand on the header X-Telegram-Bot-Api-Secret-Token"),
    (
        ("response from the webhook: 404", "response from the webhook: 405"),
        "let the proxy hand on the path of TOCSIN_TELEGRAM_WEBHOOK as it is, to TOCSIN_HTTP",
    ),
    (("response from the webhook: 5",), "see whether the bot runs, and the proxy reaches it at TOCSIN_HTTP"),
    (("timed out", "timeout", "refused", "closed", "unreachable"), "let Telegram through to the address"),
)


async def probe(
    token: str, root: str | None = None, patience: float = 10.0, address: str | None = None
) -> Finding:
    """Call the Bot API with a token, once; ``root`` is the address of another server than Telegram's own.

    ``address`` is the webhook's, where there is to be one.
    """
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
    if webhook.url and address is None:
        hint = "another program may be using this token: two of them take each other's messages"
        return Finding(_TELEGRAM, "doubtful", f"{found}, and its messages go to a webhook now", hint)
    if not me.can_join_groups:
        hint = "allow it with @BotFather: /setjoingroups"
        return Finding(_TELEGRAM, "doubtful", f"{found}, and may not be added to groups", hint)
    return Finding(_TELEGRAM, "well", found) if address is None else _delivery(webhook, address, found)


def hint_for(failure: str) -> str:
    """Say what to do about a delivery that failed, by Telegram's words for it."""
    said = failure.lower()
    return next((hint for parts, hint in _HINTS if any(part in said for part in parts)), _HINTS[-1][1])


def _delivery(webhook: WebhookInfo, address: str, found: str) -> Finding:
    """Say how Telegram delivers, by what it says of the webhook."""
    waiting = webhook.pending_update_count
    if webhook.url != address:
        elsewhere = "its messages go to another webhook" if webhook.url else "no webhook is set"
        hint = "start the bot, which sets it; if it runs, another program uses this token"
        return Finding(_TELEGRAM, "doubtful", f"{found}, but {elsewhere} ({waiting} wait)", hint)
    if webhook.last_error_date and waiting:
        said = webhook.last_error_message or "it does not say why"
        at = f"{webhook.last_error_date:%H:%M UTC, %b %d}"
        found = f"{found}, but could not deliver at {at}: {said} ({waiting} wait)"
        return Finding(_TELEGRAM, "doubtful", found, hint_for(said))
    return Finding(_TELEGRAM, "well", f"{found}, and delivers to the webhook ({waiting} wait)")
