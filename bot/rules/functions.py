"""The functions of the language: one table, from which parsing, units, sentences and the manual are read.

A call in the tree has all its arguments written out in the order of ``parameters``; what may be left out in
a typed line (the instrument, the length of an RSI) is filled in when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from bot.rules.phrases import to_say
from bot.rules.values import Duration, Number, Word

Kind = Literal[
    "instrument",
    "value",
    "sessions",
    "count",
    "multiplier",
    "timeframe",
    "window",
    "span",
    "coin",
    "name",
    "side",
]
"""What may stand as an argument.

``instrument`` is a traded thing, ``value`` anything that moves, ``sessions`` a metric with sessions,
``count`` a number of candles, ``timeframe`` the length of a candle, ``window`` a stretch of time, ``span``
the same or ``all``, ``coin`` the name of one or ``all`` where that is the default, ``name`` a company or an
operator's metric, ``side`` ``long`` or ``short``.
"""

Group = Literal["price", "movement", "indicators", "etf", "derivatives", "mood", "operator"]
FunctionUnit = Literal["price", "percent", "usd", "coin", "ratio", "index", "count", "same", "any"]
"""A unit; ``same`` is that of the first argument, ``any`` what the other side of a comparison has."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a function; ``default`` stands in for one that is left out."""

    name: str
    kind: Kind
    default: Number | Word | None = None
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language.

    ``summary`` says in a line what it gives, ``example`` how a call is written in full, ``sentence`` how it
    is said (its fields are the names of the parameters). ``is_metric``: its values come from a provider, not
    from prices; ``has_sessions``: one per session of a market; ``is_of_closes``: made of closes of candles
    alone. ``bounds`` are its least and greatest value.
    """

    name: str
    parameters: tuple[Parameter, ...]
    unit: FunctionUnit
    group: Group
    summary: str
    example: str
    sentence: str
    is_metric: bool = False
    has_sessions: bool = False
    bounds: tuple[int, int] | None = None
    is_above_zero: bool = False
    is_of_closes: bool = False

    @property
    def is_of_candles(self) -> bool:
        """Whether it is made of closed candles."""
        return any(parameter.kind == "timeframe" for parameter in self.parameters)


SHORTEST_LENGTH, LONGEST_LENGTH = 2, 400
"""How many candles an indicator may be made of."""

LARGEST_MULTIPLIER = 10
"""How many deviations a band may be away."""

TIMEFRAMES = (
    *(Duration(count, "m") for count in (1, 3, 5, 15, 30)),
    *(Duration(count, "h") for count in (1, 2, 4, 6, 8, 12)),
    Duration(1, "d"),
    Duration(1, "w"),
)
"""Lengths of candles: those that divide a day, as exchanges have them, and the week."""

_X = Parameter("x", "instrument")
_V = Parameter("v", "value")
_N = Parameter("n", "count")
_N14 = Parameter("n", "count", Number(Decimal(14)))
_N20 = Parameter("n", "count", Number(Decimal(20)))
_K = Parameter("k", "multiplier", Number(Decimal(2)))
_TF = Parameter("tf", "timeframe")
_WINDOW = Parameter("window", "window")
_SPAN = Parameter("window", "span")
_COIN = Parameter("coin", "coin")
_COIN_OR_ALL = Parameter("coin", "coin", Word("all"))
_SIDE = Parameter("side", "side", is_optional=True)


def _candle(name: str, summary: str, said: str) -> Function:
    example, is_close = f"{name}(btc, 1d)", name == "close"
    return Function(
        name, (_X, _TF), "price", "price", summary, example, said, is_above_zero=True, is_of_closes=is_close
    )


def _average(name: str, summary: str, said: str) -> Function:
    example = f"{name}(btc, 200, 1d)"
    return Function(
        name, (_X, _N, _TF), "price", "indicators", summary, example, said,
        is_above_zero=True, is_of_closes=True,
    )  # fmt: skip


def _band(name: str, side: str, said: str) -> Function:
    example, summary = f"{name}(btc, 20, 2, 4h)", f"the {side} Bollinger band: average and k deviations"
    parameters = (_X, _N20, _K, _TF)
    return Function(name, parameters, "price", "indicators", summary, example, said, is_of_closes=True)


_ALL = (
    # --- price
    Function(
        "price", (_X,), "price", "price",
        "what a bare instrument means", "price(btc)", "{x}", is_above_zero=True,
    ),
    _candle("open", "the open of the last closed candle", to_say("{x} open on {tf}")),
    _candle("high", "the high of the last closed candle", to_say("{x} high on {tf}")),
    _candle("low", "the low of the last closed candle", to_say("{x} low on {tf}")),
    _candle("close", "the close of the last closed candle", to_say("{x} close on {tf}")),
    Function(
        "volume", (_X, _TF), "coin", "price",
        "what was traded in the last closed candle, in coins", "volume(btc, 1h)",
        to_say("{x} volume on {tf}"),
    ),
    Function(
        "volume_24h", (_X,), "coin", "price",
        "what was traded in the last 24 hours, in coins", "volume_24h(btc)",
        to_say("{x} volume over 24 hours"),
    ),
    Function(
        "spread", (Parameter("x", "instrument"), Parameter("y", "instrument")), "percent", "price",
        "how far the first price is above the second, in percent", "spread(btc@kraken, btc@binance)",
        to_say("the spread between {x} and {y}"),
    ),
    # --- movement
    Function(
        "change", (_V, _WINDOW), "percent", "movement",
        "the change over a window, in percent", "change(btc, 1d)", to_say("the change of {v} over {window}"),
    ),
    Function(
        "delta", (_V, _WINDOW), "same", "movement",
        "the difference over a window", "delta(btc, 1d)", to_say("the difference of {v} over {window}"),
    ),
    Function(
        "highest", (_V, _SPAN), "same", "movement",
        "the highest before this minute or candle; all: as far back as days go", "highest(btc, 52w)",
        to_say("the highest of {v} over {window}"),
    ),
    Function(
        "lowest", (_V, _SPAN), "same", "movement",
        "the lowest before this minute or candle; all: as far back as days go", "lowest(btc, 52w)",
        to_say("the lowest of {v} over {window}"),
    ),
    Function(
        "average", (_V, _WINDOW), "same", "movement",
        "the mean over a window", "average(btc, 7d)", to_say("the average of {v} over {window}"),
    ),
    Function(
        "drawdown", (_V, _WINDOW), "percent", "movement",
        "how far it is below the highest of a window, in percent", "drawdown(btc, 90d)",
        to_say("the drawdown of {v} over {window}"), bounds=(0, 100),
    ),
    Function(
        "zscore", (_V, _WINDOW), "ratio", "movement",
        "how many standard deviations it is away from the mean of a window", "zscore(btc, 30d)",
        to_say("the z-score of {v} over {window}"),
    ),
    Function(
        "corr", (Parameter("v", "value"), Parameter("w", "value"), _WINDOW), "ratio", "movement",
        "the correlation of log returns over the shared days of a window", "corr(btc, spx, 60d)",
        to_say("the correlation of {v} and {w} over {window}"), bounds=(-1, 1),
    ),
    Function(
        "abs", (_V,), "same", "movement",
        "the amount, without its sign", "abs(change(btc, 1d))", to_say("the amount of {v}"),
    ),
    # --- indicators
    _average("sma", "the simple moving average of closes", to_say("SMA({n}) of {x} on {tf}")),
    _average("ema", "the exponential moving average of closes", to_say("EMA({n}) of {x} on {tf}")),
    Function(
        "rsi", (_X, _N14, _TF), "index", "indicators",
        "the relative strength index of closes", "rsi(btc, 14, 4h)", to_say("RSI({n}) of {x} on {tf}"),
        bounds=(0, 100), is_of_closes=True,
    ),
    Function(
        "atr", (_X, _N14, _TF), "price", "indicators",
        "the average true range", "atr(btc, 14, 4h)", to_say("ATR({n}) of {x} on {tf}"), is_above_zero=True,
    ),
    Function(
        "macd", (_X, _TF), "price", "indicators",
        "the MACD line of 12 and 26 candles", "macd(btc, 4h)", to_say("MACD of {x} on {tf}"),
        is_of_closes=True,
    ),
    Function(
        "macd_signal", (_X, _TF), "price", "indicators",
        "the signal line of the MACD, of 9 candles", "macd_signal(btc, 4h)",
        to_say("the MACD signal of {x} on {tf}"),
        is_of_closes=True,
    ),
    _band("bb_upper", "upper", to_say("the upper Bollinger band ({n}, {k}) of {x} on {tf}")),
    _band("bb_lower", "lower", to_say("the lower Bollinger band ({n}, {k}) of {x} on {tf}")),
    Function(
        "vwap", (_X, _TF), "price", "indicators",
        "the price weighted by volume", "vwap(btc, 1d)", to_say("VWAP of {x} on {tf}"), is_above_zero=True,
    ),
    # --- ETF
    Function(
        "etf_flow", (_COIN,), "usd", "etf",
        "the net flow into all funds in the latest settled session", "etf_flow(btc)",
        to_say("{coin} ETF net flow"),
        is_metric=True, has_sessions=True,
    ),
    Function(
        "etf_flow_total", (_COIN,), "usd", "etf",
        "the net flow since the funds began", "etf_flow_total(btc)",
        to_say("{coin} ETF net flow since the beginning"),
        is_metric=True, has_sessions=True,
    ),
    Function(
        "streak", (Parameter("v", "sessions"),), "count", "etf",
        "how many sessions in a row had its sign; negative for outflows", "streak(etf_flow(btc))",
        to_say("the streak of {v}"),
    ),
    # --- derivatives
    Function(
        "funding", (_X,), "percent", "derivatives",
        "the funding rate of the perpetual, in percent of one interval (mostly 8 hours)", "funding(btc)",
        to_say("{x} funding"), is_metric=True,
    ),
    Function(
        "open_interest", (_X,), "usd", "derivatives",
        "the value of all open contracts", "open_interest(btc)", to_say("{x} open interest"), is_metric=True,
    ),
    Function(
        "long_share", (_X,), "percent", "derivatives",
        "the share of accounts that are long", "long_share(btc)", to_say("{x} share of longs"),
        is_metric=True, bounds=(0, 100),
    ),
    Function(
        "basis", (_X,), "percent", "derivatives",
        "the premium of the dated future over the price, a year", "basis(btc)",
        to_say("{x} futures premium a year"),
        is_metric=True,
    ),
    Function(
        "liquidations", (_COIN_OR_ALL, _WINDOW, _SIDE), "usd", "derivatives",
        "what was liquidated in a window, of a coin or of all; long or short alone",
        "liquidations(all, 24h, long)", to_say("{coin} liquidations over {window}"), is_metric=True,
    ),
    # --- supply and mood
    Function(
        "stablecoin_supply", (), "usd", "mood",
        "all stablecoins", "stablecoin_supply()", to_say("the supply of stablecoins"), is_metric=True,
    ),
    Function(
        "exchange_stablecoins", (), "usd", "mood",
        "stablecoins that lie on exchanges", "exchange_stablecoins()", to_say("stablecoins on exchanges"),
        is_metric=True,
    ),
    Function(
        "fear_greed", (), "index", "mood",
        "the fear and greed index", "fear_greed()", to_say("the fear and greed index"),
        is_metric=True, bounds=(0, 100),
    ),
    Function(
        "hashrate", (), "count", "mood",
        "the hash rate of Bitcoin, in EH/s", "hashrate()", to_say("the hash rate"), is_metric=True,
    ),
    Function(
        "fees", (), "count", "mood",
        "the fee for the next Bitcoin block, in sat/vB", "fees()", to_say("the fee for the next block"),
        is_metric=True,
    ),
    Function(
        "treasury", (Parameter("company", "name"),), "coin", "mood",
        "the coins that a company holds", "treasury(mstr)",
        to_say("the treasury of {company}"), is_metric=True,
    ),
    Function(
        "rate_cut", (), "percent", "mood",
        "the odds of a rate cut at the next meeting", "rate_cut()", to_say("the odds of a rate cut"),
        is_metric=True, bounds=(0, 100),
    ),
    # --- the operator's own
    Function(
        "metric", (Parameter("name", "name"),), "any", "operator",
        "a value that the operator keeps", "metric(whale_btc)", "{name}", is_metric=True,
    ),
)  # fmt: skip

FUNCTIONS: dict[str, Function] = {function.name: function for function in _ALL}
"""Every function by its name, in the order of the manual."""
