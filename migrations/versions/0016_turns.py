"""Who waits longest is found at once, however many wait."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_WAITING = "sent_at IS NULL AND given_up_at IS NULL AND held_at IS NULL"


def upgrade() -> None:
    """Bring the schema to this revision."""
    _order("platform", "priority", "not_before", "id")


def downgrade() -> None:
    """Take this revision back."""
    _order("platform", "priority", "id")


def _order(*columns: str) -> None:
    op.drop_index("ix_outbox_waiting", "outbox")
    where = sa.text(_WAITING)
    op.create_index("ix_outbox_waiting", "outbox", list(columns), sqlite_where=where, postgresql_where=where)
