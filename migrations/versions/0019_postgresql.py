"""Texts are ordered by code points on PostgreSQL too, as on SQLite, and its outbox is counted often."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# What waits is a small part of the outbox, or all of it: how to look for it is planned by a count, which must
# not be of yesterday. And what was told is out of the way soon.
_COUNTED = {
    "autovacuum_analyze_scale_factor": "0",
    "autovacuum_analyze_threshold": "1000",
    "autovacuum_vacuum_scale_factor": "0.02",
}


def upgrade() -> None:
    """Bring the schema to this revision."""
    if op.get_bind().dialect.name == "postgresql":
        _order("C")
        settings = ", ".join(f"{name} = {value}" for name, value in _COUNTED.items())
        op.execute(f"ALTER TABLE outbox SET ({settings})")


def downgrade() -> None:
    """Take this revision back."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE outbox RESET ({', '.join(_COUNTED)})")
        _order("default")


def _order(collation: str) -> None:
    inspector = sa.inspect(op.get_bind())
    for table in inspector.get_table_names():
        texts = [one["name"] for one in inspector.get_columns(table) if isinstance(one["type"], sa.Text)]
        if texts and table != "alembic_version":
            parts = [f'ALTER COLUMN "{name}" TYPE text COLLATE "{collation}"' for name in texts]
            op.execute(f'ALTER TABLE "{table}" {", ".join(parts)}')
