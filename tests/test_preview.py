"""What a new alert would have done, and /test: the backtest in chat, from the history of the market."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from bot.alerts.languages import Languages
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.commands import Office, make_desk, preview
from bot.metrics import MINUTE, Bar, MetricKey, join
from bot.ports import Unseeable
from bot.rules import parse
from bot.store.sql import SqlStore
from tests.conftest import NOON, SetClock
from tests.market import HandMarket
from tests.metrics import HandMetrics

BTC = MetricKey("price", "btc/usdt")
ANN = Caller(ChatRef("telegram", "1"), ChatKind.PRIVATE, "ann-id", "Ann")
HOUR, DAY = 3600, 86_400
TODAY = int(NOON) - 12 * HOUR


def history(
    days: int, *touched: int, span: int = 300, usual: float = 69_400.0, touch: float = 70_500.0
) -> list[Bar]:
    """Make bars of the days before noon: flat, but for an hour at noon of each day ``touched`` (days ago)."""
    noons = {TODAY + 12 * HOUR - ago * DAY for ago in touched}
    opens = range(int(NOON) - days * DAY, int(NOON), span)
    prices = (touch if any(noon <= at < noon + HOUR for noon in noons) else usual for at in opens)
    return [Bar(at, *(price,) * 4, 1.0, span) for at, price in zip(opens, prices, strict=True)]


class Shop:
    """A desk over the real store and a market with history."""

    def __init__(self, store: SqlStore, clock: SetClock) -> None:
        self.market = HandMarket(clock, btc=69_400.0, eth=3_000.0)
        self.metrics = HandMetrics()
        self.office = Office(
            register=store,
            market=self.market,
            metrics=self.metrics,
            clock=clock,
            quote="usdt",
            operators=frozenset(),
            is_admin=lambda chat, person: asyncio.sleep(0, True),
            languages=Languages(),
        )
        self.desk = make_desk(self.office)

    async def say(self, words: str) -> list[list[str]]:
        """Say a line; gives the lines of the first answer, then those of each that replaced it."""
        return [message.plain().splitlines() async for message in self.desk.dispatch(ANN, words)]


@pytest.fixture
async def shop(store: SqlStore, clock: SetClock) -> AsyncIterator[Shop]:
    yield Shop(store, clock)


async def test_a_new_alert_says_how_often_it_would_have_rung_in_the_last_30_days(shop: Shop) -> None:
    shop.market.feed("btc/usdt", history(31, 20, 9, 3))
    first, second = await shop.say("/alert btc > 70k")
    assert first == ["#1 armed: BTC/USDT above 70,000. Now 69,400 (0.9% away)."]
    assert second == [
        *first,
        "It would have rung 3 times in the last 30 days, last 12:00 UTC, Nov 9. "
        "A day later the price was higher in 0 of 3, median -1.6%.",
    ]


@pytest.mark.parametrize(
    ("days", "touched", "line"),
    [
        (31, (), "It would not have rung in the last 30 days."),
        (
            31,
            (5,),
            "It would have rung once in the last 30 days: 12:00 UTC, Nov 7. "
            "A day later the price had changed by -1.6%.",
        ),
        (9, (), "It would not have rung in the 9 days known."),
        (
            9,
            (5, 2),
            "It would have rung 2 times in the 9 days known, last 12:00 UTC, Nov 10. "
            "A day later the price was higher in 0 of 2, median -1.6%.",
        ),
        (1, (), "It would not have rung in the 1 day known."),
    ],
)
async def test_what_is_known_is_said_and_no_more(
    shop: Shop, days: int, touched: tuple[int, ...], line: str
) -> None:
    shop.market.feed("btc/usdt", history(days, *touched))
    _, second = await shop.say("/alert btc > 70k once")
    assert second[-1] == line


async def test_without_a_day_of_history_the_first_answer_stands(shop: Shop) -> None:
    assert len(await shop.say("/alert btc > 70k")) == 1
    shop.market.feed("btc/usdt", history(1)[200:])
    assert len(await shop.say("/alert btc > 71k")) == 1


async def test_what_stands_on_an_answer_stays_on_it(shop: Shop) -> None:
    shop.market.feed("btc/usdt", history(31))
    first, second = await shop.say("/alert btc breaks 70k")
    assert first[-1] == "Read as: btc crosses 70000"
    assert second == [*first, "It would not have rung in the last 30 days."]


@pytest.mark.parametrize("trouble", [Unseeable("away"), RuntimeError("a bug")])
async def test_a_failing_history_leaves_the_first_answer_and_the_alert(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    async def fails(*_: object) -> tuple[Bar, ...]:
        raise trouble

    monkeypatch.setattr(shop.market, "bars", fails)
    [answer] = await shop.say("/alert btc > 70k")
    assert "armed" in answer[0]
    assert len(await shop.office.register.subscriptions(ANN.chat)) == 1


async def test_test_says_the_same_without_arming_anything(shop: Shop) -> None:
    shop.market.feed("btc/usdt", history(31, 20, 9, 3))
    first, second = await shop.say("/test btc breaks above 70k")
    assert first == [
        "BTC/USDT above 70,000. Now 69,400 (0.9% away).",
        "To arm it, send: /alert btc > 70000",
    ]
    assert second == [
        first[0],
        "It would have rung 3 times in the last 30 days, last 12:00 UTC, Nov 9. "
        "A day later the price was higher in 0 of 3, median -1.6%.",
        first[1],
    ]
    assert await shop.office.register.subscriptions(ANN.chat) == []


async def test_test_without_history_says_so(shop: Shop) -> None:
    _, second = await shop.say("/test btc > 70k")
    assert second[1] == "There is no history to test it on."
    shop.market.is_down = True
    first, _ = await shop.say("/test btc > 70k")
    assert first[0] == "BTC/USDT above 70,000. The price cannot be seen just now."


async def test_test_of_a_wrong_rule_shows_its_place(shop: Shop) -> None:
    [answer] = await shop.say("/test btc < 10o k")
    assert "      ^" in answer


async def test_five_minute_bars_are_asked_for_and_coarser_ones_where_they_reach_further(shop: Shop) -> None:
    shop.market.feed("btc/usdt", history(31))
    await shop.say("/alert btc > 70k")
    assert {span for _, _, _, span in shop.market.asked} == {300}

    class Short(HandMarket):
        """A market that keeps 720 bars of each length, as Kraken does."""

        async def bars(self, key: MetricKey, since: int, until: int, span: int = MINUTE) -> tuple[Bar, ...]:
            return (await super().bars(key, since, until, span))[-720:]

    market = Short(shop.office.clock, btc=69_400.0)
    market.feed("btc/usdt", history(60, 20, 9, 3))
    rule = parse("btc/usdt > 70k")
    past, since = await preview.fetch(market, rule, TODAY - 30 * DAY, int(NOON))
    [found] = past.bars.values()
    assert [span for _, _, _, span in market.asked] == [300, 900, 3600]
    assert (found[0].span, len(list(found)), since) == (3600, 720, TODAY - 30 * DAY)


async def test_a_young_market_is_not_asked_for_more_and_more(shop: Shop) -> None:
    shop.market.feed("btc/usdt", history(9))
    await preview.fetch(shop.market, parse("btc/usdt > 70k"), TODAY - 30 * DAY, int(NOON))
    assert [span for _, _, _, span in shop.market.asked] == [300, 900]


async def test_candles_are_fetched_for_what_was_before(shop: Shop) -> None:
    shop.market.feed("btc/usdt", history(60, 20, 9, 3))
    rule = parse("btc/usdt > sma(btc/usdt, 20, 1d)")
    past, _ = await preview.fetch(shop.market, rule, TODAY - 30 * DAY, int(NOON))
    [candles] = past.candles.values()
    assert tuple(candles) == tuple(
        bar for bar in join(history(60, 20, 9, 3), DAY) if TODAY - 50 * DAY <= bar.at < TODAY - 30 * DAY
    )
    _, second = await shop.say("/alert btc > sma(20, 1d)")
    assert second[-1].startswith("It would have rung ")


async def test_minute_candles_need_minutes_so_fewer_days_are_known(shop: Shop) -> None:
    _, since = await preview.fetch(
        shop.market, parse("btc/usdt > sma(btc/usdt, 20, 1m)"), TODAY - 30 * DAY, int(NOON)
    )
    assert since == int(NOON) - 10_000 * MINUTE
    assert {span for _, _, _, span in shop.market.asked} == {MINUTE}


async def test_history_before_the_days_counts_for_what_looks_back(shop: Shop) -> None:
    shop.market.feed("btc/usdt", history(40))
    past, since = await preview.fetch(
        shop.market, parse("btc/usdt moves 5% in 3d"), TODAY - 30 * DAY, int(NOON)
    )
    [bars] = past.bars.values()
    assert next(iter(bars)).at == since - 3 * DAY


async def test_the_engine_runs_beside_the_loop_and_few_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.market.feed("btc/usdt", history(31))
    threads: list[int] = []
    at_once = most = 0
    fetch, rings = preview.fetch, preview._rings

    async def counted(*words: object) -> object:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        found = await fetch(*words)  # type: ignore[arg-type]
        at_once -= 1
        return found

    def noted(replay: preview.Replay) -> list[float]:
        threads.append(threading.get_ident())
        return rings(replay)

    monkeypatch.setattr(preview, "fetch", counted)
    monkeypatch.setattr(preview, "_rings", noted)
    answers = await asyncio.gather(*(shop.say(f"/test btc > {70 + place}k") for place in range(6)))
    assert all("in the last 30 days" in second[1] for _, second in answers)
    assert most <= 2
    assert threading.get_ident() not in threads


async def test_a_slow_history_is_given_up(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: object) -> tuple[Bar, ...]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(shop.market, "bars", hangs)
    monkeypatch.setattr(preview, "_PATIENCE", 0.05)
    assert len(await shop.say("/alert btc > 70k")) == 1
    _, second = await shop.say("/test btc > 70k")
    assert second[1] == "There is no history to test it on."


async def test_what_could_not_be_judged_did_not_stay_silent(shop: Shop) -> None:
    shop.market.feed("btc/usdt", history(41))
    shop.market.feed("eth/usdt", history(41, usual=3_000.0))
    last = (await shop.say("/test corr(btc, eth, 60d) < 0.4"))[-1]
    assert "Nothing could be judged in the last 30 days: 39 of 60 days of history are known." in last
    last = (await shop.say("/test btc crosses sma(btc, 60, 1d)"))[-1]
    assert any(line.startswith("Nothing could be judged") for line in last)
