"""Quiet hours of a chat, what they keep, and what is due by the clock."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("chats", sa.Column("quiet", sa.Text(), server_default="", nullable=False))
    op.add_column("outbox", sa.Column("kept_until", sa.Float(), nullable=True))
    op.create_table(
        "agenda",
        sa.Column("id", _ID, nullable=False),
        sa.Column("chat_id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_agenda_chat_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agenda")),
        sa.UniqueConstraint("chat_id", "kind", name=op.f("uq_agenda_chat_id_kind")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_agenda_due_at"), "agenda", ["due_at"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(op.f("ix_agenda_due_at"), table_name="agenda")
    op.drop_table("agenda")
    op.drop_column("outbox", "kept_until")
    op.drop_column("chats", "quiet")
