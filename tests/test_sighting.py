"""The words in which people hear that something cannot be seen, was missed, or is not borne out."""

from __future__ import annotations

import pytest

from bot.alerts.causes import cause
from bot.alerts.message import Facts
from bot.alerts.models import Notification, Telling
from bot.alerts.people import ChatRef
from bot.alerts.sighting import stand_in
from bot.alerts.translator import ENGLISH
from bot.alerts.wording import word
from bot.catalogues import read_languages
from tests.conftest import NOON

CHAT = ChatRef("telegram", "1")


def told(kind: Telling, facts: Facts) -> str:
    return word(Notification(1, CHAT, kind, "x", facts, NOON), ENGLISH, NOON).plain()


def alerts(*rules: str) -> list[dict[str, str]]:
    return [{"alert": f"#{number}", "rule": rule} for number, rule in enumerate(rules, 1)]


def series(*names: str) -> list[dict[str, str]]:
    return [{"series": name} for name in names]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            {
                "series": series("btc/usdt", "eth/usd@kraken"),
                "alerts": alerts("btc/usdt < 100", "eth/usd@kraken > 4000"),
                "since": NOON - 360,
                "reason": "okx refuses this country or network; leave it out or move",
                "source": "okx",
            },
            "I cannot see BTC/USDT and ETH/USD on Kraken since 11:54 UTC: "
            "OKX refuses this country or network; leave it out or move.\n"
            "#1 and #2 cannot ring until it is seen again; what is missed is looked through then.",
            id="two series of one cause",
        ),
        pytest.param(
            {"series": series("etf_flow(btc)"), "alerts": alerts("etf_flow(btc) > 0"), "since": NOON - 86400},
            "I cannot see BTC ETF net flow since 12:00 UTC, Nov 11: no data comes.\n"
            "#1 cannot ring until it is seen again; what is missed is looked through then.",
            id="no reason",
        ),
        pytest.param(
            {
                "series": series(*(f"c{number}/usdt" for number in range(20))),
                "alerts": alerts(*["btc/usdt < 100"] * 30),
                "since": NOON,
                "reason": "no exchange can be reached",
            },
            f"I cannot see {', '.join(f'C{number}/USDT' for number in range(12))}, and 8 more "
            "since 12:00 UTC: no exchange can be reached.\n"
            f"{', '.join(f'#{number}' for number in range(1, 13))}, and 18 more cannot ring until it is seen "
            "again; what is missed is looked through then.",
            id="too many to name",
        ),
        pytest.param(
            {"series": series("btc/usdt")}, "I cannot see BTC/USDT: no data comes.", id="hardly any facts"
        ),
    ],
)
def test_a_loss(facts: Facts, expected: str) -> None:
    assert told(Telling.LOST, facts) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            {"series": series("btc/usdt"), "since": NOON - 1620, "at": NOON},
            "BTC/USDT can be seen again since 12:00 UTC.\n"
            "What happened in the 27 minutes between was read: nothing is missed.",
            id="all was read",
        ),
        pytest.param(
            {
                "series": series("btc/usdt"),
                "since": NOON - 86400,
                "at": NOON,
                "gone": [{"series": "btc/usdt", "since": NOON - 80000, "until": NOON - 40000}],
            },
            "BTC/USDT can be seen again since 12:00 UTC.\n"
            "Between 13:46 UTC, Nov 11 and 00:53 UTC the minutes of BTC/USDT are gone.",
            id="some of it is gone",
        ),
        pytest.param({"series": series("btc/usdt")}, "BTC/USDT can be seen again.", id="hardly any facts"),
    ],
)
def test_a_return(facts: Facts, expected: str) -> None:
    assert told(Telling.BACK, facts) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            {
                "series": series("btc/usdt"),
                "alerts": alerts("btc/usdt < 100000", "btc/usdt moves 5% in 1h"),
                "since": NOON - 9 * 3600,
                "until": NOON - 600,
                "low": 97_000.0,
                "high": 101_000.0,
            },
            "Between 03:00 and 11:50 UTC I could not see BTC/USDT, and its minutes are gone.\n"
            "It stayed between 97,000 and 101,000.\n"
            "#1 (btc/usdt < 100000): its level 100,000 lay in reach.\n"
            "#2 (btc/usdt moves 5% in 1h) may have been touched.",
            id="within bounds",
        ),
        pytest.param(
            {
                "series": series("btc/usdt"),
                "alerts": alerts(*["btc/usdt < 100"] * 14),
                "since": NOON - 3600,
                "until": NOON,
                "low": None,
                "high": None,
            },
            "Between 11:00 and 12:00 UTC I could not see BTC/USDT, and its minutes are gone.\n"
            + "".join(f"#{number} (btc/usdt < 100) may have been touched.\n" for number in range(1, 13))
            + "2 more may have been touched.",
            id="too many to name",
        ),
    ],
)
def test_a_lapse(facts: Facts, expected: str) -> None:
    assert told(Telling.LAPSE, facts) == expected


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("kraken shows 64,900", "; Kraken shows 64,900."),
        (
            "okx shows 64,890 to 64,910 and kraken shows 64,900",
            "; OKX shows 64,890 to 64,910 and Kraken shows 64,900.",
        ),
        ("no second source can say", "; no second source can say."),
        ("", "."),
    ],
)
def test_a_doubt(reason: str, said: str) -> None:
    facts: Facts = {
        "series": series("btc/usdt"),
        "alerts": alerts("btc/usdt < 10000"),
        "value": 8200.0,
        "at": NOON,
        "source": "binance",
        "reason": reason,
    }
    assert told(Telling.DOUBT, facts) == (
        f"Unconfirmed: Binance showed 8,200 for BTC/USDT at 12:00 UTC{said}\n#1 has not rung for it."
    )


def test_what_second_sources_show_is_said_in_the_language_of_the_chat() -> None:
    chinese = read_languages().translator("zh-Hans", "UTC")
    facts: Facts = {
        "series": series("btc/usdt"),
        "alerts": alerts("btc/usdt < 10000"),
        "value": 8200.0,
        "at": NOON,
        "source": "binance",
        "reason": "okx shows 64,890 to 64,910 and kraken shows 64,900",
    }
    notification = Notification(1, ChatRef("telegram", "1"), Telling.DOUBT, "doubt", facts, NOON)
    assert word(notification, chinese, NOON, patience=60).plain() == (
        "未经证实：Binance 在 12:00 UTC 显示 BTC/USDT 为 8,200；"
        "OKX 显示 64,890 到 64,910 和 Kraken 显示 64,900。\n"
        "#1 没有因此触发。"
    )


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("binance does not answer in time", "Kraken, standing in for Binance, which does not answer in time"),
        ("no candles come", "Kraken, standing in for Binance (no candles come)"),
        ("", "Kraken, standing in for Binance"),
    ],
)
def test_a_stand_in(reason: str, expected: str) -> None:
    assert stand_in("kraken", "binance", reason, ENGLISH) == expected


def test_a_cause_is_spelled_as_its_source_spells_itself() -> None:
    assert cause("okx cannot be reached", "okx", ENGLISH) == "OKX cannot be reached"
    assert cause("okxide cannot be reached", "okx", ENGLISH) == "okxide cannot be reached"
    assert cause("no exchange lists it", "okx", ENGLISH) == "no exchange lists it"
