"""What the last ring of an arming rested on, while its source may take a figure of it back."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("alert_states", sa.Column("grounds", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("alert_states", "grounds")
