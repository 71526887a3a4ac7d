"""Private chats of one person share what they have, by a code typed from one in the other."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "links",
        sa.Column(
            "chat_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("home_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_links_chat_id")),
        sa.ForeignKeyConstraint(["home_id"], ["chats.id"], name=op.f("fk_links_home_id")),
        sa.PrimaryKeyConstraint("chat_id", name=op.f("pk_links")),
    )
    op.create_index(op.f("ix_links_home_id"), "links", ["home_id"])
    op.create_table(
        "link_codes",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("chat_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name=op.f("fk_link_codes_chat_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_link_codes")),
        sa.UniqueConstraint("chat_id", name=op.f("uq_link_codes_chat_id")),
    )


def downgrade() -> None:
    """Take this revision back: who was linked stays one chat's, with all that they have."""
    op.drop_table("link_codes")
    op.drop_index(op.f("ix_links_home_id"), "links")
    op.drop_table("links")
