"""What all tables share: one set of names, and the types of their columns."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import JSON, BigInteger, Integer, MetaData, TypeDecorator
from sqlalchemy.engine import Dialect


class _Text(TypeDecorator[str]):
    """A text of PostgreSQL, which keeps every sign but NUL: that is written as the sign for unknown ones."""

    impl = sqlalchemy.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Write a text down."""
        return value and value.replace("\0", "\ufffd")


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
Text = sqlalchemy.Text().with_variant(_Text(collation="C"), "postgresql")
"""Ordered by code points everywhere, whatever the locale of a PostgreSQL database."""
Document = JSON(none_as_null=True)
