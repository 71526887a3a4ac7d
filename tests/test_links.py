"""Two private chats of one person: what linking does to what they have, and what parting gives back."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.alerts.links import Hindrance, Meeting
from bot.alerts.models import Notification, Subscription, Telling
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.ports import ChatGone, Receipt, StoreTrouble
from bot.store import SqlStore, open_store
from bot.store.homes import chats_of
from bot.store.link_table import link_codes
from tests.storing import (
    BOB,
    NOON,
    arming_of,
    follow,
    judged,
    make,
    put_level,
    rang,
    ring,
    tell,
)

pytestmark = pytest.mark.both

PHONE = Caller(ChatRef("telegram", "1"), ChatKind.PRIVATE, "1", "Ann")
DESK = Caller(ChatRef("discord", "777"), ChatKind.PRIVATE, "42", "ann")
LATER = NOON + 600


async def link(store: SqlStore, home: Caller = PHONE, other: Caller = DESK, now: float = NOON) -> Meeting:
    """Link as the commands do; gives what was done."""
    for one in (home, other):
        await store.meet(one, now)
    code = await store.offer_code(home, now + 600, now)
    seen = await store.try_code(other, code, now)
    assert isinstance(seen, Meeting)
    done = await store.link(other, home.chat, now)
    assert isinstance(done, Meeting)
    assert done.numbers == seen.numbers  # what was shown is what is done
    return done


async def labels(store: SqlStore, who: Caller) -> dict[str, str]:
    """Give where each alert rings, by its label."""
    return {one.alert.label: one.place for one in await store.subscriptions(who.chat)}


async def told(store: SqlStore, platform: str, now: float = NOON) -> list[Notification]:
    """Take and settle all that is to be told on a platform."""
    found: list[Notification] = []
    while leased := await store.lease(platform, now, 20):
        for one in leased:
            await store.settle(one, Receipt("1"), now)
        found += leased
    return found


async def test_a_code_links_once_and_only_while_it_holds(store: SqlStore) -> None:
    await store.meet(PHONE, NOON)
    first = await store.offer_code(PHONE, NOON + 600, NOON)
    code = await store.offer_code(PHONE, NOON + 600, NOON)
    assert await store.try_code(DESK, first, NOON) is None  # a newer one was asked for
    assert await store.try_code(DESK, code, NOON + 600) is None
    assert await store.try_code(PHONE, code, NOON) is Hindrance.SELF
    assert (
        await store.try_code(replace(PHONE, chat=ChatRef("telegram", "2")), code, NOON) is Hindrance.PLATFORM
    )
    seen = await store.try_code(DESK, code.lower().replace("-", " "), NOON)
    assert isinstance(seen, Meeting)
    assert (seen.home.chat, seen.other.chat, seen.by) == (PHONE.chat, DESK.chat, "Ann")
    assert await store.try_code(DESK, code, NOON) is None


async def test_no_code_can_be_read_in_the_database(store: SqlStore) -> None:
    code = await store.offer_code(PHONE, NOON + 600, NOON)
    async with store._database.reading() as connection:
        [row] = await connection.execute(select(link_codes))
    assert code not in repr(row)
    assert code.replace("-", "") not in repr(row)


async def test_what_rang_in_a_chat_rings_there_under_a_fresh_number(store: SqlStore) -> None:
    await make(store, PHONE, "btc < 100k")
    await make(store, DESK, "btc > 1m")
    await make(store, DESK, "eth < 3k")
    before = [await arming_of(store, DESK, f"#{number}") for number in (1, 2)]
    assert (await link(store)).numbers == ((1, 2), (2, 3))
    for who in (PHONE, DESK):
        assert await labels(store, who) == {"#1": "Telegram", "#2": "Discord", "#3": "Discord"}
    assert [await arming_of(store, PHONE, f"#{number}") for number in (2, 3)] == before
    await make(store, DESK, "btc < 90k")
    await make(store, PHONE, "btc < 80k")
    found = await labels(store, PHONE)
    assert (found["#4"], found["#5"]) == ("Discord", "Telegram")
    async with store._database.reading() as connection:
        assert await chats_of(connection, DESK.chat) == await chats_of(connection, PHONE.chat) == [1, 2]


async def test_an_alert_that_fires_while_it_is_linked_rings_on_once_in_its_place(store: SqlStore) -> None:
    await make(store, DESK, "btc < 100k repeat")
    arming = await arming_of(store, DESK)
    epoch = await store.take(0, "test")
    await store.commit(0, epoch, judged(ring(arming), states={arming: rang()}))
    await link(store)
    changes = await store.changes(0, 0)
    assert [(one.arming.id, one.state) for one in changes.made] == [(arming, rang())]
    [first] = [one for one in await told(store, "discord") if one.kind is Telling.RING]
    assert (first.chat, first.facts["alert"]) == (DESK.chat, "#1")
    await store.commit(0, epoch, judged(ring(arming, 2), at=LATER, states={arming: rang(2)}))
    [second] = await told(store, "discord", LATER)
    assert "is_elsewhere" not in second.facts  # its buttons are there
    assert [one.kind for one in await told(store, "telegram", LATER)] == [Telling.LINK]
    rung, count = await store.rung(PHONE.chat, "#1", 1, 5)
    assert (count, {one.chat for one in rung}) == (2, {DESK.chat})
    await store.unlink(DESK, LATER)
    await store.commit(0, epoch, judged(ring(arming, 3), at=LATER, states={arming: rang(3)}))
    assert [one.facts["alert"] for one in await told(store, "discord", LATER)] == ["#2"]
    assert (await store.rung(DESK.chat, "#2", 1, 5))[1] == 3


async def test_what_both_follow_stays_as_the_home_has_it_and_is_of_both_when_they_part(
    store: SqlStore,
) -> None:
    await store.publish(BOB, "floor", "btc < 90k", NOON)
    await store.publish(BOB, "roof", "btc > 200k", NOON)
    for who in (PHONE, DESK):
        await follow(store, who, "floor")
    await follow(store, DESK, "roof")
    assert (await link(store)).shared == ("floor",)
    assert await labels(store, DESK) == {"floor": "Telegram", "roof": "Discord"}
    parting = await store.parting(PHONE)
    assert parting == await store.unlink(PHONE, NOON) or parting is not None
    assert await labels(store, DESK) == {"floor": "", "roof": ""}
    assert await labels(store, PHONE) == {"floor": ""}
    assert await arming_of(store, DESK, "floor") == await arming_of(store, PHONE, "floor")


async def test_levels_of_one_name_keep_their_numbers_on_both_sides(store: SqlStore) -> None:
    await put_level(store, BOB, "floor", "80000")
    await put_level(store, PHONE, "floor", "97000", PHONE.chat)
    await put_level(store, DESK, "floor", "95000", DESK.chat)
    await put_level(store, DESK, "roof", "200000", DESK.chat)
    await make(store, PHONE, "btc < @floor")
    await make(store, DESK, "btc < @floor")
    await make(store, DESK, "btc > @roof")
    meeting = await link(store)
    assert meeting.levels == {"floor": (Decimal(97_000), Decimal(95_000))}
    assert {name: one.value for name, one in (await store.levels(DESK.chat)).items()} == {
        "floor": Decimal(97_000),
        "roof": Decimal(200_000),
    }
    own = {one.alert.label: one.own for one in await store.subscriptions(DESK.chat)}
    assert own == {"#1": {}, "#2": {"floor": Decimal(95_000)}, "#3": {}}
    await put_level(store, DESK, "floor", "96000", (await store.meet(DESK, NOON)).home)
    rules = {one.alert.label: one.arming.rule for one in await store.subscriptions(PHONE.chat) if one.arming}
    assert rules["#1"] == "btc/usdt < 96000"
    assert rules["#2"] == "btc/usdt < 95000"
    await store.unlink(DESK, NOON)
    for who, floor in ((PHONE, 96_000), (DESK, 95_000)):
        [first, *_] = await store.subscriptions(who.chat)
        assert first.own == {}
        assert (await store.levels(who.chat))["floor"].value == floor
    assert "roof" not in await store.levels(PHONE.chat)
    await put_level(store, DESK, "floor", "94000", DESK.chat)
    assert (await store.subscriptions(DESK.chat))[0].levels == {"floor": Decimal(94_000)}


async def test_settings_are_those_of_the_home_and_are_changed_for_both(store: SqlStore) -> None:
    await store.meet(PHONE, NOON)
    await store.set_timezone(PHONE, "Asia/Shanghai", NOON)
    await store.set_quiet(PHONE, "23:00-07:00", NOON)
    await link(store)
    assert (await store.meet(DESK, NOON)).timezone == "Asia/Shanghai"
    assert (await store.quiet(DESK))[0] == "23:00-07:00"
    await store.set_language(DESK, "zh-Hans")
    await store.set_timezone(DESK, "Europe/Berlin", NOON)
    await store.hear(DESK, False)
    await store.unlink(DESK, NOON)
    for who in (PHONE, DESK):
        known = await store.meet(who, NOON)
        assert (known.language, known.timezone, known.link) == ("zh-Hans", "Europe/Berlin", None)
        assert await store.hears(who) is False
        assert (await store.quiet(who))[0] == "23:00-07:00"


async def test_a_pair_hears_what_is_announced_once(store: SqlStore) -> None:
    await link(store)
    assert (await store.audience()).chats == 1
    await store.announce(BOB, "Hello.", NOON)
    kinds = [one.kind for platform in ("telegram", "discord") for one in await told(store, platform)]
    assert kinds.count(Telling.BROADCAST) == 2  # the pair and the operator who said it


async def test_a_chat_that_is_linked_is_linked_with_no_other(store: SqlStore) -> None:
    await link(store)
    third = Caller(ChatRef("console", "me"), ChatKind.PRIVATE, "me", "Ann")
    code = await store.offer_code(third, NOON + 600, NOON)
    assert await store.try_code(DESK, code, NOON) is Hindrance.HERE
    assert await store.try_code(PHONE, code, NOON) is Hindrance.HERE
    code = await store.offer_code(PHONE, NOON + 600, NOON)
    assert await store.try_code(third, code, NOON) is Hindrance.THERE
    assert await store.link(third, PHONE.chat, NOON) is Hindrance.THERE
    assert await store.link(third, ChatRef("telegram", "nobody"), NOON) is Hindrance.GONE


async def test_of_two_who_confirm_at_once_one_is_linked(store: SqlStore) -> None:
    for who in (PHONE, DESK):
        await store.meet(who, NOON)
    done = await asyncio.gather(*(store.link(DESK, PHONE.chat, NOON) for _ in range(4)))
    assert sorted(str(one) for one in done if isinstance(one, Hindrance)) == ["here"] * 3


async def test_a_linked_chat_that_is_gone_gives_back_what_rings_there(store: SqlStore) -> None:
    await make(store, DESK, "btc < 100k")
    await link(store)
    await tell(store, ring(await arming_of(store, PHONE)))
    [lost] = await store.lease("discord", NOON, 5)
    await store.settle(lost, ChatGone("blocked"), NOON)
    found = await told(store, "telegram")
    assert [one.kind for one in found] == [Telling.LINK, Telling.RING, Telling.RETURNED]
    assert await labels(store, PHONE) == {"#1": "Telegram"}


async def test_a_home_that_is_gone_leaves_everything_to_the_other(store: SqlStore) -> None:
    await make(store, PHONE, "btc < 100k")
    await make(store, DESK, "btc < 90k")
    await put_level(store, PHONE, "floor", "97000", PHONE.chat)
    await put_level(store, DESK, "floor", "95000", DESK.chat)
    await link(store)
    await told(store, "telegram")
    arming = await arming_of(store, DESK, "#1")
    await tell(store, ring(arming))
    [lost] = await store.lease("telegram", NOON, 5)
    await store.settle(lost, ChatGone("blocked"), NOON)
    found = await told(store, "discord")
    assert [one.kind for one in found] == [Telling.RING, Telling.LINK]
    assert (found[1].facts["what"], found[1].facts["alerts"]) == ("moved", [{"alert": "#1"}])
    assert await labels(store, DESK) == {"#1": "Discord", "#2": "Discord"}
    assert await arming_of(store, DESK, "#1") == arming
    assert (await store.levels(DESK.chat))["floor"].value == 97_000
    await tell(store, ring(arming, 2))
    assert [one.facts["alert"] for one in await told(store, "discord")] == ["#1"]
    back = await store.meet(PHONE, NOON)
    assert back.link is not None
    assert (back.home, back.link.is_home) == (DESK.chat, True)
    await make(store, PHONE, "btc < 80k")
    assert await labels(store, PHONE) == {"#1": "Discord", "#2": "Discord", "#3": "Telegram"}
    parted = await store.unlink(PHONE, NOON)
    assert parted is not None
    assert parted.numbers == ((3, 3),)
    assert await labels(store, DESK) == {"#1": "", "#2": ""}


async def test_who_comes_back_on_the_other_platform_has_all_that_waited(store: SqlStore) -> None:
    await make(store, PHONE, "btc < 100k")
    await link(store)
    arming = await arming_of(store, PHONE)
    await told(store, "telegram")
    await store.meet(DESK, NOON)
    desk = replace(DESK, name="ann")
    await make(store, desk, "btc < 90k")
    await tell(store, ring(await arming_of(store, DESK, "#2")))
    [lost] = await store.lease("discord", NOON, 5)
    await store.settle(lost, ChatGone("closed"), NOON)
    [lost, *_] = await store.lease("telegram", NOON, 5)
    await store.settle(lost, ChatGone("blocked"), NOON)
    await tell(store, ring(arming), at=NOON + 5)
    await store.meet(desk, NOON + 10)
    kinds = [one.kind for one in await told(store, "discord", NOON + 10)]
    assert Telling.RING in kinds
    assert Telling.MISSED in kinds
    assert Telling.LINK in kinds
    assert set((await labels(store, DESK)).values()) == {"Discord"}


async def test_a_link_that_fails_half_way_changes_nothing(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(store, PHONE, "btc < 100k")
    await make(store, DESK, "btc < 90k")

    async def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("bot.store.linking._settle_in", fail)
    with pytest.raises((OSError, StoreTrouble)):
        await store.link(DESK, PHONE.chat, NOON)
    assert await labels(store, PHONE) == {"#1": ""}
    assert await labels(store, DESK) == {"#1": ""}
    assert (await store.meet(DESK, NOON)).link is None


# --- what holds for any two chats ---------------------------------------------------------------------------

LEVELS = st.dictionaries(st.sampled_from(["a", "b", "C"]), st.integers(1, 3).map(lambda n: f"{n}0000"))
RULES = st.lists(
    st.tuples(
        st.sampled_from(["btc < 90000", "btc < @a", "btc > @b", "btc < @a and eth < @c"]), st.booleans()
    ),
    max_size=4,
)
FOLLOWS = st.sets(st.sampled_from(["one", "two"]))


def kept(subscriptions: list[Subscription]) -> list[tuple[str, str, str]]:
    """Give what a chat has, whatever its numbers: the rules as written and as armed, and what is paused."""
    return sorted(
        (one.alert.name or one.alert.rule, one.arming.rule if one.arming else "", str(one.alert.paused_at))
        for one in subscriptions
    )


@pytest.mark.sqlite  # a law of what is done, not of who does it: once is enough
@settings(
    max_examples=5,
    phases=(Phase.generate,),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    levels=st.tuples(LEVELS, LEVELS, LEVELS),
    rules=st.tuples(RULES, RULES),
    follows=st.tuples(FOLLOWS, FOLLOWS),
)
def test_to_link_and_to_part_loses_no_alert_and_changes_no_rule(
    template: Path,
    levels: tuple[dict[str, str], dict[str, str], dict[str, str]],
    rules: tuple[list[tuple[str, bool]], list[tuple[str, bool]]],
    follows: tuple[set[str], set[str]],
) -> None:
    async def play(url: str) -> None:
        store = await open_store(url)
        try:
            for name in ("a", "b", "c"):
                await put_level(store, BOB, name, levels[2].get(name, "40000"))
            await store.publish(BOB, "one", "btc < 80000", NOON)
            await store.publish(BOB, "two", "btc > @a", NOON)
            for who, own, wanted, shared in zip((PHONE, DESK), levels[:2], rules, follows, strict=True):
                await store.meet(who, NOON)
                for name, value in own.items():
                    await put_level(store, who, name, value, who.chat)
                for rule, is_paused in wanted:
                    alert = await make(store, who, rule)
                    if is_paused:
                        await store.pause(who.chat, alert.label, NOON)
                for name in sorted(shared):
                    await follow(store, who, name)
            before = [await store.subscriptions(who.chat) for who in (PHONE, DESK)]
            values = [
                {name: one.value for name, one in (await store.levels(who.chat)).items()}
                for who in (PHONE, DESK)
            ]
            await link(store)
            doubles = follows[0] & follows[1]
            dropped = [one for one in before[1] if one.alert.name in doubles]
            both = [one for one in (*before[0], *before[1]) if one not in dropped]
            assert kept(await store.subscriptions(DESK.chat)) == kept(both)
            await store.unlink(PHONE, NOON)
            after = [await store.subscriptions(who.chat) for who in (PHONE, DESK)]
            assert kept(after[0]) == kept(before[0])
            mine = [one for one in before[0] if one.alert.name in doubles]
            assert kept(after[1]) == kept([one for one in before[1] if one not in dropped] + mine)
            assert all(one.own == {} for one in (*after[0], *after[1]) if one.alert.name not in doubles)
            assert values == [
                {name: one.value for name, one in (await store.levels(who.chat)).items()}
                for who in (PHONE, DESK)
            ]
            states = {one.alert.rule: one.state for side in before for one in side}
            assert all(states[one.alert.rule] == one.state for side in after for one in side)
        finally:
            await store.close()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tocsin.db"
        shutil.copy(template, path)
        asyncio.run(play(f"sqlite+aiosqlite:///{path}"))
