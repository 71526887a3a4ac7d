"""A ring on flows of funds says which sessions it is about, and shows them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.alerts.chart import FlowChart, Sketch
from bot.alerts.message import Message
from bot.alerts.models import Telling
from bot.alerts.people import ChatRef
from bot.ports import Outcome
from tests.etf import at
from tests.test_watch import Ear
from tests.test_watch_metrics import Scene, flow, night, scene
from tests.test_wording import ring, tell

__all__ = ["scene"]
NOW = float(at("2025-11-29 05:00"))


def days(*values: tuple[str, float], coin: str = "btc", is_final: bool = True) -> list[dict[str, object]]:
    return [
        {
            "metric": "etf_flow",
            "instrument": coin,
            "source": "sosovalue",
            "as_of": at(f"2025-11-{day}"),
            "value": value * 1e6,
            "is_final": is_final,
        }
        for day, value in values
    ]


RUN = days(("21", 238.4), ("24", -151.0), ("25", 128.7), ("26", 21.1), ("28", 71.4))


def told(rule: str, sessions: Sequence[dict[str, object]], value: float = 0.0) -> Message:
    evidence = [{"term": rule.removesuffix(" provisional"), "value": value, "currency": ""}]
    facts = ring(rule, rule, key="btc", evidence=evidence, value=value, at=NOW, sessions=sessions)
    return tell(Telling.RING, facts, made=NOW, now=NOW)


@pytest.mark.parametrize(
    ("rule", "value", "line"),
    [
        ("etf_flow(btc) > 50000000", 71.4e6, "Session of Fri Nov 28."),
        ("etf_flow(btc) > 0 for 3 sessions", 71.4e6, "Sessions of Tue Nov 25, Wed Nov 26, and Fri Nov 28."),
        ("streak(etf_flow(btc)) >= 2", 3.0, "Sessions of Tue Nov 25, Wed Nov 26, and Fri Nov 28."),
        ("delta(etf_flow(btc), 2d) > 0", 1.0, "Session of Fri Nov 28."),
        (
            "btc/usdt < 90000 and etf_flow(btc) > 0",
            71.4e6,
            "BTC ETF net flow: session of Fri Nov 28.",
        ),
    ],
)
def test_the_sessions_are_named_with_their_day_of_the_week(rule: str, value: float, line: str) -> None:
    assert line in told(rule, RUN, value).lines


def test_flows_of_two_coins_are_named_apart() -> None:
    sessions = [*RUN, *days(("26", -9.0), coin="eth")]
    lines = told("etf_flow(btc) > 0 and etf_flow(eth) < 0", sessions).lines
    assert "BTC ETF net flow: session of Fri Nov 28." in lines
    assert "ETH ETF net flow: session of Wed Nov 26." in lines


def test_a_session_that_is_not_over_is_said_to_be_open() -> None:
    open_one = days(("28", -550.0), is_final=False)
    lines = told("etf_flow(btc) < -500000000 provisional", [*RUN[:-1], *open_one], -550e6).lines
    assert "Session of Fri Nov 28, not final yet." in lines


def test_the_picture_is_that_of_the_sessions_up_to_the_one_that_rang() -> None:
    chart = told("etf_flow(btc) > 50000000", [RUN[0], *RUN[2:]]).chart
    assert isinstance(chart, FlowChart)
    shown = [(one.day, one.value and round(one.value)) for one in chart.flows]
    assert shown == [("21", 238.4e6), ("24", None), ("25", 128.7e6), ("26", 21.1e6), ("28", 71.4e6)]
    assert "SoSoValue" in chart.subtitle


def test_a_rule_with_a_price_shows_its_candles_and_one_without_facts_shows_nothing() -> None:
    assert isinstance(told("btc/usdt < 90000 and etf_flow(btc) > 0", RUN).chart, Sketch)
    assert told("etf_flow(btc) > 50000000", []).chart is None
    assert told("etf_flow_total(btc) > 60b", []).chart is None


@pytest.mark.parametrize("broken", ["text", [{"as_of": None}], [{"metric": 5, "as_of": 1, "value": 2}], 7])
def test_facts_of_another_kind_leave_the_sessions_out(broken: object) -> None:
    message = told("etf_flow(btc) > 50000000", broken)  # type: ignore[arg-type]
    assert message.title and message.chart is None
    assert not any("ession" in line for line in message.lines)


class Eye(Ear):
    """An ear that keeps whole messages."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Message] = []

    async def send(self, chat: ChatRef, message: Message, nonce: str, *, is_paid: bool = False) -> Outcome:
        self.seen.append(message)
        return await super().send(chat, message, nonce)


async def test_a_ring_from_a_look_names_its_session_and_carries_its_picture(scene: Scene) -> None:
    scene.ear = eye = Eye()
    await scene.begin()
    await scene.look(flow(18, "-372.8"), flow(19, "75.4"), at=night(19))
    await scene.arm("etf_flow(btc) < -900m")
    await scene.look(flow(20, "-903.2"), at=night(20))
    await scene.look(flow(20, "-890"), at=night(20, 8))
    rung, corrected = eye.seen
    assert "Session of Thu Nov 20." in rung.plain()
    assert isinstance(rung.chart, FlowChart)
    assert [(one.day, one.value, one.is_final) for one in rung.chart.flows] == [
        ("18", -372.8e6, True),
        ("19", 75.4e6, True),
        ("20", -903.2e6, True),
    ]
    assert "of Thu Nov 20 from -903,200,000 to -890,000,000" in corrected.plain()


async def test_a_run_of_sessions_names_each_of_them_and_no_holiday(scene: Scene) -> None:
    await scene.look(flow(20, "-903.2"), flow(21, "238.4"), flow(24, "-151.0"), at=night(24))
    await scene.arm("etf_flow(btc) > 0 for 3 sessions")
    for day, millions in ((25, "128.7"), (26, "21.1"), (28, "71.4")):
        await scene.look(flow(day, millions), at=night(day))
    (text,) = scene.texts()
    assert "Sessions of Tue Nov 25, Wed Nov 26, and Fri Nov 28." in text
