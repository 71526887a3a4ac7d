"""The table of what the price did after a ring: a row for each stretch of time that is over."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, Table

from bot.store.metadata import Text, metadata

aftermaths = Table(
    "aftermaths",
    metadata,
    Column("ring_id", ForeignKey("rings.id", ondelete="CASCADE"), primary_key=True),
    Column("span", Integer, primary_key=True),  # how many seconds after the ring it looks
    Column("instrument", Text, nullable=False),  # whose price it is; empty: the rule is about none
    Column("venue", Text, nullable=False),
    Column("since", BigInteger, nullable=False),  # the end of the minute that rang
    # The price then, the extremes and the last price of the stretch; NULL: they cannot be known.
    Column("price", Float),
    Column("low", Float),
    Column("high", Float),
    Column("close", Float),
)
