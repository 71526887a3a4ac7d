"""No platform is asked for more than it bears, nobody waits for ever, and a pause that is asked for is kept.

The models are what the platforms document: so many in any stretch of so many seconds. Requests reach them up
to 20 milliseconds late.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.alerts.lots import Lots
from bot.pacing import (
    LIMITS,
    SHARE,
    Call,
    Limits,
    Pacer,
    Rank,
    Turn,
    backoff,
    below,
    discord_limits,
    telegram_limits,
)

LATE = 0.02
_ROUNDED = 1e-9
"""Two instants that are a minute apart may be so but for their last digit."""


# --- the platforms ------------------------------------------------------------------------------------------


class Window:
    """At most so many in any stretch of so many seconds."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._taken: deque[float] = deque()

    def takes(self, at: float) -> bool:
        while self._taken and self._taken[0] <= at - self._seconds + _ROUNDED:
            self._taken.popleft()
        if len(self._taken) >= self._most:
            return False
        self._taken.append(at)
        return True


@dataclass
class Telegram:
    """30 a second in all, or 1,000 where it is paid for; a second in a chat, a minute in a group.

    "Short bursts" above one a second in a chat are taken as: four in a second, as long as it is one a second
    over a minute.
    """

    free: Window = field(default_factory=lambda: Window(30, 1.0))
    paid: Window = field(default_factory=lambda: Window(1000, 1.0))
    chats: dict[str, list[Window]] = field(default_factory=dict)

    def takes(self, at: float, call: Call) -> bool:
        windows = [Window(20, 60.0)] if call.turn.is_group else [Window(60, 60.0), Window(4, 1.0)]
        chat = sum(one.takes(at) for one in self.chats.setdefault(call.turn.chat, windows))
        return self.paid.takes(at) and (call.is_paid or self.free.takes(at)) and chat == len(windows)


@dataclass
class Discord:
    """50 a second in all; the buckets of its routes are discord.py's."""

    whole: Window = field(default_factory=lambda: Window(50, 1.0))

    def takes(self, at: float, call: Call) -> bool:
        return self.whole.takes(at)


MODELS = {"telegram": Telegram, "discord": Discord}


# --- a line and who joins it --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Joining:
    """Some messages for one chat at an instant."""

    at: float
    chat: str
    count: int
    rank: Rank

    @property
    def is_group(self) -> bool:
        return self.chat.startswith("-")


@dataclass
class Hall:
    """A pacer, the time, and all that was called."""

    pacer: Pacer
    now: float = 0.0
    waiting: list[Turn] = field(default_factory=list)
    joined: dict[Turn, float] = field(default_factory=dict)
    called: list[tuple[float, Call]] = field(default_factory=list)

    def join(self, chat: str, rank: Rank = Rank.ALERT) -> Turn:
        turn = self.pacer.join(chat, chat.startswith("-"), rank)
        self.waiting.append(turn)
        self.joined[turn] = self.now
        return turn

    def pass_until(self, at: float) -> None:
        """Call whoever may go until an instant."""
        while True:
            while (call := self.pacer.call(self.now)) is not None:
                self.check(call.turn)
                self.waiting.remove(call.turn)
                self.called.append((self.now, call))
            due = self.pacer.next_at(self.now)
            if due > at or due == math.inf:
                break
            assert due > self.now, "somebody may go who is not called"
            self.now = due
        if at < math.inf:
            self.now = at

    def check(self, turn: Turn) -> None:
        """Whoever comes before, by rank and then by turns, and is passed, has to wait for the own chat."""
        for other in self.waiting if len(self.waiting) < 300 else ():
            if other < turn:
                ready = self.pacer.ready_at(other.chat, other.is_group, self.now)
                assert ready > self.now, f"{turn} went before {other}"

    def at(self, turn: Turn) -> float:
        return next(at for at, call in self.called if call.turn == turn)


def played(limits: Limits, joinings: list[Joining]) -> Hall:
    hall = Hall(Pacer(limits))
    for joining in sorted(joinings, key=lambda one: one.at):
        hall.pass_until(joining.at)
        for _ in range(joining.count):
            hall.join(joining.chat, joining.rank)
    hall.pass_until(math.inf)
    assert not hall.waiting
    return hall


CHATS = [*(str(number) for number in range(1, 60)), *(f"-{number}" for number in range(1, 6))]
JOININGS = st.lists(
    st.builds(
        Joining,
        at=st.floats(0, 90),
        chat=st.sampled_from(CHATS),
        count=st.integers(1, 12),
        rank=st.sampled_from(Rank),
    ),
    min_size=1,
    max_size=25,
)


# --- the limits ---------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    joinings=JOININGS,
    platform=st.sampled_from(["telegram", "paid", "discord"]),
    lates=st.lists(st.floats(0, LATE), min_size=7, max_size=7),
)
def test_no_platform_refuses_a_request_for_its_pace(
    joinings: list[Joining], platform: str, lates: list[float]
) -> None:
    limits = telegram_limits(paid=1000) if platform == "paid" else LIMITS[platform]
    hall = played(limits, joinings)
    model = Discord() if platform == "discord" else Telegram()
    arrivals = sorted(
        ((at + lates[place % 7], place, call) for place, (at, call) in enumerate(hall.called)),
        key=lambda one: one[:2],
    )
    assert [at for at, _, call in arrivals if not model.takes(at, call)] == []


@dataclass
class Senders:
    """Several who tell the chats of a platform together, each some parts of them, which change hands."""

    limits: Limits
    owners: tuple[int, ...]
    """Who has each part."""
    now: float = 0.0
    halls: dict[int, Hall] = field(default_factory=dict)
    called: list[tuple[float, Call]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for one in set(self.owners):
            self.begin(one, [])

    def lots(self, one: int) -> Lots:
        of = len(self.owners)
        return Lots(tuple(part for part in range(of) if self.owners[part] == one), of)

    def begin(self, one: int, waiting: list[Turn]) -> None:
        pacer = Pacer(self.limits.part(self.lots(one).share))
        pacer.follow(self.now)
        hall = self.halls[one] = Hall(pacer, self.now)
        for turn in waiting:
            hall.join(turn.chat, turn.rank)

    def join(self, joining: Joining) -> None:
        one = self.owners[Lots(of=len(self.owners)).part_of(joining.chat)]
        for _ in range(joining.count):
            self.halls[one].join(joining.chat, joining.rank)

    def hand_over(self, owners: tuple[int, ...]) -> None:
        """Let those whose parts change end, and begin anew."""
        before, waiting = self.owners, []
        changed = {one for part, one in enumerate(before) if owners[part] != one}
        changed |= {one for part, one in enumerate(owners) if before[part] != one}
        for one in changed & self.halls.keys():
            hall = self.halls.pop(one)
            self.called += hall.called
            waiting += hall.waiting
        self.owners = owners
        for one in changed & set(owners):
            lots = self.lots(one)
            self.begin(one, [turn for turn in waiting if lots.have(turn.chat)])

    def pass_until(self, at: float) -> None:
        for hall in self.halls.values():
            hall.pass_until(at)
        self.now = at


@settings(max_examples=60, deadline=None)
@given(
    joinings=JOININGS,
    hands=st.integers(2, 8).flatmap(
        lambda of: st.lists(
            st.tuples(st.floats(0, 90), st.tuples(*[st.integers(1, of)] * of)), min_size=1, max_size=8
        )
    ),
    platform=st.sampled_from(["telegram", "paid", "discord"]),
    lates=st.lists(st.floats(0, LATE), min_size=7, max_size=7),
)
def test_several_senders_together_keep_to_the_pace_of_one_whoever_follows_whom(
    joinings: list[Joining],
    hands: list[tuple[float, tuple[int, ...]]],
    platform: str,
    lates: list[float],
) -> None:
    limits = telegram_limits(paid=1000) if platform == "paid" else LIMITS[platform]
    (_, first), *later = sorted(hands, key=lambda one: one[0])
    senders = Senders(limits, first)
    events: list[tuple[float, Joining | tuple[int, ...]]] = [(one.at, one) for one in joinings]
    for at, event in sorted([*events, *later], key=lambda one: one[0]):
        senders.pass_until(at)
        senders.join(event) if isinstance(event, Joining) else senders.hand_over(event)
    senders.pass_until(math.inf)
    called = [*senders.called, *(one for hall in senders.halls.values() for one in hall.called)]
    assert len(called) == sum(one.count for one in joinings)
    arrivals = sorted(
        ((at + lates[place % 7], call.is_paid) for place, (at, call) in enumerate(called)),
    )
    free, paid = Window(50 if platform == "discord" else 30, 1.0), Window(1000, 1.0)
    assert all(paid.takes(at) and (is_paid or free.takes(at)) for at, is_paid in arrivals)


@pytest.mark.parametrize("of", [2, 3, 8])
def test_a_crowd_that_several_tell_hears_nearly_as_fast(of: int) -> None:
    limits = telegram_limits()
    together = of * limits.part(1 / of).overall.per_second
    assert together == pytest.approx(min(SHARE * 30, 30 - of))
    assert limits.part(1) == limits
    assert limits.part(1 / of).group == limits.group, "a chat is one sender's"


@pytest.mark.parametrize(
    ("limits", "model", "share"),
    [
        (telegram_limits(), Telegram(), SHARE * 30),
        (telegram_limits(paid=1000), Telegram(), SHARE * 1000),
        (discord_limits(), Discord(), 45.0),
    ],
)
def test_a_crowd_is_told_at_the_full_pace_and_not_one_request_is_refused(
    limits: Limits, model: Telegram | Discord, share: float
) -> None:
    hall = Hall(Pacer(limits))
    turns = [hall.join(str(number)) for number in range(700)]
    hall.pass_until(math.inf)
    assert all(model.takes(at, call) for at, call in hall.called)
    assert hall.at(turns[-1]) == pytest.approx((700 - 1) / share, rel=0.04)


def test_only_what_goes_beyond_the_free_limit_is_paid_for() -> None:
    hall = Hall(Pacer(telegram_limits(paid=1000)))
    for number in range(1200):
        hall.join(str(number))
    hall.pass_until(math.inf)
    free = [at for at, call in hall.called if not call.is_paid]
    seconds = hall.called[-1][0]
    assert len(free) == pytest.approx(SHARE * 30 * seconds, abs=3)
    assert all(free[place + 30] - free[place] > 1 for place in range(len(free) - 30))


def test_a_group_takes_five_at_once_and_nineteen_in_a_minute() -> None:
    hall = Hall(Pacer(LIMITS["telegram"]))
    turns = [hall.join("-1") for _ in range(40)]
    hall.pass_until(math.inf)
    first, others = hall.at(turns[0]), [hall.at(turn) for turn in turns]
    assert others[4] - first < 0.2
    assert others[18] - first < 60 <= others[19] - first


@given(st.integers(1, 1000), st.sampled_from([1.0, 60.0]))
def test_a_rate_and_its_burst_together_stay_below_the_limit(limit: int, seconds: float) -> None:
    rate = below(limit, seconds)
    assert math.floor(rate.per_second * seconds + rate.burst + 1e-9) <= limit


# --- fair between chats -------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(JOININGS)
def test_between_two_messages_of_a_chat_that_waits_no_other_chat_goes_more_than_twice(
    joinings: list[Joining],
) -> None:
    """Of one rank, where no chat has to wait for itself."""
    limits = Limits(below(30), below(10_000), below(10_000))
    hall = played(limits, [Joining(one.at, one.chat, one.count, Rank.ALERT) for one in joinings])
    went = [(at, call.turn) for at, call in hall.called]
    by_chat: dict[str, list[int]] = defaultdict(list)
    for place, (_, turn) in enumerate(went):
        by_chat[turn.chat].append(place)
    for places in by_chat.values():
        for before, after in pairwise(places):
            if hall.joined[went[after][1]] > went[before][0]:
                continue  # it did not wait yet when the one before went
            others = [
                turn.chat
                for _, turn in went[before + 1 : after]
                if hall.joined[turn] <= hall.joined[went[after][1]]
            ]
            assert max(Counter(others).values(), default=0) <= 2


def test_a_newcomer_waits_for_one_message_of_each_chat_that_floods() -> None:
    hall = Hall(Pacer(LIMITS["telegram"]))
    for number in range(60):
        for _ in range(15):
            hall.join(str(number))
    hall.pass_until(20.0)
    newcomer = hall.join("newcomer")
    hall.pass_until(40.0)
    assert hall.at(newcomer) - 20.0 <= 61 / (SHARE * 30)


def test_alerts_go_before_answers_before_digests_before_broadcasts() -> None:
    hall = Hall(Pacer(LIMITS["telegram"]))
    for number in range(80):
        hall.join(str(number), list(Rank)[-1 - number % 4])
    hall.pass_until(math.inf)
    ranks = [call.turn.rank for _, call in hall.called]
    assert ranks == sorted(ranks)


def test_who_leaves_the_line_holds_up_nobody() -> None:
    hall = Hall(Pacer(LIMITS["telegram"]))
    first, second = hall.join("1"), hall.join("2")
    hall.pacer.leave(first)
    hall.waiting.remove(first)
    hall.pass_until(math.inf)
    assert [call.turn for _, call in hall.called] == [second]


# --- when a platform asks to wait ---------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(JOININGS, st.floats(0, 60), st.floats(1, 60), st.sampled_from(CHATS))
def test_a_chat_that_is_held_delays_no_other(
    joinings: list[Joining], since: float, seconds: float, held: str
) -> None:
    joinings = [one for one in joinings if one.at < since + seconds - 1e-6]
    others = [one for one in joinings if one.chat != held]
    alone = played(LIMITS["telegram"], others)
    hall = Hall(Pacer(LIMITS["telegram"]))
    hall.pacer.hold(held, held.startswith("-"), since + seconds, 0.0)
    for joining in sorted(joinings, key=lambda one: one.at):
        hall.pass_until(joining.at)
        if joining.chat != held or joining.at < since:
            for _ in range(joining.count):
                hall.join(joining.chat, joining.rank)
    hall.pass_until(since + seconds - 1e-6)
    of_others = [(at, call.turn.chat) for at, call in alone.called if at < since + seconds - 1e-6]
    assert [(at, call.turn.chat) for at, call in hall.called] == of_others


@settings(max_examples=40, deadline=None)
@given(JOININGS, st.floats(0, 60), st.lists(st.floats(0.1, 60), min_size=1, max_size=3), st.booleans())
def test_a_stop_of_all_is_never_released_early(
    joinings: list[Joining], since: float, stops: list[float], is_paid: bool
) -> None:
    """Stops may overlap, and a shorter one that comes later ends none."""
    epoch = 1_762_948_800.0  # where instants have fewer digits behind the point
    hall = Hall(Pacer(telegram_limits(paid=1000 if is_paid else None)), epoch)
    for joining in sorted(joinings, key=lambda one: one.at):
        if epoch + joining.at > epoch + since:
            break
        hall.pass_until(epoch + joining.at)
        for _ in range(joining.count):
            hall.join(joining.chat, joining.rank)
    hall.pass_until(epoch + since)
    gone = len(hall.called)
    for stop in stops:
        hall.pacer.hold_all(hall.now + stop)
    until = hall.now + max(stops)
    assert hall.pacer.held_until == until
    hall.join("new")
    hall.pass_until(math.inf)
    later = [at for at, _ in hall.called[gone:]]
    assert min(later) >= until
    assert sum(at <= until + 0.001 for at in later) <= 2, "it begins again without a burst"


@given(st.integers(0, 10_000))
def test_backoff_grows_and_is_bounded(attempts: int) -> None:
    assert 2 <= backoff(attempts) <= backoff(attempts + 1) <= 300
