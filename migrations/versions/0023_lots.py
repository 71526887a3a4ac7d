"""Several processes tell the chats of a platform: the lot of each chat says which of them."""

import zlib

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_LOTS = 1 << 16
_AT_ONCE = 1000

_chats = sa.table(
    "chats", sa.column("id", sa.Integer), sa.column("chat", sa.Text), sa.column("lot", sa.Integer)
)


def upgrade() -> None:
    """Bring the schema to this revision: each chat draws its lot, by its id on the platform."""
    op.add_column("chats", sa.Column("lot", sa.Integer(), server_default="0", nullable=False))
    connection, last = op.get_bind(), 0
    drawn = sa.update(_chats).where(_chats.c.id == sa.bindparam("one")).values(lot=sa.bindparam("drawn"))
    some = sa.select(_chats.c.id, _chats.c.chat).order_by(_chats.c.id).limit(_AT_ONCE)
    while rows := connection.execute(some.where(_chats.c.id > last)).all():
        values = [{"one": row.id, "drawn": zlib.crc32(row.chat.encode()) % _LOTS} for row in rows]
        connection.execute(drawn, values)
        last = rows[-1].id


def downgrade() -> None:
    """Take this revision back: then one process tells all chats."""
    op.drop_column("chats", "lot")
