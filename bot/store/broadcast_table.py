"""The table of what operators say to all chats; commands write it."""

from __future__ import annotations

from sqlalchemy import Column, Float, Table

from bot.store.metadata import Id, Text, metadata

broadcasts = Table(
    "broadcasts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("text", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("stopped_at", Float),
    sqlite_autoincrement=True,
)
