"""Compare what a bot that was killed again and again told with the true market, by what it left behind.

What must have rung is told by brute force (tests/feed_oracle.py) from the minutes of the market. An alert
counts from its commit: what was seen then is a part of it, and it is judged until the commit that retired it.
Each ring must be a row of the outbox for its chat, each row have its message, and each message its rows. What
has none is a repetition: it was in flight when the bot was killed, so what it told was told again after that,
and nothing of it before.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.metrics import MINUTE, Bar, minute_of
from tests.feed_oracle import Alert, Findings, Minute, Told, compare
from tests.wire.discord import NONCE_MEMORY
from tests.wire.prices import Ticks

RING = re.compile(r"\**(?:#\d+ (?!armed|is |moved)|\d+ messages at once:)")
"""How a message begins that tells a ring, or several."""

_TOUCH = re.compile(r"(btc/usdt|eth/usdt) (<|>) ([\d.]+)( repeat)?(?: cooldown (\d+)m)?(?: urgent)?")
_LINE = re.compile(r"(?m)^.*?#(\d+) .*$")
_MOST_AGAIN = 1
"""How many messages of a chat may be told again because of one kill; none where Discord knows its nonce.

What is urgent goes beside the others, so one of its kind may be in flight with one of theirs.
"""

_NEAR = 6
"""So many lives before or after a repetition stands what it repeats, where bots share a database: each harm
begins up to three, and what was in flight is told again when its lease is over, two harms later perhaps."""

_LONGEST_LOOK = 5 * MINUTE
"""How long a look may take on a busy machine: a price that it ends with is told before older minutes are."""

Chat = tuple[str, str]
"""A platform, and the id of a chat there."""


@dataclass
class Figures:
    """What a run came to."""

    kills: Counter[str] = field(default_factory=Counter)
    alerts: int = 0
    edits: int = 0
    rings: int = 0
    corrected: int = 0
    minutes: int = 0
    rows: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    most_repeated: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"kills {sum(self.kills.values())}: {dict(self.kills)}"
        yield f"alerts {self.alerts}, {self.edits} of them by an edit; their minutes {self.minutes}"
        yield f"rings of the true market {self.rings}, taken back {self.corrected}"
        yield f"rows of the outbox {self.rows}, messages {dict(self.messages)}"
        for platform, most in self.most_repeated.items():
            yield f"repeated on {platform} {self.repeated[platform]}, at most {most} of a chat and a kill"
        yield f"lost, false or repeated beyond what was in flight: {len(self.faults)}"
        yield from self.faults[:20]


@dataclass(frozen=True)
class Remains:
    """What is left after a run.

    ``ticks`` are the true prices of each symbol, judged up to the minute ``end``. ``shown`` are the texts of
    all messages of each chat by their ids, and ``lives`` the ids of those that tell a ring and stood in each
    chat at the end of each life of the bot. ``kills`` are counted by their moments; ``mishaps`` are lives
    that ended otherwise. Where the database ``is_shared`` by several bots, one that stood still may say what
    it was about to say when another has said it, and the other may have put a list together anew.
    """

    database: Path
    ticks: Mapping[str, Ticks]
    end: int
    shown: Mapping[Chat, Mapping[str, str]]
    lives: Sequence[Mapping[Chat, frozenset[str]]]
    kills: Counter[str]
    mishaps: Sequence[str] = ()
    is_shared: bool = False

    def query(self, words: str) -> list[tuple[Any, ...]]:
        """Ask the database that the bot left."""
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            return connection.execute(words).fetchall()


def judge(remains: Remains) -> Figures:
    """Compare."""
    figures = Figures(remains.kills.copy(), faults=[*remains.mishaps])
    judgement = _Judgement(remains, figures)
    judgement.judge_rings()
    judgement.judge_repetitions(judgement.judge_rows())
    return figures


@dataclass(frozen=True)
class _Judgement:
    remains: Remains
    figures: Figures

    # --- the market and the rings ---------------------------------------------------------------------------

    def judge_rings(self) -> None:
        findings = Findings()
        told = defaultdict(list)
        for arming, at, is_early in self.remains.query(
            "select arming_id, at, is_early from rings where corrected_at is null order by at"
        ):
            told[arming].append((at, bool(is_early)))
        chosen = (
            "select a.id, a.alert_id, a.rule, a.seen, a.made_at, a.retired_at, s.cursor from armings a "
            "left join alert_states s on s.arming_id = a.id"
        )
        for arming, number, rule, seen, made, retired, cursor in self.remains.query(chosen):
            self.figures.alerts += 1
            self.figures.edits += retired is not None
            touch = _TOUCH.fullmatch(rule)
            if not touch:
                continue
            alert = _alert(f"alert {number}, arming {arming}: {rule}", touch, json.loads(seen), made)
            last = self.remains.end
            if retired:  # what is not judged yet when a level is moved away is judged no more
                judged = [minute_of(at) + MINUTE for at, _ in told[arming]]
                last = min(minute_of(retired), max([cursor or 0, *judged]))
            self._judge_alert(alert, self._minutes(touch[1], alert, last), told[arming], findings)
        self.figures.rings, self.figures.minutes = findings.rings, findings.minutes
        self.figures.faults += findings.missed + findings.false
        back = self.remains.query("select id, arming_id, at from rings where corrected_at is not null")
        self.figures.corrected = len(back)
        self.figures.faults += [
            f"ring {ring} of arming {arming} at {at} was false" for ring, arming, at in back
        ]

    def _judge_alert(
        self, alert: Alert, minutes: list[Minute], told: list[tuple[float, bool]], findings: Findings
    ) -> None:
        last = minutes[-1].at + MINUTE if minutes else 0
        early = [at for at, is_early in told if is_early]
        rings: list[float] = []
        for at, is_early in told:
            rings.append(_final(alert, minutes, Told(rings, early=early), at) if is_early else at)
        compare(alert, minutes, Told([at for at in rings if at < last], early=early), findings)

    def _minutes(self, symbol: str, alert: Alert, last: int) -> list[Minute]:
        ticks, found = self.remains.ticks[symbol], []
        for at in range(alert.first, last, MINUTE):
            bar = ticks.bar(symbol, at, at + MINUTE)
            assert bar is not None
            later = ticks.between(alert.made, at + MINUTE) if at == alert.first else []
            after = [Bar(at, alert.price or later[0], max(later), min(later), later[-1])] if later else []
            found.append(Minute(at, (bar,), later=tuple(after)))
        return found

    # --- the rings and the messages -------------------------------------------------------------------------

    def judge_rows(self) -> set[tuple[Chat, str]]:
        """Compare rings with rows, and rows with messages; gives the messages that have rows."""
        missing = self.remains.query(
            "select r.id, s.chat_id from rings r join subscriptions s on s.arming_id = r.arming_id "
            "where not exists (select 1 from outbox o where o.ring_id = r.id and o.chat_id = s.chat_id "
            "and o.kind = 'ring')"
        )
        self.figures.faults += [f"ring {ring} has no row for chat {chat}" for ring, chat in missing]
        rows = self.remains.query(
            "select c.platform, c.chat, o.receipt, o.kind, a.number, o.error from outbox o "
            "join chats c on c.id = o.chat_id left join alerts a on a.id = o.alert_id order by o.id"
        )
        self.figures.rows = len(rows)
        of_message: dict[tuple[Chat, str], list[tuple[str, str]]] = defaultdict(list)
        for platform, chat, receipt, kind, number, error in rows:
            if receipt is None:
                self.figures.faults.append(f"{kind} #{number} for {platform} {chat} was not told: {error}")
            else:
                of_message[(platform, chat), receipt].append((kind, str(number)))
        for (chat, receipt), promised in of_message.items():
            text = self.remains.shown.get(chat, {}).get(receipt, "")
            numbers = [number for _, number in promised]
            is_of_rings = {kind for kind, _ in promised} == {"ring"}
            if not text or (is_of_rings and _LINE.findall(text) != numbers):
                self.figures.faults.append(f"{chat}: told {text!r} instead of {promised}")
        for (platform, _), texts in self.remains.shown.items():
            self.figures.messages[platform] += len(texts)
        return set(of_message)

    def judge_repetitions(self, known: set[tuple[Chat, str]]) -> None:
        """Judge what has no rows: it was in flight as a life ended by a kill, and is what came again then."""
        urgent = {
            (platform, chat, str(number))
            for platform, chat, number in self.remains.query(
                "select c.platform, c.chat, a.number from subscriptions s join chats c on c.id = s.chat_id "
                "join alerts a on a.id = s.alert_id where s.is_urgent or a.rule like '% urgent%'"
            )
        }
        for chat in self.remains.lives[0]:
            platform, came = chat[0], self._came(chat)
            for life, ids in came.items():
                again = [one for one in ids if (chat, one) not in known]
                most = _MOST_AGAIN if life < len(self.remains.lives) - 1 else 0
                self.figures.repeated[platform] += len(again)
                self.figures.most_repeated[platform] = max(self.figures.most_repeated[platform], len(again))
                beside = [one for one in again if self._numbers(chat, one) <= urgent]
                if max(len(beside), len(again) - len(beside)) > most:
                    self.figures.faults.append(f"kill {life}: {chat} was told {len(again)} again: {again}")
                for one in again:
                    self._judge_repetition(chat, one, life, came, known)

    def _numbers(self, chat: Chat, message: str) -> set[tuple[str, str, str]]:
        return {(*chat, number) for number in _LINE.findall(self.remains.shown[chat][message])}

    def _may_be_again(self, when: int, life: int) -> bool:
        return abs(when - life) <= _NEAR if self.remains.is_shared else when > life

    def _judge_repetition(
        self, chat: Chat, one: str, life: int, came: Mapping[int, list[str]], known: set[tuple[Chat, str]]
    ) -> None:
        texts = self.remains.shown[chat]
        numbers = set(_LINE.findall(texts[one]))
        kept = [(when, other) for when, ids in came.items() for other in ids if (chat, other) in known]
        again = [
            other
            for when, other in kept
            if self._may_be_again(when, life) and numbers & {*_LINE.findall(texts[other])}
        ]
        where = f"kill {life}: {chat} was told"
        if not numbers <= {number for other in again for number in _LINE.findall(texts[other])}:
            self.figures.faults.append(f"{where} what did not come again: {texts[one]}")
        if self.remains.is_shared:
            return
        if again and chat[0] == "discord" and int(again[0]) - int(one) < NONCE_MEMORY * 1000 * 2**22:
            self.figures.faults.append(f"{where} again what Discord knew by its nonce: {texts[one]}")
        before = {line[0] for when, other in kept if when <= life for line in _LINE.finditer(texts[other])}
        if any(line[0] in before for line in _LINE.finditer(texts[one])):
            self.figures.faults.append(f"{where} again what it knew: {texts[one]}")

    def _came(self, chat: Chat) -> dict[int, list[str]]:
        """Give the messages of a chat that tell a ring by the life in which they came."""
        came: dict[int, list[str]] = {}
        before: frozenset[str] = frozenset()
        for life, stood in enumerate(self.remains.lives):
            came[life] = sorted(stood[chat] - before, key=int)
            before = stood[chat]
        return came


def _final(alert: Alert, minutes: list[Minute], told: Told, at: float) -> float:
    """Give the instant of the final ring that was told early at a price of ``at``.

    It is the first that is due up to the minute after, of those that were not judged yet when it was told.
    ``told`` are the final rings before it, and all that were told early.
    """
    running = minute_of(at)
    known = [one for one in minutes if one.at <= running + MINUTE]
    due = compare(alert, known, told, Findings()) if running > alert.first else None
    minute = running if due is None or due < running - _LONGEST_LOOK else due
    return max(float(minute), alert.made)


def _alert(subject: str, touch: re.Match[str], seen: list[Any], made: float) -> Alert:
    """Read what the oracle is to know of an arming: its rule, and what was seen when it was made."""
    _, sign, level, repeats, pause = touch.groups()
    cooldown = (int(pause) * MINUTE if pause else 15 * MINUTE) if repeats else None
    if not seen:
        return Alert(subject, sign == "<", float(level), cooldown, minute_of(made) + MINUTE, made)
    ((_, _, _, seen_at, (opened, _, high, low, price, *_), *_),) = seen
    return Alert(subject, sign == "<", float(level), cooldown, opened, seen_at, price, low, high)
