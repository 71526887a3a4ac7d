"""What the price did in the day and in the week after a ring."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "aftermaths",
        sa.Column("ring_id", _ID, nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("close", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ring_id"], ["rings.id"], name=op.f("fk_aftermaths_ring_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ring_id", "span", name=op.f("pk_aftermaths")),
    )
    op.create_index(op.f("ix_rings_seen_at"), "rings", ["seen_at"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(op.f("ix_rings_seen_at"), "rings")
    op.drop_table("aftermaths")
