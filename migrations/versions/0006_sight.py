"""Where each series stood when it was judged last, and which of them cannot be seen."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("cursors", sa.Column("close", sa.Float(), nullable=True))
    op.add_column("cursors", sa.Column("shown_at", sa.Float(), nullable=True))
    op.add_column("cursors", sa.Column("source", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "losses",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("gone", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["partition"], ["partitions.id"], name=op.f("fk_losses_partition")),
        sa.PrimaryKeyConstraint("partition", "metric", "instrument", "venue", name=op.f("pk_losses")),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("losses")
    op.drop_column("cursors", "source")
    op.drop_column("cursors", "shown_at")
    op.drop_column("cursors", "close")
