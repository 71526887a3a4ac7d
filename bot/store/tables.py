"""The tables: what is remembered, and under which name.

Each table has one writer, so that commands, watch and deliver never overwrite each other: commands own chats,
levels, alerts, armings, subscriptions, fillings, proposals, links, audit, bans, quotas and playbooks; watch
owns partitions, cursors, alert_states and rings; what came after a ring is written by afterwards. The outbox
is written by whoever promises and settled by deliver. Those of metrics are in a file of their own.

Instants are epoch seconds in UTC. Names that people type are unique by their ``key``, the name casefolded.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    and_,
    false,
    true,
)

from bot.store import (  # noqa: F401 - they are of the same metadata
    aftermath_table,
    agenda_table,
    broadcast_table,
    handout_table,
    link_table,
    metric_tables,
)
from bot.store.metadata import Document, Id, Text, metadata

# The row "revision" counts the transactions of commands; it stamps what they write. "partitions" is how many
# there are, one where it is not there; "news" counts the words of metrics that were news.
counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

chats = Table(
    "chats",
    metadata,
    Column("id", Id, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("paused_reason", Text, nullable=False),  # why it cannot be written to, or empty
    Column("last_number", Integer, nullable=False),  # of its personal alerts; never given twice
    Column("hears_broadcasts", Boolean, nullable=False, server_default=true()),
    Column("above", Text, nullable=False, server_default=""),  # the chat that a topic or thread belongs to
    # Who may make alerts in this group and its topics or threads, or empty where nobody has said.
    Column("policy", Text, nullable=False, server_default=""),
    Column("quiet", Text, nullable=False, server_default=""),  # its quiet hours on its clock, or empty
    Column("person", Text, nullable=False, server_default=""),  # whose private chat it is, where known
    Column("lot", Integer, nullable=False, server_default="0"),  # says who of several senders tells it
    UniqueConstraint("platform", "chat", "thread"),
    sqlite_autoincrement=True,
)

levels = Table(
    "levels",
    metadata,
    Column("id", Id, primary_key=True),
    Column("chat_id", ForeignKey("chats.id")),  # NULL: of the deployment
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),  # an exact decimal
    Column("set_by", Text, nullable=False),
    Column("set_at", Float, nullable=False),
)
of_deployment = levels.c.chat_id.is_(None)
of_chat = levels.c.chat_id.is_not(None)
Index("uq_levels_key", levels.c.key, unique=True, sqlite_where=of_deployment, postgresql_where=of_deployment)
Index(
    "uq_levels_chat_id_key",
    levels.c.chat_id,
    levels.c.key,
    unique=True,
    sqlite_where=of_chat,
    postgresql_where=of_chat,
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("chat_id", ForeignKey("chats.id")),  # the owner of a personal alert
    Column("number", Integer),  # of a personal alert, in its chat
    Column("name", Text),  # of a shared alert
    Column("key", Text),
    Column("rule", Text, nullable=False),  # canonical, with the names of its levels
    Column("is_once", Boolean, nullable=False),
    Column("author", Text, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("deleted_at", Float),
    Column("revision", BigInteger, nullable=False),
    Column("playbook", Text),  # the name of the playbook that a personal alert belongs to
    Column("part", Text),  # and of its rule in it
    UniqueConstraint("chat_id", "number"),
    CheckConstraint("(chat_id IS NULL) = (number IS NULL)", name="number"),
    CheckConstraint("(chat_id IS NULL) = (name IS NOT NULL AND key IS NOT NULL)", name="owner"),
    sqlite_autoincrement=True,
)
is_published = and_(alerts.c.key.is_not(None), alerts.c.deleted_at.is_(None))
Index("uq_alerts_key", alerts.c.key, unique=True, sqlite_where=is_published, postgresql_where=is_published)
is_of_playbook = and_(alerts.c.playbook.is_not(None), alerts.c.deleted_at.is_(None))
Index(
    "uq_alerts_playbook",
    alerts.c.playbook,
    alerts.c.chat_id,
    alerts.c.part,
    unique=True,
    sqlite_where=is_of_playbook,
    postgresql_where=is_of_playbook,
)

# The playbooks that operators made, changed or took away in chat; each stands before a file of its name.
playbooks = Table(
    "playbooks",
    metadata,
    Column("key", Text, primary_key=True),
    Column("text", Text),  # TOML; NULL: it was taken away
    Column("set_by", Text, nullable=False),
    Column("set_at", Float, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

# Which levels a rule names, so that a moved level finds its alerts.
alert_levels = Table(
    "alert_levels",
    metadata,
    Column("alert_id", ForeignKey("alerts.id"), primary_key=True),
    Column("key", Text, primary_key=True),
)
Index(None, alert_levels.c.key)

armings = Table(
    "armings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alert_id", ForeignKey("alerts.id"), nullable=False),
    Column("rule", Text, nullable=False),  # filled in and qualified
    Column("levels", Document, nullable=False),  # what it was filled with: name to decimal text
    Column("seen", Document, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("made_in", BigInteger, nullable=False),  # revision
    Column("is_open", Boolean, nullable=False),  # further subscriptions may share it
    Column("is_eager", Boolean, nullable=False, server_default=false()),  # it begins armed, true or not
    # A chat's own levels differed from the deployment's when it was made.
    Column("is_own", Boolean, nullable=False, server_default=false()),
    Column("retired_at", Float),
    Column("retired_in", BigInteger),  # revision
    sqlite_autoincrement=True,
)
is_open = armings.c.is_open.is_(true())
is_living = armings.c.retired_at.is_(None)
is_retired = armings.c.retired_in.is_not(None)
Index(
    "uq_armings_alert_id_rule",
    armings.c.alert_id,
    armings.c.rule,
    unique=True,
    sqlite_where=is_open,
    postgresql_where=is_open,
)
Index(
    "ix_armings_living",
    armings.c.partition,
    armings.c.made_in,
    sqlite_where=is_living,
    postgresql_where=is_living,
)
Index(
    "ix_armings_retired",
    armings.c.partition,
    armings.c.retired_in,
    sqlite_where=is_retired,
    postgresql_where=is_retired,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("chat_id", ForeignKey("chats.id"), nullable=False),
    Column("alert_id", ForeignKey("alerts.id"), nullable=False),
    Column("arming_id", ForeignKey("armings.id")),  # NULL while paused
    Column("made_at", Float, nullable=False),
    Column("paused_at", Float),
    Column("revision", BigInteger, nullable=False),
    Column("muted_at", Float),  # kept when the mute is over, to count what it hid
    Column("muted_until", Float),
    Column("is_urgent", Boolean, nullable=False, server_default=false()),
    Column("place_id", ForeignKey("chats.id")),  # where it rings, if not in its own chat
    Column("place", Text, nullable=False, server_default=""),  # how that is called
    Column("person", Text, nullable=False, server_default=""),  # who made it, as platform:id, where known
    UniqueConstraint("chat_id", "alert_id"),
    CheckConstraint("(arming_id IS NULL) = (paused_at IS NOT NULL)", name="paused"),
)
Index(None, subscriptions.c.alert_id)
Index(None, subscriptions.c.arming_id)
Index(None, subscriptions.c.place_id)
Index(None, subscriptions.c.person)

# Levels that one subscription alone is filled with, whatever they are elsewhere.
fillings = Table(
    "fillings",
    metadata,
    Column("subscription_id", ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # an exact decimal
)

# Changes that wait for whoever proposed them to confirm them.
proposals = Table(
    "proposals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("chat_id", ForeignKey("chats.id"), nullable=False),
    Column("person", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("change", Document, nullable=False),
    Column("role", Integer, nullable=False),  # the least that may confirm it
    Column("revision", BigInteger, nullable=False),  # what it was made on
    Column("made_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("settled_at", Float),  # confirmed or discarded
    Column("is_confirmed", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
Index(None, proposals.c.chat_id)

# Who changed what. Rows are only added; of one that is there, nothing but where its chat moved to changes.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Float, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("person", Text, nullable=False),  # platform:id
    Column("by", Text, nullable=False),  # how they were called then
    Column("chat_id", ForeignKey("chats.id")),  # where it was said
    Column("scope_id", ForeignKey("chats.id")),  # where it holds; NULL: in the deployment
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("before", Document),
    Column("after", Document),
    Column("undoes", ForeignKey("audit.id")),
    sqlite_autoincrement=True,
)
Index(None, audit.c.kind, audit.c.key)

# Persons, and groups, that the bot does not listen to.
bans = Table(
    "bans",
    metadata,
    Column("platform", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("until", Float),  # NULL: until it is taken back
    Column("made_at", Float, nullable=False),
    Column("told_at", Float),
)

# Bounds that operators set otherwise than they are by default.
quotas = Table(
    "quotas",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),
)

partitions = Table(
    "partitions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("judged_to", BigInteger, nullable=False, server_default="0"),  # no word becomes known before that
)

cursors = Table(
    "cursors",
    metadata,
    Column("partition", ForeignKey("partitions.id"), primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("instrument", Text, primary_key=True),
    Column("venue", Text, primary_key=True),
    Column("judged_to", BigInteger, nullable=False),  # the first minute that is not judged
    Column("close", Float),  # the last price before that minute, where it is known,
    Column("shown_at", Float),  # when it was shown,
    Column("source", Text, nullable=False, server_default=""),  # by whom,
    Column("home", Text, nullable=False, server_default=""),  # and to whom the series belongs
)

alert_states = Table(
    "alert_states",
    metadata,
    Column("arming_id", ForeignKey("armings.id"), primary_key=True, autoincrement=False),
    Column("cursor", BigInteger, nullable=False),
    Column("is_armed", Boolean, nullable=False),
    Column("is_firing", Boolean, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("rang_at", Float),
    Column("memory", Document, nullable=False),
    Column("early", Document),
    Column("corrections", Integer, nullable=False),
    Column("is_ended", Boolean, nullable=False),
    Column("told_at", Float),
    Column("grounds", Document),
)

rings = Table(
    "rings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("arming_id", ForeignKey("armings.id"), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("corrections", Integer, nullable=False),
    Column("rule", Text, nullable=False),  # as it was armed
    Column("at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("value", Float, nullable=False),
    Column("evidence", Document, nullable=False),
    Column("facts", Document, nullable=False),
    Column("is_early", Boolean, nullable=False),
    Column("confirmed_at", Float),
    Column("corrected_at", Float),
    UniqueConstraint("arming_id", "episode", "corrections"),
    sqlite_autoincrement=True,
)
Index(None, rings.c.seen_at)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("platform", Text, nullable=False),  # the chat's
    Column("chat_id", ForeignKey("chats.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("dedupe", Text, nullable=False),
    Column("alert_id", ForeignKey("alerts.id")),
    Column("ring_id", ForeignKey("rings.id")),  # whose facts are told with those of the row
    Column("owner_id", ForeignKey("chats.id")),  # whose alert it tells, if that is not the chat told
    Column("broadcast_id", ForeignKey("broadcasts.id")),  # whose text is told
    Column("facts", Document, nullable=False),
    Column("priority", Integer, nullable=False),  # lower goes first
    Column("made_at", Float, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("leased_until", Float, nullable=False),  # 0: never leased
    Column("attempts", Integer, nullable=False),  # leases so far
    Column("held_at", Float),  # its chat cannot be written to
    Column("kept_until", Float),  # the end of the quiet hours that it was, or is, kept for
    Column("sent_at", Float),
    Column("receipt", Text),
    Column("given_up_at", Float),
    Column("error", Text, nullable=False),
    UniqueConstraint("chat_id", "dedupe"),
    sqlite_autoincrement=True,
)
is_waiting = and_(outbox.c.sent_at.is_(None), outbox.c.given_up_at.is_(None), outbox.c.held_at.is_(None))
is_held = outbox.c.held_at.is_not(None)
Index(
    "ix_outbox_waiting",
    outbox.c.platform,
    outbox.c.priority,
    outbox.c.not_before,
    outbox.c.id,
    sqlite_where=is_waiting,
    postgresql_where=is_waiting,
)
Index(
    "ix_outbox_waiting_chat",
    outbox.c.chat_id,
    outbox.c.id,
    sqlite_where=is_waiting,
    postgresql_where=is_waiting,
)
Index("ix_outbox_held", outbox.c.chat_id, sqlite_where=is_held, postgresql_where=is_held)
Index(None, outbox.c.ring_id)
Index(None, outbox.c.broadcast_id)
