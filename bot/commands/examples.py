"""Examples that fit what was typed: whoever mistypes an RSI wants to see one, and not a price."""

from __future__ import annotations

import re

PLAIN = "btc < 100k"

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

_MOST = 2


def fitting(typed: str) -> list[str]:
    """Give one or two examples for what somebody typed; none where nothing in it says what was wanted."""
    found = [example for pattern, example in EXAMPLES if re.search(pattern, typed, re.IGNORECASE)]
    return found[:_MOST]
