"""Changes that wait for a confirmation, who changed what, and how a chat wants an alert told."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "proposals",
        sa.Column("id", _ID, nullable=False),
        sa.Column("chat_id", _ID, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("change", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("settled_at", sa.Float(), nullable=True),
        sa.Column("is_confirmed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_proposals_chat_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_proposals_chat_id"), "proposals", ["chat_id"])
    op.create_table(
        "audit",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("chat_id", _ID, nullable=True),
        sa.Column("scope_id", _ID, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("undoes", _ID, nullable=True),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_audit_chat_id")),
        sa.ForeignKeyConstraint(["scope_id"], ["chats.id"], name=op.f("fk_audit_scope_id")),
        sa.ForeignKeyConstraint(["undoes"], ["audit.id"], name=op.f("fk_audit_undoes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_kind_key"), "audit", ["kind", "key"])
    op.create_table(
        "fillings",
        sa.Column("subscription_id", _ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_fillings_subscription_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscription_id", "key", name=op.f("pk_fillings")),
    )
    op.add_column("subscriptions", sa.Column("muted_at", sa.Float(), nullable=True))
    op.add_column("subscriptions", sa.Column("muted_until", sa.Float(), nullable=True))
    urgent = sa.Column("is_urgent", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("subscriptions", urgent)
    own = sa.Column("is_own", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("armings", own)


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("armings", "is_own")
    op.drop_column("subscriptions", "is_urgent")
    op.drop_column("subscriptions", "muted_until")
    op.drop_column("subscriptions", "muted_at")
    op.drop_table("fillings")
    op.drop_index(op.f("ix_audit_kind_key"), table_name="audit")
    op.drop_table("audit")
    op.drop_index(op.f("ix_proposals_chat_id"), table_name="proposals")
    op.drop_table("proposals")
