"""The Store: ledger, outbox, register and archive on one database."""

from __future__ import annotations

from bot.ports import StoreTrouble
from bot.store.address import refuse_missing
from bot.store.agenda import SqlAgenda
from bot.store.annals import SqlAnnals
from bot.store.archive import SqlArchive
from bot.store.audit import SqlAudit
from bot.store.bounds import SqlBounds
from bot.store.bundles import SqlBundles
from bot.store.chronicle import SqlChronicle
from bot.store.clearing import SqlClearing
from bot.store.database import Database, connect
from bot.store.editing import SqlEditing
from bot.store.erasing import SqlErasing
from bot.store.forgetting import SqlForgetting
from bot.store.health import SqlHealth
from bot.store.hearing import SqlHearing
from bot.store.importing import SqlImporting
from bot.store.ledger import SqlLedger
from bot.store.levels import SqlLevels
from bot.store.linking import SqlLinking
from bot.store.notebook import SqlNotebook
from bot.store.outbox import SqlOutbox
from bot.store.partitions import SqlPartitions
from bot.store.people import SqlPeople
from bot.store.playbooks import SqlPlaybooks
from bot.store.proposals import SqlProposals
from bot.store.receipts import Receipts
from bot.store.register import SqlRegister
from bot.store.schema import revisions
from bot.store.shared import SqlShared
from bot.store.sights import SqlSights


class SqlStore(
    SqlLedger,
    SqlPartitions,
    SqlOutbox,
    SqlBundles,
    SqlAgenda,
    SqlHearing,
    SqlPeople,
    SqlBounds,
    SqlLevels,
    SqlRegister,
    SqlEditing,
    SqlShared,
    SqlPlaybooks,
    SqlLinking,
    SqlProposals,
    SqlAudit,
    SqlChronicle,
    SqlAnnals,
    SqlSights,
    SqlArchive,
    SqlNotebook,
    SqlImporting,
    SqlForgetting,
    SqlErasing,
    SqlClearing,
    SqlHealth,
):
    """The port ``Store``. Every call is one transaction, and raises StoreTrouble if that failed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._receipts = Receipts(database)

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()


async def open_store(url: str, process: str = "") -> SqlStore:
    """Open the store of a database that ``upgrade()`` has brought to this version's schema.

    ``process`` is who works with it, where that stands on a rota: all that it writes is refused from when it
    stands there no more. Raises StoreTrouble if the store cannot be opened, or has another schema.
    """
    refuse_missing(url)
    database = connect(url, process=process)
    try:
        async with database.reading() as connection:
            condition = await connection.run_sync(revisions)
        if not condition.is_current:
            raise StoreTrouble(
                f"the database is at revision {condition.revision or 'none'}, this version needs "
                f"{condition.head}: run `tocsin db upgrade`"
            )
    except BaseException:
        await database.close()
        raise
    return SqlStore(database)
