"""What the README shows was said: each of its transcripts stands in a scenario, or in the demonstration."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from bot.demo import story
from tests.test_scenarios import SCENARIOS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")

_SAID = re.compile(r" {4}(bot|olga|ann) +([><~]) (.*)")
_TOLD = re.compile(r" {4}\d\d:\d\d:\d\d  (you|bot) +([><]) (.*)")

Turn = tuple[str, str, str]
"""Who, the sign, and the words; lines below each other."""


def transcripts(line: re.Pattern[str]) -> list[list[Turn]]:
    """Read the blocks of the README in which somebody speaks."""
    found: list[list[Turn]] = []
    is_open = False
    for text in README.splitlines():
        if match := line.fullmatch(text):
            if not is_open:
                found.append([])
            found[-1].append((match[1], match[2], match[3]))
            is_open = True
        elif is_open and text.startswith(" " * 8):
            who, sign, words = found[-1][-1]
            found[-1][-1] = (who, sign, f"{words}\n{text.strip()}")
        elif is_open and not text.startswith(" " * 4):
            is_open = False
    return found


CHATS = transcripts(_SAID)
[DEMONSTRATED] = transcripts(_TOLD)
SAID = {(step.who, step.sign, step.text) for scenario in SCENARIOS for step in scenario.steps}


@pytest.mark.parametrize("turns", CHATS, ids=[turns[0][2][:40] for turns in CHATS])
def test_a_transcript_is_of_a_scenario(turns: list[Turn]) -> None:
    assert [turn for turn in turns if turn not in SAID] == []


def test_there_are_transcripts() -> None:
    assert len(CHATS) >= 5
    assert len(DEMONSTRATED) >= 8


def test_what_is_said_in_the_demonstration_is_said_there() -> None:
    said = {line.words for line in story.NOVEMBER.lines}
    assert [words for who, _, words in DEMONSTRATED if who == "you" and words not in said] == []


async def test_the_demonstration_begins_as_the_readme_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices of the moment and how soon a touch is found are a machine's; all else is the same."""
    monkeypatch.setattr(story, "_PAUSE", 0.0)
    rang = next(at for at, turn in enumerate(DEMONSTRATED) if "fell below" in turn[2])
    assert rang == 6
    lines = tuple(line for line in story.NOVEMBER.lines if line.after < timedelta(days=2, hours=20))
    # Whether a look or its minute shows the touch first is a question of speed too.
    ring = f"bot     < {DEMONSTRATED[rang][2].partition(':')[0]}"
    out = StringIO()
    playing = asyncio.create_task(story.play(False, out, replace(story.NOVEMBER, lines=lines)))
    while ring not in out.getvalue() and not playing.done():  # noqa: ASYNC110 - a text has no event
        await asyncio.sleep(0.01)
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    assert ring in out.getvalue()
    told = _steady(" ".join(out.getvalue().split()))
    for who, _, words in DEMONSTRATED[:rang]:
        assert f"{who} {'>' if who == 'you' else '<'} {_steady(' '.join(words.split()))}" in told


def _steady(text: str) -> str:
    return re.sub(r"\b([Nn]ow) [\d.,]+\d(?: \([\d.]+% away\))?", r"\1 ...", text)
