"""Let several bots share a PostgreSQL, do them every harm, and compare what they told with the true market.

``python -m tests.failover --faults 200 [--lives 3] [--seconds 1.5] [--seed N]`` runs it over the wire, as
tests/kills.py does: each bot is a process of its own that reaches the database through a proxy of its own. At
random one on duty, or one that stands by, is killed; one on duty stands still for longer than it is
believed, and goes on; its connections are cut, or carry nothing for a while; the database is ended, in good
order or not, and begins again. ``seconds`` is for how long a silent process is believed, in true seconds.

With ``--roles "feed engine engine chat"`` each life has the roles of one word (``feed,chat`` are two), and
the work is divided over a NATS server, which is cut off, ended and begun again like the database.

Judged by tests/kills_judge.py: every ring of the true market was told, once, but for what was in flight at a
fault. And the database itself notes each write of a process that is not on duty: there must be none.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from bot.delays import Delays
from bot.duties import ALL, ROLES, duties_of
from bot.store import copy
from bot.store.copying import carried_tables
from bot.store.schema import upgrade
from tests.kills import RULES, Mother, Run
from tests.kills_judge import Figures, judge
from tests.nats import Server as NatsServer
from tests.nats import started
from tests.postgres import Server, served_again
from tests.wire.proxy import Proxy

FAULTS = {
    "one on duty is killed": 4,
    "one that stands by is killed": 1,
    "one on duty stands still": 3,
    "its connections are cut": 2,
    "its connections carry nothing": 2,
    "the database ends": 1,
    "the database crashes": 1,
}
"""What happens, and how often in relation."""

FAULTS_OF_NATS = {
    "its connections to NATS are cut": 2,
    "its connections to NATS carry nothing": 1,
    "NATS ends": 1,
    "NATS crashes": 1,
    "NATS loses what it kept": 1,
}
"""What happens besides, where the work is divided."""

_WATCHED = (
    "CREATE TABLE strays (at timestamptz DEFAULT clock_timestamp(), who text, what text)",
    """CREATE FUNCTION note_stray() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF current_setting('application_name') NOT IN
         (SELECT 'tocsin ' || process_id FROM duties WHERE released_at IS NULL) THEN
        INSERT INTO strays (who, what) VALUES (current_setting('application_name'), TG_TABLE_NAME);
      END IF;
      RETURN NULL;
    END $$""",
)
_WATCH = "CREATE TRIGGER note_stray AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT EXECUTE FUNCTION note_stray()"  # noqa: E501
_WATCH_PARTITIONS = (
    """CREATE FUNCTION note_strange() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF current_setting('application_name') NOT IN
         (SELECT 'tocsin ' || process_id FROM duties
          WHERE name = 'engine/' || NEW.partition AND released_at IS NULL) THEN
        INSERT INTO strays (who, what)
        VALUES (current_setting('application_name'), TG_TABLE_NAME || ' of partition ' || NEW.partition);
      END IF;
      RETURN NULL;
    END $$""",
    "CREATE TRIGGER note_strange AFTER INSERT OR UPDATE ON cursors "
    "FOR EACH ROW EXECUTE FUNCTION note_strange()",
)
_ON_DUTY = (
    "SELECT d.name, p.name, p.id FROM duties d JOIN processes p ON p.id = process_id "
    "WHERE ended_at IS NULL AND released_at IS NULL"
)


_SECONDS_ON_THE_WAY = 0.2
_STANDING = "SELECT count(*) FROM processes WHERE ended_at IS NULL AND until > extract(epoch FROM now())"


@dataclass(frozen=True)
class Trial:
    """How many faults to how many lives with so many rules, and for how long a silent one is believed."""

    faults: int = 200
    lives: int = 3
    seconds: float = 1.5
    seed: int = 1
    rules: int = len(RULES)
    roles: str = ""
    partitions: int = 4


@dataclass
class Life:
    """A bot, where it is born, and its way to the database."""

    mother: Mother
    proxy: Proxy
    settings: dict[str, Any] = field(default_factory=dict)
    line: Proxy | None = None
    """Its way to NATS, where the work is divided."""

    @property
    def name(self) -> str:
        return f"life {self.mother.pid}"


class Questions:
    """Ask a PostgreSQL from a thread of its own, and wait for the answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connection: asyncpg.Connection | None = None

    def ask(self, words: str) -> list[tuple[Any, ...]]:
        return asyncio.run_coroutine_threadsafe(self._ask(words), self._loop).result()

    async def _ask(self, words: str) -> list[tuple[Any, ...]]:
        while True:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await asyncpg.connect(self._url)
                return [tuple(row) for row in await self._connection.fetch(words)]
            except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError):
                self._connection = None
                await asyncio.sleep(0.02)

    def close(self) -> None:
        if self._connection is not None:
            asyncio.run_coroutine_threadsafe(self._connection.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Relay(Run):
    """Several bots that share a database, and a NATS server where they divide the work."""

    def __init__(self, folder: Path, trial: Trial, server: Server, url: str, nats: NatsServer | None) -> None:
        super().__init__(folder, trial.seed, RULES[: trial.rules])
        self.trial, self.server, self.url, self.nats = trial, server, url, nats
        self.seconds = trial.seconds
        self.roles = [one.split(",") for one in trial.roles.split()] or [list(ROLES)] * trial.lives
        self.takeovers: list[float] = []
        self.people: list[Life] = []

    @property
    def plan(self) -> Collection[str]:
        """All duties there are."""
        if self.nats is None:
            return (ALL,)
        return duties_of(("binance",), self.trial.partitions, {"telegram": 2, "discord": 2})

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        address = make_url(self.url)
        assert address.port is not None
        self.questions = Questions(address.set(drivername="postgresql").render_as_string())
        async with AsyncExitStack() as stack:
            stack.callback(self.questions.close)
            await stack.enter_async_context(super().opened())
            for number, roles in enumerate(self.roles):
                mother = self.mother if number == 0 else await self.begin()
                if number:
                    stack.push_async_callback(mother.leave)
                proxy = await stack.enter_async_context(Proxy(address.port))
                url = address.set(port=proxy.port).render_as_string()
                given = {**self.settings, "database_url": url, "seconds": self.seconds, "roles": roles}
                life = Life(mother, proxy, given)
                if self.nats is not None:
                    life.line = await stack.enter_async_context(Proxy(self.nats.port))
                    given["nats_url"] = f"nats://127.0.0.1:{life.line.port}"
                    given["partitions"] = self.trial.partitions
                self.people.append(life)
            yield

    def query(self, words: str) -> list[tuple[Any, ...]]:
        return self.questions.ask(words)

    async def put_out(self, mother: Mother) -> None:
        """Kill a life, and wait for what it sent, where nobody else has to do with the platforms."""
        if self.nats is None:
            await super().put_out(mother)
            return
        if (status := await mother.put_out()) != signal.SIGKILL:
            self.mishaps.append(f"a life ended by itself ({status}):\n{self.log()}")
        await asyncio.sleep(_SECONDS_ON_THE_WAY)

    async def start(self) -> None:
        for life in self.people:
            if not life.mother.pid:
                await life.mother.bear(life.settings)

    def watch(self) -> None:
        """Let the database note who writes though they are not on duty."""
        for words in (*_WATCHED, *(_WATCH.format(table.name) for table in carried_tables())):
            self.query(words)
        for words in _WATCH_PARTITIONS if self.nats is not None else ():
            self.query(words)

    # --- what happens ---------------------------------------------------------------------------------------

    def held(self) -> dict[str, tuple[str, str]]:
        """Give the name and the id of who has each duty, as far as somebody has it."""
        return {duty: (name, process) for duty, name, process in self.query(_ON_DUTY)}

    async def calm(self) -> None:
        """Wait until every life stands, and nothing was handed over for a while: all is heard then."""
        while True:
            await self.until(lambda: self.query(_STANDING) == [(len(self.people),)], "stand of every life")
            held = self.held()
            await asyncio.sleep(2 * self.seconds)
            if held == self.held() and len(held) == len(self.plan):
                return

    async def one_on_duty(self) -> Life:
        """Give a life that has something to do, when everything is somebody's."""
        await self.until(lambda: len(self.held()) == len(self.plan), "process for every duty")
        held = self.held()
        busy = [life for life in self.people if any(name == life.name for name, _ in held.values())]
        life = self.random.choice(busy)
        self.before = {process for name, process in held.values() if name == life.name}
        return life

    def has_heir(self, life: Life) -> bool:
        """Ask whether others may do all that a life does."""
        others = {role for one in self.people if one is not life for role in one.settings["roles"]}
        return set(life.settings["roles"]) <= others

    async def followed(self, began: float) -> None:
        """Wait until others have all that it had who was on duty before."""

        def is_so() -> bool:
            held = self.held()
            return len(held) == len(self.plan) and not self.before & {process for _, process in held.values()}

        await self.until(is_so, "take-over")
        self.takeovers.append(time.monotonic() - began)

    async def harm(self) -> None:
        """Let one thing happen, and wait until all that there is to do is somebody's."""
        await self.until(lambda: self.query(_STANDING) == [(len(self.people),)], "stand of every life")
        said, enough = self._said(), self.random.randrange(1, 30)
        await self.until(lambda: self._said() >= said + enough, "word")
        faults = FAULTS | (FAULTS_OF_NATS if self.nats is not None else {})
        what = self.random.choices(list(faults), list(faults.values()))[0]
        life = await self.one_on_duty()
        began = time.monotonic()
        self.kills[what] += 1
        match what:
            case "one on duty is killed":
                await self.put_out(life.mother)
                self.end_life()
                if self.has_heir(life):
                    await self.followed(began)
                await self.start()
                await self.followed(began) if not self.has_heir(life) else None
            case "one that stands by is killed":
                other = self.random.choice([one for one in self.people if one is not life])
                await other.mother.put_out()
                await self.start()
            case "one on duty stands still":
                os.kill(life.mother.pid, signal.SIGSTOP)
                self.end_life()
                if self.has_heir(life):
                    await self.followed(began)
                else:
                    await asyncio.sleep(1.5 * self.seconds)
                self.end_life()
                await asyncio.sleep(self.random.uniform(0.0, 2 * self.seconds))
                os.kill(life.mother.pid, signal.SIGCONT)
                await asyncio.sleep(self.seconds)
                self.end_life()
            case "its connections are cut":
                life.proxy.cut()
                self.end_life()
            case "its connections carry nothing":
                await self._hush(life.proxy, life, began)
            case "the database ends" | "the database crashes":
                how = signal.SIGINT if what == "the database ends" else signal.SIGQUIT
                self.end_life()
                await asyncio.to_thread(self.server.restart, how)
                self.end_life()
            case _:
                await self._harm_nats(what, life, began)
        await self.one_on_duty()

    async def _hush(self, proxy: Proxy, life: Life, began: float) -> None:
        proxy.hush()
        self.end_life()
        if self.random.random() < 0.5 or not self.has_heir(life):
            await asyncio.sleep(self.random.uniform(0.0, self.seconds / 2))
        else:
            await self.followed(began)
        proxy.go_on()
        self.end_life()

    async def _harm_nats(self, what: str, life: Life, began: float) -> None:
        assert self.nats is not None
        assert life.line is not None
        match what:
            case "its connections to NATS are cut":
                life.line.cut()
            case "its connections to NATS carry nothing":
                life.line.hush()
                await asyncio.sleep(self.random.uniform(0.0, 4 * self.seconds))
                life.line.go_on()
            case _:
                await asyncio.to_thread(
                    self.nats.stop, signal.SIGINT if what == "NATS ends" else signal.SIGKILL
                )
                if what == "NATS loses what it kept":
                    self.nats.lose()
                await asyncio.sleep(self.random.uniform(0.0, 2 * self.seconds))
                await asyncio.to_thread(self.nats.start)
        self.end_life()


async def run(
    trial: Trial, folder: Path, server: Server, url: str, nats: NatsServer | None = None
) -> tuple[Figures, list[float]]:
    """Do so much harm, and give what it came to, with the seconds of each take-over."""
    await upgrade(url)
    world = Relay(folder, trial, server, url, nats)
    async with world.opened():
        world.watch()
        await world.start()
        await world.calm()
        await world.arm()
        while world.kills.total() < trial.faults:
            await world.harm()
        await world.finish()
        strays = world.query("SELECT who, what, at FROM strays")
        for life in world.people:
            await life.mother.put_out()
        await copy(url, f"sqlite:///{world.database}")
        figures = judge(replace(world.remains(), is_shared=True))
    figures.faults += [f"{who} wrote {what} at {at} though it was not on duty" for who, what, at in strays]
    return figures, world.takeovers


def play(trial: Trial) -> tuple[Figures, list[float]]:
    """Do so much harm to a PostgreSQL, and a NATS server, of this run's own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(served_again())
        nats = stack.enter_context(started()) if trial.roles else None
        server.run("CREATE DATABASE relay TEMPLATE template0")
        url = server.url.set(database="relay").render_as_string()
        return asyncio.run(run(trial, Path(folder), server, url, nats))


def main() -> int:
    """Read how much harm to do, and print the figures; the exit code says whether all is well."""
    parser = argparse.ArgumentParser(description="let several bots share a database, and do them harm")
    for name, usual in asdict(Trial()).items():
        parser.add_argument(f"--{name}", type=type(usual), default=usual)
    given = parser.parse_args()
    began = time.monotonic()
    figures, takeovers = play(Trial(**vars(given)))
    print("\n".join(figures.lines()))
    delays = Delays()
    for seconds in takeovers:
        delays.note("take-over", seconds)
    if (taken := delays.of("take-over")) is not None:
        shown = taken.count, taken.p50, taken.p99, max(takeovers)
        print("take-overs {}: median {:.1f} s, 99% within {:.1f} s, longest {:.1f} s".format(*shown))
    print(f"in {time.monotonic() - began:.0f} s")
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
