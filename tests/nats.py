"""A real NATS server for tests: one that ``TOCSIN_TEST_NATS`` names, or the program ``nats-server``.

The latter runs on loopback in a folder of its own, and ends with whoever started it, however that ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import free_port, quick_folder

NAMED = "TOCSIN_TEST_NATS"
SECONDS_TO_START = 20.0
KEPT_IN = "/data"

_ALSO_LOOKED_FOR = "/usr/sbin:/usr/local/sbin:/usr/local/bin"
# The shell waits for a word or the end of its input, which comes when whoever holds the other end is gone.
_RUN_UNTIL_LEFT = '"$@" </dev/null & echo $!; exec >/dev/null; read -r word; kill -KILL $!; wait $!; [ "$word" = keep ] || rm -rf "$0"'  # noqa: E501


class Unavailable(Exception):
    """No NATS server can be had here; says why."""


class Server:
    """A server that can be stopped and started again, at the same address and on the same folder."""

    def __init__(self, program: str, folder: Path, options: Sequence[str]) -> None:
        self._program, self._folder = program, folder
        self._options = [word.replace(KEPT_IN, str(folder)) for word in options]
        self.port = free_port()
        self._shell: subprocess.Popen[bytes] | None = None
        self._process = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, where it does not run, and wait until it answers."""
        if self._shell is not None:
            return
        command = [self._program, "-a", "127.0.0.1", "-p", str(self.port), *self._options]
        with (self._folder / "log").open("ab") as log:
            self._shell = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", _RUN_UNTIL_LEFT, str(self._folder), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self._shell.stdout is not None
        self._process = int(self._shell.stdout.readline())
        until = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            if time.monotonic() >= until:
                said = (self._folder / "log").read_text(errors="replace")[-400:].strip()
                self.stop()
                raise Unavailable(f"nats-server does not start here: {said}")
            time.sleep(0.005)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as one:
                return one.recv(4) == b"INFO"
        except OSError:
            return False

    def pause(self) -> None:
        """Let it stand, connections and all."""
        os.kill(self._process, signal.SIGSTOP)
        threads = Path(f"/proc/{self._process}/task")
        while any(one.read_text().rpartition(")")[2].split()[0] != "T" for one in threads.glob("*/stat")):
            time.sleep(0.001)

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self._process, signal.SIGCONT)

    def stop(self, by: signal.Signals = signal.SIGKILL) -> None:
        """End it with a signal."""
        if self._shell is None:
            return
        os.kill(self._process, by)
        while by is not signal.SIGKILL and self._answers():
            time.sleep(0.005)
        self._shell.communicate(b"keep\n")
        self._shell = None

    def lose(self) -> None:
        """Lose all that it kept."""
        assert self._shell is None
        shutil.rmtree(self._folder / "jetstream", ignore_errors=True)


@contextmanager
def started(options: Sequence[str] = ("-js", "-sd", KEPT_IN)) -> Iterator[Server]:
    """Start a server of our own, and end it; ``KEPT_IN`` stands for its folder. Raises Unavailable."""
    program = shutil.which("nats-server") or shutil.which("nats-server", path=_ALSO_LOOKED_FOR)
    if program is None:
        raise Unavailable("the program nats-server is not installed here (Debian's package has that name)")
    folder = Path(tempfile.mkdtemp(prefix="tocsin-nats-", dir=quick_folder()))
    server = Server(program, folder, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
