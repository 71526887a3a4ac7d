"""November 2025 as the tables of flows filled up, from a provider's answers to the outbox: each ring once.

Every five minutes the answer is what it was then; a provider looks when it wants to. What a table may do is
in it: rows of dashes with a total of zero, funds that report till the morning, a partial total of the other
sign, late corrections, zeros too early, zeros on a holiday.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from bot.feeds.metrics.http import Http
from bot.feeds.metrics.metric_feed import MetricFeed
from bot.feeds.metrics.provider import Means, Plug
from bot.feeds.metrics.providers import coinglass, farside, sosovalue
from bot.metrics import MetricKey, Observation
from bot.ports import NewArming, Receipt
from bot.store import SqlStore, open_store, upgrade
from bot.watch import Watch
from tests.conftest import SetClock
from tests.etf import FUNDS, NOVEMBER, Day, Story, at, date_of, day, glass, page, row, soso_newest, soso_rows
from tests.market import HandMarket
from tests.provider_contract import MARKER
from tests.storing import caller, refill
from tests.wire.providers import Answer, ProviderServer

FLOW = MetricKey("etf_flow", "btc")
MADE = at("2025-11-18 06:00")
LONG_AGO = [row("2025-11-14", "1", "2", "3", "4")]
Pages = Callable[[Story, SetClock], dict[str, str | bytes | Answer]]


def text_of(make: Callable[[], str]) -> Answer:
    return lambda _: web.Response(text=make(), content_type="text/html")


def of_farside(story: Story, clock: SetClock) -> dict[str, str | bytes | Answer]:
    others = {f"farside.co.uk/{coin}/": page(LONG_AGO) for coin in ("eth", "sol")}
    return {**others, "farside.co.uk/btc/": text_of(lambda: page(story.rows(clock.time)))}


def of_coinglass(story: Story, clock: SetClock) -> dict[str, str | bytes | Answer]:
    path = "open-api-v4.coinglass.com/api/etf/{}/flow-history"
    others = {path.format(name): glass(LONG_AGO) for name in ("ethereum", "solana")}
    return {**others, path.format("bitcoin"): text_of(lambda: glass(story.rows(clock.time)))}


def of_sosovalue(story: Story, clock: SetClock) -> dict[str, str | bytes | Answer]:
    root = "api.sosovalue.xyz/openapi/v2/etf"

    def history() -> str:
        return json.dumps({"code": 0, "msg": None, "data": {"list": soso_rows(story.rows(clock.time))}})

    def newest() -> str:
        one = story.rows(clock.time)[-1]
        return soso_newest(one, is_in=False if not any(one.shares.values()) else None)

    return {
        f"{root}/historicalInflowChart": text_of(history),
        f"{root}/currentEtfDataMetrics": text_of(newest),
    }


@dataclass(frozen=True)
class Source:
    plug: Plug
    given: Mapping[str, str]
    pages: Pages


SOURCES = {
    "farside": Source(farside.PLUG, {"TOCSIN_FARSIDE": "on"}, of_farside),
    "coinglass": Source(coinglass.PLUG, {"TOCSIN_COINGLASS_KEY": MARKER}, of_coinglass),
    "sosovalue": Source(sosovalue.PLUG, {"TOCSIN_SOSOVALUE_KEY": MARKER}, of_sosovalue),
}

RULES = {
    "big": "etf_flow(btc) < -900m repeat",
    "once": "etf_flow(btc) < -900m",
    "three": "etf_flow(btc) > 0 for 3 sessions repeat",
    "streak": "streak(etf_flow(btc)) >= 3 repeat",
    "turn": "etf_flow(btc) crosses above 0 repeat",
    "inflow": "etf_flow(btc) > 100m repeat",
    "taken back": "etf_flow(btc) > 250m repeat",
    "nothing": "abs(etf_flow(btc)) < 1m repeat",
    "swing": "delta(etf_flow(btc), 1d) < -900m repeat",
    "mean": "average(etf_flow(btc), 3d) < -390m repeat",
    "early": "etf_flow(btc) < -500m provisional repeat cooldown 1m",
    "early turn": "etf_flow(btc) > 80m provisional repeat cooldown 1m",
}


@dataclass
class Replay:
    """One run of the bot's parts over the story, and what it promised to tell of each rule."""

    source: Source
    folder: Path
    story: Story = NOVEMBER
    made: float = MADE
    restart_every: int = 0
    save: Callable[[float], None] = lambda _: None
    told: list[tuple[str, str, str]] = field(default_factory=list)
    words: list[Observation] = field(default_factory=list)

    async def run(self, until: str) -> None:
        """Look whenever the provider wants to, from the day on which the alerts are made."""
        self.clock = SetClock(self.made)
        url = f"sqlite+aiosqlite:///{self.folder / 'replay.db'}"
        await upgrade(url)
        store = await open_store(url)
        server = ProviderServer(self.source.pages(self.story, self.clock))
        await server.start()
        for name, rule in RULES.items():
            await store.make_alert(caller(name), rule, NewArming(refill(rule, {})), self.made)
        async with Http(server.root) as http:
            feed, watch = await self.parts(http, store)
            turn = 0
            while self.clock.time < at(until):
                self.save(self.clock.time)
                await watch.take(await feed.poll(watch.wants()))
                await self.drain(store)
                turn += 1
                if self.restart_every and turn % self.restart_every == 0:
                    feed, watch = await self.parts(http, store)
                    self.clock.time += 600
                else:
                    self.clock.time = max(self.clock.time + 1, feed.due_at(watch.wants()))
        await server.stop()
        self.words = await store.recall(FLOW)
        await store.close()

    async def parts(self, http: Http, store: SqlStore) -> tuple[MetricFeed, Watch]:
        """Begin, as a bot does that was stopped."""
        plug = self.source.plug
        feed = MetricFeed(
            plug, plug.build(Means(http, self.clock, self.source.given)), self.clock, lambda: 0.0
        )
        market = HandMarket(self.clock, btc=90_000.0)
        watch = Watch(store, market, self.clock, lambda: None, late_after=140)
        await watch.open()
        return feed, watch

    async def drain(self, store: SqlStore) -> None:
        """Take what is promised, as deliver does."""
        now = self.clock.time
        while due := await store.lease("telegram", now, 100):
            for one in due:
                when = datetime.fromtimestamp(now, UTC).strftime("%m-%d %H:%M")
                self.told.append((one.chat.chat, one.kind.value, when))
                await store.settle(one, Receipt("1"), now)

    def days(self) -> list[tuple[str, str, str]]:
        """Give what was told by its date, in order of dates and rules."""
        return sorted(
            ((rule, kind, when[:5]) for rule, kind, when in self.told), key=lambda one: (one[2], one)
        )


EXPECTED = sorted(
    [
        # the 18th stood at +139.6m in the night, and was -372.8m
        ("early turn", "ring", "11-19"),
        ("early turn", "correction", "11-19"),
        ("turn", "ring", "11-20"),
        # the 20th stood at -547.7m, and was -903.2m
        ("early", "ring", "11-21"),
        ("big", "ring", "11-21"),
        ("once", "ring", "11-21"),
        ("swing", "ring", "11-21"),
        ("mean", "ring", "11-21"),
        # the 21st was said to be 258.4m, and on Sunday 238.4m
        ("turn", "ring", "11-22"),
        ("inflow", "ring", "11-22"),
        ("early turn", "ring", "11-22"),
        ("taken back", "ring", "11-22"),
        ("taken back", "correction", "11-23"),
        ("turn", "ring", "11-26"),
        ("inflow", "ring", "11-26"),
        ("early turn", "ring", "11-26"),
        # the 25th, 26th and 28th: Thanksgiving between them is no session, whatever the table prints
        ("three", "ring", "11-29"),
        ("streak", "ring", "11-29"),
    ],
    key=lambda one: (one[2], one),
)


def assert_told_when_final(replay: Replay) -> None:
    """Check that what is not provisional was told at a moment at which the day had just become final."""
    finals = {
        datetime.fromtimestamp(word.known_at, UTC).strftime("%m-%d %H:%M")
        for word in replay.words
        if word.is_final
    }
    for rule, _, when in replay.told:
        if not rule.startswith("early"):
            assert when in finals and when[6:] >= "05:00", (rule, when)


@pytest.mark.parametrize("name", SOURCES)
async def test_each_ring_of_november_comes_once_and_when_its_day_is_final(name: str, tmp_path: Path) -> None:
    replay = Replay(SOURCES[name], tmp_path)
    await replay.run("2025-11-30 14:00")
    assert replay.days() == EXPECTED
    assert_told_when_final(replay)
    zeros = [word for word in replay.words if word.value == 0]
    assert {(date_of(word.as_of), word.is_final) for word in zeros} == {("2025-11-24", False)}


@pytest.mark.parametrize("every", [3, 5])
async def test_restarts_change_no_ring(every: int, tmp_path: Path) -> None:
    replay = Replay(SOURCES["farside"], tmp_path, made=at("2025-11-20 14:00"), restart_every=every)
    await replay.run("2025-11-22 07:00")
    assert replay.days() == [one for one in EXPECTED if one[2] in {"11-21", "11-22"}]
    assert_told_when_final(replay)


async def test_what_was_known_when_is_kept_word_for_word(tmp_path: Path) -> None:
    replay = Replay(SOURCES["farside"], tmp_path, made=at("2025-11-20 14:00"))
    await replay.run("2025-11-21 14:00")
    said = [
        (
            datetime.fromtimestamp(word.known_at, UTC).strftime("%d %H:%M"),
            str(word.value / 1_000_000),
            word.is_final,
            word.pending,
        )
        for word in replay.words
        if word.as_of == at("2025-11-20")
    ]
    assert said == [
        ("20 23:05", "-300.2", False, ("ARKB", "GBTC", "IBIT")),
        ("21 01:05", "-247.3", False, ("GBTC", "IBIT")),
        ("21 03:05", "-547.7", False, ("IBIT",)),
        ("21 05:05", "-903.2", False, ()),
        ("21 05:35", "-903.2", True, ()),
    ]


async def test_pages_saved_every_half_hour_ring_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()

    def save(now: float) -> None:
        saved_at = now - now % 1800
        for coin in ("btc", "eth", "sol"):
            path = folder / f"{coin}.html"
            path.write_text(page(NOVEMBER.rows(saved_at) if coin == "btc" else LONG_AGO))
            os.utime(path, (saved_at, saved_at))

    source = Source(farside.PLUG, {"TOCSIN_FARSIDE": str(folder)}, lambda *_: {})
    replay = Replay(source, tmp_path, made=at("2025-11-20 20:00"), save=save)
    await replay.run("2025-11-21 07:00")
    assert replay.days() == [one for one in EXPECTED if one[2] == "11-21"]
    assert ("early", "ring", "11-21 02:35") in replay.told
    assert ("big", "ring", "11-21 05:35") in replay.told, "complete at 05:00, and the same half an hour later"


async def test_a_true_zero_breaks_a_run_of_inflow_and_a_late_fund_only_delays_it(tmp_path: Path) -> None:
    days = [day("2025-11-14", "-5"), day("2025-11-17", "10"), day("2025-11-18", "20")]
    zero = Day(at("2025-11-19"), dict.fromkeys(FUNDS, Decimal(0)))
    silent = day("2025-11-19", "30", hours=(50.0, 22.4, 24.2, 26.3))
    after = [day("2025-11-20", "40"), day("2025-11-21", "50"), day("2025-11-24", "60")]
    rang = {}
    for name, middle in (("zero", zero), ("silent", silent)):
        folder = tmp_path / name
        folder.mkdir()
        replay = Replay(SOURCES["coinglass"], folder, Story((*days, middle, *after)), at("2025-11-19 20:00"))
        await replay.run("2025-11-25 07:00")
        rang[name] = [when for rule, _, when in replay.told if rule == "three"]
    assert rang == {"zero": ["11-25 05:35"], "silent": ["11-21 02:35"]}
