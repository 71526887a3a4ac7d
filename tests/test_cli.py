"""The command line as a program: what it prints, where, and with which exit code."""

from __future__ import annotations

import asyncio
import functools
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
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.demo.days import November
from bot.demo.exchange import BinanceExchange
from bot.metrics import Bar, join

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
    for word in ("run", "demo", "check", "backtest", "db", "--version"):
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


@pytest.fixture
def backtest(check: Tocsin) -> Tocsin:
    """Call ``tocsin backtest`` in this process, in a folder of its own."""

    def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        ended = CliRunner().invoke(app, ["backtest", *words], env=variables, catch_exceptions=False)
        return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout, ended.stderr)

    return call


@pytest.fixture
def november(tmp_path: Path) -> dict[int, str]:
    """Write November 2025 in minutes, hours and days, each with a gap; gives the names by length."""
    days = November()
    minutes = [days.bar("btc/usdt", at, days.end) for at in range(int(days.start), int(days.end), 60)]
    known = [bar for bar in minutes if bar is not None]
    for span in (60, 3600, 86_400):
        bars = [bar for place, bar in enumerate(join(known, span)) if place != 7]
        rows = (f"{bar.at},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}\n" for bar in bars)
        (tmp_path / f"{span}.csv").write_text("time,open,high,low,close,volume\n" + "".join(rows))
    return {span: f"{span}.csv" for span in (60, 3600, 86_400)}


@pytest.mark.parametrize(
    ("span", "at", "value"),
    [
        (60, "2025-11-13T17:22:00Z", 99_995.47),
        (3600, "2025-11-13T17:00:00Z", 99_740.31),
        (86_400, "2025-11-13T00:00:00Z", 98_000.0),
    ],
)
def test_a_backtest_of_files_gives_programs_time_value_and_reason(
    backtest: Tocsin, november: dict[int, str], span: int, at: str, value: float
) -> None:
    rule = "btc < 100k repeat cooldown 1h rearm 0.5%"
    ended = backtest(rule, "--data", f"btc/usdt={november[span]}", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()
    found = json.loads(ended.stdout)
    [firing] = found.pop("firings")
    assert found == {
        "ok": True,
        "canonical": "btc < 100000 repeat cooldown 1h rearm 0.5%",
        "from": "2025-11-10T00:00:00Z",
        "to": "2025-11-30T00:00:00Z",
        "unknown_minutes": span // 60,
        "unknown_because": "",
    }
    assert firing.pop("because").startswith("BTC/USDT fell below 100,000: touched ")
    assert firing == {
        "at": at,
        "kind": "ring",
        "value": value,
        "rule": "btc < 100000 repeat cooldown 1h rearm 0.5%",
    }


def test_a_backtest_writes_a_line_for_each_ring(backtest: Tocsin, november: dict[int, str]) -> None:
    ended = backtest("btc", "breaks", "above", "90k", "--data", f"btc={november[3600]}")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert [line[:10] for line in lines] == ["2025-11-18", "2025-11-19", "2025-11-26"]
    assert lines[0].startswith(
        "2025-11-18T06:00:00Z  ring  btc > 90000  BTC/USDT rose above 90,000: touched "
    )
    assert ended.stderr == "3 in all; 60 of 28,800 minutes are unknown.\n"


def test_a_backtest_takes_a_range_and_a_last_day_in_whole(backtest: Tocsin, november: dict[int, str]) -> None:
    words = ("btc > 90k", "--data", f"btc={november[3600]}", "--json", "--from")
    found = json.loads(backtest(*words, "2025-11-19", "--to", "2025-11-19").stdout)
    assert (found["from"], found["to"]) == ("2025-11-19T00:00:00Z", "2025-11-20T00:00:00Z")
    assert [firing["at"] for firing in found["firings"]] == ["2025-11-19T22:00:00Z"]
    found = json.loads(backtest(*words, "2025-11-19T12:00Z", "--to", "1763586000").stdout)
    assert (found["from"], found["to"]) == ("2025-11-19T12:00:00Z", "2025-11-19T21:00:00Z")
    assert found["firings"] == []


def test_a_backtest_reads_a_metric_beside_a_price(
    backtest: Tocsin, november: dict[int, str], tmp_path: Path
) -> None:
    flows = "2025-11-19,75.4e6\n2025-11-20,-903.2e6\n2025-11-21,238.4e6\n"
    (tmp_path / "flows.csv").write_text("as_of,value\n" + flows)
    data = ("--data", f"btc={november[60]}", "--data", "etf_flow(btc)=flows.csv")
    found = json.loads(backtest("btc etf outflow 900m", *data, "--json").stdout)
    assert found["canonical"] == "etf_flow(btc) < -900000000"
    [firing] = found["firings"]
    assert (firing["at"], firing["value"]) == ("2025-11-21T05:00:00Z", -903.2e6)


def test_a_backtest_takes_a_bare_name_for_the_stock_that_its_data_are_of(
    backtest: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "nvda.csv").write_text("as_of,value\n2025-11-18,187\n2025-11-19,186.5\n2025-11-20,176.6\n")
    found = json.loads(backtest("nvda moves down 5% in 1d", "--data", "$nvda=nvda.csv", "--json").stdout)
    assert found["canonical"] == "$nvda moves down 5% in 1d"
    assert [firing["at"] for firing in found["firings"]] == ["2025-11-21T05:00:00Z"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("btc < 1", "--data", "none.csv"),
            "Data is given as KEY=FILE.csv, such as btc/usdt=btc.csv, and not as none.csv.",
        ),
        (("btc < 1", "--data", "btc=none.csv"), "none.csv cannot be read: No such file or directory."),
        (("btc < 1", "--data", "btc=bad.csv"), 'bad.csv, line 3: low is "x", which is no number.'),
        (("eth < 1", "--data", "btc=3600.csv"), "There is no history of eth/usdt."),
        (
            ("btc < 1", "--data", "btc=3600.csv", "--from", "2026-01-01"),
            "Nothing is known of btc/usdt at that time.",
        ),
        (
            ("btc < 1", "--data", "btc=3600.csv", "--to", "yesterday"),
            '--to is "yesterday", which is no time: write 2025-11-10 or 2025-11-10T12:00Z.',
        ),
    ],
)
def test_what_cannot_be_tested_is_refused_in_one_sentence(
    backtest: Tocsin, november: dict[int, str], tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "bad.csv").write_text(
        "time,open,high,low,close,volume\n1762948800,1,1,1,1,1\n1762952400,1,1,x,1,1\n"
    )
    ended = backtest(*words)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", sentence + "\n")


def test_a_backtest_of_a_bad_rule_is_drawn_and_told_to_programs(backtest: Tocsin) -> None:
    ended = backtest("btc < 10o k", "--json")
    assert ended.returncode == 2
    assert "      ^" in ended.stderr.splitlines()
    assert json.loads(ended.stdout) == {
        "ok": False,
        "error": '"10o" is no number.',
        "column": 6,
        "hint": "Did you mean 100k?",
    }
    ended = backtest("btc < @etf_cost")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "@etf_cost" in ended.stderr


async def test_without_files_the_exchange_is_asked(tocsin: Tocsin) -> None:
    now = time.time()

    class Saw:
        """A price that rises from 100 to 130 with each day and falls back at midnight."""

        def price(self, symbol: str, at: float) -> float:
            return 100.0 + at % 86_400 / 86_400 * 30

        def bar(self, symbol: str, minute: int, until: float) -> Bar | None:
            price = self.price(symbol, minute)
            return Bar(minute, price, price, price, price, 1.0) if until > minute else None

    async with BinanceExchange(Saw(), ["btc/usdt"], lambda: now) as server:
        given = {"TOCSIN_EXCHANGES": "binance", "TOCSIN_FEED_GATEWAY": server.root}
        call = functools.partial(tocsin, "backtest", **given)
        day = datetime.fromtimestamp(now - 3 * 86_400, UTC)
        words = ("btc > 115", "--from", f"{day:%Y-%m-%d}", "--json")
        found = json.loads((await asyncio.to_thread(call, *words)).stdout)
        assert [firing["at"][11:] for firing in found["firings"]][:3] == ["12:01:00Z"] * 3
        assert found["unknown_minutes"] == 0
        ended = await asyncio.to_thread(call, "btx > 115")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith("No exchange that I watch lists btx/usdt. Nearest: btc/usdt.")
        ended = await asyncio.to_thread(call, "etf_flow(btc) > 0")
        assert (ended.returncode, ended.stderr) == (2, "The exchanges have no history of etf_flow(btc).\n")


@pytest.mark.parametrize("command", [["run"], ["db", "check"], ["db", "upgrade"]])
def test_a_wrong_setting_stops_the_start_with_one_sentence(tocsin: Tocsin, command: list[str]) -> None:
    ended = tocsin(*command, TOCSIN_EXCHANGES="binnance", TOCSIN_TELEGRAM_TOKEN=TELEGRAM)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert (
        ended.stderr == "TOCSIN_EXCHANGES names binnance, which Tocsin cannot watch: did you mean binance?\n"
    )


def test_a_wrong_role_is_named_and_one_that_is_given_goes_before_what_is_set(tocsin: Tocsin) -> None:
    ended = tocsin("run", "--roles", "feed,chad", TOCSIN_ROLES="chat")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "--roles has a part that is no role (part 2): write feed, engine, chat, or some of them with commas "
        "between them.\n"
    )
    ended = tocsin("run", "--roles", "feed,engine,chat", TOCSIN_ROLES="chat", TOCSIN_EXCHANGES="binnance")
    assert ended.stderr.startswith("TOCSIN_EXCHANGES names binnance")
    ended = tocsin("run", "--roles", "engine")
    assert ended.stderr.startswith("TOCSIN_ROLES names some roles alone, which needs TOCSIN_NATS_URL")


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


def test_the_bot_lives_while_the_world_is_away_refuses_a_second_one_and_ends_without_naming_a_token(
    tmp_path: Path, environment: dict[str, str], closed_port: int
) -> None:
    away, port = f"127.0.0.1:{closed_port}", free_port()
    variables = {
        "TOCSIN_TELEGRAM_TOKEN": TELEGRAM,
        "TOCSIN_TELEGRAM_API": f"http://{away}",
        "TOCSIN_DISCORD_TOKEN": DISCORD,
        "TOCSIN_DISCORD_API": f"http://{away}/api/v10",
        "TOCSIN_DISCORD_GATEWAY": f"ws://{away}/gateway",
        "TOCSIN_FEED_GATEWAY": f"http://{away}",
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
        second = subprocess.run(  # a bot on the same file, by mistake
            [sys.executable, "-m", "bot", "run"],
            cwd=tmp_path,
            env=environment | variables | {"TOCSIN_HTTP": "off"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (second.returncode, second.stdout) == (1, "")
        assert re.fullmatch(
            r"another Tocsin works with data/tocsin\.db \(\S+:\d+\): stop that one first, .*\n", second.stderr
        )
        assert f":{bot.pid})" in second.stderr
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


def test_check_names_the_metrics_that_a_rule_reads_and_all_its_options(check: Tocsin) -> None:
    ended = check("btc etf inflow 3 days rearm 5 remind 1h resolve", "--json")
    answer = json.loads(ended.stdout)
    assert answer["inputs"] == ["etf_flow(btc)"]
    assert answer["options"] == {"rearm": 5, "remind": "1h", "resolve": True}
    ended = check("btc < 5 rearm 0.5% until 2026-12-31 urgent provisional", "--json")
    options = {"rearm": "0.5%", "until": "2026-12-31", "urgent": True, "provisional": True}
    assert json.loads(ended.stdout)["options"] == options


def test_check_refuses_what_the_default_quote_shows_to_be_wrong(check: Tocsin) -> None:
    ended = check("btc < btc/usdt", "--json")
    assert ended.returncode == 2
    assert json.loads(ended.stdout)["error"] == "Both sides are the same."
