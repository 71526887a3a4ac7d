"""Texts are ordered by code points on PostgreSQL too, whatever the locale of its database, as on SQLite."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    _order("C")


def downgrade() -> None:
    """Take this revision back."""
    _order("default")


def _order(collation: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    inspector = sa.inspect(connection)
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        texts = [one["name"] for one in inspector.get_columns(table) if isinstance(one["type"], sa.Text)]
        if texts:
            parts = [f'ALTER COLUMN "{name}" TYPE text COLLATE "{collation}"' for name in texts]
            op.execute(f'ALTER TABLE "{table}" {", ".join(parts)}')
