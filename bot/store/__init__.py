"""Memory: the one store of the house, on a SQL database.

``tables`` is the schema, and ``schema`` keeps it up to date. ``ledger``, ``outbox``, ``register``, ``levels``
and ``people`` are what watch, deliver and commands need; ``sql`` puts them together.
"""

from bot.store.schema import Condition, check, upgrade
from bot.store.sql import SqlStore, open_store

__all__ = ["Condition", "SqlStore", "check", "open_store", "upgrade"]
