"""The exchange to which a series belongs, kept beside its last price."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("cursors", sa.Column("home", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("cursors", "home")
