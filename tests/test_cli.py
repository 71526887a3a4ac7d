"""The command line as a program: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app

ROOT = Path(__file__).parent.parent
TELEGRAM = "123456789:AAE-x_yz0123456789abcdefghijklmnop"
DISCORD = "MTIzNDU2Nzg5.Gabcde.abcdefghijklmnopqrstuvwxyz0"

Tocsin = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment without settings, home or colours, in which the tree is importable."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
    }


@pytest.fixture
def tocsin(tmp_path: Path, environment: dict[str, str]) -> Tocsin:
    def call(*words: str, given: bytes = b"", **variables: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(  # noqa: S603  # this interpreter, and words of this file
            [sys.executable, "-m", "bot", *words],
            cwd=tmp_path,
            env=environment | variables,
            input=given,
            capture_output=True,
            timeout=60,
            check=False,
        )
        out, err = ended.stdout.decode(), ended.stderr.decode()
        assert "Traceback" not in err
        return subprocess.CompletedProcess(ended.args, ended.returncode, out, err)

    return call


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tocsin:
    """Call ``tocsin check`` in this process: it touches nothing outside, and starting one takes its time."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TOCSIN_")]:
        monkeypatch.delenv(name)

    def call(*words: str, given: bytes = b"", **variables: str) -> subprocess.CompletedProcess[str]:
        ended = CliRunner().invoke(app, ["check", *words], input=given, env=variables, catch_exceptions=False)
        return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout, ended.stderr)

    return call


def test_version_and_help_answer_without_loading_the_rooms(tocsin: Tocsin) -> None:
    ended = tocsin("--version", PYTHONPROFILEIMPORTTIME="1")
    assert re.fullmatch(r"tocsin \d+\.\d+\.\d+\S*\n", ended.stdout)
    loaded = set(re.findall(r"\| +(\w+)", ended.stderr))
    assert "typer" in loaded
    assert not loaded & {
        "sqlalchemy",
        "ccxt",
        "telegram",
        "discord",
        "pydantic",
        "structlog",
        "lark",
        "numpy",
    }


def test_help_names_every_command(tocsin: Tocsin) -> None:
    ended = tocsin("--help")
    assert ended.returncode == 0
    for word in ("run", "demo", "check", "db", "--version"):
        assert word in ended.stdout
    assert "..." not in ended.stdout.partition("Commands:")[2]


def test_a_misspelt_command_is_answered_with_the_nearest(tocsin: Tocsin) -> None:
    ended = tocsin("chek", "btc < 100k")
    assert ended.returncode == 2
    assert "'check'" in ended.stderr
    assert ended.stdout == ""


def test_check_says_what_a_rule_means(check: Tocsin) -> None:
    ended = check("btc < 101.3k")
    assert (ended.returncode, ended.stderr) == (0, "")
    canonical, sentence = ended.stdout.splitlines()
    assert canonical == "btc < 101300"
    assert "101,300" in sentence


def test_check_takes_a_rule_without_quotes(check: Tocsin) -> None:
    assert check("btc", "drops", "to", "100k").stdout.splitlines()[0] == "btc <= 100000"


def test_a_bad_rule_is_drawn_with_a_caret(check: Tocsin) -> None:
    ended = check("btc < 10o k")
    assert (ended.returncode, ended.stdout) == (2, "")
    line, caret, reason = ended.stderr.splitlines()
    assert line == "btc < 10o k"
    assert caret == "      ^"
    assert reason == '"10o" is no number. Did you mean 100k?'


def test_check_answers_programs_in_one_object(check: Tocsin) -> None:
    ended = check("--json", 'btc < 100k repeat cooldown 1h note "é"', TOCSIN_QUOTE="usd")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()
    answer = json.loads(ended.stdout)
    assert answer.pop("explain")
    assert answer == {
        "ok": True,
        "canonical": 'btc < 100000 repeat cooldown 1h note "é"',
        "inputs": ["btc/usd"],
        "options": {"mode": "repeat", "cooldown": "1h", "note": "é"},
    }
    ended = check("--json", "btc < 10o k")
    assert ended.returncode == 2
    assert json.loads(ended.stdout) == {
        "ok": False,
        "error": '"10o" is no number.',
        "column": 6,
        "hint": "Did you mean 100k?",
    }


def test_check_reads_one_rule_a_line_split_at_newlines_alone(check: Tocsin) -> None:
    lines = ["btc < 100k", "btc < \u2028 100k\r", "eth\x0b< 4k", "", "btc <", "zec > 5"]
    ended = check("-", "--json", given="\n".join(lines).encode() + b"\nbtc \xff\n")
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0
    assert ended.stdout.isascii()
    assert len(answers) == len(lines) + 1
    assert [answer["ok"] for answer in answers][-4:] == [False, False, True, False]
    assert answers[0]["canonical"] == "btc < 100000"
    assert answers[0]["inputs"] == ["btc/usdt"]


def test_check_of_stdin_asks_for_json(check: Tocsin) -> None:
    ended = check("-", given=b"btc < 100k\n")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "check - answers in JSON: write check - --json.\n"


@pytest.mark.parametrize("command", [["run"], ["db", "check"], ["db", "upgrade"]])
def test_a_wrong_setting_stops_the_start_with_one_sentence(tocsin: Tocsin, command: list[str]) -> None:
    ended = tocsin(*command, TOCSIN_EXCHANGES="binnance", TOCSIN_TELEGRAM_TOKEN=TELEGRAM)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert (
        ended.stderr == "TOCSIN_EXCHANGES names binnance, which Tocsin cannot watch: did you mean binance?\n"
    )


def test_the_database_is_made_and_found_well(tocsin: Tocsin, tmp_path: Path) -> None:
    ended = tocsin("db", "check")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()
    ended = tocsin("db", "upgrade")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "data" / "tocsin.db").is_file()
    ended = tocsin("db", "check", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    condition = json.loads(ended.stdout)
    assert condition.pop("revision") == condition.pop("head") != ""
    assert condition == {"ok": True, "faults": []}


def test_a_database_without_tables_is_not_well(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tocsin.db").touch()
    ended = tocsin("db", "check")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("The database has no tables, ")
    assert ended.stderr.endswith(": run tocsin db upgrade.\n")


@pytest.mark.parametrize("command", [["run"], ["db", "check"]])
def test_what_is_no_database_is_refused_in_one_sentence(
    tocsin: Tocsin, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tocsin.db").write_text("a shopping list, not a database\n" * 100)
    ended = tocsin(*command)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Give a port of loopback where nobody answers."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  # loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_bot_lives_while_the_world_is_away_and_ends_when_told_without_naming_a_token(
    tmp_path: Path, environment: dict[str, str], closed_port: int
) -> None:
    away, port = f"127.0.0.1:{closed_port}", free_port()
    variables = {
        "TOCSIN_TELEGRAM_TOKEN": TELEGRAM,
        "TOCSIN_TELEGRAM_API": f"http://{away}",
        "TOCSIN_DISCORD_TOKEN": DISCORD,
        "TOCSIN_DISCORD_API": f"http://{away}/api/v10",
        "TOCSIN_DISCORD_GATEWAY": f"ws://{away}/gateway",
        "TOCSIN_EXCHANGE_API": f"http://{away}",
        "TOCSIN_POLL_SECONDS": "1",
        "TOCSIN_HTTP": f"127.0.0.1:{port}",
    }
    errors = tmp_path / "errors"
    with errors.open("w") as log:
        bot = subprocess.Popen(
            [sys.executable, "-m", "bot", "run"],
            cwd=tmp_path,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        patience = time.monotonic() + 30
        while True:
            assert bot.poll() is None, errors.read_text()
            assert time.monotonic() < patience, errors.read_text()
            try:
                health = ask(f"http://127.0.0.1:{port}/healthz")
                ready, reason = ask(f"http://127.0.0.1:{port}/readyz")
            except OSError:
                time.sleep(0.1)
                continue
            assert health == (200, "alive\n")
            assert ready == 503
            if "not asked yet" not in reason:
                break
            time.sleep(0.1)
        command_line = Path(f"/proc/{bot.pid}/cmdline")
        titles = command_line.read_text() if command_line.exists() else ""
        bot.send_signal(signal.SIGTERM)
        assert bot.wait(30) == 0
    finally:
        bot.kill()
        bot.wait()
    text = errors.read_text()
    assert "telegram" in text
    assert "discord" in text
    assert "Traceback" not in text
    for secret in (TELEGRAM, DISCORD):
        assert secret not in text + titles
