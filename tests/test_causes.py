"""Why something cannot be seen, in the reader's language: whatever feeds say is said in it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from telegram.error import (
    BadRequest,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)

from bot.alerts.causes import CAUSES, cause
from bot.alerts.people import ChatRef
from bot.alerts.translator import ENGLISH
from bot.catalogues import read_languages
from bot.chats.telegram_errors import outcome_of
from bot.chats.telegram_http import Unreachable
from bot.ports import ChatGone, Rejected, RetryLater

FEEDS = Path(__file__).parent.parent / "bot" / "feeds"
CHINESE = read_languages().translator("zh-Hans", "UTC")


def reasons() -> list[str]:
    """Gather what feeds say as the reason of a fault, with something in each of its fields."""
    found = []
    for path in sorted(FEEDS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="Fault"), args=[_, ast.JoinedStr() as said, *_]):
                    pass
                case ast.Call(func=ast.Name(id="Unseeable"), args=[ast.JoinedStr() as said, *_]):
                    pass
                case ast.Return(value=ast.JoinedStr() as said) if path.name == "faults.py":
                    pass
                case _:
                    continue
            parts = [str(one.value) if isinstance(one, ast.Constant) else "kraken" for one in said.values]
            found.append("".join(parts))
    return found


def test_feeds_say_reasons() -> None:
    assert len(reasons()) > 50


@pytest.mark.parametrize("reason", sorted(set(reasons())))
def test_a_reason_of_a_feed_stays_in_english_and_is_translated_for_others(reason: str) -> None:
    assert cause(reason, "kraken", ENGLISH).lower() == reason.lower()
    assert cause(reason, "kraken", CHINESE) != cause(reason, "kraken", ENGLISH)


@pytest.mark.parametrize("template", CAUSES)
def test_a_reason_that_is_known_is_read_by_its_own_template(template: str) -> None:
    source = template.replace("{name}", "kraken").replace("{", "").replace("}", "")
    assert cause(source, "kraken", ENGLISH) == source.replace("kraken", "Kraken")


def test_what_to_set_is_translated_with_its_hint_and_what_nobody_knows_stays() -> None:
    lacks = "set TOCSIN_COINGLASS_KEY, the key of a paid plan at coinglass.com"
    assert cause(lacks, "", CHINESE) == "设置 TOCSIN_COINGLASS_KEY：coinglass.com 付费套餐的密钥"
    assert cause("what an operator wrote", "", CHINESE) == "what an operator wrote"


@pytest.mark.parametrize(
    "error",
    [
        Forbidden("Forbidden: bot was blocked by the user"),
        Forbidden("Forbidden: bot was kicked from the supergroup chat"),
        Forbidden("Forbidden: something new"),
        BadRequest("Chat not found"),
        BadRequest("User is deactivated"),
        BadRequest("TOPIC_CLOSED"),
        BadRequest("message thread not found"),
        BadRequest("not enough rights to send text messages to the chat"),
        BadRequest("BUTTON_DATA_INVALID"),
        InvalidToken("no"),
        EndPointNotFound("Endpoint 'SendMessage' not found in Bot API"),
        Unreachable("ClientConnectorError"),
        TimedOut(),
        NetworkError("HTTP 502 without an answer of the Bot API"),
    ],
    ids=repr,
)
def test_why_telegram_takes_no_message_is_said_in_the_readers_language(error: TelegramError) -> None:
    outcome = outcome_of(error, ChatRef("telegram", "7"))
    assert isinstance(outcome, RetryLater | ChatGone | Rejected)
    assert outcome.reason
    assert cause(outcome.reason, "", ENGLISH) == outcome.reason
    told = cause(outcome.reason, "", CHINESE)
    assert any(sign > "\u2e80" for sign in told), told
