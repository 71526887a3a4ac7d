"""What an operator's folder of playbooks does at the start: what is broken is named, the rest is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.demo.clock import FastClock
from tests.test_end_to_end import Market, OnConsole, fast, market, running, until

__all__ = ["fast", "market"]


async def test_a_broken_file_is_named_at_the_start_and_to_operators_and_the_others_work(
    tmp_path: Path, market: Market, database: str, fast: FastClock, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.toml").write_text("[rules\n")
    (tmp_path / "mine.toml").write_text('[rules]\nfloor = "btc < 90k"\n')
    console = OnConsole()
    admins = frozenset({("console", "me")})
    async with running(console, market, database, fast, playbooks_dir=tmp_path, admins=admins):
        await console.say("/playbooks")
        await until(lambda: "broken cannot be used. It is no TOML" in console.out.getvalue(), console)
        assert "mine · 1 rule" in console.out.getvalue()
        assert "aggressive: " in console.out.getvalue()
        await console.say("/playbook mine")
        await until(lambda: "/confirm 1 does it" in console.out.getvalue(), console)
        await console.say("/confirm 1")
        await until(lambda: "mine is armed here: 1 alert." in console.out.getvalue(), console)
    logged = capsys.readouterr().out
    assert "playbook_left_out" in logged
    assert "broken" in logged
