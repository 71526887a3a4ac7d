"""The register and the ledger: what commands write, what watch reads and keeps."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select

from bot.alerts.models import Alert, Level, Notice, Telling
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.engine.sight import Loss, Turns
from bot.engine.state import AlertState, Early, Grounds
from bot.metrics import Bar, Close, MetricKey, Seen, point
from bot.ports import ChatGone, Conflict, Judgement, NewArming, StoreTrouble, Superseded
from bot.store import SqlStore, open_store, upgrade
from bot.store.tables import alert_states
from tests.storing import (
    ANN,
    BOB,
    BTC,
    CAT,
    ETH,
    NOON,
    SEEN,
    arming_of,
    caller,
    correction,
    ended,
    filled,
    follow,
    judged,
    make,
    put_level,
    rang,
    refill,
    resume,
    ring,
    tell,
)

pytestmark = pytest.mark.both

# --- alerts -------------------------------------------------------------------------------------------------


async def test_numbers_count_within_a_chat_and_are_never_given_twice(store: SqlStore) -> None:
    assert (await make(store, ANN, "btc < 100000")).number == 1
    assert (await make(store, ANN, "btc < 99000")).number == 2
    assert (await make(store, BOB, "btc < 98000")).number == 1
    deleted = await store.delete_alert(ANN.chat, 2, NOON)
    assert deleted is not None
    assert deleted.rule == "btc < 99000"
    assert (await make(store, ANN, "btc < 97000")).number == 3
    assert [one.alert.label for one in await store.subscriptions(ANN.chat)] == ["#1", "#3"]


async def test_an_alert_is_listed_as_it_was_made(store: SqlStore) -> None:
    made = await make(store, ANN, "btc < 100000")
    (listed,) = await store.subscriptions(ANN.chat)
    assert listed.alert == made
    assert (made.label, made.author, made.made_at, made.chat) == ("#1", ANN.name, NOON, ANN.chat)
    assert listed.arming is not None
    assert listed.arming.rule == "btc/usdt < 100000"
    assert listed.arming.made_at == NOON
    assert listed.state is None


async def test_an_arming_keeps_what_was_seen_of_the_series_it_reads_and_of_no_other(store: SqlStore) -> None:
    perpetual = MetricKey("price", "btc/usdt:usdt")
    kraken = MetricKey("price", "btc/usdt", "kraken")
    seen = {key: Seen(NOON + 0.5, point(101_000.25, int(NOON))) for key in (BTC, ETH, perpetual, kraken)}
    rules = {
        "btc/usdt < 100000": {BTC},
        "btc/usdt:usdt < 100000": {perpetual},
        "btc/usdt@kraken < 100000": {kraken},
        "btc/usdt < 100000 and eth/usdt > 3000": {BTC, ETH},
    }
    for rule, keys in rules.items():
        await store.make_alert(ANN, rule, NewArming(rule, seen), NOON)
        subscription = (await store.subscriptions(ANN.chat))[-1]
        assert subscription.arming is not None
        assert subscription.arming.seen == {key: seen[key] for key in keys}


async def test_deleting_finds_nothing_that_is_not_the_chats_own(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    for chat, number in ((BOB.chat, 1), (ANN.chat, 2), (ANN.chat, 10**30), (ANN.chat, -1), (ANN.chat, 0)):
        assert await store.delete_alert(chat, number, NOON) is None
    assert len(await store.subscriptions(ANN.chat)) == 1


@pytest.mark.parametrize("label", ["#", "#x", "#-1", "#9999999999999999999999", "#²", "", "nothing", "1"])
async def test_a_label_that_names_nothing_is_answered_with_none(store: SqlStore, label: str) -> None:
    await make(store, ANN, "btc < 100000")
    new = await filled(store, ANN.chat, "btc < 100000")
    assert await store.pause(ANN.chat, label, NOON) is None
    assert await store.resume(ANN.chat, label, new, NOON) is None
    assert await store.unsubscribe(ANN.chat, label, NOON) is None
    assert await store.subscribe(ANN, label, new, NOON) is None
    assert await store.unpublish(ANN, label, NOON) is None


async def test_words_of_people_are_kept_as_they_are(store: SqlStore) -> None:
    """All but one sign, which PostgreSQL cannot keep: it stands there as an unknown one."""
    strange = "'; DROP TABLE chats; -- \u202e 🐻 %s :name ?" + ("\x00" if store._database.is_sqlite else "")
    who = Caller(ChatRef("discord", strange, strange), ChatKind.GROUP, strange, strange, language=strange)
    await store.publish(who, strange, "btc < 100000", NOON)
    assert (await store.meet(who, NOON)).language == strange
    (shared,) = await store.catalogue()
    assert (shared.alert.name, shared.alert.author) == (strange, strange)
    assert (await store.unpublish(ANN, strange, NOON)) == shared
    await store.publish(who, "nu\x00ll", "btc < 100000", NOON)
    assert (await store.unpublish(ANN, "nu\x00ll", NOON)) is not None


# --- pause and resume ---------------------------------------------------------------------------------------


async def test_a_paused_alert_stays_listed_and_its_arming_is_retired(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    arming = await arming_of(store, ANN)
    before = (await store.changes(0, 0)).revision
    paused = await store.pause(ANN.chat, "#1", NOON + 5)
    assert paused is not None
    assert paused.paused_at == NOON + 5
    (listed,) = await store.subscriptions(ANN.chat)
    assert (listed.alert, listed.arming, listed.state) == (paused, None, None)
    assert (await store.changes(0, before)).retired == (arming,)
    again = await store.pause(ANN.chat, "#1", NOON + 9)
    assert again == paused


async def test_a_resumed_alert_begins_a_new_life(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    old = await arming_of(store, ANN)
    epoch = await store.take(0, "test")
    await store.commit(0, epoch, judged(ring(old), states={old: rang()}))
    before = (await store.changes(0, 0)).revision
    resumed = await resume(store, ANN, "#1")
    assert resumed is not None
    assert resumed.paused_at is None
    (listed,) = await store.subscriptions(ANN.chat)
    assert listed.arming is not None
    assert listed.arming.id != old
    assert listed.state is None
    changes = await store.changes(0, before)
    assert changes.retired == (old,)
    assert [armed.arming.id for armed in changes.made] == [listed.arming.id]


async def test_pausing_a_shared_alert_is_a_matter_of_that_chat_alone(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    for who in (ANN, BOB):
        await follow(store, who, "floor")
    await store.pause(ANN.chat, "FLOOR", NOON)
    assert await tell(store, ring(await arming_of(store, BOB, "floor"))) == 1
    (told,) = await store.lease("telegram", NOON, 10)
    assert told.chat == BOB.chat


async def test_resuming_a_spent_shared_alert_arms_it_for_that_chat_alone(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000 once", NOON)
    for who in (ANN, BOB):
        await follow(store, who, "floor")
    old = await arming_of(store, ANN, "floor")
    await store.commit(0, await store.take(0, "test"), judged(ring(old), states={old: rang()}))
    await resume(store, ANN, "floor")
    new = await arming_of(store, ANN, "floor")
    assert new != old
    assert await arming_of(store, BOB, "floor") == old
    await follow(store, CAT, "floor")
    assert await arming_of(store, CAT, "floor") == new, "a newcomer gets one that can still ring"


async def ring_now(store: SqlStore, who: Caller, label: str = "#1") -> Alert | None:
    rule = next(one.alert.rule for one in await store.subscriptions(who.chat) if one.alert.label == label)
    return await store.ring_now(who.chat, label, await filled(store, who.chat, rule), NOON)


async def test_an_alert_that_waits_gets_an_eager_arming_and_one_that_does_not_keeps_its_own(
    store: SqlStore,
) -> None:
    await make(store, ANN, "btc < 100000")
    old = await arming_of(store, ANN)
    epoch = await store.take(0, "test")
    for state in (AlertState(0, is_armed=True), rang(), AlertState(0, is_ended=True)):
        await store.commit(0, epoch, judged(states={old: state}))
        assert await ring_now(store, ANN) is None
    assert await arming_of(store, ANN) == old
    await store.commit(0, epoch, judged(states={old: AlertState(0)}))
    before = (await store.changes(0, 0)).revision
    assert await ring_now(store, ANN) is not None
    changes = await store.changes(0, before)
    assert changes.retired == (old,)
    (made,) = changes.made
    assert made.arming.is_eager
    assert made.state is None
    assert await ring_now(store, ANN) is None, "what is eager waits for nothing"
    assert await store.ring_now(ANN.chat, "#2", NewArming(""), NOON) is None


async def test_an_eager_arming_of_a_shared_alert_is_that_chats_alone(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    for who in (ANN, BOB):
        await follow(store, who, "floor")
    shared = await arming_of(store, BOB, "floor")
    await ring_now(store, ANN, "floor")
    eager = await arming_of(store, ANN, "floor")
    assert eager != shared
    await follow(store, CAT, "floor")
    assert await arming_of(store, CAT, "floor") == await arming_of(store, BOB, "floor") == shared
    assert await tell(store, ring(eager)) == 1
    (told,) = await store.lease("telegram", NOON, 10)
    assert told.chat == ANN.chat


async def test_a_level_set_to_what_it_was_leaves_an_eager_arming_and_a_moved_one_does_not(
    store: SqlStore,
) -> None:
    await put_level(store, ANN, "floor", "100000")
    await make(store, BOB, "btc < @floor")
    await ring_now(store, BOB)
    eager = await arming_of(store, BOB)
    await put_level(store, ANN, "floor", "100000")
    assert await arming_of(store, BOB) == eager
    await put_level(store, ANN, "floor", "98700")
    (listed,) = await store.subscriptions(BOB.chat)
    assert listed.arming is not None
    assert not listed.arming.is_eager


async def test_a_repeating_alert_that_rang_is_shared_with_newcomers(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    await follow(store, ANN, "floor")
    arming = await arming_of(store, ANN, "floor")
    await store.commit(0, await store.take(0, "test"), judged(ring(arming), states={arming: rang()}))
    await follow(store, BOB, "floor")
    assert await arming_of(store, BOB, "floor") == arming


async def test_an_ended_alert_is_not_shared_with_newcomers(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    await follow(store, ANN, "floor")
    arming = await arming_of(store, ANN, "floor")
    over = AlertState(int(NOON), is_ended=True)
    await store.commit(0, await store.take(0, "test"), judged(ended(arming), states={arming: over}))
    await follow(store, BOB, "floor")
    assert await arming_of(store, BOB, "floor") != arming


# --- shared alerts ------------------------------------------------------------------------------------------


async def test_equal_fillings_share_an_arming_until_the_last_follower_leaves(store: SqlStore) -> None:
    await store.publish(ANN, "BTC-Floor", "btc < 100000", NOON)
    for who in (ANN, BOB):
        alert = await follow(store, who, "BTC-Floor")
        assert alert is not None
        assert (alert.label, alert.is_shared, alert.chat) == ("BTC-Floor", True, None)
    arming = await arming_of(store, ANN, "BTC-Floor")
    assert await arming_of(store, BOB, "BTC-Floor") == arming
    (armed,) = (await store.changes(0, 0)).made
    assert armed.arming.is_shared
    assert [shared.subscribers for shared in await store.catalogue()] == [2]
    revision = (await store.changes(0, 0)).revision
    assert await store.unsubscribe(ANN.chat, "btc-floor", NOON) is not None
    assert (await store.changes(0, revision)).retired == ()
    assert await store.unsubscribe(BOB.chat, "btc-FLOOR", NOON) is not None
    assert (await store.changes(0, revision)).retired == (arming,)
    assert await store.unsubscribe(BOB.chat, "btc-floor", NOON) is None


async def test_subscribing_twice_changes_nothing_and_takes_up_what_was_paused(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    await follow(store, ANN, "floor")
    arming = await arming_of(store, ANN, "floor")
    await follow(store, ANN, "floor")
    assert await arming_of(store, ANN, "floor") == arming
    await store.pause(ANN.chat, "floor", NOON)
    await follow(store, ANN, "floor")
    assert await arming_of(store, ANN, "floor") != arming
    assert [shared.subscribers for shared in await store.catalogue()] == [1]


async def test_a_name_is_taken_without_regard_to_case_and_free_again_after_unpublish(store: SqlStore) -> None:
    first = await store.publish(ANN, "Größe", "btc < 100000", NOON)
    with pytest.raises(Conflict):
        await store.publish(BOB, "GRÖSSE", "btc < 99000", NOON)
    assert [shared.alert for shared in await store.catalogue()] == [first]
    await store.unpublish(ANN, "grösse", NOON)
    second = await store.publish(BOB, "größe", "btc < 99000", NOON)
    assert second.id != first.id
    assert [shared.alert for shared in await store.catalogue()] == [second]


async def test_unpublishing_tells_each_subscriber_once_and_ends_the_alert(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    for who in (ANN, BOB):
        await follow(store, who, "floor")
    await store.pause(BOB.chat, "floor", NOON)
    arming, revision = await arming_of(store, ANN, "floor"), (await store.changes(0, 0)).revision
    withdrawn = await store.unpublish(ANN, "floor", NOON + 1)
    assert withdrawn is not None
    assert withdrawn.subscribers == 2
    assert (await store.changes(0, revision)).retired == (arming,)
    told = await store.lease("telegram", NOON + 1, 10)
    assert {(one.chat, one.kind) for one in told} == {(who.chat, Telling.WITHDRAWN) for who in (ANN, BOB)}
    assert {(one.facts["alert"], one.facts["rule"]) for one in told} == {("floor", "btc < 100000")}
    assert await store.unpublish(ANN, "floor", NOON + 2) is None
    assert await store.subscriptions(ANN.chat) == []
    assert await store.catalogue() == []


async def test_own_alerts_are_listed_before_shared_ones(store: SqlStore) -> None:
    for name in ("zulu", "Alpha", "mike"):
        await store.publish(ANN, name, "btc < 100000", NOON)
        await follow(store, ANN, name)
    for _ in range(11):
        await make(store, ANN, "btc < 90000")
    labels = [one.alert.label for one in await store.subscriptions(ANN.chat)]
    assert labels == [f"#{number}" for number in range(1, 12)] + ["Alpha", "mike", "zulu"]
    assert [shared.alert.name for shared in await store.catalogue()] == ["Alpha", "mike", "zulu"]


# --- levels -------------------------------------------------------------------------------------------------


async def test_a_level_is_kept_exactly_and_a_chats_own_comes_before_the_deployments(store: SqlStore) -> None:
    value = "98700.1000000000000000000000000001"
    assert await put_level(store, ANN, "Etf_Cost", value) == (None, 0, 0)
    assert await put_level(store, BOB, "etf_cost", "1", BOB.chat) == (Decimal(value), 0, 0)
    assert await store.levels(ANN.chat) == {
        "etf_cost": Level("Etf_Cost", Decimal(value), None, ANN.name, NOON)
    }
    assert await store.levels(BOB.chat) == {
        "etf_cost": Level("etf_cost", Decimal(1), BOB.chat, BOB.name, NOON)
    }
    nobody = ChatRef("telegram", "nobody")
    assert (await store.levels(nobody))["etf_cost"].value == Decimal(value)


async def test_a_moved_level_arms_every_follower_anew_and_tells_each_other_chat_once(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "100000")
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    await make(store, ANN, "btc < @floor")
    await make(store, BOB, "btc > @floor")
    await make(store, BOB, "btc < 5000")
    for who in (ANN, BOB, CAT):
        await follow(store, who, "etf")
    before = await store.changes(0, 0)
    assert await put_level(store, ANN, "FLOOR", "98700", now=NOON + 1) == (Decimal(100_000), 3, 3)
    changes = await store.changes(0, before.revision)
    assert sorted(armed.arming.rule for armed in changes.made) == [
        "btc/usdt < 98700",
        "btc/usdt < 98700",
        "btc/usdt > 98700",
    ]
    old = {armed.arming.id for armed in before.made if "100000" in armed.arming.rule}
    assert set(changes.retired) == old
    for subscription in await store.subscriptions(BOB.chat):
        assert subscription.levels == ({"floor": Decimal(98_700)} if "@" in subscription.alert.rule else {})
    told = {one.chat: one for one in await store.lease("telegram", NOON + 1, 10)}
    assert set(told) == {BOB.chat, CAT.chat}
    assert told[BOB.chat].kind is Telling.LEVEL
    assert told[BOB.chat].facts == {
        "name": "FLOOR",
        "before": "100000",
        "after": "98700",
        "by": ANN.name,
        "alerts": [{"alert": "#1"}, {"alert": "etf"}],
    }


async def test_a_chats_own_level_hides_a_change_of_the_deployments(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "100000")
    await put_level(store, BOB, "floor", "50000", BOB.chat)
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    for who in (ANN, BOB):
        await follow(store, who, "etf")
    ours, theirs = await arming_of(store, ANN, "etf"), await arming_of(store, BOB, "etf")
    assert ours != theirs
    assert [one.rule for one in (await store.reach("Floor", None, ANN.chat)).followings] == ["btc < @floor"]
    assert await put_level(store, CAT, "floor", "98700") == (Decimal(100_000), 1, 1)
    assert await arming_of(store, BOB, "etf") == theirs
    assert await arming_of(store, ANN, "etf") != ours
    [followed] = (await store.reach("floor", BOB.chat, BOB.chat)).followings
    assert (followed.label, followed.levels, followed.chats) == ("etf", {"floor": Decimal(50_000)}, 1)
    assert await put_level(store, BOB, "floor", "98700", BOB.chat) == (Decimal(50_000), 1, 1)
    assert await arming_of(store, BOB, "etf") == await arming_of(store, ANN, "etf"), (
        "equal fillings share one"
    )


async def test_a_level_set_to_what_it_was_arms_nothing_anew_and_tells_nobody(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "100000")
    await make(store, BOB, "btc < @floor")
    arming = await arming_of(store, BOB)
    assert await put_level(store, ANN, "floor", "100000.0") == (Decimal(100_000), 1, 1)
    assert await arming_of(store, BOB) == arming
    assert await store.lease("telegram", NOON, 10) == []


async def test_a_moved_level_leaves_paused_and_spent_alerts_at_rest(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "100000")
    for _ in range(3):
        await make(store, BOB, "btc < @floor")
    spent = await arming_of(store, BOB, "#1")
    await store.commit(0, await store.take(0, "test"), judged(states={spent: rang()}))
    await store.pause(BOB.chat, "#2", NOON)
    assert await put_level(store, ANN, "floor", "98700") == (Decimal(100_000), 1, 1)
    one, two, three = await store.subscriptions(BOB.chat)
    assert (one.arming and one.arming.id) == spent
    assert two.arming is None
    assert three.arming is not None
    assert three.arming.rule == "btc/usdt < 98700"
    await resume(store, BOB, "#2")
    assert (await store.subscriptions(BOB.chat))[1].levels == {"floor": Decimal(98_700)}


async def test_an_arming_filled_before_a_level_moved_is_refused(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "100000")
    await store.publish(ANN, "etf", "btc < @floor", NOON)
    stale = await filled(store, BOB.chat, "btc < @floor")
    await make(store, BOB, "btc < @floor")
    await store.pause(BOB.chat, "#1", NOON)
    await put_level(store, ANN, "floor", "98700")
    with pytest.raises(Conflict):
        await store.make_alert(BOB, "btc < @floor", stale, NOON)
    with pytest.raises(Conflict):
        await store.subscribe(BOB, "etf", stale, NOON)
    with pytest.raises(Conflict):
        await store.resume(BOB.chat, "#1", stale, NOON)
    (only,) = await store.subscriptions(BOB.chat)
    assert only.arming is None
    assert (await make(store, BOB, "btc < @floor")).number == 2, "what was refused took no number"


async def test_a_refill_that_fails_leaves_everything_as_it_was(store: SqlStore) -> None:
    await put_level(store, ANN, "floor", "100000")
    await make(store, BOB, "btc < @floor")
    arming, revision = await arming_of(store, BOB), (await store.changes(0, 0)).revision

    def fail(rule: str, levels: object) -> str:
        raise ValueError(rule)

    with pytest.raises(ValueError, match="@floor"):
        await store.set_level(ANN, Level("floor", Decimal(1), None, "ann", NOON), fail, SEEN, NOON)
    assert (await store.levels(ANN.chat))["floor"].value == 100_000
    assert await arming_of(store, BOB) == arming
    assert (await store.changes(0, 0)).revision == revision


# --- what watch reads and keeps -----------------------------------------------------------------------------


async def test_changes_say_only_what_is_new(store: SqlStore) -> None:
    assert (await store.changes(0, 0)).made == ()
    await make(store, ANN, "btc < 100000")
    first = await store.changes(0, 0)
    assert await store.changes(0, first.revision) == replace(first, made=(), retired=())
    await make(store, ANN, "btc < 99000")
    await make(store, ANN, "btc < 98000")
    await store.delete_alert(ANN.chat, 1, NOON)
    await store.delete_alert(ANN.chat, 3, NOON)
    second = await store.changes(0, first.revision)
    assert [armed.arming.rule for armed in second.made] == ["btc/usdt < 99000"]
    assert second.retired == (first.made[0].arming.id,)
    assert [armed.arming.rule for armed in (await store.changes(0, 0)).made] == ["btc/usdt < 99000"]
    assert (await store.changes(1, 0)).made == (), "another partition judges others"


async def test_a_state_is_read_back_as_it_was_kept(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    arming = await arming_of(store, ANN)
    epoch = await store.take(0, "test")
    bars = (Bar(int(NOON), 1.5, 2.5, 0.5, 1.0, 7.0), None)
    grounds = Grounds(int(NOON), 60, 0, -547.7e6, 1, (int(NOON), None), bars, (None, 0.1 + 0.2))
    states = [
        AlertState(cursor=int(NOON)),
        AlertState(
            cursor=int(NOON) + 60,
            is_armed=True,
            is_firing=True,
            episode=3,
            rang_at=NOON + 0.25,
            memory=(None, 1.0, 0.1 + 0.2),
            early=Early(int(NOON), NOON + 1.5, 99_980.01),
            corrections=2,
            is_ended=True,
        ),
        AlertState(cursor=int(NOON) + 120, memory=(2.0,)),
        AlertState(cursor=int(NOON) + 180, episode=1, rang_at=NOON, grounds=grounds),
        AlertState(cursor=int(NOON) + 240),
    ]
    for state in states:
        await store.commit(0, epoch, judged(states={arming: state}))
        (armed,) = (await store.changes(0, 0)).made
        (listed,) = await store.subscriptions(ANN.chat)
        assert armed.state == listed.state == state


async def test_a_cursor_is_where_the_last_judgement_left_it(store: SqlStore) -> None:
    epoch = await store.take(0, "test")
    for btc, eth in ((120, 60), (60, 180), (180, 120)):
        await store.commit(0, epoch, Judgement(NOON, {}, {BTC: btc, ETH: eth}))
        assert await store.judged_to(0) == {BTC: btc, ETH: eth}
    await store.commit(0, epoch, Judgement(NOON, {}, {BTC: 240}))
    assert await store.judged_to(0) == {BTC: 240, ETH: 120}
    assert await store.judged_to(1) == {}


async def test_the_last_price_goes_with_its_cursor_and_never_with_another(store: SqlStore) -> None:
    epoch = await store.take(0, "test")
    first, second = Close(120.0, 101.5, "binance"), Close(170.0, 102.5, "kraken", "binance")
    for to, close in ((180, first), (120, second), (120, first)):
        await store.commit(0, epoch, Judgement(NOON, {}, {BTC: to}, closes={BTC: close}))
    assert await store.closes(0) == {BTC: second}
    assert await store.closes(1) == {}
    await store.commit(0, epoch, Judgement(NOON, {}, {BTC: 240}))
    assert await store.closes(0) == {}


async def test_a_loss_is_kept_until_it_is_seen_again_or_let_go(store: SqlStore) -> None:
    epoch = await store.take(0, "test")
    loss = Loss(NOON - 300, "binance does not answer", "binance", "lost/btc/usdt/1")
    grown = replace(loss, gone=((60, 120), (180, 240)))
    await store.commit(0, epoch, Judgement(NOON, turns=Turns({BTC: loss, ETH: loss})))
    await store.commit(0, epoch, Judgement(NOON, turns=Turns({BTC: grown})))
    assert await store.losses() == await store.losses(0) == {BTC: grown, ETH: loss}
    assert await store.losses(1) == {}
    await store.commit(0, epoch, Judgement(NOON, turns=Turns(back={BTC: grown})))
    assert await store.losses() == {ETH: loss}
    await store.commit(0, epoch, Judgement(NOON, turns=Turns(let_go=frozenset({ETH}))))
    assert await store.losses() == {}


async def test_a_notice_reaches_each_chat_once_with_its_own_alerts(store: SqlStore) -> None:
    for who, rule in ((ANN, "btc < 100000"), (ANN, "eth < 3000"), (BOB, "eth < 2000")):
        await make(store, who, rule)
    armings = [await arming_of(store, ANN), await arming_of(store, ANN, "#2"), await arming_of(store, BOB)]
    series = dict(zip(armings, (["btc/usdt"], ["eth/usdt"], ["eth/usdt"]), strict=True))
    lost = Notice(Telling.LOST, "lost/1", {"since": NOON}, series)
    epoch = await store.take(0, "test")
    assert await store.commit(0, epoch, Judgement(NOON, notices=[lost])) == 2
    assert await store.commit(0, epoch, Judgement(NOON, notices=[lost])) == 0
    facts = {one.chat: one.facts for one in await store.lease("telegram", NOON, 10)}
    assert [one["alert"] for one in facts[ANN.chat]["alerts"]] == ["#1", "#2"]
    assert [one["series"] for one in facts[ANN.chat]["series"]] == ["btc/usdt", "eth/usdt"]
    assert [one["alert"] for one in facts[BOB.chat]["alerts"]] == ["#1"]
    gone = Turns(back={BTC: Loss(NOON, "", "", "lost/1")})
    assert await store.commit(0, epoch, Judgement(NOON, turns=gone)) == 1
    assert await store.commit(0, epoch, Judgement(NOON, turns=gone)) == 0


async def test_whoever_held_a_partition_before_commits_nothing(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    arming = await arming_of(store, ANN)
    with pytest.raises(Superseded):
        await store.commit(0, 1, Judgement(NOON))
    first = await store.take(0, "first")
    second = await store.take(0, "second")
    assert second > first
    judgement = Judgement(NOON, {arming: rang()}, {BTC: 60}, [ring(arming)])
    with pytest.raises(Superseded):
        await store.commit(0, first, judgement)
    assert await store.judged_to(0) == {}
    assert await store.lease("telegram", NOON, 10) == []
    assert (await store.changes(0, 0)).made[0].state is None
    assert await store.commit(0, second, judgement) == 1


async def test_a_retired_arming_is_neither_kept_nor_told(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    await make(store, ANN, "btc < 99000")
    gone, lives = await arming_of(store, ANN, "#1"), await arming_of(store, ANN, "#2")
    epoch = await store.take(0, "test")
    await store.commit(0, epoch, judged(states={gone: AlertState(60), lives: AlertState(60)}))
    await store.pause(ANN.chat, "#1", NOON)
    states = {gone: rang(), lives: rang(), 999: rang()}
    told = (ring(gone), ring(lives), ring(999), ended(gone))
    assert await store.commit(0, epoch, judged(*told, states=states)) == 1
    (listed,) = (await store.changes(0, 0)).made
    assert (listed.arming.id, listed.state) == (lives, rang())
    assert [one.facts["alert"] for one in await store.lease("telegram", NOON, 10)] == ["#2"]
    async with store._database.reading() as connection:
        kept = await connection.execute(select(alert_states.c.episode, alert_states.c.arming_id))
        assert sorted(kept.all()) == [(0, gone), (1, lives)]


async def test_what_lives_is_read_page_by_page_as_it_is_read_at_once(store: SqlStore) -> None:
    for who in (ANN, BOB, CAT):
        for rule in ("btc < 100000", "eth > 4000"):
            await make(store, who, rule)
    await store.publish(ANN, "floor", "btc < 99000", NOON)
    await follow(store, BOB, "floor")
    ground = Grounds(60, 60, 0, 1.5, 0, (86_400, None), (point(101_000, 60), None), (None, 2.0))
    states = {
        1: AlertState(60, is_armed=True, memory=(1.0, None), early=Early(60, 61.5, 99.0)),
        3: replace(rang(), grounds=ground, told_at=NOON),
    }
    epoch = await store.take(0, "test")
    await store.commit(0, epoch, judged(states=states))
    await store.pause(CAT.chat, "#1", NOON)
    changes = await store.changes(0, 0)
    pages, after = [], 0
    while page := await store.living(0, after, 4):
        pages.append(page)
        after = page[-1].id
    assert [len(page) for page in pages] == [4, 2]
    found = [store.read(stored) for page in pages for stored in page]
    assert found == sorted(changes.made, key=lambda armed: armed.arming.id)
    assert {armed.arming.id: armed.state for armed in found if armed.state} == states
    assert await store.revision() == changes.revision
    assert await store.living(1) == []


async def test_a_ring_is_promised_once_to_every_chat_that_follows(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    for who in (ANN, BOB, CAT):
        await follow(store, who, "floor")
    arming = await arming_of(store, ANN, "floor")
    assert await tell(store, ring(arming)) == 3
    assert await tell(store, ring(arming)) == 0, "a batch that is judged again promises nothing twice"
    assert await tell(store, ring(arming, 2)) == 3
    told = await store.lease("telegram", NOON, 10)
    assert {one.chat for one in told} == {ANN.chat, BOB.chat, CAT.chat}
    assert {one.dedupe for one in told} == {f"ring/{arming}/episode/1/0"}
    assert told[0].facts == {
        "value": 99_980.0,
        "alert": "floor",
        "rule": "btc < 100000",
        "armed_rule": "btc/usdt < 100000",
        "author": ANN.name,
    }


async def test_an_early_ring_is_confirmed_without_a_second_word(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    arming = await arming_of(store, ANN)
    assert await tell(store, ring(arming, is_early=True)) == 1
    assert await tell(store, ring(arming, was_told=True)) == 0


async def test_a_ring_said_to_be_told_that_nobody_knows_of_is_told(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    assert await tell(store, ring(await arming_of(store, ANN), was_told=True)) == 1


async def test_a_correction_goes_to_whoever_was_told_the_ring_and_to_nobody_else(store: SqlStore) -> None:
    await store.publish(ANN, "floor", "btc < 100000", NOON)
    for who in (ANN, BOB):
        await follow(store, who, "floor")
    arming = await arming_of(store, ANN, "floor")
    await tell(store, ring(arming, is_early=True))
    await follow(store, CAT, "floor")
    await store.pause(BOB.chat, "floor", NOON)
    assert await tell(store, correction(arming)) == 2
    assert await tell(store, correction(arming)) == 0
    assert await tell(store, correction(arming, corrections=7)) == 0, "there was no such ring"
    leased = await store.lease("telegram", NOON, 10)
    assert {one.chat for one in leased} == {ANN.chat, BOB.chat}
    assert await tell(store, ring(arming, corrections=1)) == 2, (
        "the true ring follows under a name of its own"
    )


async def test_an_end_is_told_once(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    arming = await arming_of(store, ANN)
    assert await tell(store, ended(arming)) == 1
    assert await tell(store, ended(arming)) == 0
    (told,) = await store.lease("telegram", NOON, 10)
    assert (told.kind, told.dedupe, told.facts["episode"]) == (Telling.ENDED, f"ended/{arming}", 0)


# --- chats --------------------------------------------------------------------------------------------------


async def test_a_chat_is_known_by_its_first_speaker_and_keeps_its_language(store: SqlStore) -> None:
    group = replace(caller("group", kind=ChatKind.GROUP), language="de")
    known = await store.meet(group, NOON)
    assert (known.ref, known.kind, known.language, known.timezone) == (
        group.chat,
        ChatKind.GROUP,
        "de",
        "UTC",
    )
    assert (await store.meet(replace(group, language="fr"), NOON)).language == "de"
    thread = replace(group, chat=replace(group.chat, thread="7"), language="fr")
    assert (await store.meet(thread, NOON)).language == "de", "a thread has the settings of its group"


async def test_a_gone_chat_is_promised_nothing_until_it_speaks_again(store: SqlStore) -> None:
    await make(store, ANN, "btc < 100000")
    arming = await arming_of(store, ANN)
    await tell(store, ring(arming))
    (told,) = await store.lease("telegram", NOON, 10)
    await store.settle(told, ChatGone("bot was blocked"), NOON + 1)
    assert await tell(store, ring(arming, 2)) == 0
    assert await store.next_due("telegram", NOON + 2) is None
    settings = await store.meet(ANN, NOON + 3)
    assert settings.paused_reason == ""
    assert await tell(store, ring(arming, 3)) == 1


# --- the database -------------------------------------------------------------------------------------------


async def test_what_was_kept_is_there_after_a_restart(database: str) -> None:
    await upgrade(database)
    store = await open_store(database)
    made = await make(store, ANN, "btc < 100000")
    await store.close()
    await upgrade(database)
    store = await open_store(database)
    assert [one.alert for one in await store.subscriptions(ANN.chat)] == [made]
    await store.close()


async def test_a_database_that_cannot_be_read_is_trouble_and_no_driver_error(store: SqlStore) -> None:
    async with store._database.writing() as connection:
        await connection.exec_driver_sql("DROP TABLE cursors")
    with pytest.raises(StoreTrouble, match=r"no such table|does not exist"):
        await store.judged_to(0)


async def test_trouble_names_no_words_of_people(store: SqlStore) -> None:
    async with store._database.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE alerts RENAME TO gone")
    with pytest.raises(StoreTrouble) as raised:
        await store.publish(ANN, "secret-name", "btc < 123456", NOON)
    assert "secret" not in str(raised.value)
    assert "123456" not in str(raised.value)
    assert refill("btc < 1", {}) == "btc/usdt < 1"
