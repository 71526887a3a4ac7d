"""Several judge their parts of the armings: how far each has come, and which words each has still to hear."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ADDED = (
    ("partitions", sa.Column("judged_to", sa.BigInteger(), server_default="0", nullable=False)),
    ("observations", sa.Column("place", sa.BigInteger(), server_default="0", nullable=False)),
    ("observations", sa.Column("read_at", sa.Float(), server_default="0", nullable=False)),
    ("speakers", sa.Column("place", sa.BigInteger(), server_default="0", nullable=False)),
    ("losses", sa.Column("seen_at", sa.Float(), nullable=True)),
)


def upgrade() -> None:
    """Bring the schema to this revision: what was said so far is heard by everybody who begins."""
    for table, column in _ADDED:
        op.add_column(table, column)
    op.create_index(op.f("ix_observations_place"), "observations", ["place"])


def downgrade() -> None:
    """Take this revision back: then one alone may judge."""
    op.drop_index(op.f("ix_observations_place"), "observations")
    for table, column in reversed(_ADDED):
        op.drop_column(table, column.name)
