"""Examples that fit what was typed: whoever mistypes an RSI wants to see one, and not a price."""

from __future__ import annotations

import re

PLAIN, PLAIN_CHINESE = "btc < 100k", "btc 跌破 10万"

EXAMPLES: tuple[tuple[str, str], ...] = (
    (r"\brsi", "btc rsi 4h < 30"),
    (r"macd", "macd(btc, 4h) > macd_signal(btc, 4h)"),
    (r"bb_?|boll|band", "btc > bb_upper(20, 2, 1d)"),
    (r"\bs?ma\b|\bema\b|dma\b|moving|average", "btc above 200dma"),
    (r"etf|flow", "btc etf inflow 3 days"),
    (r"funding", "btc funding > 0.05%"),
    (r"liq", "liquidations > 2b"),
    (r"volume|\bvol\b", "btc volume > 2x average"),
    (r"corr", "corr(btc, spx, 60d) < 0.4"),
    (r"\bath\b|\bhighs?\b|highest|52w", "btc 52w high"),
    (r"clos|candle|daily", "close(btc, 1d) < 98k"),
    (r"\bevery|\beach\b", "btc every 2% drop"),
    (r"between|range|enter|leave|\.\.", "btc between 98k and 105k"),
    (r"@|level", "btc < @etf_cost"),
    (r"%|percent|drop|fall|fell|dump|crash|pump|ris|rose|gain|move", "btc -5% in 1h"),
    (r"\d of\b|any of", "2 of (btc < 100k, eth < 3k, sol < 130)"),
    (r"\bfor\b|hold|stay", "btc > 70k for 5m"),
    (r"cooldown|repeat|once|rearm|remind|until|note|resolve", "btc < 100k repeat cooldown 1h"),
    (r"\band\b|\bor\b|&", "btc < 100k and eth < 3k"),
)
"""What people type (a pattern, sought without regard to case), and an example of it; the first fit best."""

CHINESE: tuple[tuple[str, str], ...] = (
    (r"rsi", "btc 4小时 rsi 低于 30"),
    (r"均|\d日线", "btc 突破 200日均线"),
    (r"etf|净|流入|流出", "btc etf 连续3天净流入"),
    (r"费率", "btc 资金费率 高于 0.05%"),
    (r"爆仓", "全网爆仓 超过 20亿"),
    (r"新高|历史|最高", "btc 创历史新高"),
    (r"每", "btc 每跌2%"),
    (r"之间|进入|离开|区间|到.*\d", "btc 在 9.8万 和 10.5万 之间"),
    (r"持续|维持|保持|站稳|稳", "btc 高于 10万 持续15分钟"),
    (r"[%％]|小时|分钟|天内|涨|跌幅|大跌|暴跌|波动", "btc 1小时内跌5%"),
    (r"冷却|重复|每次|一次|直到|备注", "btc 跌破 10万 重复 冷却 1小时"),
    (r"或|并且|同时|且", "btc 跌破 10万 并且 eth 跌破 3000"),
)
"""The same for what is typed in Chinese."""

_CHINESE = re.compile("[\u2e80-\u9fff]")
_MOST = 2


def plainest(typed: str) -> str:
    """Give the example for what fits none, in the language that was typed in."""
    return PLAIN_CHINESE if _CHINESE.search(typed) else PLAIN


def fitting(typed: str) -> list[str]:
    """Give one or two examples for what somebody typed; none where nothing in it says what was wanted."""
    known = CHINESE if _CHINESE.search(typed) else EXAMPLES
    found = [example for pattern, example in known if re.search(pattern, typed, re.IGNORECASE)]
    return found[:_MOST]
