"""The tables of the rota: which processes work with a database, and who of them has which duty."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Table

from bot.duties import ALL, ROLES
from bot.store.metadata import Text, metadata

# Instants are of the database's own clock: those of machines differ.
processes = Table(
    "processes",
    metadata,
    Column("id", Text, primary_key=True),  # never used again, not by the same process either
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("joined_at", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("ended_at", Float),
    Column("was_lost", Boolean, nullable=False),
    # With commas between them: what it may do, and all duties that it knows of and how it words.
    Column("roles", Text, nullable=False, server_default=",".join(ROLES)),
    Column("plan", Text, nullable=False, server_default=ALL),
)
Index(None, processes.c.ended_at)
is_standing = processes.c.ended_at.is_(None)

duties = Table(
    "duties",
    metadata,
    Column("name", Text, primary_key=True),
    Column("process_id", ForeignKey("processes.id"), nullable=False),
    Column("taken_at", Float, nullable=False),
    Column("released_at", Float),  # when it was handed over, and is nobody's
)
