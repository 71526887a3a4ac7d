"""Memory: the one store of the house, on a SQL database.

``tables`` is the schema, and ``schema`` keeps it up to date. ``claim`` lets one bot at a time work with it,
and ``rota`` several take turns; ``backup`` copies it, ``copying`` carries it over to another. ``ledger``,
``outbox``, ``register``, ``levels`` and ``people`` are what watch, deliver and commands need; ``sql`` puts
them together.
"""

from bot.store.address import path_of
from bot.store.backup import back_up, restore
from bot.store.claim import claim
from bot.store.copying import Carried, copy
from bot.store.rota import open_rota
from bot.store.schema import Condition, check, upgrade
from bot.store.sql import SqlStore, open_store

__all__ = [
    "Carried",
    "Condition",
    "SqlStore",
    "back_up",
    "check",
    "claim",
    "copy",
    "open_rota",
    "open_store",
    "path_of",
    "restore",
    "upgrade",
]
