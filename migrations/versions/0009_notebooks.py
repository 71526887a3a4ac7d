"""What providers of metrics remember from one run of the program to the next."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "notebooks",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("page", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("kept_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_notebooks")),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("notebooks")
