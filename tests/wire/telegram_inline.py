"""Inline mode, as the Bot API server checks its answers: what is typed, and the results for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.wire.telegram_markup import parse_html, units

Json = dict[str, Any]
MOST = 50
LONGEST_ID = 64
LONGEST_QUERY = 256
LONGEST_TEXT = 4096


@dataclass
class Inline:
    """The inquiries of one bot: who waits for an answer, and what was answered to whom.

    ``results`` holds the answer to each query by its number, ``options`` for how long, and for whom alone, it
    may be kept.
    """

    asking: dict[str, int] = field(default_factory=dict)
    results: dict[str, list[Json]] = field(default_factory=dict)
    options: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def ask(self, person: Json, words: str, chat_type: str) -> Json:
        """Give the update by which the bot hears what somebody types."""
        assert len(words) <= LONGEST_QUERY
        number = str(8_000_000_000 + len(self.asking))
        self.asking[number] = person["id"]
        return {"id": number, "from": person, "query": words, "offset": "", "chat_type": chat_type}

    def answer(self, number: str, results: list[Json], cache_time: int | None, *, is_personal: bool) -> str:
        """Take an answer; gives what is wrong with it, if anything is."""
        if number not in self.asking or number in self.results:
            return "query is too old and response timeout expired or query ID is invalid"
        if len(results) > MOST:
            return "RESULTS_TOO_MUCH"
        ids = [str(one.get("id", "")) for one in results]
        if len(set(ids)) != len(ids):
            return "RESULT_ID_DUPLICATE"
        for one in results:
            if wrong := _wrong(one):
                return wrong
        self.results[number] = results
        self.options[number] = (300 if cache_time is None else cache_time, is_personal)
        return ""


def text_of(result: Json) -> tuple[str, list[Json]]:
    """Give the text that choosing a result posts, with its entities."""
    content = result["input_message_content"]
    source = str(content.get("message_text", ""))
    return parse_html(source) if content.get("parse_mode", "").lower() == "html" else (source.strip(), [])


def _wrong(result: Json) -> str:
    if not 1 <= len(str(result.get("id", "")).encode()) <= LONGEST_ID:
        return "RESULT_ID_INVALID"
    if result.get("type") != "article":
        return "RESULT_TYPE_INVALID"
    if not result.get("title"):
        return "ARTICLE_TITLE_EMPTY"
    try:
        text, _ = text_of(result)
    except ValueError as error:
        return f"can't parse entities: {error}"
    if not text:
        return "message text is empty"
    return "MESSAGE_TOO_LONG" if units(text) > LONGEST_TEXT else ""
