"""The operator's own values: a folder of CSV files, and what programs push."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from bot.feeds.metrics.board import MetricFeeds, build_metrics
from bot.feeds.metrics.providers.push import BadPush, read_push
from bot.metrics import Batch, MetricKey, Want
from bot.ports import UnknownInstrument
from bot.web import Intake, serve
from tests.conftest import NOON, SetClock

DAY = 86_400
WHALES, FLOW = MetricKey("metric", "whale_btc"), MetricKey("etf_flow", "btc")
TOKEN = "0123456789-a-token-of-ours"


@dataclass
class Folder:
    path: Path
    clock: SetClock

    def write(self, name: str, *lines: str) -> None:
        """Write a file, as at another time than the last."""
        file = self.path / name
        file.write_text("\n".join(("as_of,value,final", *lines, "")))
        os.utime(file, ns=(0, int(self.clock.time * 1e9)))

    def metrics(self) -> MetricFeeds:
        given = {"TOCSIN_METRICS_DIR": str(self.path)}
        return build_metrics(["files"], given, self.clock, jitter=lambda: 0.0)

    async def look(self, metrics: MetricFeeds, *keys: MetricKey) -> Batch:
        [feed] = metrics.feeds
        self.clock.time = max(self.clock.time, min(feed.due_at([]), self.clock.time + 60))
        return await feed.poll([Want(key, int(NOON) - 30 * DAY) for key in keys])


@pytest.fixture
def folder(tmp_path: Path, clock: SetClock) -> Folder:
    return Folder(tmp_path, clock)


def said(batch: Batch) -> dict[MetricKey, list[str]]:
    found: dict[MetricKey, list[str]] = {}
    for word in batch.observations:
        found.setdefault(word.key, []).append(str(word.value))
    return found


async def test_files_are_offered_by_their_names_and_read(folder: Folder) -> None:
    folder.write("whale_btc.csv", "2025-11-10,41000.5,", "2025-11-11,41200,")
    folder.write("etf_flow(btc).csv", "2025-11-11,524000000,true", "2025-11-12,-278100000,false")
    metrics = folder.metrics()
    assert {(one.metric, one.instruments) for one in metrics.offers() if not one.lacks} == {
        ("metric", ("whale_btc",)),
        ("etf_flow", ("btc",)),
    }
    batch = await folder.look(metrics)
    assert said(batch) == {WHALES: ["41000.5", "41200"], FLOW: ["524000000", "-278100000"]}
    assert [word.is_final for word in batch.observations if word.key == FLOW] == [True, False]
    assert {word.source for word in batch.observations} == {"files"}


async def test_a_file_that_changes_is_read_again_and_one_that_comes_later_is_found(folder: Folder) -> None:
    folder.write("whale_btc.csv", "2025-11-10,41000,")
    metrics = folder.metrics()
    assert not any(one.provider == "files" for one in metrics.offers(MetricKey("metric", "dolphins")))
    await folder.look(metrics)
    folder.clock.time += 60
    folder.write("whale_btc.csv", "2025-11-10,41000,", "2025-11-11,42000,")
    folder.write("dolphins.csv", "2025-11-11,7,")
    dolphins = MetricKey("metric", "dolphins")
    assert metrics.offers(dolphins)[0].provider == "files"
    assert said(await folder.look(metrics, dolphins)) == {WHALES: ["41000", "42000"], dolphins: ["7"]}


async def test_a_bad_line_is_named_and_does_not_spoil_the_other_files(folder: Folder) -> None:
    folder.write("whale_btc.csv", "2025-11-10,forty,")
    folder.write("dolphins.csv", "2025-11-11,7,")
    batch = await folder.look(folder.metrics())
    assert said(batch) == {MetricKey("metric", "dolphins"): ["7"]}
    [unseen] = batch.unseen
    assert unseen.key == WHALES
    assert unseen.reason == 'whale_btc.csv, line 2: value is "forty", which is no number'
    assert str(folder.path) not in unseen.reason


async def test_a_file_that_is_taken_away_says_so(folder: Folder) -> None:
    folder.write("whale_btc.csv", "2025-11-10,41000,")
    metrics = folder.metrics()
    (folder.path / "whale_btc.csv").unlink()
    batch = await folder.look(metrics)
    assert (batch.observations, batch.unseen[0].reason) == ((), "whale_btc.csv is not there")
    with pytest.raises(UnknownInstrument):
        await metrics.ask(MetricKey("metric", "../../etc/passwd"))


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ('{"value": 41000}', {(int(NOON), "41000", True)}),
        ('{"value": "41000.50", "as_of": "2025-11-10"}', {(int(NOON) - 2 * DAY - 43_200, "41000.50", True)}),
        ('[{"value": 1.1, "as_of": 1762900000}, {"value": 2, "as_of": "2025-11-12T11:00Z", "final": false}]',
         {(1_762_900_000, "1.1", True), (int(NOON) - 3600, "2", False)}),
    ],
)  # fmt: skip
def test_what_is_pushed_is_read(body: str, values: set[tuple[int, str, bool]]) -> None:
    words = read_push("whale_btc", body, NOON)
    assert {(word.as_of, str(word.value), word.is_final) for word in words} == values
    assert {(word.key, word.source) for word in words} == {(WHALES, "push")}


def test_a_series_of_the_language_may_be_pushed_too() -> None:
    [word] = read_push(
        "etf_flow(btc)", '{"value": -903200000, "as_of": "2025-11-11", "pending": ["IBIT"]}', NOON
    )
    assert (word.key, word.pending) == (FLOW, ("IBIT",))


@pytest.mark.parametrize(
    ("name", "body", "sentence"),
    [
        ("whale_btc", "41000 BTC", "The body is no JSON"),
        ("whale_btc", "[]", "The body holds 0 values"),
        ("whale_btc", "7", "there is no value"),
        ("whale_btc", "{}", "there is no value"),
        ("whale_btc", '{"value": null}', "value is no number"),
        ("whale_btc", '{"value": "-"}', "value is no number"),
        ("whale_btc", '{"value": NaN}', "value is no number"),
        ("whale_btc", '{"value": true}', "value is no number"),
        ("whale_btc", '{"value": 1, "at": 3}', "there is no field at"),
        ("whale_btc", '{"value": 1, "as_of": "yesterday"}', "as_of is no time"),
        ("whale_btc", '{"value": 1, "as_of": "2030-01-01"}', "which is in the future"),
        ("whale_btc", '{"value": 1, "final": "yes"}', "final is neither true nor false"),
        ("whale_btc", '{"value": 1, "pending": "IBIT"}', "pending is no list"),
        ("whale_btc", '[{"value": 1}, {"value": 2}]', "it gives two values"),
        ("whale_btc", "[" * 100_000, "The body is no JSON"),
        ("fear_greed()", '{"value": 101}', "which cannot be"),
        ("btc/usdt", '{"value": 101}', "That is no name of a metric"),
        ("a b c", '{"value": 101}', "That is no name of a metric"),
        ("../x", '{"value": 101}', "That is no name of a metric"),
    ],
)
def test_a_wrong_push_is_answered_with_what_is_wrong(name: str, body: str, sentence: str) -> None:
    with pytest.raises(BadPush) as caught:
        read_push(name, body, NOON)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 200


# --- over HTTP ----------------------------------------------------------------------------------------------


@dataclass
class Site:
    root: str
    taken: list[tuple[str, str]]

    async def push(
        self, name: str = "whale_btc", body: str = '{"value": 1}', token: str | None = TOKEN
    ) -> tuple[int, str]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.root}/observations/{name}", data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    taken: list[tuple[str, str]] = []

    async def take(name: str, body: str) -> int:
        if "slow" in body:
            raise TimeoutError
        taken.append((name, body))
        return len(read_push(name, body, NOON))

    async with serve("127.0.0.1", 0, list, Intake(TOKEN, take)) as port:
        yield Site(f"http://127.0.0.1:{port}", taken)


async def test_a_push_with_the_token_is_kept(site: Site) -> None:
    assert await site.push(body='[{"value": 1, "as_of": 1762900000}, {"value": 2}]') == (200, "kept: 2\n")
    assert await site.push("etf_flow(btc)") == (200, "kept: 1\n")
    assert [name for name, _ in site.taken] == ["whale_btc", "etf_flow(btc)"]


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", "tökén"])
async def test_a_push_without_the_token_is_turned_away_unread(site: Site, token: str | None) -> None:
    status, text = await site.push(token=token)
    assert (status, site.taken) == (401, [])
    assert TOKEN not in text


async def test_a_push_that_is_wrong_too_big_or_too_slow_says_so(site: Site) -> None:
    assert await site.push(body="x") == (
        400,
        'The body is no JSON: send something like {"value": 41000, "as_of": "2025-11-20", "final": true}.\n',
    )
    assert (await site.push(body=json.dumps({"value": "9" * 300_000})))[0] == 413
    assert (await site.push(body='{"value": "slow"}'))[0] == 503
    assert (await site.push(body=b"\xff\xfe\xff".decode("latin-1")))[0] == 400


async def test_without_a_token_there_is_nothing_to_push_to() -> None:
    async with serve("127.0.0.1", 0, list) as port:
        assert (await Site(f"http://127.0.0.1:{port}", []).push())[0] == 404


def test_values_are_exact() -> None:
    [word] = read_push("whale_btc", '{"value": 0.1}', NOON)
    assert word.value == Decimal("0.1")
