"""Playbooks that operators made or changed in chat, and the alerts that belong to one."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_IS_OF_PLAYBOOK = sa.text("playbook IS NOT NULL AND deleted_at IS NULL")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "playbooks",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.Float(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_playbooks")),
    )
    op.add_column("alerts", sa.Column("playbook", sa.Text(), nullable=True))
    op.add_column("alerts", sa.Column("part", sa.Text(), nullable=True))
    op.create_index(
        "uq_alerts_playbook",
        "alerts",
        ["playbook", "chat_id", "part"],
        unique=True,
        sqlite_where=_IS_OF_PLAYBOOK,
        postgresql_where=_IS_OF_PLAYBOOK,
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("uq_alerts_playbook", table_name="alerts")
    op.drop_column("alerts", "part")
    op.drop_column("alerts", "playbook")
    op.drop_table("playbooks")
