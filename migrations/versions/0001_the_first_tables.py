"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True)


def where(sqlite: str, postgresql: str = "") -> dict[str, Any]:
    """Give the condition of a partial index."""
    return {"sqlite_where": sa.text(sqlite), "postgresql_where": sa.text(postgresql or sqlite)}


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "chats",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("paused_reason", sa.Text(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chats"),
        sa.UniqueConstraint("platform", "chat", "thread", name="uq_chats_platform_chat_thread"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "partitions",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_partitions"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", ID, nullable=False),
        sa.Column("chat_id", ID, nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("is_once", sa.Boolean(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("deleted_at", sa.Float(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(chat_id IS NULL) = (name IS NOT NULL AND key IS NOT NULL)", name=op.f("ck_alerts_owner")
        ),
        sa.CheckConstraint("(chat_id IS NULL) = (number IS NULL)", name=op.f("ck_alerts_number")),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_alerts_chat_id"),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.UniqueConstraint("chat_id", "number", name="uq_alerts_chat_id_number"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_alerts_key",
        "alerts",
        ["key"],
        unique=True,
        **where('"key" IS NOT NULL AND deleted_at IS NULL'),
    )
    op.create_table(
        "cursors",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("judged_to", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["partition"], ["partitions.id"], name="fk_cursors_partition"),
        sa.PrimaryKeyConstraint("partition", "metric", "instrument", "venue", name="pk_cursors"),
    )
    op.create_table(
        "levels",
        sa.Column("id", ID, nullable=False),
        sa.Column("chat_id", ID, nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_levels_chat_id"),
        sa.PrimaryKeyConstraint("id", name="pk_levels"),
    )
    op.create_index(
        "uq_levels_chat_id_key",
        "levels",
        ["chat_id", "key"],
        unique=True,
        **where("chat_id IS NOT NULL"),
    )
    op.create_index(
        "uq_levels_key",
        "levels",
        ["key"],
        unique=True,
        **where("chat_id IS NULL"),
    )
    op.create_table(
        "alert_levels",
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_alert_levels_alert_id"),
        sa.PrimaryKeyConstraint("alert_id", "key", name="pk_alert_levels"),
    )
    op.create_index("ix_alert_levels_key", "alert_levels", ["key"])
    op.create_table(
        "armings",
        sa.Column("id", ID, nullable=False),
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("levels", DOCUMENT, nullable=False),
        sa.Column("seen", DOCUMENT, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("made_in", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("retired_at", sa.Float(), nullable=True),
        sa.Column("retired_in", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_armings_alert_id"),
        sa.PrimaryKeyConstraint("id", name="pk_armings"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_armings_living",
        "armings",
        ["partition", "made_in"],
        **where("retired_at IS NULL"),
    )
    op.create_index(
        "ix_armings_retired",
        "armings",
        ["partition", "retired_in"],
        **where("retired_in IS NOT NULL"),
    )
    op.create_index(
        "uq_armings_alert_id_rule",
        "armings",
        ["alert_id", "rule"],
        unique=True,
        **where("is_open IS 1", "is_open IS true"),
    )
    op.create_table(
        "alert_states",
        sa.Column(
            "arming_id",
            ID,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("is_armed", sa.Boolean(), nullable=False),
        sa.Column("is_firing", sa.Boolean(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("rang_at", sa.Float(), nullable=True),
        sa.Column("memory", DOCUMENT, nullable=False),
        sa.Column("early", DOCUMENT, nullable=True),
        sa.Column("corrections", sa.Integer(), nullable=False),
        sa.Column("is_ended", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["arming_id"], ["armings.id"], name="fk_alert_states_arming_id"),
        sa.PrimaryKeyConstraint("arming_id", name="pk_alert_states"),
    )
    op.create_table(
        "rings",
        sa.Column("id", ID, nullable=False),
        sa.Column("arming_id", ID, nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("corrections", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("evidence", DOCUMENT, nullable=False),
        sa.Column("facts", DOCUMENT, nullable=False),
        sa.Column("is_early", sa.Boolean(), nullable=False),
        sa.Column("confirmed_at", sa.Float(), nullable=True),
        sa.Column("corrected_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["arming_id"], ["armings.id"], name="fk_rings_arming_id"),
        sa.PrimaryKeyConstraint("id", name="pk_rings"),
        sa.UniqueConstraint(
            "arming_id", "episode", "corrections", name="uq_rings_arming_id_episode_corrections"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", ID, nullable=False),
        sa.Column("chat_id", ID, nullable=False),
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("arming_id", ID, nullable=True),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("paused_at", sa.Float(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(arming_id IS NULL) = (paused_at IS NOT NULL)", name=op.f("ck_subscriptions_paused")
        ),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_subscriptions_alert_id"),
        sa.ForeignKeyConstraint(["arming_id"], ["armings.id"], name="fk_subscriptions_arming_id"),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_subscriptions_chat_id"),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("chat_id", "alert_id", name="uq_subscriptions_chat_id_alert_id"),
    )
    op.create_index("ix_subscriptions_alert_id", "subscriptions", ["alert_id"])
    op.create_index("ix_subscriptions_arming_id", "subscriptions", ["arming_id"])
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("chat_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dedupe", sa.Text(), nullable=False),
        sa.Column("alert_id", ID, nullable=True),
        sa.Column("ring_id", ID, nullable=True),
        sa.Column("facts", DOCUMENT, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.Column("leased_until", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("held_at", sa.Float(), nullable=True),
        sa.Column("sent_at", sa.Float(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("given_up_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_outbox_alert_id"),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_outbox_chat_id"),
        sa.ForeignKeyConstraint(["ring_id"], ["rings.id"], name="fk_outbox_ring_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("chat_id", "dedupe", name="uq_outbox_chat_id_dedupe"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_held",
        "outbox",
        ["chat_id"],
        **where("held_at IS NOT NULL"),
    )
    op.create_index("ix_outbox_ring_id", "outbox", ["ring_id"])
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["platform", "priority", "id"],
        **where("sent_at IS NULL AND given_up_at IS NULL AND held_at IS NULL"),
    )
    op.create_index(
        "ix_outbox_waiting_chat",
        "outbox",
        ["chat_id", "id"],
        **where("sent_at IS NULL AND given_up_at IS NULL AND held_at IS NULL"),
    )


def downgrade() -> None:
    """Bring the schema back to an empty one."""
    for table in (
        "outbox",
        "subscriptions",
        "rings",
        "alert_states",
        "armings",
        "alert_levels",
        "levels",
        "cursors",
        "alerts",
        "partitions",
        "counters",
        "chats",
    ):
        op.drop_table(table)
