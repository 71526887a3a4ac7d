"""Charts: what they show, when they are asked for and drawn, and that no message waits for one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.chart import Chart, Flow, FlowChart, Line, PriceChart, Sketch, Theme
from bot.alerts.message import Message
from bot.alerts.sketches import MOST_LEVELS, of_flows
from bot.alerts.translator import ENGLISH
from bot.chats.chart_ticks import price_marks, time_marks
from bot.chats.charts import HEIGHT, PALETTES, WIDTH, draw, signs_missing
from bot.chats.sparkline import sparkline
from bot.chats.studio import MOST_WAITING, Studio
from bot.illustrate import Illustrator
from bot.metrics import MINUTE, Bar, MetricKey, Observation
from bot.ports import Unseeable
from tests.conftest import NOON, SetClock
from tests.golden import cases
from tests.market import HandMarket
from tests.pictures import count, filled, image, minutes, ring, ringing_chart, sketched, told

HOUR, DAY = 3600, 86_400
FLOWS = {13: "-866.7", 14: "-492.1", 17: "-254.6", 18: "-372.8", 19: "75.4", 20: "-903.2", 21: "238.4"}
THEMES: tuple[Theme, ...] = ("dark", "light")


def etf_chart(theme: Theme) -> FlowChart:
    """Chart ten sessions of November 2025: one is missing, the last not final."""
    start = 1_761_955_200
    key = MetricKey("etf_flow", "btc")
    flows = FLOWS | {24: "-151", 26: "128.7"}
    sessions = [start + (day - 1) * DAY for day in (*flows, 25)]
    words = {
        start + (day - 1) * DAY: Observation(
            key, start + (day - 1) * DAY, Decimal(text) * 1_000_000, 0.0, day != 26, source="sosovalue"
        )
        for day, text in flows.items()
    }
    return of_flows(key, sessions, words, ENGLISH, theme)


# --- pictures -----------------------------------------------------------------------------------------------


def saved(png: bytes, path: Path) -> bytes:
    path.write_bytes(png)
    assert image(png).size == (WIDTH, HEIGHT) == (1080, 720)
    assert len(png) < 150_000  # it is sent over mobile networks
    return png


@pytest.mark.parametrize("theme", THEMES)
def test_a_price_alert_shows_its_level_its_ring_and_its_candles(theme: Theme, tmp_path: Path) -> None:
    sketch = sketched(ring("btc/usdt < 100000", "btc < @etf_cost"))
    chart = replace(filled(sketch, minutes()), theme=theme)
    png = saved(draw(chart), tmp_path / f"price-{theme}.png")
    colours = PALETTES[theme]
    assert chart.levels == (Line(100_000.0, "100,000", "@etf_cost"),)
    assert count(png, colours.level) > 6_000  # the line, and its tag
    assert count(png, colours.up) > 1_500 and count(png, colours.down) > 1_500
    assert count(png, colours.mark, (600, 100, WIDTH, HEIGHT - 70)) > 300  # the circle
    assert count(png, colours.mark, (600, HEIGHT - 60, WIDTH, HEIGHT)) > 2_000  # its time below
    assert count(png, colours.paper) > WIDTH * HEIGHT / 2


@pytest.mark.parametrize("theme", THEMES)
def test_a_compound_alert_shows_each_level_of_its_instrument(theme: Theme, tmp_path: Path) -> None:
    rule = "btc/usdt < 100000 and close(btc/usdt, 4h) < 103500 and rsi(btc/usdt, 14, 4h) < 30"
    sketch = sketched(ring(rule, value=27.4, now=99_980.0))
    chart = replace(filled(sketch, minutes(count=30_000)), theme=theme)
    png = saved(draw(chart), tmp_path / f"compound-{theme}.png")
    assert [line.written for line in chart.levels] == ["100,000", "103,500"]
    assert chart.span == 4 * HOUR
    assert chart.mark is not None and chart.mark.price == 99_980.0  # of the price, not of the RSI
    one_tag = count(draw(replace(chart, levels=chart.levels[:1])), PALETTES[theme].level)
    assert count(png, PALETTES[theme].level) > 1.8 * one_tag


@pytest.mark.parametrize("theme", THEMES)
def test_flows_rise_green_fall_red_and_are_hatched_while_they_are_open(theme: Theme, tmp_path: Path) -> None:
    chart, colours = etf_chart(theme), PALETTES[theme]
    png = saved(draw(chart), tmp_path / f"etf-{theme}.png")
    assert [flow.written for flow in chart.flows] == [
        "-867", "-492", "-255", "-373", "+75.4", "-903", "+238", "-151", "–", "+129",
    ]  # fmt: skip
    settled = replace(chart, flows=(*chart.flows[:-1], replace(chart.flows[-1], is_final=True)))
    assert count(png, colours.down) > 5 * count(png, colours.up) > 0
    assert count(draw(settled), colours.up) > count(png, colours.up) + 1_500


def test_chinese_words_are_drawn_with_letters_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    """A sign without a letter would be a warning, which is an error here."""
    flows = (Flow("20", "11月", -903.2, "-903", True),)
    assert draw(FlowChart("BTC ETF 净流量", "百万美元", flows, "未最终确定"))
    assert signs_missing("跌破触及持仓量恐惧与贪婪指数（）：，。") == ""
    assert signs_missing("\U0001f9ff") == "\U0001f9ff"
    assert not caplog.records


@pytest.mark.parametrize("text", ["$NVDA $x^2$", "<b>&", "\u202eevil", "a" * 300, "", "比特币"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_words_are_drawn_as_they_are(text: str) -> None:
    chart = ringing_chart(title=text, subtitle=text, levels=(Line(99_000.0, "99,000", text),))
    assert image(draw(chart)).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "bars",
    [
        [Bar(at * 60, 5.0, 5.0, 5.0, 5.0) for at in range(3)],
        [Bar(at * 60, 1e-9, 2e-9, 1e-9, 2e-9, 1.0) for at in range(100)],
        [Bar(at * 60, 1.0, 10.0**at, 1.0, 10.0**at, 1e12) for at in range(12)],
        [Bar(0, 1.0, 1.0, 1.0, 1.0), Bar(600, 2.0, 2.0, 2.0, 2.0), Bar(660, 1.0, 2.0, 1.0, 2.0)],
    ],
    ids=["still", "tiny", "steep", "holes"],
)
def test_any_market_can_be_drawn(bars: list[Bar]) -> None:
    levels = (
        Line(1e-12, "0.000000000001"),
        Line(4.0, "4"),
        Line(4.0001, "4.0001"),
        Line(1e9, "1,000,000,000"),
    )
    chart = PriceChart("X", "y", 60, tuple(bars), levels)
    assert image(draw(chart)).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("flows", [[None, None], [0.0], [1.0] * 30, [-1e9, 1.0]])
def test_any_flows_can_be_drawn(flows: list[float | None]) -> None:
    chart = FlowChart("X", "y", tuple(Flow("1", "Nov", flow, "z") for flow in flows))
    assert image(draw(chart)).size == (WIDTH, HEIGHT)


# --- what is sketched ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "span"),
    [
        ("btc/usdt < 100000", 15 * MINUTE),
        ("btc/usdt > 70000 for 5m", 15 * MINUTE),
        ("btc/usdt < 98700 for 4h", 30 * MINUTE),
        ("btc/usdt moves down 5% in 1d", 4 * HOUR),
        ("close(btc/usdt, 1d) < 98000", DAY),
        ("rsi(btc/usdt, 14, 4h) < 30 and btc/usdt < 100000", 4 * HOUR),
        ("btc/usdt < 100000 and etf_flow(btc) < -500000000", 15 * MINUTE),
    ],
)
def test_candles_are_as_long_as_fits_the_times_of_the_rule(rule: str, span: int) -> None:
    sketch = sketched(ring(rule))
    assert sketch.span == span
    assert 95 <= (sketch.until - sketch.since) / span <= 101


@pytest.mark.parametrize(
    "rule", ["btc/usdt < 100000 and eth/usdt < 3000", "etf_flow(btc) < -500000000", "$nvda > 200"]
)
def test_a_ring_of_several_prices_or_of_none_has_no_chart(rule: str) -> None:
    assert told(ring(rule)).chart is None


def test_a_late_ring_is_on_its_chart() -> None:
    at = NOON - 9 * DAY
    sketch = sketched(ring("btc/usdt < 100000", at=at, is_late=True))
    assert sketch.since < at - 10 * sketch.span
    assert sketch.frame.mark is not None and sketch.frame.mark.label == "Nov 3 12:00"


def test_a_ring_has_one_sketch_whenever_and_to_whomever_it_is_told() -> None:
    facts = ring("btc/usdt < 100000")
    assert sketched(facts) == sketched(facts | {"alert": "#77"}, now=NOON + 3000)


def test_the_price_that_rang_counts_where_its_minute_is_not_final_yet() -> None:
    sketch = sketched(ring("btc/usdt < 100000", at=NOON + 100, seen_at=NOON + 101, value=90_000.0))
    chart = filled(sketch, minutes())
    assert (chart.bars[-1].at, chart.bars[-1].low, chart.bars[-1].close) == (int(NOON), 90_000.0, 90_000.0)


def test_too_few_candles_are_no_chart() -> None:
    sketch = sketched(ring("btc/usdt < 100000"))
    assert sketch.filled([], []) is None
    assert sketch.filled([Bar(sketch.since, 1, 1, 1, 1, 1, sketch.span)], []) is None


@pytest.mark.parametrize("case", cases())
def test_every_rule_of_the_language_is_told_with_a_chart_or_without(case: object) -> None:
    message = told(ring(case.canonical))  # type: ignore[attr-defined]
    assert message.title
    if isinstance(message.chart, Sketch):
        assert len(message.chart.frame.levels) <= MOST_LEVELS


# --- marks of the axes --------------------------------------------------------------------------------------


@given(st.floats(1e-9, 1e7), st.floats(1e-4, 10))
def test_prices_are_marked_few_and_told_apart(low: float, share: float) -> None:
    high = low * (1 + share)
    marks = price_marks(low, high)
    written = [marks.write(place) for place in marks.places]
    assert 1 <= len(marks.places) <= 7
    assert all(low * 0.999999 <= place <= high * 1.000001 for place in marks.places)
    assert len(set(written)) == len(written)


@given(
    st.sampled_from([60, 300, 900, 1800, 3600, 14_400, DAY, 7 * DAY]),
    st.integers(1_500_000_000, 1_800_000_000),
    st.integers(3, 120),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_times_are_marked_few_on_the_persons_clock(span: int, at: int, number: int, zone: str) -> None:
    first = at // span * span
    bars = [Bar(first + place * span, 1, 1, 1, 1, 1, span) for place in range(number)]
    marks = time_marks(bars, span, zone)
    assert len(marks) <= 8
    assert {at for at, _ in marks} <= {bar.at for bar in bars}


def test_midnight_in_a_persons_zone_is_marked_with_its_date() -> None:
    bars = [Bar(int(NOON) + place * 900, 1, 1, 1, 1, 1, 900) for place in range(100)]
    assert (int(NOON) + 17 * HOUR, "Nov 13") in time_marks(bars, 900, "America/New_York")
    assert (int(NOON) + 17 * HOUR, "11月13日") in time_marks(bars, 900, "America/New_York", "zh-Hans")


def test_months_and_years_are_written_in_the_persons_language() -> None:
    bars = [Bar(int(NOON) // DAY * DAY + place * DAY, 1, 1, 1, 1, 1, DAY) for place in range(200)]
    assert [one for _, one in time_marks(bars, DAY, "UTC", "zh-Hans")][:3] == ["2026年", "3月", "5月"]


# --- asked for once -----------------------------------------------------------------------------------------


async def test_ten_thousand_subscribers_cost_one_look_and_one_drawing(clock: SetClock) -> None:
    market = HandMarket(clock, btc=99_980.0)
    market.feed("btc/usdt", minutes())
    drawn: list[Chart] = []

    def drawing(chart: Chart) -> bytes:
        drawn.append(chart)
        return b"png"

    illustrator, studio, facts = Illustrator(market), Studio(drawing), ring("btc/usdt < 100000")

    async def tell(message: Message) -> bytes | None:
        return await studio.picture((await illustrator.complete(message)).chart)

    pictures: set[bytes | None] = set()
    for batch in range(100):
        message = told(facts | {"alert": f"#{batch}"}, now=NOON + batch)
        pictures.update(await asyncio.gather(*(tell(message) for _ in range(100))))
    assert pictures == {b"png"}
    assert len(drawn) == 1
    assert len(market.asked) <= 2  # its candles, and the minutes of the running one


async def test_a_market_that_cannot_be_seen_leaves_the_message_as_it_is(clock: SetClock) -> None:
    market = HandMarket(clock, btc=99_980.0)
    market.is_down = True
    message = told(ring("btc/usdt < 100000"))
    assert await Illustrator(market).complete(message) == replace(message, chart=None)


class SlowMarket(HandMarket):
    """A market that answers when it is let."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__(clock, btc=99_980.0)
        self.feed("btc/usdt", minutes())
        self.may_answer = asyncio.Event()
        self.failure: Exception | None = None

    async def bars(self, key: MetricKey, since: int, until: int, span: int = MINUTE) -> tuple[Bar, ...]:
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return await super().bars(key, since, until, span)


async def test_a_slow_market_costs_the_first_its_chart_and_not_its_time(clock: SetClock) -> None:
    market = SlowMarket(clock)
    illustrator, sketch = Illustrator(market, patience=0.01), sketched(ring("btc/usdt < 100000"))
    assert await illustrator.fill(sketch) is None
    market.may_answer.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert isinstance(await illustrator.fill(sketch), PriceChart)


async def test_in_a_storm_only_some_charts_are_asked_for(clock: SetClock) -> None:
    market = SlowMarket(clock)
    illustrator = Illustrator(market, patience=0.05, at_once=2)
    facts = [ring(f"btc/usdt < {level}") for level in range(100_000, 100_020)]
    began = time.perf_counter()
    charts = await asyncio.gather(*(illustrator.fill(sketched(one)) for one in facts))
    assert charts == [None] * 20
    assert time.perf_counter() - began < 1.0
    assert illustrator._asked == 2


@pytest.mark.parametrize("failure", [Unseeable("no"), RuntimeError("a defect")])
async def test_a_market_that_fails_is_no_error_of_the_message(clock: SetClock, failure: Exception) -> None:
    market = SlowMarket(clock)
    market.failure = failure
    market.may_answer.set()
    assert await Illustrator(market).fill(sketched(ring("btc/usdt < 100000"))) is None


# --- drawn beside -------------------------------------------------------------------------------------------


async def test_pictures_are_drawn_beside_the_event_loop() -> None:
    threads: list[int] = []

    def drawing(chart: Chart) -> bytes:
        threads.append(threading.get_ident())
        return b"png"

    assert await Studio(drawing).picture(ringing_chart()) == b"png"
    assert threads != [threading.get_ident()]


async def test_a_slow_drawing_is_not_waited_for_and_serves_who_comes_later() -> None:
    may_end = threading.Event()

    def drawing(chart: Chart) -> bytes:
        may_end.wait(10)
        return b"png"

    studio, chart = Studio(drawing, patience=0.01), ringing_chart()
    assert await studio.picture(chart) is None
    may_end.set()
    later = [await studio.picture(chart) for _ in range(200)]
    assert later[-1] == b"png"


async def test_more_charts_than_can_be_drawn_in_time_are_left_out() -> None:
    may_end = threading.Event()

    def drawing(chart: Chart) -> bytes:
        may_end.wait(10)
        return b"png"

    studio = Studio(drawing, patience=1.0)
    charts = [ringing_chart(title=str(number)) for number in range(MOST_WAITING + 10)]
    asking = [asyncio.create_task(studio.picture(chart)) for chart in charts]
    for _ in range(3):
        await asyncio.sleep(0)
    assert sum(one.done() for one in asking) == 10  # at once, and before anything is drawn
    may_end.set()
    assert (await asyncio.gather(*asking)).count(b"png") == MOST_WAITING


async def test_a_chart_that_cannot_be_drawn_is_none_and_a_sketch_is_none() -> None:
    def drawing(chart: Chart) -> bytes:
        raise ValueError("no such colour")

    assert await Studio(drawing).picture(ringing_chart()) is None
    assert await Studio(drawing).picture(sketched(ring("btc/usdt < 100000"))) is None
    assert await Studio(drawing).picture(Message().chart) is None


def test_the_drawing_library_is_not_loaded_before_the_first_chart() -> None:
    code = (
        "import sys; import bot.__main__, bot.app, bot.chats.telegram, bot.chats.discord, bot.chats.console;"
        "from bot.chats.studio import Studio; Studio(); sys.exit('matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)  # noqa: S603


# --- in text ------------------------------------------------------------------------------------------------


def test_a_chart_in_one_line_goes_from_its_lowest_to_its_highest_value() -> None:
    bars = tuple(Bar(at * 60, price, price, price, price) for at, price in enumerate([1.0, 8.0, 4.5, 1.0]))
    assert (
        sparkline(PriceChart("", "", 60, bars)) == "▁█▅▁" or sparkline(PriceChart("", "", 60, bars)) == "▁█▄▁"
    )
    assert len(sparkline(ringing_chart())) == 50
    assert sparkline(etf_chart("dark"))[8] == " "  # the session that is missing
    assert sparkline(FlowChart("", "", (Flow("1", "Nov", None),))) == ""
