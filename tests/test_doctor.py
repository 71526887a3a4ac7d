"""What the examination of a deployment finds, asked of real servers on loopback."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import discord
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from bot.__main__ import app
from bot.chats.telegram_probe import hint_for
from bot.clock import SystemClock
from bot.doctor import examine, table
from bot.metrics import Bar
from bot.ports import Finding
from bot.settings import Settings
from bot.store import upgrade
from tests.wire.discord import DiscordServer
from tests.wire.exchanges import BinanceExchange
from tests.wire.telegram import TelegramServer, Trouble


class Flat:
    """A market that stands at 100."""

    def price(self, symbol: str, at: float) -> float:
        return 100.0

    def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
        return Bar(minute, 100, 100, 100, 100, 1.0) if until > minute else None


class Scene:
    """A deployment whose exchange, Telegram and Discord are servers on loopback."""

    def __init__(self, folder: Path) -> None:
        self.database = f"sqlite:///{folder / 'data' / 'tocsin.db'}"
        self.ahead = 0.0
        self.exchange = BinanceExchange(Flat(), ["btc/usdt"], lambda: time.time() + self.ahead)
        self.telegram = TelegramServer()
        self.discord = DiscordServer()
        self.given: dict[str, Any] = {}

    async def find(self, about: str) -> Finding:
        return next(one for one in await self.examine() if one.about == about)

    async def examine(self) -> list[Finding]:
        given = {
            "database_url": self.database,
            "exchanges": ("binance",),
            "feed_gateway": self.exchange.root,
            "telegram_token": SecretStr(self.telegram.token),
            "telegram_api": self.telegram.root,
            "discord_token": SecretStr(self.discord.token),
            "discord_api": self.discord.api,
            "discord_gateway": self.discord.gateway,
            "admins": frozenset({("telegram", "7")}),
            "http": ("127.0.0.1", free_port()),
        }
        findings = await examine(Settings(**(given | self.given)), SystemClock())
        shown = table(findings)
        assert self.telegram.token not in shown and self.discord.token not in shown
        return findings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    async with made.exchange, made.telegram, made.discord:
        yield made


async def test_a_deployment_that_is_well_is_found_well(scene: Scene) -> None:
    await upgrade(scene.database)
    assert (await scene.find("telegram")).found == f"@{scene.telegram.me['username']} answers"
    assert [one for one in await scene.examine() if one.state != "well"] == []
    _deliver(scene)
    assert (await scene.find("telegram")).found.endswith("answers, and delivers to the webhook (0 wait)")


def _refuse_tokens(scene: Scene) -> None:
    scene.telegram.is_revoked = True
    scene.given = {"discord_token": SecretStr("another.token.of-somebody")}


def _watch_elsewhere(scene: Scene) -> None:
    scene.telegram.hook.url = "https://somewhere.example/hook"


def _deliver(scene: Scene, url: str = "https://bot.example.com/telegram", error: str = "") -> None:
    scene.given = {"telegram_webhook": "https://bot.example.com/telegram"}
    scene.telegram.hook.url, scene.telegram.hook.error = url, error
    scene.telegram.hook.error_at = 1_762_948_800.0
    scene.telegram.hook.updates += [{"update_id": 1}] if error else []


def _deliver_nowhere(scene: Scene) -> None:
    _deliver(scene, "")


def _deliver_elsewhere(scene: Scene) -> None:
    _deliver(scene, "https://somewhere.example/hook")


def _deliver_in_vain(scene: Scene) -> None:
    _deliver(scene, error="Wrong response from the webhook: 502 Bad Gateway")


def _break_telegram(scene: Scene) -> None:
    scene.telegram.order("getMe", Trouble("page", 502))


def _run_ahead(scene: Scene) -> None:
    scene.ahead = 40.0


def _close_exchange(scene: Scene) -> None:
    scene.given = {"feed_gateway": "http://127.0.0.1:9"}


def _name_nobody(scene: Scene) -> None:
    scene.given = {"admins": frozenset()}


def _write_rubbish(scene: Scene) -> None:
    path = Path(scene.database.removeprefix("sqlite:///"))
    path.parent.mkdir()
    path.write_text("a shopping list\n" * 500)


@pytest.mark.parametrize(
    ("spoil", "about", "state", "said"),
    [
        (_refuse_tokens, "telegram", "unwell", "refuses the token"),
        (_refuse_tokens, "discord", "unwell", "refuses the token"),
        (_watch_elsewhere, "telegram", "doubtful", "webhook"),
        (_deliver_nowhere, "telegram", "doubtful", "no webhook is set (0 wait)"),
        (_deliver_elsewhere, "telegram", "doubtful", "another webhook"),
        (
            _deliver_in_vain,
            "telegram",
            "doubtful",
            "at 12:00 UTC, Nov 12: Wrong response from the webhook: 502",
        ),
        (_break_telegram, "telegram", "unwell", "no answer"),
        (_run_ahead, "binance", "doubtful", "40.0 s apart"),
        (_close_exchange, "binance", "unwell", "cannot be reached"),
        (_name_nobody, "operators", "doubtful", "nobody"),
        (_write_rubbish, "database", "unwell", "not a database"),
    ],
)
async def test_what_is_not_well_is_named_with_what_to_do(
    scene: Scene, spoil: Callable[[Scene], None], about: str, state: str, said: str
) -> None:
    spoil(scene)
    found = await scene.find(about)
    assert found.state == state, found
    assert said in found.found
    assert found.hint


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("SSL error {error:0A000086:SSL routines::certificate verify failed}", "certificate"),
        ("Wrong response from the webhook: 401 Unauthorized", "X-Telegram-Bot-Api-Secret-Token"),
        ("Wrong response from the webhook: 404 Not Found", "path of TOCSIN_TELEGRAM_WEBHOOK"),
        ("Wrong response from the webhook: 502 Bad Gateway", "TOCSIN_HTTP"),
        ("Connection timed out", "let Telegram through"),
        ("Failed to resolve host: Name or service not known", "known outside"),
        ("Of a new kind", "let Telegram through"),
    ],
)
def test_each_failure_of_a_delivery_has_its_hint(error: str, hint: str) -> None:
    assert hint in hint_for(error)


async def test_a_server_where_the_bot_may_not_write_is_named(scene: Scene) -> None:
    scene.discord.grant(discord.Permissions(view_channel=True))
    found = await scene.find("discord")
    assert found.state == "doubtful"
    assert "lacks Send Messages, Embed Links, Attach Files in Home" in found.found


async def test_an_address_that_is_taken_is_the_bots_own(scene: Scene) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        scene.given = {"http": taken.getsockname()}
        assert "in use" in (await scene.find("http")).found


def test_programs_get_one_object_and_an_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_EXCHANGES", "kraken")
    monkeypatch.setenv("TOCSIN_FEED_GATEWAY", "http://127.0.0.1:9")
    ended = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(ended.stdout)
    assert (ended.exit_code, found["ok"]) == (1, False)
    unwell = [one["about"] for one in found["findings"] if one["state"] == "unwell"]
    assert unwell == ["kraken"]
    assert "-> " in CliRunner().invoke(app, ["doctor"]).stdout
