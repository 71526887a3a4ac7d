"""What is news of a metric: which words an archive did not know, from when each is known, who speaks.

Pure. A series is what one provider says, and never a mixture: a streak over two of them would be nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.engine.sessions import DAY, HOUR, XNYS, Calendar, day_of
from bot.metrics import MetricKey, Observation
from bot.rules.functions import FUNCTIONS

SILENCE_OF_DAYS = 3 * DAY
"""How far behind another provider one must be, in days of values, to lose its word on a daily metric."""

SILENCE = 6 * HOUR
"""The same for metrics that have a value more often."""

REACH = 400 * DAY
REACH_OF_SESSIONS = 5000 * DAY
"""How far back what was said of a metric is asked for and kept in mind, in seconds."""

_LATEST_NOTE = HOUR
"""By how many seconds who notes may be behind who noted before: no tape is kept for longer."""

MOST_IN_TURN = 60
"""How many sessions that arrive together become known one after the other; older ones are known at once."""


@dataclass(frozen=True, slots=True)
class Known:
    """What an archive holds of one series of one provider.

    ``oldest`` and ``newest`` are the first and the last instant or session of which anything was said;
    ``words`` the last word about those that are asked about, and ``read_at`` when each was read.
    """

    oldest: int | None = None
    newest: int | None = None
    words: Mapping[int, Observation] = field(default_factory=dict)
    read_at: Mapping[int, float] = field(default_factory=dict)


def sessions_of(key: MetricKey) -> Calendar | None:
    """Give the sessions to which the values of a metric belong, if they belong to any."""
    function = FUNCTIONS.get(key.metric)
    has_sessions = key.metric == "price" or (function is not None and function.has_sessions)
    return XNYS if has_sessions else None


def reach_of(key: MetricKey) -> int:
    """Say how far back rules may look at a metric, in seconds."""
    return REACH if sessions_of(key) is None else REACH_OF_SESSIONS


def news(arrived: Sequence[Observation], known: Known, at: int) -> list[Observation]:
    """Give those of some words about one series that are news, with their revisions, as they become known.

    The same again is no news. Words become known at ``at``. Where several sessions arrive together, as after
    a time away, each becomes known a second after the one before it, so that none is passed over. What is
    older than everything known is history, and was known when it was settled: nobody is told of it.
    """
    words = {**known.words}
    found: list[Observation] = []
    for word in sorted(arrived, key=lambda one: one.as_of):
        before = words.get(word.as_of)
        if before is not None and _says_the_same(before, word):
            continue
        revision = 0 if before is None else before.revision + 1
        words[word.as_of] = replace(word, revision=revision)
        found.append(words[word.as_of])
    newest = max((word.as_of for word in found), default=0) if known.newest is None else known.newest
    last = {word.as_of: word for word in found}
    fresh = sorted(as_of for as_of in last if as_of > newest or (known.newest is None and as_of == newest))
    turns = {as_of: at + place for place, as_of in enumerate(fresh[-MOST_IN_TURN:])}

    def known_at(word: Observation) -> float:
        is_history = known.oldest is None or word.as_of < known.oldest
        if word.as_of in turns or not is_history or not word.is_final:
            return float(turns.get(word.as_of, at))
        return float(min(_settled_at(word), at))

    timed = [replace(word, known_at=known_at(word)) for word in found]
    return sorted(timed, key=lambda word: (word.known_at, word.as_of, word.revision))


def unsaid(arrived: Sequence[Observation], known: Known, read_at: float) -> list[Observation]:
    """Leave out of some words, read at an instant, what somebody has noted of that look or of a later one.

    Where several note the same looks, who is behind would else say again what was corrected meanwhile. What
    seems to have been read long before the last word was not: then somebody set a clock.
    """
    last = {word.as_of: word for word in arrived}

    def is_said(as_of: int) -> bool:
        before = known.words.get(as_of)
        if before is None:
            return False
        behind = known.read_at[as_of] - read_at
        return 0 < behind < _LATEST_NOTE or (behind == 0 and _says_the_same(before, last[as_of]))

    said = {as_of for as_of in last if is_said(as_of)}
    return [word for word in arrived if word.as_of not in said]


def as_heard(words: Sequence[tuple[Observation, float]], horizon: int) -> tuple[list[Observation], float]:
    """Give words that others noted as they become known to who judged up to a horizon, and when to judge.

    Each comes with the instant at which it was read; what was known before that is history, and news to
    nobody. A word counts from the instant with which it was noted: that lies after all that anybody had
    kept of his judging. Whoever had come further than that without keeping it hears it right after, in the
    order of the words; if he ends before he has kept what he judges by it, he goes on from before it, and
    judges it at the instant with which it was noted.
    """
    found: list[Observation] = []
    at, noted, heard = 0.0, 0.0, float(horizon)
    for word, read_at in sorted(words, key=lambda one: (one[0].known_at, one[0].as_of, one[0].revision)):
        if word.known_at < read_at:
            found.append(word)
            continue
        if word.known_at > noted:
            noted = word.known_at
            is_late = noted <= heard
            heard = heard + 1 if is_late else noted
            at = heard if is_late else at or heard
        found.append(replace(word, known_at=heard))
    return found, at


def is_silent(speaker_newest: int | None, other_newest: int) -> bool:
    """Whether a provider has said nothing for so long, while another went on, that the other speaks now.

    Both are the newest instant or session of which each said something.
    """
    if speaker_newest is None:
        return True
    are_days = speaker_newest % DAY == 0 and other_newest % DAY == 0
    return other_newest - speaker_newest > (SILENCE_OF_DAYS if are_days else SILENCE)


def _says_the_same(one: Observation, other: Observation) -> bool:
    """Whether a word repeats the one before it; what was final stays so, though its source forgot that."""
    if one.is_final and one.value == other.value:
        return True
    return (one.value, one.is_final, one.pending) == (other.value, other.is_final, other.pending)


def _settled_at(word: Observation) -> int:
    calendar = sessions_of(word.key)
    if calendar is not None:
        return calendar.settles_at(day_of(word.as_of))
    return word.as_of + DAY if word.as_of % DAY == 0 else word.as_of
