"""What each of several processes takes and lets go: whatever comes and goes, all is done, and then rests."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.balance import Balance, Errand
from bot.duties import ALL, ROLES, collide, duties_of, may_have, plan_of, share
from bot.ports.rota import Process

DUTIES = duties_of(("binance", "kraken"), 8, {"telegram": 2, "discord": 2})
OTHERS = duties_of(("binance", "kraken", "okx"), 8, {"telegram": 2, "discord": 2})
CALM, PATIENCE, MEMORY = 3.0, 2.0, 16.0


def someone(
    name: str, roles: tuple[str, ...] = ROLES, at: float = 0.0, plan: tuple[str, ...] = DUTIES
) -> Process:
    return Process(name, name, "1", at, 0.0, roles=roles, plan=plan)


def balance_of(one: Process) -> Balance:
    return Balance(one.id, one.plan, calm=CALM, patience=PATIENCE, memory=MEMORY)


class World:
    """Processes that look once a second, and do at once what they are to do."""

    def __init__(self, seed: int) -> None:
        self.chance, self.time, self.moves = random.Random(seed), 0.0, 0
        self.living: dict[str, Process] = {}
        self.balances: dict[str, Balance] = {}
        self.still: set[str] = set()

    def join(self, roles: tuple[str, ...] = ROLES, plan: tuple[str, ...] = DUTIES) -> str:
        one = someone(f"p{len(self.balances)}", roles, self.time, plan)
        self.living[one.id], self.balances[one.id] = one, balance_of(one)
        return one.id

    def die(self, who: str) -> None:
        del self.living[who]

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds):
            self.time += 1
            for who in self.chance.sample(sorted(self.living), len(self.living)):
                if who not in self.still:
                    self.act(who)

    def act(self, who: str) -> None:
        one = self.living[who]
        errand = self.balances[who].look(list(self.living.values()), one.duties, self.time)
        assert errand is not None
        has = set(one.duties)
        for duty in errand.take:
            held = [(d, other.plan) for other in self.living.values() for d in other.duties]
            if not any(collide(duty, one.plan, other, plan) for other, plan in held):
                has.add(duty)
        has -= errand.let_go
        self.moves += len(has ^ set(one.duties))
        self.living[who] = replace(one, duties=tuple(sorted(has)))

    def held(self) -> list[str]:
        return sorted(duty for one in self.living.values() for duty in one.duties)


KINDS = st.sampled_from([ROLES, ("feed",), ("engine",), ("chat",), ("feed", "chat")])
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(["join", "join", "die", "stand still", "go on"]), KINDS, st.integers(0, 5)),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(HAPPENINGS, st.integers(0, 99))
def test_whatever_comes_and_goes_everyone_comes_to_its_share_and_nothing_moves_any_more(
    happenings: list[tuple[str, tuple[str, ...], int]], seed: int
) -> None:
    world = World(seed)
    world.join()
    for what, roles, seconds in happenings:
        who = world.chance.choice(sorted(world.living) or [""])
        if what == "join":
            world.join(roles)
        elif what == "die" and who:
            world.die(who)
        elif what == "stand still" and who:
            world.still.add(who)
        world.go_on(seconds)
        assert len(set(world.held())) == len(world.held())
    world.still.clear()
    world.go_on(40)
    crew = list(world.living.values())
    able = {duty for duty in DUTIES if any(may_have(one.roles, duty) for one in crew)}
    assert world.held() == sorted(able)
    shares = share(crew, DUTIES)
    assert {one.id: set(one.duties) for one in crew} == shares
    moved = world.moves
    world.go_on(20)
    assert world.moves == moved


def test_what_nobody_has_is_taken_at_once_and_what_is_anothers_is_let_go_when_all_is_calm() -> None:
    first, second = someone("a", at=1.0), someone("b", at=2.0)
    one, other = balance_of(first), balance_of(second)
    errand = one.look([first], (), 0.0)
    assert errand == Errand(tuple(DUTIES))
    first = replace(first, duties=DUTIES)
    seen = [one.look([first, second], DUTIES, now) for now in (1.0, 2.0, 3.9)]
    assert seen == [Errand()] * 3
    due = share([first, second], DUTIES)
    assert one.look([first, second], DUTIES, 4.0) == Errand(let_go=due["b"])
    assert other.look([first, second], (), 4.0) == Errand(awaited=due["b"])
    first = replace(first, duties=tuple(due["a"]))
    taken = other.look([first, second], (), 5.0)
    assert taken is not None
    assert set(taken.take) == due["b"]


def test_what_another_should_take_and_does_not_is_taken_by_whoever_looks() -> None:
    """It stands still, and is not thought dead yet."""
    world = World(1)
    first, second = world.join(), world.join()
    world.still.add(second)
    world.go_on(15)
    assert world.held() == sorted(DUTIES)
    assert set(world.living[first].duties) == set(DUTIES)


def test_who_is_not_seen_to_live_does_nothing() -> None:
    one = someone("a")
    assert balance_of(one).look([someone("b")], DUTIES, 0.0) is None


def test_what_was_taken_by_a_call_without_an_answer_is_taken_again() -> None:
    one = someone("a")
    errand = balance_of(one).look([replace(one, duties=("engine/1",))], (), 0.0)
    assert errand is not None
    assert errand.take[0] == "engine/1"
    assert sorted(errand.take) == sorted(DUTIES)


def test_who_knows_of_other_duties_keeps_its_own_until_it_ends() -> None:
    world = World(1)
    old = world.join()
    world.go_on(5)
    new = [world.join(plan=OTHERS), world.join(plan=OTHERS)]
    world.go_on(20)
    assert set(world.living[old].duties) == set(DUTIES)
    assert sorted(duty for one in new for duty in world.living[one].duties) == ["feed/okx"]
    world.die(old)
    world.go_on(20)
    assert {len(world.living[one].duties) for one in new} == {8, 9}
    moves = world.moves
    world.go_on(20)
    assert world.moves == moves


def test_nobody_has_a_part_while_another_has_all() -> None:
    world = World(1)
    whole = world.join(plan=(ALL,))
    world.go_on(5)
    world.join()
    world.go_on(20)
    assert world.held() == [ALL]
    world.die(whole)
    world.join(plan=(ALL,))
    world.go_on(20)
    assert world.held() in ([ALL], sorted(DUTIES))


def test_who_words_otherwise_begins_when_the_last_of_the_others_ends() -> None:
    world = World(1)
    old = [world.join(roles, plan_of(DUTIES, 1)) for roles in (("feed",), ("engine", "chat"))]
    world.go_on(5)
    new = [world.join(plan=plan_of(DUTIES, 2)) for _ in range(2)]
    world.die(old[0])
    world.go_on(20)
    assert not any(world.living[one].duties for one in new)
    assert world.held() == sorted(duty for duty in DUTIES if not duty.startswith("feed"))
    world.die(old[1])
    world.go_on(20)
    assert world.held() == sorted(DUTIES)
    assert all(world.living[one].duties for one in new)
