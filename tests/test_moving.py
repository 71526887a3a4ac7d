"""Export and import: what is taken along comes back as it was, and nothing comes twice or unseen."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.belongings import SETTINGS, Belonging, Belongings, written
from bot.alerts.belongings_read import LONGEST, MOST, NoBelongings, decoded, read_belongings
from bot.alerts.people import Brought, Caller, ChatKind, ChatRef
from bot.alerts.translator import ENGLISH
from bot.rules import english
from bot.store.sql import SqlStore
from tests.conftest import SetClock
from tests.market import HandMarket
from tests.storing import NOON, put_level
from tests.test_commands import ANN, OPERATOR, Room

BOB = replace(ANN, chat=ChatRef("telegram", "2"), person="2222", name="Bob")
HEAD = "tocsin = 1\n"

signs = st.text("[]={}\"'#\n\t .ab1_-", max_size=400)
words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
names = st.text("abcdefgh_", min_size=2, max_size=8).filter(lambda name: name.strip("_"))
numbers = st.integers(1, 10**10).map(lambda one: Decimal(one) / 10_000)
RULES = (
    "btc < 100000",
    'eth > 5000 repeat note "cut \\"it\\""',
    "btc crosses 90000 until 2027-01-01T00:00:00Z",
)
belongings = st.builds(
    Belonging,
    st.sampled_from(RULES),
    name=st.sampled_from(["", "btc-floor"]),
    is_urgent=st.booleans(),
    is_paused=st.booleans(),
    muted_until=st.none() | st.integers(1, 4_000_000_000).map(float),
    place=words,
    own=st.dictionaries(names, numbers, max_size=2),
)


def is_followed(one: Belonging) -> bool:
    return bool(one.name)


chats = st.builds(
    Belongings,
    **dict.fromkeys(SETTINGS[:-1], st.none() | words),  # type: ignore[arg-type]
    announcements=st.none() | st.booleans(),
    levels=st.dictionaries(names, numbers, max_size=3),
    alerts=st.lists(belongings, max_size=4).map(
        lambda one: tuple(sorted(one, key=lambda two: bool(two.name)))
    ),
)


@given(chats)
def test_what_is_written_is_read_as_it_was(chat: Belongings) -> None:
    read, faults = read_belongings(written(chat, ["A remark"], ENGLISH))
    assert not faults
    assert read == chat


@given(
    st.binary(max_size=400)
    | st.text("[]={}\"'#\n\t .ab1_-", max_size=400).map(lambda text: (HEAD + text).encode())
)
def test_whatever_is_sent_is_read_or_refused_with_a_sentence(content: bytes) -> None:
    try:
        _, faults = read_belongings(decoded(content))
    except NoBelongings as error:
        assert str(error).endswith((".", "]", ")"))
    else:
        assert all(english(one.reason) for one in faults)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "It is empty."),
        (b" \n\n", "It is empty."),
        (b"\x89PNG\r\n\x1a\n", "It is no text in UTF-8"),
        (b"a\0b", "It is no text: send the file"),
        (b"x" * (LONGEST + 1), "It is too large: I read files of at most 1,024 kB."),
        (b"tocsin = 1\n" + b"# " + b"x" * 9_000, "Line 2 is too long"),
        (b"{}", "It is no TOML: "),
        (b"a = 1", "It is no file of /export: such a file says tocsin = 1 at its beginning."),
        (b"tocsin = true", "It is no file of /export"),
        (b"tocsin = 2", "It was written by a newer version of this bot (form 2; I read up to 1)."),
        (HEAD.encode() + b"[[alert]]\nrule='a'\n" * (MOST + 1), f"It has more than {MOST:,} alerts"),
        (HEAD.encode() + b"alert = 1", "Each alert must stand under a line [[alert]] of its own."),
        (HEAD.encode() + b"levels = 1", "Its levels must stand in lines under [levels]."),
        (HEAD.encode() + b"[levels]\na = 1\na = 2", "It is no TOML: "),
        (HEAD.encode() + b"a=" + b"[" * 5000, "It is no TOML"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_in_is_said_in_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(NoBelongings) as raised:
        read_belongings(decoded(content))
    assert str(raised.value).startswith(sentence)


def test_what_was_edited_by_hand_is_faulted_by_its_line_and_the_rest_is_read() -> None:
    text = HEAD + (
        "[settings]\n"  # 2
        "timezon = 'UTC'\n"
        "quiet = 5\n"
        "[levels]\n"  # 5
        "stop = 'a lot'\n"
        "ok = 98.7e3\n"
        "[[alert]]\n"  # 8
        "urgnt = true\n"
        "rule = 'btc < 1'\n"
        "[[alert]]\n"  # 11
        "rule = 'btc < 2'\n"
        "[[alert]]\n"  # 13
        "rule = 5\n"
        "[[follow]]\n"  # 15
        "rule = 'btc < 3'\n"
        "[[alert]]\n"  # 17
        "rule = 'btc < 3'\n"
        "muted = 12:00:00\n"
        "[zzz]\n"  # 20
    )
    read, faults = read_belongings(text)
    assert [(one.line, english(one.reason)) for one in faults] == [
        (3, "timezon means nothing there: did you mean timezone?"),
        (4, "quiet must be a short text in quotes."),
        (6, "The level stop has no value: write stop = 98700."),
        (9, "urgnt means nothing there: did you mean urgent?"),
        (14, 'It has no rule in quotes: write rule = "btc < 100k".'),
        (15, 'It says no name of a shared alert: write name = "btc-floor".'),
        (19, "muted must be an instant: write muted = 2026-12-31T22:00:00Z."),
        (20, "zzz means nothing there."),
    ]
    assert [one.rule for one in read.alerts] == ["btc < 2"]
    assert read.levels == {"ok": Decimal(98_700)}


@pytest.fixture
def room(store: SqlStore, clock: SetClock) -> Room:
    return Room(store, HandMarket(clock, btc=69_400.0, eth=3_010.5), clock)


# --- on the real store --------------------------------------------------------------------------------------


def carried(text: str | bytes, who: Caller) -> Caller:
    content = text.encode() if isinstance(text, str) else text

    async def fetch(most: int) -> bytes:
        return content[:most]

    return replace(who, brought=Brought("mine.toml", len(content), fetch))


async def exported(room: Room, who: Caller) -> str:
    [message] = await room.replies("/export", who)
    assert message.file is not None
    return message.file.text


def timeless(text: str) -> str:
    """Leave out what differs by nature: numbers, and the instant at the head."""
    return re.sub(r"(?m)^(number = .*|# What Tocsin keeps.*)\n", "", text)


async def fill(room: Room) -> None:
    await put_level(room.store, OPERATOR, "floor", "98000")
    await room.store.publish(OPERATOR, "btc-floor", "btc < @floor", NOON)
    await room.script("/level stop 97k", "/timezone Europe/Berlin", "/quiet 23:00-07:00")
    for line in (
        "/alert btc < @stop repeat", "/alert btc > 105k for 5m", "/alert btc > 105k for 5m",
        '/alert btc crosses 99k until 2027-01-01 note "half \\"out\\""',
        "/subscribe btc-floor @floor=96k urgent",
        "/pause 2", "/urgent 1", "/mute 4 8h", "/report daily 09:00 btc",
    ):  # fmt: skip
        await room.replies(line)


@pytest.mark.both
async def test_an_export_that_is_imported_into_an_empty_chat_is_exported_again_just_so(room: Room) -> None:
    await fill(room)
    text = await exported(room, ANN)
    preview = (await room.replies("/import", carried(text, BOB)))[-1].plain()
    assert "These would be made here: 5 alerts." in preview
    assert not await room.store.subscriptions(BOB.chat)
    told = (await room.replies("/confirm 1", BOB))[-1].plain()
    assert told.startswith("Done: 5 alerts are made.")
    assert timeless(await exported(room, BOB)) == timeless(text)
    assert (await room.store.changes(0, 0)).revision
    assert "Ann" not in text and "ann-id" not in text


async def test_an_import_twice_makes_nothing_double(room: Room) -> None:
    await fill(room)
    text = await exported(room, ANN)
    before = await room.store.subscriptions(ANN.chat)
    answer = (await room.replies("/import", carried(text, ANN)))[-1].plain()
    assert "6 are here already, and are left." in answer
    assert "There is nothing to be made of it: nothing is changed." in answer
    assert await room.store.subscriptions(ANN.chat) == before


async def test_what_another_deployment_does_not_have_is_said_and_nothing_is_lost(room: Room) -> None:
    text = HEAD + (
        "[settings]\nlanguage = 'tlh'\ntimezone = 'Europe/Atlantis'\n"
        "[levels_elsewhere]\netf_cost = 98700\n"
        "[[alert]]\nrule = 'btc < @etf_cost'\nplaybook = 'unheard'\npart = 'dip'\nplace = '@news'\n"
        "[[follow]]\nname = 'eth-floor'\nrule = 'eth < 3000'\n"
        "[[alert]]\nrule = 'btc < 10o k'\n"
        "[[alert]]\nrule = 'btc < 90000 until 2020-01-01T00:00:00Z'\n"
        "[[alert]]\nrule = 'btc < 100'\n"
    )
    answer = (await room.replies(f"/import {text}", BOB))[-1].plain()
    for line in (
        'Line 3: language "tlh" is not known here, and stays as it is.',
        'Line 4: timezone "Europe/Atlantis" is not known here, and stays as it is.',
        "Nobody has set @etf_cost here: it becomes this chat's own, 98,700.",
        "Line 8: No playbook unheard has it here just so: it is made an alert of its own.",
        "Line 8: @news cannot be rung in from here: it rings in this chat.",
        "Line 14: eth-floor is not published here: it is made an alert of this chat's own.",
        "Line 20: 100 is far from the price of BTC/USDT, ",
        "Line 18: That time is over.",
        "Left out: 4.",
    ):
        assert line in answer, (line, answer)
    assert re.search(r"(?m)^btc < 10o k\n +\^$", answer)
    await room.replies("/confirm 1", BOB)
    made = [one.alert.rule for one in await room.store.subscriptions(BOB.chat)]
    assert made == ["btc < @etf_cost", "btc < 100", "eth < 3000 repeat"]
    again = (await room.replies(f"/import {text}", BOB))[-1].plain()
    assert "nothing is changed" in again


async def test_an_import_keeps_to_the_quotas_and_says_which_go_beyond(room: Room) -> None:
    await room.replies("/quota alerts person 2", OPERATOR)
    text = HEAD + "".join(f"[[alert]]\nrule = 'btc < {90_000 + one}'\n" for one in range(4))
    answer = (await room.replies(f"/import {text}", BOB))[-1].plain()
    assert "These would be made here: 2 alerts." in answer
    assert "Line 7: There may be no more here" in answer
    await room.replies("/confirm 1", BOB)
    assert len(await room.store.subscriptions(BOB.chat)) == 2


async def test_a_level_that_is_there_or_followed_is_not_moved(room: Room) -> None:
    await put_level(room.store, OPERATOR, "floor", "98000")
    await room.replies("/alert btc < @floor", BOB)
    await room.replies("/level stop 90k", BOB)
    answer = (await room.replies(f"/import {HEAD}[levels]\nfloor = 97000\nstop = 91000\n", BOB))[-1].plain()
    assert "Line 3: @floor is followed here at 98,000 and stays so; the file has 97,000." in answer
    assert "Line 4: @stop is 90,000 here and stays so; the file has 91,000." in answer


async def test_what_changed_since_it_was_shown_is_shown_anew(room: Room) -> None:
    text = HEAD + "[[alert]]\nrule = 'btc < @floor'\n"
    await put_level(room.store, OPERATOR, "floor", "98000")
    await room.replies(f"/import {text}", BOB)
    await put_level(room.store, OPERATOR, "floor", "97000")
    answer = (await room.replies("/confirm 1", BOB))[-1].plain()
    assert answer.startswith("It is not as it was shown any more: nothing is changed yet.")
    assert not await room.store.subscriptions(BOB.chat)


async def test_a_file_is_bounded_before_it_is_fetched_and_one_that_cannot_be_had_is_said(room: Room) -> None:
    async def fetch(most: int) -> bytes:
        raise OSError("gone")

    large = replace(BOB, brought=Brought("a.toml", LONGEST + 1, fetch))
    assert "It is too large" in await room.say("/import", large)
    gone = replace(BOB, brought=Brought("a.toml", 10, fetch))
    assert "I could not fetch the file just now." in await room.say("/import", gone)
    assert "Send me the file that /export gave" in await room.say("/import", BOB)
    assert "It is no text in UTF-8" in await room.say("/import", carried(b"\xff\xfe", BOB))


async def test_who_is_shut_out_may_still_have_their_data_deleted(room: Room) -> None:
    await room.replies("/alert btc < 90k", BOB)
    await room.replies("/ban telegram:2222", OPERATOR)
    await room.replies("/forgetme", BOB)
    assert "It is deleted" in await room.say("/confirm 1", BOB)
    assert not [one async for one in room.desk.dispatch(BOB, "/alert btc < 90k") if "armed" in one.plain()]
    assert "between us" in await room.say(
        "/forgetme", replace(OPERATOR, chat=ChatRef("telegram", "-100"), kind=ChatKind.GROUP)
    )
