"""Migrations as tests run them: to any revision, with one more than there are, compared with the metadata."""

from __future__ import annotations

import shutil
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

import bot
from bot.store import schema
from bot.store.database import connect
from bot.store.tables import metadata

ROOT = Path(bot.__file__).parents[1]
REVISIONS = [one.revision for one in ScriptDirectory.from_config(schema._config()).walk_revisions()][::-1]
HEAD = REVISIONS[-1]


async def move(url: str, how: str, revision: str) -> None:
    """Let Alembic ``upgrade`` or ``downgrade`` a database to a revision."""
    database = connect(url, is_rebuilt=True)

    def run(connection: Connection) -> None:
        config = schema._config()
        config.attributes["connection"] = connection
        getattr(command, how)(config, revision)

    async with database.writing() as connection:
        await connection.run_sync(run)
    await database.close()


async def differences(url: str) -> list[object]:
    """Tell in what a database is not as the metadata has it."""
    database = connect(url)

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with database.reading() as connection:
        found = await connection.run_sync(compare)
    await database.close()
    return found


def with_migration(folder: Path, name: str, *statements: str) -> Path:
    """Copy the migrations into a folder, and add one that runs such statements; gives where they are."""
    scripts = folder / "migrations"
    shutil.copytree(ROOT / "migrations", scripts, ignore=shutil.ignore_patterns("__pycache__"))
    lines = (
        "from alembic import op",
        f'revision, down_revision = "9999", "{HEAD}"',
        "def upgrade():",
        *(f"    op.execute({statement!r})" for statement in statements),
    )
    (scripts / "versions" / f"9999_{name}.py").write_text("\n".join(lines) + "\n")
    return scripts
