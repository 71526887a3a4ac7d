"""Tell: the rings of a batch, and a row of the outbox for each who hears of it, set by set.

However many alerts one tick rings, each statement is prepared once and runs for many rows at a time, few
enough that the loop serves others in between. Who hears of rings is asked of the rings that were written, in
one statement for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Insert, Table, Text, bindparam, cast, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.alerts.models import Telling
from bot.engine.state import Correction, Ended, Reminder, Resolution, Ring, Transition
from bot.ports import Told
from bot.store.database import Database, each
from bot.store.promise import promising, to_subscribers, to_told
from bot.store.tables import armings, is_living, outbox, rings, subscriptions

_KINDS: dict[type[Transition], Telling] = {
    Ring: Telling.RING,
    Correction: Telling.CORRECTION,
    Resolution: Telling.RESOLUTION,
    Reminder: Telling.REMINDER,
    Ended: Telling.ENDED,
}
"""How each transition is told. Of what several armings tell in one batch, the upper goes first."""

_RING = ("episode", "corrections", "at", "seen_at", "value", "evidence", "facts", "is_early", "confirmed_at")

_this = bindparam("this", type_=armings.c.id.type)
_at = bindparam("instant", type_=rings.c.seen_at.type)
_dedupe = bindparam("name", type_=outbox.c.dedupe.type)
_facts = bindparam("told", type_=outbox.c.facts.type)
_RING_NAME = (
    literal("ring/")
    .concat(cast(rings.c.arming_id, Text))
    .concat("/episode/")
    .concat(cast(rings.c.episode, Text))
    .concat("/")
    .concat(cast(rings.c.corrections, Text))
)
_is_this_ring = (
    (rings.c.arming_id == _this)
    & (rings.c.episode == bindparam("of_episode", type_=rings.c.episode.type))
    & (rings.c.corrections == bindparam("of_corrections", type_=rings.c.corrections.type))
)


async def write_told(
    database: Database, connection: AsyncConnection, partition: int, told: Sequence[Told], at: float
) -> int:
    """Keep rings and what became of them, with one notification per subscriber and telling.

    What one arming tells goes in its order, and of what several do, the rings go first. An arming that a
    command retired meanwhile tells nothing. Gives how many notifications are new.
    """
    if not told:
        return 0
    written = 0
    for kind, some in _sets(told):
        if kind is Telling.RING:
            written += await _tell_rings(database, connection, partition, some, at)
            continue
        last = await _newest(connection, outbox)
        if kind is Telling.CORRECTION:
            await _tell_corrections(database, connection, some, at)
        else:
            follows = to_subscribers(kind, _dedupe, _facts, _at).where(subscriptions.c.arming_id == _this)
            await each(connection, promising(database, follows), (_row(one, at) for one in some))
        new = select(func.count()).where(outbox.c.id > last)  # what the driver counts of many rows is its own
        written += int((await connection.execute(new)).scalar_one())
    return written


def _sets(told: Sequence[Told]) -> Iterator[tuple[Telling, list[Told]]]:
    """Part what is told by its place in what its arming tells, and that by its kind."""
    count: dict[int, int] = defaultdict(int)
    sets: dict[tuple[int, int], list[Told]] = defaultdict(list)
    kinds = list(_KINDS)
    for one in told:
        sets[count[one.arming_id], kinds.index(type(one.transition))].append(one)
        count[one.arming_id] += 1
    for (_, place), some in sorted(sets.items()):
        yield _KINDS[kinds[place]], some


async def _tell_rings(
    database: Database, connection: AsyncConnection, partition: int, some: Sequence[Told], at: float
) -> int:
    """Keep rings, and tell those that are new: one that was told early is confirmed, and told no more.

    Gives how many notifications are new.
    """
    rang = [(one, one.transition) for one in some if isinstance(one.transition, Ring)]
    early = (_of_ring(one.arming_id, ring, at) for one, ring in rang if ring.was_told)
    await each(connection, _CONFIRMED, early)
    last = await _newest(connection, rings)
    kept = database.prepared(_keeping_rings)
    await each(connection, kept, (_ring(one, ring, at) for one, ring in rang))
    await database.count_anew(connection, rings, len(rang))
    promised = database.prepared(_promising_rings)
    of = {"last": last, "in_partition": partition, "instant": at}
    return (await connection.execute(promised, of)).rowcount


_CONFIRMED = update(rings).where(_is_this_ring).values(confirmed_at=_at)


def _keeping_rings(database: Database) -> Insert:
    """Keep a ring of an arming that lives."""
    values = [bindparam(f"new_{name}", type_=rings.c[name].type) for name in _RING]
    living = select(armings.c.id, armings.c.rule, *values).where(armings.c.id == _this, is_living)
    writing = database.insert(rings).from_select(["arming_id", "rule", *_RING], living)
    return writing.on_conflict_do_nothing(index_elements=["arming_id", "episode", "corrections"])


def _promising_rings(database: Database) -> Insert:
    """Tell each ring that came after the ``last`` to whoever follows its arming."""
    new = to_subscribers(Telling.RING, _RING_NAME, {}, _at, rings.c.id).where(
        rings.c.arming_id == subscriptions.c.arming_id,
        rings.c.id > bindparam("last"),
        armings.c.id == rings.c.arming_id,
        armings.c.partition == bindparam("in_partition"),  # other partitions ring meanwhile
    )
    return promising(database, new.order_by(None).order_by(rings.c.id, subscriptions.c.id))


async def _tell_corrections(
    database: Database, connection: AsyncConnection, some: Sequence[Told], at: float
) -> None:
    """Write down that rings were none, and tell whoever was told them."""
    gone = [(one, one.transition) for one in some if isinstance(one.transition, Correction)]
    named = [(one, _of_ring(one.arming_id, correction, at)) for one, correction in gone]
    corrected = update(rings).where(_is_this_ring).values(corrected_at=_at)
    await each(connection, corrected, (ring for _, ring in named))
    heard = to_told(Telling.CORRECTION, _dedupe, _facts, _at).where(_is_this_ring)
    await each(connection, promising(database, heard), (ring | _row(one, at) for one, ring in named))


async def _newest(connection: AsyncConnection, table: Table) -> int:
    """Give the id of the newest row; whatever this transaction adds has a higher one."""
    return int((await connection.execute(_NEWEST[table])).scalar_one())


_NEWEST = {table: select(func.coalesce(func.max(table.c.id), 0)) for table in (outbox, rings)}


def _of_ring(arming: int, ring: Ring | Correction, at: float) -> dict[str, Any]:
    """Name the ring that is confirmed or taken back."""
    return {"this": arming, "of_episode": ring.episode, "of_corrections": ring.corrections, "instant": at}


def _ring(told: Told, ring: Ring, at: float) -> dict[str, Any]:
    return {
        "this": told.arming_id,
        "new_episode": ring.episode,
        "new_corrections": ring.corrections,
        "new_at": ring.at,
        "new_seen_at": at,
        "new_value": ring.value,
        "new_evidence": [[one.term, one.value, one.currency] for one in ring.evidence],
        "new_facts": told.facts,
        "new_is_early": ring.is_early,
        "new_confirmed_at": None if ring.is_early else at,
    }


def _row(told: Told, at: float) -> dict[str, Any]:
    return {"this": told.arming_id, "name": _dedupe_of(told), "told": told.facts, "instant": at}


def _dedupe_of(told: Told) -> str:
    arming = told.arming_id
    match told.transition:
        case Ring(episode=episode, corrections=corrections):
            return f"ring/{arming}/episode/{episode}/{corrections}"
        case Correction(episode=episode, corrections=corrections):
            return f"correction/{arming}/episode/{episode}/{corrections}"
        case Reminder(episode=episode, at=reminded_at):
            return f"reminder/{arming}/episode/{episode}/{reminded_at:.0f}"
        case Resolution(episode=episode):
            return f"resolution/{arming}/episode/{episode}"
        case Ended():
            return f"ended/{arming}"
