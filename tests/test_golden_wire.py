"""Every rule on metrics that November 2025 called for rings from its provider to a chat over real sockets.

The table names, for each row of the golden cases that reads a metric, the test that rings it.
"""

from __future__ import annotations

import importlib
import inspect

import pytest
from aiohttp import ClientSession

from bot import web
from bot.engine.compiler import compile_rule
from bot.engine.sessions import DAY, HOUR
from bot.feeds.metrics.providers import push
from bot.metrics import Batch
from tests.conftest import NOON
from tests.etf import Row, glass, row
from tests.golden import Case, cases
from tests.provider_contract import MARKER
from tests.test_derivatives_end_to_end import GLASS, Scene, scene

__all__ = ["scene"]

MACRO, DERIVATIVES = "tests.test_macro_end_to_end", "tests.test_derivatives_end_to_end"
SINGLE = (MACRO, "test_single_stocks_fees_and_odds_ring_as_they_become_known")
CONTRACTS = (DERIVATIVES, "test_what_contracts_liquidations_and_stablecoins_do_rings_in_the_chat")
DEMO = ("tests.test_demo", "test_flows_ring_in_the_demonstration_once_and_on_what_is_final")
OWN = (__name__, "test_what_an_operator_pushes_rings_in_the_chat")
WIRED = {
    "three days of net inflow": DEMO,
    "a day's outflow of $900m": DEMO,
    "the outflow turns": (__name__, "test_the_outflow_turns"),
    "S&P and gold at highs while Bitcoin falls": (MACRO, "test_highs_of_stocks_and_gold_while_bitcoin_falls"),
    "60-day correlation falls from 0.61 to 0.38": (
        MACRO,
        "test_the_correlation_falls_when_the_day_of_both_is_closed",
    ),
    "everything falls together": (MACRO, "test_everything_falls_together"),
    "$2b liquidated in 24 hours": CONTRACTS,
    "longs are 68% of open contracts": CONTRACTS,
    "futures premium of 8% a year": CONTRACTS,
    "exchange stablecoins up $3.7b": CONTRACTS,
    "whales add 41,000 BTC in a week": OWN,
    "a cluster of longs of $830m near the price": OWN,
    "a treasury company's share under a dollar": SINGLE,
    "a treasury company sells": (MACRO, "test_what_comes_once_an_hour_or_a_day_rings_too"),
    "Nvidia falls after good earnings": SINGLE,
    "rate-cut hopes collapse": SINGLE,
}
GOLDEN: dict[str, Case] = {one.table["row"]: one for (one,) in (case.values for case in cases("november"))}


def reads_a_metric(case: Case) -> bool:
    """Whether a rule reads more than prices; that these two are stocks, the exchanges would have to say."""
    life = compile_rule(case.rule, True, 0, {})
    return bool(life.calendars) or any(key.instrument in {"sqns/usdt", "nvda/usdt"} for key in life.keys)


def test_no_row_on_metrics_is_without_a_test_over_the_wire() -> None:
    assert {row for row, case in GOLDEN.items() if reads_a_metric(case)} == WIRED.keys()


@pytest.mark.parametrize("row", WIRED)
def test_the_test_of_a_row_is_there_and_says_its_rule(row: str) -> None:
    module, name = WIRED[row]
    found = importlib.import_module(module)
    assert inspect.iscoroutinefunction(getattr(found, name))
    source = inspect.getsource(found)
    [text] = GOLDEN[row].texts
    parts = text.removesuffix(")").removeprefix("3 of (").split("%, ") if "3 of" in text else [text]
    assert all(part.removesuffix("%") in source for part in parts)


def bitcoin(*rows: Row) -> dict[str, str]:
    return {f"{GLASS}/etf/bitcoin/flow-history": glass(rows)}


OUT = (row("2025-11-10", "-5", "1", "1", "1"), row("2025-11-11", "-9", "2", "1", "1"))
BACK = (*OUT, row("2025-11-12", "40", "2", "3", "4"))


async def test_the_outflow_turns(scene: Scene) -> None:
    scene.providers.pages |= bitcoin(*OUT)
    await scene.pass_time(HOUR)
    assert "#1 armed" in await scene.say("/alert etf_flow(btc) crosses above 0")
    scene.providers.pages |= bitcoin(*BACK)
    await scene.pass_time(15 * HOUR)
    assert scene.rings() == [], "the day is not over at four"
    await scene.pass_time(3 * HOUR)
    [ring] = scene.rings()
    assert "49,000,000 USD" in ring and "CoinGlass" in ring
    assert "Session of Wed Nov 12." in ring
    await scene.pass_time(20 * HOUR)
    assert len(scene.rings()) == 1


async def test_what_an_operator_pushes_rings_in_the_chat(scene: Scene) -> None:
    """Of whales eight daily values, of the cluster the newest alone; both by HTTP."""
    midnight = int(NOON) - int(NOON) % DAY

    async def take(name: str, body: str) -> int:
        words = tuple(push.read_push(name, body, scene.clock.time))
        await scene.watch.take(Batch(push.NAME, scene.clock.time, observations=words))
        while await scene.courier.drain():
            scene.clock.time += 2  # a chat takes a message a second
        return len(words)

    async with (
        web.serve("127.0.0.1", 0, list, web.Intake(MARKER, take)) as port,
        ClientSession(headers={"Authorization": f"Bearer {MARKER}"}) as program,
    ):

        async def pushed(name: str, *values: dict[str, object]) -> None:
            address = f"http://127.0.0.1:{port}/observations/{name}"
            async with program.post(address, json=values) as answer:
                assert answer.status == 200, await answer.text()

        days = [{"value": 600_000 + day, "as_of": midnight - day * DAY} for day in range(9, 0, -1)]
        await pushed("whale_btc", *days)
        await pushed("long_liquidations_101k_103k", {"value": 410_000_000})
        whales, cluster = "delta(metric(whale_btc), 7d) >= 41k", "metric(long_liquidations_101k_103k) >= 800m"
        assert "#1 armed" in await scene.say(f"/alert {whales}")
        assert "#2 armed" in await scene.say(f"/alert {cluster}")
        await scene.pass_time(60)
        await pushed("whale_btc", {"value": 641_007, "as_of": midnight})
        await pushed("long_liquidations_101k_103k", {"value": "830,000,000"})
    by_number = sorted(scene.rings())
    assert len(by_number) == 2
    assert "#1 " in by_number[0] and "41,000" in by_number[0]
    assert "#2 " in by_number[1] and "830,000,000" in by_number[1]
