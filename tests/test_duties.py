"""Who should have which duty: every one is somebody's, evenly, and no more moves than must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.duties import (
    ALL,
    ROLES,
    collide,
    duties_in,
    duties_of,
    in_short,
    may_have,
    plan_of,
    read_roles,
    role_of,
    share,
)

DUTIES = duties_of(("binance", "kraken"), 8, {"telegram": 2, "discord": 2})


@dataclass(frozen=True)
class Someone:
    id: str
    roles: tuple[str, ...] = ROLES
    joined_at: float = 0.0
    duties: tuple[str, ...] = ()


@st.composite
def crews(draw: st.DrawFn, *kinds: tuple[str, ...]) -> list[Someone]:
    """Make processes of any roles, each with some of the duties that it may have, in whatever disorder."""
    any_kind = st.lists(st.sampled_from(ROLES), min_size=1, unique=True).map(tuple)
    roles = draw(st.lists(st.sampled_from(kinds) if kinds else any_kind, min_size=1, max_size=6))
    crew = [Someone(f"p{number}", kind, draw(st.integers(0, 3))) for number, kind in enumerate(roles)]
    held: dict[str, list[str]] = {one.id: [] for one in crew}
    for duty in DUTIES:
        able = [one.id for one in crew if may_have(one.roles, duty)]
        holder = draw(st.sampled_from([None, *able]))
        if holder is not None:
            held[holder].append(duty)
    return [replace(one, duties=tuple(held[one.id])) for one in crew]


def applied(crew: list[Someone], shares: Mapping[str, AbstractSet[str]]) -> list[Someone]:
    return [replace(one, duties=tuple(shares[one.id])) for one in crew]


@given(crews())
def test_every_duty_that_somebody_may_have_is_exactly_ones(crew: list[Someone]) -> None:
    shares = share(crew, DUTIES)
    given_out = Counter(duty for duties in shares.values() for duty in duties)
    able = {duty for duty in DUTIES if any(may_have(one.roles, duty) for one in crew)}
    assert given_out == dict.fromkeys(able, 1)
    assert all(may_have(one.roles, duty) for one in crew for duty in shares[one.id])


@given(crews())
def test_of_each_role_all_have_equally_many_or_one_more(crew: list[Someone]) -> None:
    shares = share(crew, DUTIES)
    for role in ROLES:
        counts = [sum(role_of(duty) == role for duty in shares[one.id]) for one in crew if role in one.roles]
        assert max(counts, default=0) - min(counts, default=0) <= 1


@given(crews())
def test_who_has_the_same_roles_has_as_much_in_all_but_for_one_duty(crew: list[Someone]) -> None:
    shares = share(crew, DUTIES)
    for kind in {one.roles for one in crew}:
        counts = [len(shares[one.id]) for one in crew if set(one.roles) == set(kind)]
        assert max(counts) - min(counts) <= 1


@given(crews())
def test_who_should_have_so_many_keeps_so_many_of_its_own(crew: list[Someone]) -> None:
    shares = share(crew, DUTIES)
    for one in crew:
        for role in ROLES:
            held = {duty for duty in one.duties if role_of(duty) == role}
            due = {duty for duty in shares[one.id] if role_of(duty) == role}
            assert len(held & due) == min(len(held), len(due))


@given(crews(("engine",)))
def test_of_one_role_no_more_moves_than_must(crew: list[Someone]) -> None:
    shares = share(crew, DUTIES)
    least, left = divmod(8, len(crew))
    held = [len(one.duties) for one in crew]
    could_stay = sum(min(count, least) for count in held)
    could_stay += min(left, sum(count > least for count in held))
    assert sum(len(shares[one.id].intersection(one.duties)) for one in crew) == could_stay


@given(crews())
def test_what_was_shared_out_stays_so(crew: list[Someone]) -> None:
    shares = share(crew, DUTIES)
    assert share(applied(crew, shares), DUTIES) == shares


@given(crews(), st.randoms())
def test_the_order_in_which_it_is_asked_changes_nothing(crew: list[Someone], chance: object) -> None:
    shuffled, duties = list(crew), list(DUTIES)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    chance.shuffle(duties)  # type: ignore[attr-defined]
    shuffled = [replace(one, duties=one.duties[::-1]) for one in shuffled]
    assert share(shuffled, duties) == share(crew, DUTIES)


@given(crews(ROLES))
def test_who_ends_leaves_to_the_others_what_they_have(crew: list[Someone]) -> None:
    """Nobody gives anything up for a death but what evens out: that it was even is all it takes."""
    crew = applied(crew, share(crew, DUTIES))
    for gone in crew:
        rest = [one for one in crew if one is not gone]
        shares = share(rest, DUTIES)
        moved = [duty for one in rest for duty in one.duties if duty not in shares[one.id]]
        assert len(moved) <= 2  # a role's one more, of chats and of feeds


def test_a_process_of_every_role_and_those_of_one_share_what_both_may_have() -> None:
    crew = [Someone("all", joined_at=1.0), Someone("engine", ("engine",), 2.0), Someone("chat", ("chat",))]
    shares = share(crew, DUTIES)
    assert {one: in_short(duties) for one, duties in shares.items()} == {
        "all": "feed/binance, feed/kraken, feed/metrics, engine/0-3, chat/discord/1, chat/telegram/1",
        "engine": "engine/4-7",
        "chat": "chat/discord/0, chat/telegram/0, chat/upkeep",
    }


def test_all_the_work_is_one_duty_of_who_has_every_role_and_stays_where_it_is() -> None:
    first, second = Someone("a", joined_at=1.0), Someone("b", joined_at=2.0)
    assert share([second, first], [ALL]) == {"a": {ALL}, "b": set()}
    assert share([first, replace(second, duties=(ALL,))], [ALL]) == {"a": set(), "b": {ALL}}
    assert share([Someone("c", ("feed", "engine"))], [ALL]) == {"c": set()}


def test_the_duties_of_a_deployment_are_named_by_what_is_configured() -> None:
    assert duties_of(("okx",), 2, {"telegram": 1}) == (
        "feed/okx",
        "feed/metrics",
        "engine/0",
        "engine/1",
        "chat/telegram/0",
        "chat/upkeep",
    )
    some = ("engine/10", "engine/2", "engine/1", "engine/3", "chat/telegram/1", "feed/okx", "chat/telegram/0")
    assert in_short(some) == "feed/okx, engine/1-3, engine/10, chat/telegram/0-1"
    assert in_short(("chat/discord/0", "chat/telegram/1")) == "chat/discord/0, chat/telegram/1"
    assert in_short(()) == ""
    assert in_short((ALL,)) == "bot"


def test_roles_are_read_in_any_order_and_a_wrong_one_is_named() -> None:
    assert read_roles(" Chat, feed,feed ") == ("feed", "chat")
    assert read_roles("feed,engine,chat") == ROLES
    with pytest.raises(ValueError, match=r"^has a part that is no role .part 2.$"):
        read_roles("feed,engin")
    with pytest.raises(ValueError, match=r"^names no role$"):
        read_roles(" ,")


def test_nobody_does_anything_beside_one_who_cuts_the_alerts_otherwise() -> None:
    more = duties_of(("binance",), 16, {})
    assert collide("engine/3", DUTIES, "engine/3", DUTIES)
    assert not collide("engine/3", DUTIES, "engine/4", DUTIES)
    assert collide("engine/3", DUTIES, "engine/9", more)
    assert collide("feed/kraken", DUTIES, "feed/binance", more)
    assert not collide("feed/kraken", DUTIES, "feed/binance", [*DUTIES, "feed/okx", "chat/console/0"])
    assert collide("feed/binance", DUTIES, ALL, (ALL,))
    assert collide(ALL, (ALL,), "chat/telegram/0", DUTIES)


def test_who_words_otherwise_does_nothing_beside_another() -> None:
    mine, theirs = plan_of(DUTIES, 1), plan_of(DUTIES, 2)
    assert duties_in(mine) == duties_in(theirs) == tuple(DUTIES)
    assert not collide("feed/kraken", mine, "chat/telegram/0", mine)
    assert collide("feed/kraken", mine, "chat/telegram/0", theirs)
    assert collide("engine/3", mine, "engine/4", theirs)


def test_nobody_tells_a_part_of_a_platform_beside_one_who_divides_its_chats_otherwise() -> None:
    more = duties_of(("binance",), 8, {"telegram": 3, "discord": 2})
    assert collide("chat/telegram/0", DUTIES, "chat/telegram/2", more)
    assert not collide("chat/telegram/0", DUTIES, "chat/telegram/1", DUTIES)
    assert not collide("chat/discord/0", DUTIES, "chat/discord/1", duties_of((), 8, {"discord": 2}))


def test_two_who_tell_have_a_part_of_every_platform_each() -> None:
    shares = share([Someone("a", ("chat",), 1.0), Someone("b", ("chat",), 2.0)], DUTIES)
    assert {one: in_short(duties) for one, duties in shares.items()} == {
        "a": "chat/discord/0, chat/telegram/0, chat/upkeep",
        "b": "chat/discord/1, chat/telegram/1",
    }
