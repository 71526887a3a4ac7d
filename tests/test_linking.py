"""What is said of links: codes, what they show, what both chats may and what neither shares."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.alerts.belongings_read import read_belongings
from bot.alerts.models import Telling
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.commands.guesses import SECONDS
from bot.ports import ChatGone
from bot.store.sql import SqlStore
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.test_bounds import Hall
from tests.test_commands import ADMIN, OPERATOR, Room
from tests.test_links import DESK, PHONE, told
from tests.test_moving import carried, exported, timeless

_CODE = re.compile(r"/link (\w{5}-\w{5})")


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Hall:
    return Hall(store, HandMarket(clock, btc=101_000.0, eth=3_010.5), clock)


async def code_of(room: Room, who: Caller = PHONE) -> str:
    found = _CODE.search(await room.say("/link", who))
    assert found is not None
    return found[1]


async def linked(room: Room, home: Caller = PHONE, other: Caller = DESK) -> str:
    """Link two chats as people do; gives what is said of it."""
    shown = await room.say(f"/link {await code_of(room, home)}", other)
    number = re.search(r"/confirm (\d+)", shown)
    assert number is not None
    return await room.say(f"/confirm {number[1]}", other)


async def test_a_code_shows_what_is_shared_before_it_is_and_a_word_does_it(room: Hall) -> None:
    await room.script(
        "/alert btc < 100k", "/alert btc > 200k", "/level floor 97k", "/quiet 23:00-07:00", caller=PHONE
    )
    await room.script("/alert eth < 2k", "/level floor 95k", "/alert btc < @floor", caller=DESK)
    code = await code_of(room)
    assert await room.say(f"/link {code}", DESK) == (
        "The code is of Ann on Telegram. Linked, both chats have all of this:\n"
        "Telegram: 2 alerts, 0 shared alerts, 0 playbooks, 1 level; English, UTC, quiet hours 23:00-07:00\n"
        "Discord: 2 alerts, 0 shared alerts, 0 playbooks, 1 level; English, UTC\n"
        "Each alert rings where it rang; /send 3 discord lets one ring elsewhere.\n"
        "Those of Discord get other numbers: #1 is #3 and #2 is #4.\n"
        "Both have @floor: it is 97,000, as on Telegram; what follows it on Discord keeps 95,000.\n"
        "Language, clock and quiet hours are those of Telegram in both.\n"
        "Nothing is changed yet. /confirm 1 does it, /discard 1 drops it; it waits until 12:15 UTC."
    )
    assert "#3" not in await room.say("/alerts", DESK)
    assert (await room.say("/confirm 1", DESK)).startswith(
        "This chat and the one on Telegram are linked.\n"
        "Each alert rings where it rang; /send 3 discord lets one ring elsewhere.\n"
        "Those of Discord get other numbers: #1 is #3 and #2 is #4.\n"
    )
    for who in (PHONE, DESK):
        listed = await room.say("/alerts", who)
        assert listed.count("rings in Telegram") == 2
        assert listed.count("rings in Discord") == 2
        assert "own @floor 95,000, else 97,000" in listed
    assert await room.say("/confirm 1", DESK) == "Proposal 1 is confirmed already."


async def test_a_wrong_code_tells_nothing_and_is_not_guessed(room: Hall) -> None:
    code = await code_of(room)
    await room.say(f"/link {code}", DESK)
    wrong = (
        "That is no code that holds: it may be mistyped, used, or older than ten minutes.\n"
        "Say /link in our private chat on the other platform, and send me here what it gives."
    )
    assert await room.say(f"/link {code}", DESK) == wrong  # used
    late = await code_of(room)
    room.clock.set(SECONDS)
    assert await room.say(f"/link {late}", DESK) == wrong
    for _ in range(4):
        assert await room.say("/link AAAAA-AAAAA", DESK) == wrong
    good = await code_of(room)
    assert "That was too often of late." in await room.say(f"/link {good}", DESK)
    # Of all together, too: here a crowd has guessed.
    for number in range(100):
        person = replace(DESK, person=str(number), chat=ChatRef("discord", str(1000 + number)))
        await room.replies("/link AAAAA-AAAAA", person)
    late_comer = replace(DESK, person="new", chat=ChatRef("discord", "9"))
    assert "That was too often of late." in await room.say(f"/link {good}", late_comer)
    room.clock.set(300)
    assert "The code is of Ann" in await room.say(f"/link {good}", late_comer)


async def test_codes_are_not_asked_for_without_end(room: Hall) -> None:
    for _ in range(5):
        await code_of(room)
    assert "That was too often of late. Please try again at 12:02 UTC." in await room.say("/link", PHONE)


@pytest.mark.parametrize("line", ["/link", "/link AAAAA-AAAAA", "/unlink"])
async def test_a_group_is_never_linked_and_the_answer_is_for_the_asker_alone(room: Hall, line: str) -> None:
    [answer] = await room.replies(line, ADMIN)
    assert answer.is_private
    assert answer.plain().startswith(
        "Only private chats are linked: what a group has is its members' together."
    )


async def test_what_cannot_be_linked_is_told_why(room: Hall) -> None:
    code = await code_of(room)
    assert await room.say(f"/link {code}", PHONE) == (
        "That is the code of this very chat: type it on the other platform."
    )
    assert "Both chats are on one platform" in await room.say(f"/link {code}", OPERATOR)
    alone = "This chat is linked with no other.\nTo link it with yours elsewhere: /link"
    assert await room.say("/unlink", PHONE) == alone
    await linked(room)
    assert "This chat is linked with the one on Discord" in await room.say("/link", PHONE)
    console = Caller(ChatRef("console", "me"), ChatKind.PRIVATE, "me", "me")
    code = await code_of(room, console)
    assert "This chat is linked already." in await room.say(f"/link {code}", DESK)


async def test_each_alert_rings_where_it_is_sent_on_either_platform(room: Hall) -> None:
    await room.script("/alert btc < 100k", caller=PHONE)
    assert "I find no discord" in await room.say("/send 1 discord", PHONE)
    await linked(room)
    assert await room.say("/send 1 discord", PHONE) == "#1 rings on Discord from now on."
    assert "rings in Discord" in await room.say("/alerts", DESK)
    assert await room.say("/send 1 Telegram", DESK) == "#1 rings on Telegram from now on."
    assert await room.say("/send 1 here", DESK) == "#1 rings on Discord from now on."
    assert await room.say("/send 1 to here", PHONE) == "#1 rings on Telegram from now on."
    assert "rings in Telegram" in await room.say("/alerts", DESK)
    entry = re.search(r"(\d+)\. .*#1 rings in its own chat", await room.say("/audit", PHONE))
    assert entry is not None
    assert await room.say(f"/undo {entry[1]}", PHONE) == "#1 rings on Discord from now on."


async def test_what_is_done_under_a_ring_on_one_platform_holds_on_both(room: Hall) -> None:
    await room.script("/alert btc < 100k repeat", caller=PHONE)
    await linked(room)
    await room.say("/send 1 discord", PHONE)
    await room.ring()
    [ring] = await told(room.store, "discord", room.clock.now())
    assert (ring.kind, ring.chat) == (Telling.RING, DESK.chat)
    assert "is_elsewhere" not in ring.facts  # so that its buttons are there
    assert "muted" in await room.say("mute 2h", replace(DESK, answers="1"))  # a reply to it
    pressed = replace(DESK, has_pressed=True)
    assert "muted" in await room.say("/mute 1 1h", pressed)
    assert "muted until" in await room.say("/alerts", PHONE)
    assert "#1" in await room.say("/delete 1", replace(PHONE, has_pressed=True))
    assert "#1" not in await room.say("/alerts", DESK)


async def test_the_reports_of_a_chat_stay_its_own(room: Hall) -> None:
    await room.script("/report daily 09:00", caller=PHONE)
    await linked(room)
    assert "There are no reports here." in await room.say("/report", DESK)
    await room.script("/report daily 10:00", caller=DESK)
    assert "09:00" in await room.say("/report", PHONE)


async def test_an_operator_is_none_on_the_other_platform(room: Hall) -> None:
    await linked(room, OPERATOR, DESK)
    assert "for the operators of this bot" in await room.say("/broadcast Hello", DESK)
    assert "It holds in this chat." in await room.say("/level floor 95k", DESK)
    assert "@floor" in await room.say("/levels", OPERATOR)
    assert "@floor" not in await room.say("/levels", PHONE)


async def test_a_ban_of_either_holds_for_both(room: Hall) -> None:
    await room.script("/alert btc < 100k", caller=PHONE)
    await room.script("/alert btc < 90k", caller=DESK)
    await linked(room)
    assert "2 alerts of theirs are paused" in await room.say("/ban discord:42", OPERATOR)
    assert await room.texts("/alerts", PHONE) == await room.texts("/unlink", DESK) == []
    heard = await told(room.store, "telegram", room.clock.now())
    assert [one.kind for one in heard if one.chat == PHONE.chat] == [Telling.LINK, Telling.BANNED]
    assert [one.kind for one in await told(room.store, "discord", room.clock.now())] == [Telling.BANNED]
    await room.say("/unban discord:42", OPERATOR)
    assert "paused" in await room.say("/alerts", PHONE)
    await room.say("/ban telegram:1", OPERATOR)
    assert len(await room.texts("/alerts", DESK)) == 1
    assert await room.texts("/alerts", DESK) == []


async def test_parting_shows_what_goes_where_before_it_does(room: Hall) -> None:
    await room.script("/alert btc < 100k", "/alert btc < 80k", caller=PHONE)
    await room.script("/alert btc < 90k", caller=DESK)
    await linked(room)
    await room.say("/send 2 discord", PHONE)
    shown = await room.say("/unlink", PHONE)
    assert shown.startswith(
        "What rings on Discord goes there: #2 and #3.\n"
        "1 alert stays on Telegram.\n"
        "Both keep the settings as they are now, and the levels that their alerts follow.\n"
        "Nothing is changed yet."
    )
    number = re.search(r"/confirm (\d+)", shown)
    assert number is not None
    assert (await room.say(f"/confirm {number[1]}", DESK)).startswith("There is no proposal")
    assert (await room.say(f"/confirm {number[1]}", PHONE)).startswith("The two chats are linked no more.")
    assert "80,000" in await room.say("/alerts", DESK)
    assert "80,000" not in await room.say("/alerts", PHONE)
    audit = await room.say("/audit", PHONE)
    assert "the chat on Discord is linked no more (in this chat)" in audit
    assert "the chat on Discord is linked (in this chat)" in audit


async def test_a_chat_that_cannot_be_written_to_is_no_place(room: Hall) -> None:
    await room.script("/alert btc < 100k", caller=PHONE)
    await linked(room)
    await room.say("/send 1 discord", PHONE)
    await room.ring()
    [lost] = await room.store.lease("discord", room.clock.now(), 5)
    await room.store.settle(lost, ChatGone("it was closed"), room.clock.now())
    assert "I cannot write to you on Discord: it was closed." in await room.say("/send 1 discord", PHONE)


# --- files of belongings ------------------------------------------------------------------------------------


async def places_in(room: Hall, who: Caller) -> dict[str, str]:
    """Give where each alert rings by the file that a chat exports."""
    return {one.rule: one.place for one in read_belongings(await exported(room, who))[0].alerts}


async def test_a_file_names_the_linked_chat_where_an_alert_rings_there_and_never_its_own(room: Hall) -> None:
    await room.script("/alert btc < 90k", caller=PHONE)
    await room.script("/alert eth < 2k", caller=DESK)
    await linked(room)
    assert await places_in(room, PHONE) == {"btc < 90000": "", "eth < 2000": "Discord"}
    assert await places_in(room, DESK) == {"btc < 90000": "Telegram", "eth < 2000": ""}


@pytest.mark.parametrize("who", [PHONE, DESK])
async def test_what_a_linked_chat_takes_back_rings_where_it_rang(room: Hall, who: Caller) -> None:
    await room.script("/alert btc < 90k", "/quiet 23:00-07:00", caller=PHONE)
    await room.script("/alert eth < 2k", "/report daily 09:00 btc", caller=DESK)
    await linked(room)
    text, before = await exported(room, who), await room.say("/alerts", who)
    await room.script("/delete 1", "/delete 2", "/quiet off", "/report off", caller=PHONE)
    await room.say("/report off", DESK)
    preview = (await room.replies("/import", carried(text, who)))[-1].plain()
    assert "cannot be rung in from here" not in preview
    number = re.search(r"/confirm (\d+)", preview)
    assert number is not None
    assert "2 alerts are made" in await room.say(f"/confirm {number[1]}", who)
    listed = await room.say("/alerts", who)
    assert re.sub(r"(#|\b)\d\b", "N", listed) == re.sub(r"(#|\b)\d\b", "N", before)
    assert timeless(await exported(room, who)) == timeless(text)
    for one in (PHONE, DESK):  # quiet hours are of both, reports of the one that had them
        assert "23:00–07:00" in await room.say("/quiet", one)
    assert ("There are no reports here" in await room.say("/report", who)) is (who is PHONE)


async def test_a_file_of_linked_chats_rings_where_it_is_taken_in_once_they_are_not(room: Hall) -> None:
    await room.script("/alert btc < 90k", caller=PHONE)
    await room.script("/alert eth < 2k", caller=DESK)
    await linked(room)
    text = await exported(room, DESK)
    alone = replace(DESK, person="9", chat=ChatRef("discord", "9"))
    preview = (await room.replies("/import", carried(text, alone)))[-1].plain()
    assert "Telegram cannot be rung in from here: it rings in this chat." in preview
    number = re.search(r"/confirm (\d+)", preview)
    assert number is not None
    assert "2 alerts are made" in await room.say(f"/confirm {number[1]}", alone)
    assert await places_in(room, alone) == {"btc < 90000": "", "eth < 2000": ""}
