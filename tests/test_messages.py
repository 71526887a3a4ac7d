"""The catalogues of languages: each has every message that the bot says, and nothing else."""

from __future__ import annotations

import pytest

from bot.catalogues import read_languages
from tests.messages import catalogue_of, fields, messages, tags

SAID = messages()
MESSAGES = {one.key for one in SAID} - {(None, one.one) for one in SAID if one.several}
"""Where one message is said both with a count and without, catalogues have the one with a count."""


def texts(message: str | tuple[str, ...] | list[str]) -> list[str]:
    return [message] if isinstance(message, str) else list(message)


def test_the_sources_say_something() -> None:
    said = {one.one for one in SAID}
    assert {"I speak {language} here.", "{value} below {level}", "Ring here when a rule comes true"} <= said
    assert (None, ("{count} alert", "{count} alerts")) in MESSAGES
    assert {("word", "alert"), ("word", "snooze"), ("word", "admins"), ("word", "off")} <= MESSAGES


@pytest.mark.parametrize("tag", tags())
def test_a_catalogue_has_every_message_and_no_other(tag: str) -> None:
    """``python -m tests.messages`` brings a catalogue up to date; what is new is then to be translated."""
    catalogue = catalogue_of(tag)
    translated = {
        (one.context, one.id if isinstance(one.id, str) else tuple(one.id))
        for one in catalogue
        if one.id and not one.fuzzy
    }
    assert not [f"missing: {one}" for one in MESSAGES if one not in translated]
    assert not [f"not said any more: {one}" for one in translated if one not in MESSAGES]
    assert not [
        f"without a translation: {one.id}" for one in catalogue if one.id and not all(texts(one.string))
    ]
    assert not catalogue.obsolete


@pytest.mark.parametrize("tag", tags())
def test_a_translation_fills_in_what_its_message_does(tag: str) -> None:
    """What depends on a count may leave the count out, as "one alert" does, but nothing else."""
    for one in catalogue_of(tag):
        wanted = [set(fields(text)) for text in texts(one.id)]
        least = wanted[0] & wanted[-1] - ({"count"} if len(wanted) > 1 else set())
        odd = [text for text in texts(one.string) if not least <= set(fields(text)) <= wanted[0] | wanted[-1]]
        assert not one.id or not odd, one.id


def test_every_catalogue_is_a_language_that_may_be_chosen() -> None:
    languages = list(read_languages())
    assert [one.tag for one in languages] == ["en", *tags()]
    assert all(one.name for one in languages)
