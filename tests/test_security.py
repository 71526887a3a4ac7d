"""What SECURITY.md promises is shown by the tests that it names, and a stolen database speaks as nobody."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bot.app import open_house
from bot.chats.console import ConsoleChat
from bot.demo.exchange import BinanceExchange
from bot.settings import Settings
from tests.conftest import SetClock
from tests.wire.prices import Ticks

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(test_\w+)`", PAGE)


def written() -> set[str]:
    """Name every test that there is."""
    return {
        node.name
        for path in (ROOT / "tests").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_the_page_names_exists() -> None:
    assert len(NAMED) >= 15
    assert sorted(set(NAMED) - written()) == []


def test_every_threat_has_a_test_and_the_readme_leads_to_the_page() -> None:
    lines = PAGE.splitlines()
    heads = {place - 1 for place, line in enumerate(lines) if line.startswith("|---")}
    rows = [line for place, line in enumerate(lines) if line.startswith("| ") and place not in heads]
    assert len(heads) == 2 and len(rows) >= 18
    assert [row for row in rows if "`test_" not in row] == []
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


SECRETS = {
    "telegram_token": "123456789:AAE-x_yz0123456789abcdefghijklmnop",
    "sosovalue_key": "a-key-of-sosovalue-0123",
    "push_token": "a-push-token-of-the-operator",
    "heartbeat_url": "http://127.0.0.1:1/ping/5b1e7c0e-heartbeat",
}


async def test_no_secret_of_the_deployment_is_in_the_database(
    database: str, clock: SetClock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with BinanceExchange(Ticks(clock, 101_000), ["btc/usdt"], clock.now) as exchange:
        settings = Settings(
            database_url=database,
            exchanges=("binance",),
            feed_gateway=exchange.root,
            providers=(),
            stream=False,
            http="127.0.0.1:0",
            **SECRETS,
        )
        assert set(settings.secrets()) == set(SECRETS.values())
        console = ConsoleChat(clock)
        async with open_house(settings, clock, [console], throttle=False) as house:
            for _ in range(8):
                await house.looks.look(house.exchanges.feeds[0])
                await house._go_round()
                await house._beat()
                clock.time += 60
    path = Path(database.partition(":///")[2])
    kept = b"".join(one.read_bytes() for one in path.parent.glob(path.name + "*"))
    assert b"SQLite format 3" in kept
    for secret in SECRETS.values():
        assert secret.encode() not in kept
    shown = capsys.readouterr()
    assert not any(secret in shown.out + shown.err for secret in SECRETS.values())
