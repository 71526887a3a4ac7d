"""Processes that share a database divide its work: the roles of each, and duties that are handed over."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision: whoever stands on the rota already may have any duty."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    roles = sa.Column("roles", text, server_default="feed,engine,chat", nullable=False)
    op.add_column("processes", roles)
    op.add_column("processes", sa.Column("plan", text, server_default="bot", nullable=False))
    op.add_column("duties", sa.Column("released_at", sa.Float(), nullable=True))


def downgrade() -> None:
    """Take this revision back: then one process has all the duties there are."""
    op.drop_column("duties", "released_at")
    op.drop_column("processes", "plan")
    op.drop_column("processes", "roles")
