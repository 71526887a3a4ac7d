"""Keep the schema up to date: migrations at start, and a check for operators.

Migrations run in one transaction: a database is either as it was or as this version wants it. Which there
are is told by the names of their files, so that a start with nothing to migrate needs no Alembic.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.engine import Connection

import bot
from bot.ports import Outdated, StoreTrouble
from bot.store.address import make_room, refuse_missing
from bot.store.database import connect
from bot.store.postgres import refuse_poor

if TYPE_CHECKING:
    from alembic.config import Config

_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True)
class Condition:
    """How a database is: the revision of its schema (empty: none), this version's, and what is broken."""

    revision: str
    head: str
    faults: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether the schema is the one that this version works with."""
        return self.revision == self.head

    @property
    def is_well(self) -> bool:
        """Whether it is current and nothing is broken."""
        return self.is_current and not self.faults


async def upgrade(url: str) -> Condition:
    """Bring a database to the schema of this version, making it if there is none.

    Raises StoreTrouble if the database belongs to a newer version, or cannot be opened, and Damaged if it is
    not whole.
    """
    make_room(url)
    database = connect(url, is_rebuilt=True)
    try:
        # Foreign keys are off because a migration may rebuild a table that others refer to; SQLite cannot
        # switch them inside a transaction. They are checked before it ends.
        async with database.writing() as connection:
            if damage := await connection.run_sync(_damage, "quick_check(1)"):
                raise database.note_damage(damage[0])
            await refuse_poor(connection)
            condition = await connection.run_sync(bring_up)
            await connection.run_sync(refuse_broken)
            return condition
    finally:
        await database.close()


async def check(url: str) -> Condition:
    """Say which revision a database has, and what SQLite finds broken in it. Changes nothing.

    Raises StoreTrouble if it cannot be opened, or belongs to a newer version.
    """
    refuse_missing(url)
    database = connect(url)
    try:
        async with database.reading() as connection:
            condition = await connection.run_sync(revisions)
            faults = [*await connection.run_sync(_damage), *await connection.run_sync(_broken_keys)]
            return Condition(condition.revision, condition.head, tuple(faults))
    finally:
        await database.close()


def revisions(connection: Connection) -> Condition:
    """Compare the revision of a database with this version's; raises StoreTrouble if it is a newer one."""
    known = sorted(path.name.partition("_")[0] for path in (migrations() / "versions").glob("[0-9]*_*.py"))
    head, revision = known[-1], ""
    if inspect(connection).has_table(_TABLE):
        revision = connection.exec_driver_sql(f"SELECT version_num FROM {_TABLE}").scalar() or ""  # noqa: S608
    if revision and revision not in known:
        raise Outdated(
            f"the database is at revision {revision}, which this version does not know (it knows {head}): "
            "it was written by a newer Tocsin. Start that version, or restore a backup from before."
        )
    return Condition(revision, head)


def migrations() -> Path:
    """Find the migrations: inside the package where it is installed, beside it in the source tree."""
    home = Path(bot.__file__).parent
    inside = home / "migrations"
    return inside if inside.is_dir() else home.parent / "migrations"


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    return config


def bring_up(connection: Connection) -> Condition:
    """Bring a database to this version's schema, in the transaction of the caller."""
    before = revisions(connection)
    if before.is_current:
        return before
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return revisions(connection)


def refuse_broken(connection: Connection) -> None:
    """Raise StoreTrouble if a row refers to one that is not there."""
    if faults := _broken_keys(connection):
        raise StoreTrouble(f"what the database holds is not whole: {faults[0]}")


def _damage(connection: Connection, check: str = "integrity_check") -> list[str]:
    """Let SQLite look through all pages; ``quick_check(1)`` leaves the indexes out and ends at the first."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.exec_driver_sql(f"PRAGMA {check}").scalars()
    return [str(line).rpartition("\n")[2] for line in found if line != "ok"]


def _broken_keys(connection: Connection) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there" for row in rows]
