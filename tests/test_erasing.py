"""Forgetting a person: what is theirs goes, what is others' stays, and no file of the database tells."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from bot.alerts.changes import Basis
from bot.alerts.people import NOBODY, Caller, ChatKind, ChatRef, Role
from bot.ports import Settled
from bot.ports.places import Place
from bot.store import SqlStore, check, erasing
from bot.store.link_table import links
from bot.store.metadata import metadata
from bot.store.tables import alerts, armings, audit, bans, chats, levels, outbox
from tests.storing import BOB, NOON, arming_of, filled, follow, make, put_level, ring, tell

pytestmark = pytest.mark.both

DAY = 86_400.0
ZEB = Caller(
    ChatRef("telegram", "7301555012777"), ChatKind.PRIVATE, "7301555012777", "Zebulon Quartzman", True
)
OTHER_ME = Caller(ChatRef("discord", "9913370042"), ChatKind.PRIVATE, "8812345690", "zebulon_q", True)
GROUP = ChatRef("telegram", "-100")
IN_GROUP = replace(ZEB, chat=GROUP, kind=ChatKind.GROUP)
BOB_IN_GROUP = replace(BOB, chat=GROUP, kind=ChatKind.GROUP)
WORDS = ("xylophone margin " * 150).strip()
TRACES = ("7301555012777", "Zebulon", "Quartzman", "9913370042", "8812345690", "zebulon_q", "xylophone")


def files_of(database: str) -> bytes:
    """Read all that the database has on the disk, as it is written now."""
    path = Path(database.removeprefix("sqlite+aiosqlite:///"))
    return b"".join(one.read_bytes() for one in sorted(path.parent.glob(f"{path.name}*")))


async def found_in(store: SqlStore, database: str) -> list[str]:
    """Give what can be read of them: in SQLite's files, whatever is deleted there; in PostgreSQL's rows."""
    if store._database.is_sqlite:
        written = files_of(database)
    else:
        async with store._database.reading() as connection:
            rows = [await connection.scalars(text(f"SELECT t::text FROM {one} t")) for one in metadata.tables]  # noqa: S608
            written = "\n".join(row for found in rows for row in found).encode()
    return [one for one in TRACES if one.encode() in written]


async def live(store: SqlStore) -> None:
    """Let somebody leave traces wherever somebody can."""
    await store.ban(BOB, "telegram", ZEB.person, NOON + 1, NOON)
    for number in range(12):
        await make(store, ZEB, f'btc < {90_000 + number} note "{WORDS} {number}"')
    await make(store, IN_GROUP, "btc < 80000")
    gone = await make(store, IN_GROUP, "btc < 79000")
    await store.delete_alert(GROUP, gone.number, NOON)
    await make(store, OTHER_ME, f'eth > 5000 note "{WORDS}"')
    await put_level(store, ZEB, "floor", "98000")
    await put_level(store, ZEB, "own_xylophone", "97000", ZEB.chat)
    await store.publish(ZEB, "btc-floor", "btc < @floor", NOON)
    await follow(store, BOB, "btc-floor")
    await put_level(store, ZEB, "floor", "98500")
    arming = await filled(store, ZEB.chat, "btc < 91234")
    await store.subscribe(ZEB, "btc-floor", arming, NOON, own={"floor": Decimal(91_234)})
    await store.announce(ZEB, "On Sunday I move.", NOON)
    await store.hand_out(ZEB, f'btc < 1 note "{WORDS}"', NOON + DAY, NOON)
    await store.propose(
        IN_GROUP, "level", {"name": "x"}, role=Role.MEMBER, revision=0, now=NOON, until=NOON + 1
    )
    await store.send_to(ZEB, "#2", Place(ChatRef("telegram", "-200"), "@news", True, True), NOON)
    for label in ("#1", "#2", "btc-floor"):
        await tell(store, ring(await arming_of(store, ZEB, label)))
    await store.pause(ZEB.chat, "#3", NOON)
    async with store._database.writing() as connection:
        ids = {row.chat: row.id for row in await connection.execute(select(chats))}
        row = {
            "chat_id": ids[OTHER_ME.chat.chat],
            "home_id": ids[ZEB.chat.chat],
            "made_at": NOON,
            "before": {},
        }
        await connection.execute(insert(links), row)


async def test_after_it_no_file_of_the_database_holds_their_id_their_names_or_their_words(
    store: SqlStore, database: str
) -> None:
    await live(store)
    await make(store, BOB, "btc < 70000")
    bobs, groups = await store.subscriptions(BOB.chat), await store.subscriptions(GROUP)
    assert await found_in(store, database) == list(TRACES)
    known = await store.changes(0, 0)
    traces = await store.traces(ZEB)
    assert (traces.alerts, traces.followed, traces.in_groups, traces.chats) == (13, 1, 1, 2)

    proposal = await store.propose(ZEB, "forget", {}, role=Role.MEMBER, revision=0, now=NOON, until=NOON + 60)
    await store.erase(ZEB, NOON + 2, basis=Basis(proposal.id))
    assert await store.wipe()

    assert await found_in(store, database) == []
    # What is others' is as it was, but for the name.
    assert await store.subscriptions(BOB.chat) == [
        replace(one, alert=replace(one.alert, author=NOBODY)) if one.alert.is_shared else one for one in bobs
    ]
    assert await store.subscriptions(GROUP) == [
        replace(one, alert=replace(one.alert, author=NOBODY)) for one in groups
    ]
    assert (await store.levels(BOB.chat))["floor"].set_by == NOBODY
    assert (await store.levels(BOB.chat))["floor"].value == Decimal(98_500)
    entries, _ = await store.audit([], None, 1, 50)
    assert {(one.name, one.by) for one in entries} == {
        ("floor", NOBODY), ("btc-floor", NOBODY), ("1", NOBODY), (NOBODY, "name-bob")
    }  # fmt: skip
    async with store._database.reading() as connection:
        assert {
            row.facts["by"] for row in await connection.execute(select(outbox)) if row.kind == "level"
        } == {NOBODY}
    assert (await check(database)).is_well

    # Watch lets go of all that it held, and begins nothing.
    left = {armed.arming.id for armed in (await store.changes(0, 0)).made}
    changes = await store.changes(0, known.revision)
    assert set(changes.retired) >= {armed.arming.id for armed in known.made} - left
    assert not left & set(changes.retired)
    assert len(left) == 3
    assert not changes.made

    # Whoever writes next is a newcomer.
    settings = await store.meet(replace(ZEB, language="de"), NOON + 3)
    assert settings.language == "de"
    assert (await make(store, ZEB, "btc < 60000")).number == 1


async def test_what_tells_watch_of_it_goes_with_what_else_was_over_long_ago(store: SqlStore) -> None:
    await live(store)
    await store.erase(ZEB, NOON + 2)
    await store.clear(NOON + 3)
    async with store._database.reading() as connection:
        rules = list(await connection.scalars(select(armings.c.rule)))
        assert "" not in rules
        assert not list(await connection.scalars(select(alerts.c.id).where(alerts.c.rule == "")))


async def test_a_late_judgement_of_what_was_forgotten_writes_nothing(store: SqlStore, database: str) -> None:
    await make(store, ZEB, f'btc < 90000 note "{WORDS}"')
    arming = await arming_of(store, ZEB)
    await store.erase(ZEB, NOON)
    assert await tell(store, ring(arming)) == 0
    assert await store.wipe()
    assert await found_in(store, database) == []


async def test_a_ban_outlives_it_and_keeps_the_id_alone(store: SqlStore) -> None:
    await make(store, ZEB, "btc < 90000")
    await store.ban(BOB, "telegram", ZEB.person, None, NOON)
    await store.erase(ZEB, NOON)
    async with store._database.reading() as connection:
        [row] = (await connection.execute(select(bans))).all()
        assert (row.platform, row.person, row.until) == ("telegram", ZEB.person, None)
        assert list(await connection.scalars(select(audit.c.name))) == [f"telegram:{ZEB.person}"]


async def test_a_namesake_keeps_what_is_theirs(store: SqlStore) -> None:
    namesake = replace(BOB, name=ZEB.name)
    mine = await make(store, namesake, "btc < 90000")
    in_group = await make(store, replace(BOB_IN_GROUP, name=ZEB.name), "btc < 80000")
    await put_level(store, namesake, "floor", "98000")
    await make(store, ZEB, "btc < 91000")
    await store.erase(ZEB, NOON)
    [kept], [also] = await store.subscriptions(BOB.chat), await store.subscriptions(GROUP)
    assert (kept.alert, also.alert) == (mine, in_group)
    async with store._database.reading() as connection:
        assert list(await connection.scalars(select(levels.c.set_by))) == [ZEB.name]


async def test_it_is_done_once(store: SqlStore) -> None:
    await make(store, ZEB, "btc < 90000")
    proposal = await store.propose(ZEB, "forget", {}, role=Role.MEMBER, revision=0, now=NOON, until=NOON + 60)
    await store.erase(ZEB, NOON, basis=Basis(proposal.id))
    with pytest.raises(Settled):
        await store.erase(ZEB, NOON, basis=Basis(proposal.id))


@pytest.mark.sqlite
async def test_the_log_is_not_emptied_while_somebody_reads_and_nobody_waits_for_that(
    store: SqlStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_PAUSE", 0.001)
    await make(store, ZEB, f'btc < 90000 note "{WORDS}"')
    async with store._database.reading() as connection:
        await connection.execute(select(alerts))
        await store.erase(ZEB, NOON)
        assert not await store.wipe()
        await make(store, BOB, "btc < 70000")
    assert await store.wipe()
    assert await found_in(store, database) == []


def test_every_table_that_hangs_on_a_chat_or_a_ring_is_looked_at() -> None:
    source = Path(erasing.__file__).read_text()
    of_chats = {
        table.name
        for table in metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name in ("chats", "alerts", "armings", "subscriptions")
    }
    assert {name for name in of_chats if f"{name}.c." not in source and f"({name}" not in source} <= {
        "links", "link_codes", "agenda", "levels"
    }  # fmt: skip
    by_rings = {
        (table.name, key.ondelete)
        for table in metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == "rings"
    }
    assert by_rings == {("outbox", None), ("aftermaths", "CASCADE")}
