"""Whose a private chat is, so that operators can be told of what concerns them alone."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision.

    Whoever made an alert in private is known by it, and on Telegram by the chat itself; all others are when
    they speak next.
    """
    op.add_column("chats", sa.Column("person", sa.Text(), server_default="", nullable=False))
    op.execute(
        "UPDATE chats SET person = coalesce((SELECT max(substr(s.person, length(chats.platform) + 2))"
        " FROM subscriptions s WHERE s.chat_id = chats.id AND s.person <> ''), '') WHERE kind = 'private'"
    )
    op.execute("UPDATE chats SET person = chat WHERE kind = 'private' AND platform = 'telegram'")


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("chats", "person")
