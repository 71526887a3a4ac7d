"""Let several bots share a PostgreSQL, do them every harm, and compare what they told with the true market.

``python -m tests.failover --faults 200 [--lives 3] [--seconds 1.5] [--seed N]`` runs it over the wire, as
tests/kills.py does: each bot is a process of its own that reaches the database through a proxy of its own. At
random the one on duty, or one that stands by, is killed; the one on duty stands still for longer than it is
believed, and goes on; its connections are cut, or carry nothing for a while; the database is ended, in good
order or not, and begins again. ``seconds`` is for how long a silent process is believed, in true seconds.

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
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from bot.delays import Delays
from bot.duties import ALL
from bot.store import copy
from bot.store.copying import carried_tables
from bot.store.schema import upgrade
from tests.kills import RULES, Mother, Run
from tests.kills_judge import Figures, judge
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
_ON_DUTY = (
    f"SELECT p.name, p.id FROM duties d JOIN processes p ON p.id = d.process_id WHERE d.name = '{ALL}' "  # noqa: S608
    "AND p.ended_at IS NULL"
)


_STANDING = "SELECT count(*) FROM processes WHERE ended_at IS NULL AND until > extract(epoch FROM now())"


@dataclass(frozen=True)
class Trial:
    """How many faults to how many lives with so many rules, and for how long a silent one is believed."""

    faults: int = 200
    lives: int = 3
    seconds: float = 1.5
    seed: int = 1
    rules: int = len(RULES)


@dataclass
class Life:
    """A bot, where it is born, and its way to the database."""

    mother: Mother
    proxy: Proxy
    settings: dict[str, Any] = field(default_factory=dict)

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
    """Several bots that share a database."""

    def __init__(self, folder: Path, trial: Trial, server: Server, url: str) -> None:
        super().__init__(folder, trial.seed, RULES[: trial.rules])
        self.server, self.url, self.seconds, self.count = server, url, trial.seconds, trial.lives
        self.takeovers: list[float] = []
        self.people: list[Life] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        address = make_url(self.url)
        assert address.port is not None
        self.questions = Questions(address.set(drivername="postgresql").render_as_string())
        async with AsyncExitStack() as stack:
            stack.callback(self.questions.close)
            await stack.enter_async_context(super().opened())
            for number in range(self.count):
                mother = self.mother if number == 0 else await self.begin()
                if number:
                    stack.push_async_callback(mother.leave)
                proxy = await stack.enter_async_context(Proxy(address.port))
                url = address.set(port=proxy.port).render_as_string()
                given = {**self.settings, "database_url": url, "seconds": self.seconds}
                self.people.append(Life(mother, proxy, given))
            yield

    def query(self, words: str) -> list[tuple[Any, ...]]:
        return self.questions.ask(words)

    async def start(self) -> None:
        for life in self.people:
            if not life.mother.pid:
                await life.mother.bear(life.settings)

    def watch(self) -> None:
        """Let the database note who writes though they are not on duty."""
        for words in (*_WATCHED, *(_WATCH.format(table.name) for table in carried_tables())):
            self.query(words)

    # --- what happens ---------------------------------------------------------------------------------------

    def on_duty(self) -> tuple[str, str]:
        """Give the name and the id of who is on duty; nothing where nobody is."""
        found = self.query(_ON_DUTY)
        return found[0] if found else ("", "")

    async def one_on_duty(self) -> Life:
        await self.until(lambda: bool(self.on_duty()[0]), "process on duty")
        name, self.before = self.on_duty()
        return next(life for life in self.people if life.name == name)

    async def followed(self, began: float) -> None:
        """Wait until another is on duty."""
        await self.until(lambda: self.on_duty()[1] not in ("", self.before), "take-over")
        self.takeovers.append(time.monotonic() - began)

    async def harm(self) -> None:
        """Let one thing happen, and wait until somebody is on duty."""
        await self.until(lambda: self.query(_STANDING) == [(len(self.people),)], "stand of every life")
        said, enough = self._said(), self.random.randrange(1, 30)
        await self.until(lambda: self._said() >= said + enough, "word")
        what = self.random.choices(list(FAULTS), list(FAULTS.values()))[0]
        life = await self.one_on_duty()
        began = time.monotonic()
        self.kills[what] += 1
        match what:
            case "one on duty is killed":
                await self.put_out(life.mother)
                self.end_life()
                await self.followed(began)
                await self.start()
            case "one that stands by is killed":
                other = self.random.choice([one for one in self.people if one is not life])
                await other.mother.put_out()
                await self.start()
            case "one on duty stands still":
                os.kill(life.mother.pid, signal.SIGSTOP)
                self.end_life()
                await self.followed(began)
                self.end_life()
                await asyncio.sleep(self.random.uniform(0.0, 2 * self.seconds))
                os.kill(life.mother.pid, signal.SIGCONT)
                await asyncio.sleep(self.seconds)
                self.end_life()
            case "its connections are cut":
                life.proxy.cut()
                self.end_life()
            case "its connections carry nothing":
                life.proxy.hush()
                self.end_life()
                if self.random.random() < 0.5:
                    await asyncio.sleep(self.random.uniform(0.0, self.seconds / 2))
                else:
                    await self.followed(began)
                life.proxy.go_on()
                self.end_life()
            case "the database ends" | "the database crashes":
                how = signal.SIGINT if what == "the database ends" else signal.SIGQUIT
                self.end_life()
                await asyncio.to_thread(self.server.restart, how)
                self.end_life()
        await self.one_on_duty()


async def run(trial: Trial, folder: Path, server: Server, url: str) -> tuple[Figures, list[float]]:
    """Do so much harm, and give what it came to, with the seconds of each take-over."""
    await upgrade(url)
    world = Relay(folder, trial, server, url)
    async with world.opened():
        world.watch()
        await world.start()
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
    """Do so much harm to a PostgreSQL of this run's own."""
    with tempfile.TemporaryDirectory() as folder, served_again() as server:
        server.run("CREATE DATABASE relay TEMPLATE template0")
        url = server.url.set(database="relay").render_as_string()
        return asyncio.run(run(trial, Path(folder), server, url))


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
