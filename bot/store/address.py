"""Where a database is: what its URL names, and the file that it stands in, if it is one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bot.ports import StoreTrouble

UNKNOWN_URL = "the database URL names no database that this installation can open"

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}


def address_of(url: str) -> URL:
    """Give a URL as the driver wants it. Raises StoreTrouble for one that names no known database."""
    try:
        address = make_url(url)
        driver = _DRIVERS[address.get_backend_name()]
    except (ArgumentError, KeyError) as error:
        raise StoreTrouble(UNKNOWN_URL) from error
    address = address.set(drivername=driver)
    if (mode := address.query.get("sslmode")) is not None:  # libpq's word for what the driver calls ssl
        address = address.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return address


def make_room(url: str) -> None:
    """Make the folder that a SQLite file is to stand in."""
    if path := path_of(url):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreTrouble(
                f"the database: cannot make its folder {path.parent}: {error.strerror}"
            ) from error


def refuse_missing(url: str) -> None:
    """Raise StoreTrouble if a SQLite file is not there: opening it would make an empty one."""
    if (path := path_of(url)) and not path.is_file():
        raise StoreTrouble(f"there is no database at {path}: `tocsin db upgrade` makes one")


def is_same(one: str, other: str) -> bool:
    """Ask whether two URLs name one database, as far as they say it."""
    paths = (path_of(one), path_of(other))
    if None in paths:
        return address_of(one) == address_of(other)
    return len({path.resolve() for path in paths if path}) == 1


def path_of(url: str) -> Path | None:
    """Give the file that a URL names; ``None`` for what is no file on this machine."""
    address = address_of(url)
    name = address.database
    is_file = (
        address.get_backend_name() == "sqlite" and name and name != ":memory:" and "uri" not in address.query
    )
    return Path(name) if is_file and name else None
