"""Announcements of the operators, and alerts that ring elsewhere than in the chat that owns them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _refers(name: str, to: str, constraint: str) -> sa.Column[int]:
    return sa.Column(name, _ID, sa.ForeignKey(to, name=op.f(constraint)), nullable=True)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "broadcasts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("stopped_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
        sqlite_autoincrement=True,
    )
    # SQLite adds no constraint to a table; elsewhere it would be there twice.
    is_inline = op.get_bind().dialect.name == "sqlite"
    heard = sa.Column("hears_broadcasts", sa.Boolean(), server_default=sa.true(), nullable=False)
    op.add_column("chats", heard)
    op.add_column("chats", sa.Column("above", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE chats SET above = chat WHERE thread <> ''")
    place = _refers("place_id", "chats.id", "fk_subscriptions_place_id")
    op.add_column("subscriptions", place, inline_references=is_inline)
    op.add_column("subscriptions", sa.Column("place", sa.Text(), server_default="", nullable=False))
    op.create_index(op.f("ix_subscriptions_place_id"), "subscriptions", ["place_id"])
    owner = _refers("owner_id", "chats.id", "fk_outbox_owner_id")
    op.add_column("outbox", owner, inline_references=is_inline)
    told = _refers("broadcast_id", "broadcasts.id", "fk_outbox_broadcast_id")
    op.add_column("outbox", told, inline_references=is_inline)
    op.create_index(op.f("ix_outbox_broadcast_id"), "outbox", ["broadcast_id"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(op.f("ix_outbox_broadcast_id"), table_name="outbox")
    op.drop_column("outbox", "broadcast_id")
    op.drop_column("outbox", "owner_id")
    op.drop_index(op.f("ix_subscriptions_place_id"), table_name="subscriptions")
    op.drop_column("subscriptions", "place")
    op.drop_column("subscriptions", "place_id")
    op.drop_column("chats", "above")
    op.drop_column("chats", "hears_broadcasts")
    op.drop_table("broadcasts")
