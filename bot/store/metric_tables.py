"""The tables of series: what was said of metrics, by whom, what providers remember, what is out of sight.

Watch writes observations, speakers and losses, feeds write notebooks.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, Table

from bot.store.metadata import Document, Text, metadata

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
    Column("place", BigInteger, nullable=False, server_default="0"),  # in what was news; 0: it was none
    Column("read_at", Float, nullable=False, server_default="0"),  # by whoever said it, as its batch tells
)
Index(None, observations.c.place)

# Whose word counts for a series; there is always one, so that nothing mixes two.
speakers = Table(
    "speakers",
    metadata,
    Column("metric", Text, primary_key=True),
    Column("instrument", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("place", BigInteger, nullable=False, server_default="0"),  # of the news with which it took over
)

# What a provider must not forget when the program starts again.
notebooks = Table(
    "notebooks",
    metadata,
    Column("source", Text, primary_key=True),
    Column("page", Document, nullable=False),
    Column("kept_at", Float, nullable=False),
)

# The series that cannot be seen, and of which that was told.
losses = Table(
    "losses",
    metadata,
    Column("partition", ForeignKey("partitions.id"), primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("instrument", Text, primary_key=True),
    Column("venue", Text, primary_key=True),
    Column("since", Float, nullable=False),  # up to when it was seen
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),  # who says so
    Column("notice", Text, nullable=False),  # the dedupe of what was told
    Column("gone", Document, nullable=False),  # stretches of it whose minutes are gone
    Column("seen_at", Float),  # since when it is seen again in this partition, while in another it is not
)
