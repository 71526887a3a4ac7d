"""Run the migrations: at start on the connection that the store hands over, by hand on a URL.

By hand, to write one: `alembic -x url=sqlite:///scratch.db revision --autogenerate -m words`.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy.engine import Connection

from bot.store.database import connect
from bot.store.tables import metadata


def migrate(connection: Connection) -> None:
    """Migrate inside the caller's transaction: all of it, or nothing."""
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def migrate_by_hand(url: str) -> None:
    """Open a database for Alembic's own command line."""
    database = connect(url, is_rebuilt=True)
    try:
        async with database.writing() as connection:
            await connection.run_sync(migrate)
    finally:
        await database.close()


if handed := context.config.attributes.get("connection"):
    migrate(handed)
else:
    asyncio.run(migrate_by_hand(context.get_x_argument(as_dictionary=True)["url"]))
