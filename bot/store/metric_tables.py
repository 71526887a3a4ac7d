"""The tables of metrics: what was said of them, whose word counts, and what providers remember.

Watch writes observations and speakers, feeds write notebooks.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, Table, Text

from bot.store.metadata import Document, metadata

# Every word about a metric, as it came; nothing in it is ever changed, and what nobody can read any more is
# dropped.
observations = Table(
    "observations",
    metadata,
    Column("metric", Text, primary_key=True),
    Column("instrument", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("as_of", BigInteger, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("value", Text, nullable=False),  # an exact decimal
    Column("known_at", Float, nullable=False),
    Column("is_final", Boolean, nullable=False),
    Column("pending", Document, nullable=False),  # what has not reported yet
)

# Whose word counts for a series; there is always one, so that nothing mixes two.
speakers = Table(
    "speakers",
    metadata,
    Column("metric", Text, primary_key=True),
    Column("instrument", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("since", Float, nullable=False),
)

# What a provider must not forget when the program starts again.
notebooks = Table(
    "notebooks",
    metadata,
    Column("source", Text, primary_key=True),
    Column("page", Document, nullable=False),
    Column("kept_at", Float, nullable=False),
)
