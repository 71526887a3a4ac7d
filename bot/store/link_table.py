"""The tables of links: whose private chats are one person's, and the codes by which they become so."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Table

from bot.store.metadata import Document, Text, metadata

# A private chat that keeps its things in another, its home; no home has a home of its own.
links = Table(
    "links",
    metadata,
    Column("chat_id", ForeignKey("chats.id"), primary_key=True, autoincrement=False),
    Column("home_id", ForeignKey("chats.id"), nullable=False),
    Column("made_at", Float, nullable=False),
    Column("before", Document, nullable=False),  # what was otherwise, as store.linking writes it
)
Index(None, links.c.home_id)

# At most one of a chat; what is typed is compared by its digest, so that no code can be read here.
link_codes = Table(
    "link_codes",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("chat_id", ForeignKey("chats.id"), nullable=False, unique=True),
    Column("by", Text, nullable=False),  # how whoever asked for it was called then
    Column("expires_at", Float, nullable=False),
)
