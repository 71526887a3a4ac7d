"""What the desk answers of playbooks: shown, confirmed, followed, revised for all, and stopped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot.alerts.message import Button
from bot.alerts.models import Telling
from bot.alerts.people import Caller
from bot.alerts.playbooks import Shelf, read_playbook
from bot.alerts.translator import ENGLISH
from bot.alerts.wording import word
from bot.commands import Office
from bot.metrics import Bar
from bot.rules.phrases import Phrase
from bot.shelf import read_shelf
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.test_commands import ADMIN, ANN, OPERATOR, Room

SHIPPED = read_shelf()
PREVIEWS = Path(__file__).parent / "previews"
STEPS = """
title = "Steps"
[levels]
low = 60_000
high = 80_000
[rules]
low = "btc < @low repeat"
high = "btc > @high repeat"
flow = "etf_flow(btc) < 0 repeat"
"""


@dataclass
class Library(Room):
    """A desk with playbooks."""

    shelf: Shelf = field(default_factory=lambda: shelf(steps=STEPS))

    @property
    def office(self) -> Office:
        return replace(super().office, shelf=lambda: self.shelf)

    async def labels(self, caller: Caller = ANN) -> list[str]:
        return [
            f"{one.alert.label} {one.alert.playbook}/{one.alert.part} {one.arming.rule}"
            for one in await self.store.subscriptions(caller.chat)
            if one.arming
        ]

    async def told(self) -> list[str]:
        """Word what waits to be told of playbooks, and settle it."""
        due = await self.store.lease("telegram", self.clock.now(), 100)
        return [
            f"{one.chat.chat}: {word(one, ENGLISH, self.clock.now()).plain()}"
            for one in due
            if one.kind is Telling.PLAYBOOK
        ]


def shelf(**texts: str) -> Shelf:
    return Shelf({name: read_playbook(name, text) for name, text in texts.items()})


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Library:
    return Library(store, HandMarket(clock, btc=69_400.0, eth=3_010.5), clock)


async def follow(room: Library, caller: Caller = ANN, line: str = "/playbook steps") -> str:
    """Let a chat follow a playbook, and give the answer to the confirmation."""
    [shown] = await room.replies(line, caller)
    return await room.say(shown.buttons[0][0].line, caller)


# --- what comes along ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED.books)
async def test_the_preview_of_a_playbook_that_comes_along_is_as_it_is_written(
    name: str, store: SqlStore, clock: SetClock
) -> None:
    room = Library(store, HandMarket(clock, btc=104_000.0, eth=3_400.0), clock, shelf=SHIPPED)
    for metric in ("etf_flow", "liquidations", "long_share", "basis", "rate_cut", "treasury", "metric"):
        room.metrics.give(metric, *_instruments(metric))
    room.metrics.give("price", "spx", "gold", "ndx", "$sqns", provider="yahoo")
    noon = int(NOON)
    hours = [
        Bar(at, 104_000, 104_100, 99_900 if at % 86_400 == 0 else 103_900, 104_000, 1.0, 3600)
        for at in range(noon - 31 * 86_400, noon, 3600)
    ]
    room.market.feed("btc/usdt", hours)
    *_, last = await room.replies(f"/playbook {name}")
    path = PREVIEWS / f"{name}.txt"
    assert last.plain() + "\n" == path.read_text()


def _instruments(metric: str) -> list[str]:
    named = {
        "etf_flow": ["btc"],
        "liquidations": ["all, 24h"],
        "long_share": ["btc/usdt"],
        "basis": ["btc/usdt"],
        "treasury": ["sqns", "mstr"],
        "metric": ["whale_btc"],
    }
    return named.get(metric, [])


# --- following ----------------------------------------------------------------------------------------------


async def test_what_it_would_do_is_shown_and_nothing_is_armed_before_it_is_confirmed(room: Library) -> None:
    room.metrics.give("etf_flow", "btc", lacks="set TOCSIN_SOSOVALUE_KEY")
    [message] = await room.replies("/playbook steps low=70k")
    assert message.lines == (
        "steps: Steps.",
        "low: BTC/USDT below 70,000, every time (@low is 70,000)"
        " · true already, so it waits to be clear first",
        "high: BTC/USDT above 80,000, every time (@high is 80,000)",
        "Left out: flow. etf_flow(btc) is not watched here yet. The operator can set TOCSIN_SOSOVALUE_KEY.",
        "/metrics lists what can be watched.",
        "Levels: @low 70,000 (for these alerts alone), @high 80,000.",
        "Others for this chat: /playbook steps low=70000. "
        "Operators move one for all chats with /level low 70000.",
        "Nothing is changed yet. /confirm 1 does it, /discard 1 drops it; it waits until 12:15 UTC.",
    )
    assert message.buttons == ((Button("Confirm", "/confirm 1"), Button("Discard", "/discard 1")),)
    assert await room.labels() == []
    assert await room.store.levels(ANN.chat) == {}


async def test_confirming_arms_all_and_following_twice_is_told_and_not_doubled(room: Library) -> None:
    await room.script("/alert btc < 1k sure")
    told = await follow(room)
    assert told.splitlines()[:3] == [
        "steps is armed here: 2 alerts.",
        "#2 low: BTC/USDT below 60,000, every time (@low is 60,000)",
        "#3 high: BTC/USDT above 80,000, every time (@high is 80,000)",
    ]
    armed = ["#2 steps/low btc/usdt < 60000 repeat", "#3 steps/high btc/usdt > 80000 repeat"]
    assert await room.labels() == ["#1 / btc/usdt < 1000", *armed]
    assert await room.say("/confirm 1") == "Proposal 1 is confirmed already."
    again = await room.say("/playbook steps")
    assert again.startswith("This chat follows steps already: #2 and #3.")
    assert await room.store.proposal(2) is None
    assert await room.labels() == ["#1 / btc/usdt < 1000", *armed]
    await room.script("/alert btc > 100k")
    listed = (await room.say("/alerts")).splitlines()
    assert [line.split()[0] for line in listed[:-1]] == ["#2", "#3", "#4", "#1"], (
        "the nearest to ringing first"
    )
    assert listed[0].startswith("#2 steps low: BTC/USDT below 60,000")
    await room.script("/alert btc > 70k")
    listed = (await room.say("/alerts")).splitlines()
    assert [line.split()[0] for line in listed[:-1]] == ["#5", "#2", "#3", "#4", "#1"]
    await room.script("/alert btc > 79k")
    listed = (await room.say("/alerts")).splitlines()
    assert [line.split()[0] for line in listed[:-1]] == ["#5", "#2", "#3", "#6", "#4", "#1"], (
        "those of a playbook together, where its nearest stands"
    )


async def test_two_previews_of_one_playbook_arm_it_once(room: Library) -> None:
    await room.script("/playbook steps", "/playbook steps")
    assert "armed here" in await room.say("/confirm 1")
    assert "follows steps already" in await room.say("/confirm 2")
    assert len(await room.labels()) == 2


async def test_a_level_that_moved_since_the_preview_is_shown_anew(room: Library) -> None:
    await room.script("/playbook steps")
    await room.script("/level low 61k", caller=OPERATOR)
    answer = await room.say("/confirm 1")
    assert answer.startswith("It is not as it was shown any more: nothing is changed yet.")
    assert "low: BTC/USDT below 61,000" in answer
    assert "@low 61,000 (set by Olga; the playbook has 60,000)" in answer
    assert await room.labels() == []
    assert "2 alerts" in await room.say("/confirm 2")


async def test_levels_of_the_playbook_are_the_deployments_and_own_ones_stay(room: Library) -> None:
    await follow(room)
    await follow(room, ADMIN, "/playbook steps low=55k")
    assert "@low 60,000, set by steps" in await room.say("/levels")
    await room.script("/level low 62k", caller=OPERATOR)
    await room.script("/confirm 3", caller=OPERATOR)
    assert (await room.labels())[0] == "#1 steps/low btc/usdt < 62000 repeat"
    assert (await room.labels(ADMIN))[0] == "#1 steps/low btc/usdt < 55000 repeat"
    assert "own @low 55,000, else 62,000" in await room.say("/alerts", ADMIN)
    changed = await follow(room, ADMIN, "/playbook steps low=none")
    assert "#1 low: BTC/USDT below 62,000" in changed
    assert (await room.labels(ADMIN))[0] == "#1 steps/low btc/usdt < 62000 repeat"


async def test_what_is_none_of_its_levels_is_refused_with_the_nearest(room: Library) -> None:
    assert await room.say("/playbook steps lo=1") == "steps has no level @lo.\nDid you mean @low?"
    assert "is no level of your own" in await room.say("/playbook steps low=much")
    assert "Did you mean steps?" in await room.say("/playbook step")
    assert "far from the price" in await room.say("/playbook steps low=60.000")
    assert await room.store.proposal(1) is None


async def test_what_cannot_be_armed_at_all_is_said_and_nothing_proposed(room: Library) -> None:
    room.shelf = shelf(flows='[rules]\nflow = "etf_flow(btc) < 0"\n')
    answer = await room.say("/playbook flows")
    assert answer.startswith("Nothing of flows can be armed here.\nLeft out: flow.")
    assert await room.store.proposal(1) is None


async def test_what_was_left_out_is_added_when_it_can_be_had(room: Library) -> None:
    await follow(room)
    room.metrics.give("etf_flow", "btc")
    [shown] = await room.replies("/playbook steps")
    assert shown.lines[1] == "This chat follows it already: 2 rules stay as they are."
    assert shown.lines[2].startswith("flow: BTC ETF net outflow, every time")
    assert "1 alert." in await room.say("/confirm 2")
    assert [one.split()[1] for one in await room.labels()] == ["steps/low", "steps/high", "steps/flow"]


async def test_a_file_that_changed_is_taken_over_when_it_is_followed_again(room: Library) -> None:
    await follow(room)
    room.shelf = shelf(steps='[levels]\nlow = 60000\n[rules]\nlow = "btc < @low"\ndeep = "btc < 50k"\n')
    [shown] = await room.replies("/playbook steps")
    assert shown.lines[1:5] == (
        "This chat follows it already: 0 rules stay as they are.",
        "low: BTC/USDT below 60,000 (@low is 60,000) · instead of #1 btc < @low repeat",
        "deep: BTC/USDT below 50,000",
        "high goes: btc > @high repeat",
    )
    await room.script("/confirm 2")
    assert await room.labels() == ["#1 steps/low btc/usdt < 60000", "#3 steps/deep btc/usdt < 50000"]


@pytest.mark.both
async def test_stopping_takes_all_of_it_away_and_nothing_else(room: Library) -> None:
    await room.script("/alert btc < 1k sure")
    await follow(room)
    await follow(room, ADMIN)
    assert await room.say("/playbook stop steps") == (
        "steps is stopped here, and its alerts are deleted: #2 and #3."
    )
    assert await room.labels() == ["#1 / btc/usdt < 1000"]
    assert len(await room.labels(ADMIN)) == 2
    assert await room.say("/playbook steps stop") == "This chat does not follow steps."
    assert "armed here" in await follow(room), "and it can be followed again"


@pytest.mark.both
async def test_an_alert_that_its_chat_edits_is_its_own_from_then_on(room: Library) -> None:
    await follow(room, line="/playbook steps low=59k")
    answer = await room.say("/edit 1 btc < 58k")
    assert "It is this chat's own now, and no part of steps any more." in answer
    await room.script("/playbook stop steps")
    assert await room.labels() == ["#1 / btc/usdt < 58000"]
    assert "own @low" not in await room.say("/alerts")


async def test_in_a_group_members_see_the_list_and_admins_follow(room: Library) -> None:
    member = replace(ADMIN, person="mem-id", is_admin=False)
    assert "steps: Steps" in await room.say("/playbook", member)
    assert "for its admins" in await room.say("/playbook steps", member)
    assert "for the operators" in await room.say("/revise steps delete", ADMIN)
    assert "2 alerts" in await follow(room, ADMIN)
    assert "followed here" in await room.say("/playbooks", member)


async def test_operators_see_what_cannot_be_used_and_what_is_gone_can_be_stopped(room: Library) -> None:
    await follow(room)
    reason = Phrase("It is no TOML: {error}.", {"error": "x"})
    room.shelf = Shelf({}, {"steps": reason})
    listed = await room.say("/playbooks", OPERATOR)
    assert listed == "steps cannot be used. It is no TOML: x."
    assert "cannot be used" in await room.say("/playbook steps")
    answer = await room.say("/playbooks")
    assert (
        answer
        == "steps is followed here, but there is no such playbook any more. /playbook stop steps stops it."
    )
    assert len(await room.labels()) == 2, "nothing is lost"
    assert "is stopped here" in await room.say("/playbook stop steps")
    assert await room.say("/playbooks") == "There are no playbooks."


# --- revising -----------------------------------------------------------------------------------------------


async def revise(room: Library, what: str, name: str = "steps") -> str:
    """Change a playbook, and give the answer to the confirmation."""
    *_, shown = await room.replies(f"/revise {name} {what}", OPERATOR)
    assert shown.buttons, shown.plain()
    return await room.say(shown.buttons[0][0].line, OPERATOR)


async def test_a_rule_that_is_added_reaches_all_who_follow_once(room: Library) -> None:
    await follow(room)
    await follow(room, ADMIN, "/playbook steps low=55k")
    [shown] = await room.replies("/revise steps add deep btc < @low and btc < 50k", OPERATOR)
    assert shown.lines == (
        "steps would be changed.",
        "deep: BTC/USDT below 60,000 and BTC/USDT below 50,000 (@low is 60,000)",
        "2 chats follow it, and would be told.",
        "Nothing is changed yet. /confirm 3 does it, /discard 3 drops it; it waits until 12:15 UTC.",
    )
    assert await room.say("/confirm 3", OPERATOR) == (
        "steps is changed.\n2 alerts in 2 chats follow, and the chats are told."
    )
    assert (await room.labels())[2] == "#3 steps/deep btc/usdt < 60000 and btc/usdt < 50000"
    assert (await room.labels(ADMIN))[2] == "#3 steps/deep btc/usdt < 55000 and btc/usdt < 50000"
    assert await room.told() == [
        f"{chat}: The playbook steps was changed by Olga.\n"
        f"#3 is new: BTC/USDT below {low} and BTC/USDT below 50,000.\n"
        "What is already true waits to be clear first."
        for chat, low in ((ANN.chat.chat, "60,000"), (ADMIN.chat.chat, "55,000"))
    ]


async def test_a_rule_is_changed_and_dropped_where_it_is_still_followed(room: Library) -> None:
    await follow(room)
    await follow(room, ADMIN)
    await room.script("/delete 1", caller=ADMIN)
    assert "1 alert in 1 chat" in await revise(room, "add low btc < @low for 5m")
    assert "2 alerts in 2 chats" in await revise(room, "drop high")
    assert await room.labels() == ["#1 steps/low btc/usdt < 60000 for 5m"]
    assert await room.labels(ADMIN) == [], "what somebody deleted stays deleted"
    assert any("#2 is gone: BTC/USDT above 80,000" in one for one in await room.told())


async def test_changes_are_in_the_audit_and_are_taken_back_one_by_one(room: Library) -> None:
    await follow(room)
    await revise(room, "add deep btc < 50k")
    await revise(room, "drop low")
    lines = (await room.say("/audit", OPERATOR)).splitlines()
    assert [line.partition("Olga: ")[2] for line in lines[:2]] == [
        "playbook steps changed: -low (everywhere)",
        "playbook steps changed: +deep (everywhere)",
    ]
    assert "changed again since" in await room.say("/undo 1", OPERATOR)
    *_, shown = await room.replies("/undo 2", OPERATOR)
    assert "low: BTC/USDT below 60,000" in shown.lines[1]
    assert "1 alert in 1 chat" in await room.say(shown.buttons[0][0].line, OPERATOR)
    assert [one.split()[1] for one in await room.labels()] == ["steps/high", "steps/deep", "steps/low"]
    assert await room.say("/undo 3", ADMIN) == "There is no change 3 here.\n/audit lists them."


async def test_a_new_playbook_is_made_followed_and_taken_away(room: Library) -> None:
    assert "/revise mine new dip btc < 96k" in await room.say("/revise mine add floor btc < 60k", OPERATOR)
    assert await revise(room, "new floor btc < 60k", "mine") == (
        "mine is a playbook now. Follow it: /playbook mine"
    )
    await revise(room, "title Below sixty", "mine")
    assert "mine: Below sixty · 1 rule" in await room.say("/playbooks")
    await follow(room, line="/playbook mine")
    assert "1 alert in 1 chat" in await revise(room, "delete", "mine")
    assert await room.labels() == []
    [told] = await room.told()
    assert "The playbook mine was taken away by Olga, and its alerts with it." in told
    assert "No playbook is called mine." in await room.say("/playbook mine")
    *_, shown = await room.replies("/undo 3", OPERATOR)
    await room.script(shown.buttons[0][0].line, caller=OPERATOR)
    assert "mine: Below sixty" in await room.say("/playbooks")


async def test_a_level_of_a_playbook_is_moved_as_any_level_is(room: Library) -> None:
    assert "@low 61,000" in await revise_shown(room, "low=61k")
    await room.script("/confirm 1", caller=OPERATOR)
    await follow(room)
    assert (await room.labels())[0] == "#1 steps/low btc/usdt < 61000 repeat"
    shown = await revise_shown(room, "low=62k")
    assert shown.startswith("@low would move from 61,000 to 62,000. It holds in every chat")
    await room.script("/confirm 3", caller=OPERATOR)
    assert (await room.labels())[0] == "#1 steps/low btc/usdt < 62000 repeat"
    assert "no level @lov" in await room.say("/revise steps lov=1", OPERATOR)


async def revise_shown(room: Library, what: str) -> str:
    *_, shown = await room.replies(f"/revise steps {what}", OPERATOR)
    return shown.plain()


async def test_a_rule_on_a_level_without_a_value_is_refused_and_one_of_the_deployment_is_taken_over(
    room: Library,
) -> None:
    assert "@deep has no value yet." in await room.say("/revise steps add deep btc < @deep", OPERATOR)
    await room.script("/level deep 50k", caller=OPERATOR)
    await revise(room, "add deep btc < @deep")
    [shown] = await room.replies("/revise steps", OPERATOR)
    assert "deep = 50000" in shown.code
    assert "steps is as Olga made it in chat at 12:00 UTC." in shown.lines


async def test_what_was_changed_in_chat_goes_back_to_its_file(room: Library) -> None:
    await revise(room, "drop high")
    assert "goes" not in await revise(room, "reset")
    assert await room.store.playbooks() == {}
    assert "is just so already" in await room.say("/revise steps reset", OPERATOR)


async def test_of_two_operators_the_second_sees_what_the_first_did(room: Library) -> None:
    await room.script("/revise steps drop high", "/revise steps add deep btc < 50k", caller=OPERATOR)
    await room.script("/confirm 1", caller=OPERATOR)
    answer = await room.say("/confirm 2", OPERATOR)
    assert answer.startswith("It is not as it was shown any more: nothing is changed yet.")
    await room.script("/confirm 3", caller=OPERATOR)
    [shown] = await room.replies("/revise steps", OPERATOR)
    assert "high" not in shown.code.partition("[rules]")[2]
    assert "deep" in shown.code


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("add deep", "Say the rule's name"),
        ("add deep btc <", "A number or a level must follow."),
        ("add Fl=oor btc < 60k", "Say the rule's name"),
        ("add deep btc < 60k until 7d", "has an end"),
        ("drop hig", "Did you mean high?"),
        ("new deep btc < 1k", "steps is there already."),
        ("dance", '"dance" is no change of a playbook.'),
        ("title " + "x" * 121, "must be one line"),
        ("low=much", "is no number for a level"),
        ("add deep btc < 60.000", "far from the price"),
    ],
)
async def test_what_is_no_change_is_refused_with_its_reason(room: Library, what: str, answer: str) -> None:
    assert answer in (await room.replies(f"/revise steps {what}", OPERATOR))[0].plain()
    assert await room.store.proposal(1) is None


async def test_who_has_as_many_alerts_as_may_be_is_told_what_was_not_added(room: Library) -> None:
    await follow(room)
    await room.script("/quota alerts chat 2", caller=OPERATOR)
    await revise(room, "add deep btc < 50k")
    assert len(await room.labels()) == 2
    [told] = await room.told()
    assert "Not added, since this chat has all the alerts that it may: BTC/USDT below 50,000." in told


async def test_a_playbook_is_completed_by_its_name(room: Library) -> None:
    [choice] = await room.desk.complete(ANN, "playbook", "name", "st")
    assert (choice.shown, choice.value) == ("steps: Steps", "steps")
