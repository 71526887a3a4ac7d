"""The table of what is handed on: a rule under a token that nobody guesses."""

from __future__ import annotations

from sqlalchemy import Column, Float, Table

from bot.store.metadata import Text, metadata

handouts = Table(
    "handouts",
    metadata,
    Column("token", Text, primary_key=True),
    Column("rule", Text, nullable=False),  # canonical; it may name levels of the deployment
    Column("person", Text, nullable=False),  # platform:id
    Column("by", Text, nullable=False),  # how they were called then
    Column("expires_at", Float, nullable=False),
)
