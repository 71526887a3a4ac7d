"""When an episode was last told, from which its next reminder runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("alert_states", sa.Column("told_at", sa.Float()))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("alert_states", "told_at")
