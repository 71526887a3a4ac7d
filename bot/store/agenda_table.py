"""The table of what is due by the clock: one row for each thing that a chat wants told again and again."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Table, UniqueConstraint

from bot.store.metadata import Id, Text, metadata

agenda = Table(
    "agenda",
    metadata,
    Column("id", Id, primary_key=True),
    Column("chat_id", ForeignKey("chats.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("plan", Text, nullable=False),  # when, on the clock of the chat: "weekly mon 09:00"
    Column("due_at", Float, nullable=False),
    Column("since", Float, nullable=False),  # what came before this was told the last time
    UniqueConstraint("chat_id", "kind"),
    sqlite_autoincrement=True,
)
Index(None, agenda.c.due_at)
