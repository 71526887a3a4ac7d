"""The fence: a process that another took for dead writes nothing, however late it wakes up."""

from __future__ import annotations

from sqlalchemy import bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import Superseded
from bot.store.rota_tables import is_standing, processes

SUPERSEDED = "another process took this one's duties, for it was not heard of in time"


async def refuse_superseded(connection: AsyncConnection, process: str) -> None:
    """Raise Superseded if a process stands on the rota no more.

    Whoever takes a duty from it is alone when that is written, so that nothing can be between this answer and
    the end of the transaction in which it was given.
    """
    if not await connection.scalar(_STANDS, {"process": process}):
        raise Superseded(SUPERSEDED)


_STANDS = select(exists().where(processes.c.id == bindparam("process"), is_standing))
