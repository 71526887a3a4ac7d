"""Who made what, who may make alerts in a group, how many, and who is shut out."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("chats", sa.Column("policy", sa.Text(), server_default="", nullable=False))
    op.add_column("subscriptions", sa.Column("person", sa.Text(), server_default="", nullable=False))
    op.create_index(op.f("ix_subscriptions_person"), "subscriptions", ["person"])
    # A private chat has one person, and there its number is theirs (Discord's is the channel's).
    op.execute(
        "UPDATE subscriptions SET person = (SELECT platform || ':' || chat FROM chats WHERE id = chat_id) "
        "WHERE chat_id IN "
        "(SELECT id FROM chats WHERE kind = 'private' AND platform IN ('telegram', 'console'))"
    )
    op.create_table(
        "bans",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("until", sa.Float(), nullable=True),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("told_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("platform", "person", name=op.f("pk_bans")),
    )
    op.create_table(
        "quotas",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_quotas")),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("quotas")
    op.drop_table("bans")
    op.drop_index(op.f("ix_subscriptions_person"), table_name="subscriptions")
    op.drop_column("subscriptions", "person")
    op.drop_column("chats", "policy")
