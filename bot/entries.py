"""What one variable of the configuration may say: each check takes its text and gives the value.

A ValueError says what is wrong without the value, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BeforeValidator, SecretStr

from bot.duties import read_roles
from bot.rules.words import QUOTES


class Address(NamedTuple):
    """Where a server listens; port 0 takes any that is free."""

    host: str
    port: int


def words(value: Any) -> Any:
    """Split a comma list, in lower case and without what is written twice."""
    if not isinstance(value, str):
        return value
    found = tuple(dict.fromkeys(word.strip().lower() for word in value.split(",") if word.strip()))
    if not found:
        raise ValueError("names nothing")
    if odd := [word for word in found if not re.fullmatch(r"[a-z0-9.]{1,20}", word)]:
        raise ValueError(f"has a part that is no name (part {found.index(odd[0]) + 1})")
    return found


def roles(value: Any) -> Any:
    """Accept a comma list of roles."""
    return read_roles(value) if isinstance(value, str) else value


def currency(value: Any) -> Any:
    """Accept a currency that prices are quoted in."""
    if isinstance(value, str) and (value := value.strip().lower()) not in QUOTES:
        raise ValueError("is no fiat or stable currency that prices are quoted in")
    return value


def number(least: float, most: float) -> Callable[[Any], float]:
    """Accept a number between two."""

    def accept(value: Any) -> float:
        try:
            given = float(value)
        except ValueError:
            raise ValueError("is no number") from None
        if not least <= given <= most:  # NaN fails too
            raise ValueError("is out of its range")
        return given

    return accept


def whole(least: int, most: int) -> Callable[[Any], int]:
    """Accept a whole number between two."""
    within = number(least, most)

    def accept(value: Any) -> int:
        given = within(value)
        if not given.is_integer():
            raise ValueError("is no whole number")
        return int(given)

    return accept


def paid(value: Any) -> Any:
    """Accept how many messages a second may be sent where some are paid for, or ``off``."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "off"):
        return None
    return whole(1, 1000)(value)


def _shaped(pattern: str, refusal: str) -> Callable[[Any], Any]:
    def accept(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value := value.strip(), re.ASCII):
            raise ValueError(refusal)
        return value

    return accept


# Exactly what the log's redaction knows for a token: one that it would miss is not accepted.
telegram_token = _shaped(r"\d{6,}:[\w-]{10,}", "is no bot token")
discord_token = _shaped(r"[\w.-]{10,}", "is no bot token")

# It goes into a header, and the log redacts it by value: a short one would redact words.
key = _shaped(r"[!-~]{8,200}", "is no API key")
push_token = _shaped(r"[\w.~+/=-]{16,200}", "is no token that is long enough to be one")

Key = Annotated[SecretStr | None, BeforeValidator(key)]
"""The key of a provider of metrics."""


def providers(value: Any) -> Any:
    """Accept a comma list of providers, or ``off`` for none."""
    if not isinstance(value, str):
        return value
    return () if value.strip().lower() == "off" else words(value)


def farside(value: Any) -> Any:
    """Accept ``on``, or a folder."""
    if not isinstance(value, str) or value.strip().lower() == "on":
        return "on" if isinstance(value, str) else value
    return str(folder(value))


def folder(value: Any) -> Any:
    """Accept a folder that exists."""
    if not isinstance(value, str):
        return value
    try:
        path = Path(value.strip()).expanduser()
    except RuntimeError:  # somebody's home who is nobody here
        raise ValueError("is no folder that exists") from None
    if not path.is_dir():
        raise ValueError("is no folder that exists")
    return path


def root(*schemes: str) -> BeforeValidator:
    """Accept an address of one of the schemes, without its last slash."""
    return BeforeValidator(lambda value: _rooted(value, schemes) if isinstance(value, str) else value)


def _rooted(value: str, schemes: Collection[str]) -> str:
    try:
        parts = urlsplit(value := value.strip())
        is_address = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, brackets that do not match
        is_address = False
    if not is_address or parts.scheme not in schemes or re.search(r"\s", value):
        raise ValueError("is no address")
    if parts.query or parts.fragment:
        raise ValueError("has a ? or # part, which the root of an address cannot have")
    return value.rstrip("/")


HOUSE_PATHS = re.compile(r"/(healthz|readyz|metrics|observations(/.*)?)")
"""What the bot's own pages are called."""

HOOK_PORTS = (443, 80, 88, 8443)
"""Where Telegram delivers."""


def webhook(value: Any) -> Any:
    """Accept an address with a path of its own, at which a platform can deliver."""
    if not isinstance(value, str):
        return value
    value = _rooted(value, ("https", "http"))
    parts = urlsplit(value)
    if "@" in parts.netloc:
        raise ValueError("has a name or a password before its host, which is not needed")
    if not re.fullmatch(r"(/[\w.~-]+)+", parts.path, re.ASCII):
        raise ValueError("has no path of its own, of letters, digits and - . _ ~")
    if HOUSE_PATHS.fullmatch(parts.path):
        raise ValueError("has the path of a page that the bot has already")
    return value


def check_delivery(address: str) -> None:
    """Raise ValueError for an address at which Telegram itself does not deliver."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise ValueError("begins with http:, and Telegram delivers to https: only")
    if (parts.port or 443) not in HOOK_PORTS:
        raise ValueError("has a port to which Telegram does not deliver (it takes 443, 80, 88 and 8443)")
    try:
        ip = ip_address(host)
    except ValueError:
        if "." in host and not host.endswith((".local", ".localhost", ".internal")):
            return
        raise ValueError("names a host that Telegram cannot find from outside") from None
    if ip.version == 6 or not ip.is_global:
        raise ValueError("names an address that Telegram cannot reach (it takes names, and public IPv4)")


def secret_address(value: Any) -> Any:
    """Accept a whole address of the web, which holds a secret and has no blanks."""
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value := value.strip())
        is_address = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, brackets that do not match
        is_address = False
    if not is_address or parts.scheme not in ("http", "https") or re.search(r"\s", value):
        raise ValueError("is no address")
    return value


def switch(value: Any) -> Any:
    """Accept on or off."""
    if not isinstance(value, str):
        return value
    known = dict.fromkeys(("1", "on", "true", "yes"), True) | dict.fromkeys(
        ("0", "off", "false", "no"), False
    )
    word = value.strip().lower()
    if word not in known:
        raise ValueError("is neither on nor off")
    return known[word]


_SERVER = re.compile(
    r"postgres(?:ql)?(?:\+asyncpg)?://"
    r"(?P<rest>(?:[^:/@\s]*(?::(?P<password>[^@\s]*))?@)?(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]*)(?::\d{1,5})?"
    r"/[^/?#\s]+(?:\?(?P<query>[^#\s]+))?)"
)
_SERVER_WORDS = {"host", "port", "ssl", "sslmode"}


def database(value: Any) -> Any:
    """Accept a SQLite file, or a database of a PostgreSQL server."""
    if not isinstance(value, str):
        return value
    value = value.strip()
    if server := _SERVER.fullmatch(value):
        words = {word for word, _ in parse_qsl(server["query"] or "", keep_blank_values=True)}
        if words - _SERVER_WORDS:
            raise ValueError("has a word behind its ? that is none of host, port, ssl and sslmode")
        if not server["host"] and "host" not in words:
            raise ValueError("names no host")
        return f"postgresql+asyncpg://{server['rest']}"
    match = re.fullmatch(r"sqlite(?:\+aiosqlite)?:///(?P<path>[^?#]+)", value)
    if not match or ":memory:" in match["path"]:
        raise ValueError("is no SQLite file, and no database of a PostgreSQL server")
    return f"sqlite+aiosqlite:///{match['path']}"


def nats(value: Any) -> Any:
    """Accept the address of a NATS server, with who asks and the password where it wants them."""
    if value is None or isinstance(value, SecretStr):
        return value
    try:
        address = urlsplit(str(value).strip())
        is_one = address.scheme in {"nats", "tls"} and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        is_one = False
    if not is_one or address.path.strip("/") or address.query or address.fragment:
        raise ValueError("is no address of a NATS server")
    return SecretStr(str(value).strip())


def passwords(url: str) -> Iterator[str]:
    """Give the texts by which the password of a database, or of another server, must never be seen.

    A short one is one beside its signs alone: by itself it would be every word that is spelt so. A NATS
    server may be told a token alone.
    """
    server, address = _SERVER.fullmatch(url), urlsplit(url)
    told = server["password"] if server else address.password or address.username
    if not told:
        return
    if server is None and not address.password:
        yield f"//{told}@"
    for password in {told, unquote(told)}:
        yield f":{password}@"
        if len(password) >= _LEAST_SECRET:
            yield password


DATABASE = "sqlite:/// and the path of a file, such as sqlite:///data/tocsin.db, or postgresql://user:password@host/name"
"""What an address of a database looks like."""

_LEAST_SECRET = 8


def named(pattern: str) -> BeforeValidator:
    """Accept a comma list of ``platform:id``, as pairs."""

    def check(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found: set[tuple[str, str]] = set()
        for number, part in enumerate(filter(None, (part.strip() for part in value.split(","))), 1):
            if not re.fullmatch(pattern, part.lower(), re.ASCII):
                raise ValueError(f"has a part that names nobody (part {number})")
            platform, _, one = part.lower().partition(":")
            found.add((platform, one))
        return frozenset(found)

    return BeforeValidator(check)


PERSONS = r"(telegram|discord):\d{1,20}|console:me"
PLACES = r"telegram:-?\d{1,20}|discord:\d{1,20}|console:me"


def address(value: Any) -> Any:
    """Accept a host and a port, or ``off``."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "off":
        return None
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})", value.strip(), re.ASCII)
    if not match or int(match[2]) > 65535:
        raise ValueError("is no host and port")
    return Address(match[1].strip("[]"), int(match[2]))
