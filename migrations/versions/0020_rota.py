"""Several processes work with one database: who they are, and who of them is on duty."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "processes",
        sa.Column("id", text, nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("version", text, nullable=False),
        sa.Column("joined_at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("was_lost", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_index(op.f("ix_processes_ended_at"), "processes", ["ended_at"])
    op.create_table(
        "duties",
        sa.Column("name", text, nullable=False),
        sa.Column("process_id", text, nullable=False),
        sa.Column("taken_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["process_id"], ["processes.id"], name=op.f("fk_duties_process_id")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_duties")),
    )


def downgrade() -> None:
    """Take this revision back: then one process alone may work with the database."""
    op.drop_table("duties")
    op.drop_index(op.f("ix_processes_ended_at"), "processes")
    op.drop_table("processes")
