"""What was said of metrics, and whose word counts for each."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "observations",
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("known_at", sa.Float(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("pending", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "metric", "instrument", "source", "as_of", "revision", name=op.f("pk_observations")
        ),
    )
    op.create_table(
        "speakers",
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("metric", "instrument", name=op.f("pk_speakers")),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("speakers")
    op.drop_table("observations")
