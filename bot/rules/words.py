"""The vocabulary: keywords, units, currencies, and the signs that phones type for plain ones."""

from __future__ import annotations

from decimal import Decimal

from bot.rules.phrases import to_say
from bot.rules.tree import Duration, DurationUnit, Op

_CONDITIONS = "and or not for crosses above below moves up down in enters leaves every of sessions all"
_OPTIONS = "once repeat cooldown rearm remind until resolve urgent provisional note"
_RESERVED = "between within session ath atl liquidations hashrate"
_CASHTAGS = """
    btc eth xrp bnb sol doge ada trx link xlm ltc bch avax dot shib sui ton hbar xmr zec near uni apt pepe
"""
_FIAT = """
    usd eur gbp jpy krw cny aud cad chf nzd sek nok dkk pln czk huf ron bgn try uah rub kzt inr idr php thb
    vnd myr sgd hkd twd brl mxn ars cop clp pen zar ngn kes egp aed sar ils pkr gel amd
"""
_DOLLAR_COINS = "usdt usdc busd tusd fdusd usdp gusd dai pyusd usde usds usd1 rlusd usdd usdg lusd"
_OTHER_STABLE_COINS = "eurc euri eurt eurs aeur xsgd bidr gyen"

OPTIONS = tuple(_OPTIONS.split())
"""The words that begin an option, in canonical order."""

KEYWORDS = frozenset([*_CONDITIONS.split(), *OPTIONS])
"""Words of the grammar; each is a terminal of its own, named by itself in capitals."""

RESERVED = frozenset(_RESERVED.split())
"""Words that the language keeps for itself, so that no rule reads them as an instrument."""

MACRO = {
    "spx": to_say("S&P 500"),
    "ndx": to_say("Nasdaq 100"),
    "dxy": to_say("US dollar index"),
    "gold": to_say("Gold"),
    "silver": to_say("Silver"),
    "oil": to_say("Oil"),
    "vix": to_say("VIX"),
    "us10y": to_say("US 10-year yield"),
}
"""Bare names that are no coins, with what they are called; as ``gold/usdt`` or ``gold@kraken`` they are."""

POINTS = frozenset(["spx", "ndx", "dxy", "vix"])
"""Those of them that are counted in points of their own, not in a currency."""

CASHTAGS = frozenset(_CASHTAGS.split())
"""Coins that people write as stocks are written, ``$btc``: they are the coin, though some are tickers too."""

NICKNAMES = {
    "bitcoin": "btc",
    "ethereum": "eth",
    "ether": "eth",
    "solana": "sol",
    "dogecoin": "doge",
    "sp500": "spx",
    "nasdaq": "ndx",
    "nasdaq100": "ndx",
}
"""What people call some instruments, and the names that they are traded under."""

COMPARISONS: dict[str, Op] = {"<": "<", "<=": "<=", "=<": "<=", ">": ">", ">=": ">=", "=>": ">="}

MULTIPLIERS = {
    **dict.fromkeys(["k", "thousand"], Decimal(10**3)),
    **dict.fromkeys(["m", "mm", "mn", "mio", "mln", "kk", "million"], Decimal(10**6)),
    **dict.fromkeys(["b", "bn", "bln", "billion"], Decimal(10**9)),
    **dict.fromkeys(["t", "tn", "trillion"], Decimal(10**12)),
    "万": Decimal(10**4),
    "万亿": Decimal(10**12),
    "亿": Decimal(10**8),
}

PERCENTS = frozenset(["%", "percent", "pct"])

DURATIONS: dict[str, DurationUnit] = {
    **dict.fromkeys(["min", "mins", "minute", "minutes", "分钟"], "m"),
    **dict.fromkeys(["h", "hr", "hrs", "hour", "hours", "小时", "个小时"], "h"),
    **dict.fromkeys(["d", "day", "days", "天", "日"], "d"),
    **dict.fromkeys(["w", "wk", "wks", "week", "weeks", "周", "星期"], "w"),
}
"""Units of time; ``m`` is not among them, for only its place says whether it is a minute or a million."""

FRAMES = {
    "hourly": Duration(1, "h"),
    "daily": Duration(1, "d"),
    "weekly": Duration(1, "w"),
}
"""What candles are called by their length."""

COUNTS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
"""Numbers that are written as words, in front of a unit of time."""

ARTICLES: dict[str, tuple[int, DurationUnit]] = {
    "minute": (1, "m"),
    "hour": (1, "h"),
    "day": (24, "h"),
    "week": (1, "w"),
}
"""What *a day* and its like are; that day is one of 24 hours, since nobody means a session by it."""

OTHER_TIMES = {
    **dict.fromkeys(["s", "sec", "secs", "second", "seconds"], (1, "s")),
    **dict.fromkeys(["mo", "mth", "month", "months"], (30, "d")),
    **dict.fromkeys(["y", "yr", "yrs", "year", "years"], (365, "d")),
}
"""Units of time that people type and the language has not, with what stands for one of them."""

QUOTES = frozenset(f"{_FIAT} {_DOLLAR_COINS} {_OTHER_STABLE_COINS}".split())
"""Fiat and stable currencies: only with one of these behind it is ``a/b`` an instrument by itself."""

DOLLARS = frozenset(["usd", *_DOLLAR_COINS.split()])
"""Currencies that are worth a dollar, and whose prices may be compared."""

QUOTATION_MARKS = {'"': '"＂“”„‟«»「」『』', "'": "'＇‘’‚‛`´"}

_LOOKALIKES = {
    **{mark: plain for plain, marks in QUOTATION_MARKS.items() for mark in marks},
    **dict.fromkeys("‐‑‒–—―−﹣", "-"),
    **dict.fromkeys("≤⩽≦", "<="),
    **dict.fromkeys("≥⩾≧", ">="),
    "≠": "!=",
    "…": "..",
    "×": "*",
    "÷": "/",
    "、": ",",
}


def plain_sign(sign: str) -> str:
    """Give what a typed character stands for: ``＜`` is ``<``, ``≤`` is ``<=``. Case stays."""
    if "！" <= sign <= "～":  # the full-width forms follow ASCII one by one
        sign = chr(ord(sign) - 0xFEE0)
    return _LOOKALIKES.get(sign, sign)
