"""The phrasebook: what people call values and conditions, and what that is in the language.

Rows of a pattern and a template. A pattern is a regular expression over tokens, one word each with single
spaces between: a name is its own text, and capitals are kinds (``N`` a number, ``B`` and ``M`` one with an m
or M behind it, ``D`` a duration, ``P`` a percentage, ``L`` a level, ``X`` is 2x). In angle brackets stand the
parts that the template uses. ``{x}`` is what a phrase is about, ``{coin}`` its name alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Role = Literal["value", "level", "extreme", "question"]


@dataclass(frozen=True, slots=True)
class Noun:
    """A phrase for a value.

    ``role``: ``level`` is what a price is compared with (``btc 200dma`` is a rule), ``extreme`` one that is
    always passed in one direction (``btc ath``), ``question`` a phrase that leaves out its candles.
    ``is_known``: it says nothing of whom, as *fear and greed*.
    """

    pattern: str
    template: str
    role: Role = "value"
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """A phrase for a whole condition; ``is_whole``: only where the clause ends with it."""

    pattern: str
    template: str
    is_whole: bool = False


PARTS = {
    "n": "[NBM]",
    "d": "[DBM]",
    "p": "P",
    "l": "[NBML]",
    "tf": "[DBM]|hourly|daily|weekly",
    "thing": (
        "(?!(?:an?|the|its|of|in|to|for|from|new|net|spot|etfs?|every|each|daily|weekly|hourly) )"
        "[a-z0-9_$][^ ()]*"
    ),
    "day": "D",
    "days": "D|[NBM](?: (?:straight|consecutive|trading|market|settled))* (?:days?|sessions?)",
    "flow": "inflows?|outflows?",
    "step": "P|[NBM]",
    "ma": "(?:[se]?ma|(?:simple |exponential )?(?:moving )?average)",
    "dma": r"\d+[dwh]?[se]?ma",
    "frame": "[dwh][se]?ma",
    "times": "X|[NBM] (?:x|times)|twice|double|triple",
    "side": "long|short",
    "to": "above|below|over|under|[<>]=?",
    "way": (
        "drops?|falls?|dips?|crash|crashes|declines?|decreases?|loss|plunges?|slides?|dumps?|down|lower"
        "|rises?|gains?|jumps?|pumps?|rally|rallies|increases?|surges?|climbs?|up|higher"
        "|moves?|swings?|changes?"
    ),
    "turn": (
        "drops?|falls?|dips?|declines?|decreases?|loss|rises?|gains?|jumps?|increases?|climbs?|moves?|swings?"
    ),
}
"""What stands for a part in angle brackets; ``turn`` are the ways that are no words of the language."""

SPELLING = (
    r"(?:please )?(?:alert|notify|tell|ping|warn|remind) (?:me|us) (?:when|if|once)?",
    r"(?:alert|notify)(?: when| if)",
    r"(?:when|if)",
    r"(?:the )?price of(?: the)?",
    r"the",
)
"""What may stand in front of a condition and says nothing."""

_CANDLES = r"(?: on| at)?(?: the)? <tf>(?: chart| candles?| bars?| timeframe| time frame| basis)?"
_ITS = r"(?:the |its |a |an )?(?:new )?"
_SINCE = r"(?: in| within| over| during)?(?: the)?(?: last| past)? <d>"
_ETF = r"(?:the )?(?:spot )?etfs?"
_FLOW = r"(?:net )?<flow>"
_INTO = r"(?:into|to|in|from|out of|of)"
_MORE = r"(?:(?:is|are|of|at|reaches|hits|exceeds|exceeding|tops|above|over|more than|at least|>|>=) )*"
_MONEY = r"(?: (?:dollars?|bucks|usd|usdt|points?))"


def _framed(words: str, template: str, role: Role = "value") -> Iterator[Noun]:
    """Name the candles of a value before it or behind it: ``4h rsi``, ``rsi on the daily``."""
    yield Noun(rf"{_ITS}<tf> {words}", template, role)
    yield Noun(rf"{_ITS}{words}{_CANDLES}", template, role)


_AVERAGE = "{ma}({x}, {n}, {tf})"

_OWNED = (
    Noun(rf"{_ITS}(?:ath|all (?:- )?time (?:- )?high)", "highest({x}, all)", "extreme"),
    Noun(rf"{_ITS}(?:atl|all (?:- )?time (?:- )?low)", "lowest({x}, all)", "extreme"),
    Noun(rf"{_ITS}<d> highs?", "highest({x}, {d})", "extreme"),
    Noun(rf"{_ITS}<d> lows?", "lowest({x}, {d})", "extreme"),
    Noun(rf"{_ITS}yearly high", "highest({x}, 52w)", "extreme"),
    Noun(rf"{_ITS}yearly low", "lowest({x}, 52w)", "extreme"),
    Noun(rf"{_ITS}<tf> <n> <ma>", _AVERAGE, "level"),
    Noun(rf"{_ITS}<tf> <ma> <n>", _AVERAGE, "level"),
    Noun(rf"{_ITS}<n> <ma>{_CANDLES}", _AVERAGE, "level"),
    Noun(rf"{_ITS}<ma> <n>{_CANDLES}", _AVERAGE, "level"),
    Noun(rf"{_ITS}<n> <frame>", _AVERAGE, "level"),
    Noun(rf"{_ITS}<dma>{_CANDLES}", _AVERAGE, "level"),
    Noun(rf"{_ITS}<tf> <dma>", _AVERAGE, "level"),
    Noun(rf"{_ITS}<dma>", _AVERAGE, "level"),
    Noun(rf"{_ITS}<d> <ma>", _AVERAGE, "level"),
    Noun(rf"rsi \( <n> \){_CANDLES}", "rsi({x}, {n}, {tf})"),
    Noun(rf"rsi <n>{_CANDLES}", "rsi({x}, {n}, {tf})"),
    *_framed("rsi", "rsi({x}, 14, {tf})"),
    *_framed("atr", "atr({x}, 14, {tf})"),
    *_framed("macd signal(?: line)?", "macd_signal({x}, {tf})"),
    *_framed("macd", "macd({x}, {tf})"),
    *_framed("vwap", "vwap({x}, {tf})", "level"),
    *_framed(r"(?:upper bollinger|bollinger upper)(?: band)?", "bb_upper({x}, 20, 2, {tf})", "level"),
    *_framed(r"(?:lower bollinger|bollinger lower)(?: band)?", "bb_lower({x}, 20, 2, {tf})", "level"),
    *_framed(r"(?:closes?|closing price|close price)", "close({x}, {tf})"),
    *_framed(r"(?:open|opening)(?: price)?", "open({x}, {tf})", "level"),
    Noun("<day> volume", "volume_24h({x}{day})"),
    *_framed("volume", "volume({x}, {tf})"),
    Noun("volume", "volume({x}, 1h)"),
    Noun("funding(?: rate)?", "funding({x})"),
    Noun("open interest|oi", "open_interest({x})"),
    Noun("(?:share of longs|longs? share)", "long_share({x})"),
    Noun("basis|futures? premium", "basis({x})"),
    Noun(rf"{_ETF} (?:total flows?|flows? total)|(?:total|cumulative) etf flows?", "etf_flow_total({coin})"),
    Noun(rf"{_ETF} (?:flows? )?streak", "streak(etf_flow({coin}))"),
    Noun(rf"{_ETF} (?:net )?flows?", "etf_flow({coin})"),
    Noun("<d> change", "change({x}, {d})"),
    Noun(rf"change{_SINCE}", "change({x}, {d})"),
    Noun("<d> drawdown", "drawdown({x}, {d})"),
    Noun(rf"drawdown{_SINCE}", "drawdown({x}, {d})"),
    Noun(rf"<side> liquidations{_SINCE}", "liquidations({coin}, {d}, {side})"),
    Noun(rf"liquidations{_SINCE}", "liquidations({coin}, {d})"),
    Noun("<d> <side> liquidations", "liquidations({coin}, {d}, {side})"),
    Noun("<d> liquidations", "liquidations({coin}, {d})"),
    Noun("<side> liquidations", "liquidations({coin}, 24h, {side})"),
    Noun("liquidations", "liquidations({coin}, 24h)"),
    Noun("price", "{x}"),
    Noun(r"rsi(?: \( N \))?", "{x} rsi 4h < 30", "question"),
    Noun("closes?|closing price", "{x} daily close < 98k", "question"),
    Noun("macd|atr|vwap", "{x} vwap 1d", "question"),
    Noun("<n> <ma>", "{x} > 200 ema 4h", "question"),
    Noun("<ma> <n>", "{x} > 200 ema 4h", "question"),
)
"""Values that are of something; the longer ones stand before their beginnings."""


def _known() -> Iterator[Noun]:
    """List the values that are of nothing in particular."""
    for words, template in (
        (rf"(?:total |crypto |all )?<side> liquidations{_SINCE}", "liquidations(all, {d}, {side})"),
        (rf"(?:total |crypto |all )?liquidations{_SINCE}", "liquidations(all, {d})"),
        ("<d> <side> liquidations", "liquidations(all, {d}, {side})"),
        ("<d> liquidations", "liquidations(all, {d})"),
        ("(?:total |crypto |all )?<side> liquidations", "liquidations(all, 24h, {side})"),
        ("(?:total |crypto |all )?liquidations", "liquidations(all, 24h)"),
        ("fear (?:and )?greed(?: index)?", "fear_greed()"),
        ("stablecoins? supply|supply of stablecoins", "stablecoin_supply()"),
        ("exchange stablecoins|stablecoins on exchanges", "exchange_stablecoins()"),
        ("hashrate|hash rate", "hashrate()"),
        ("(?:network|mempool|transaction) fees", "fees()"),
        ("rate cuts? (?:odds|probability|chances?|hopes)|rate cuts?", "rate_cut()"),
        ("(?:odds|chances?|probability) of (?:a )?rate cuts?", "rate_cut()"),
    ):
        yield Noun(words, template, is_known=True)


def _clauses() -> Iterator[Clause]:
    """List the conditions; in each set the longer ones stand before their beginnings."""
    streak, flow = "etf_flow({coin}) {op} 0 for {days} sessions", "etf_flow({coin}) {op} {amount}"
    yield Clause(
        rf"(?:<thing> )?{_ETF} {_FLOW}(?: for)?(?: the)?(?: last| past)? <days>(?: in a row| running)?",
        streak,
    )
    yield Clause(rf"<days>(?: of)? <thing> {_ETF} {_FLOW}", streak)
    yield Clause(rf"<days>(?: of)? {_FLOW} {_INTO} (?:the )?<thing> {_ETF}", streak)
    into = rf"{_FLOW} {_INTO} (?:the )?<thing> {_ETF}"
    yield Clause(rf"{into}(?: for| in)?(?: the)?(?: last| past)? <days>(?: in a row)?", streak)
    yield Clause(rf"<thing> {_ETF}(?: consecutive)? <days>(?: of)? {_FLOW}", streak)
    yield Clause(rf"(?:<thing> )?{_ETF} {_FLOW} {_MORE}<l>", flow)
    yield Clause(rf"{into} {_MORE}<l>", flow)
    yield Clause(rf"<l>(?: of)? <thing> {_ETF} {_FLOW}", flow)
    yield Clause(rf"<l>(?: of)? {_FLOW} {_INTO} (?:the )?<thing> {_ETF}", flow)
    yield Clause(rf"(?:<thing> )?{_ETF} {_FLOW}", "etf_flow({coin}) {op} 0", is_whole=True)

    move = "{x} moves {way} {p} in {d}"
    yield Clause(rf"(?:<thing> )?(?:a )?<way> of <p>{_SINCE}", move)
    yield Clause(rf"(?:<thing> )?(?:a )?<p> <way>{_SINCE}", move)
    yield Clause(rf"(?:a )?<p> <way> (?:in|of) <thing>{_SINCE}", move)
    yield Clause(rf"(?:a )?<way> of <p> (?:in|of) <thing>{_SINCE}", move)

    steps = "{x} every {step} {way}"
    yield Clause(rf"<thing> (?:every|each) <step>{_MONEY} <way>", steps)
    yield Clause(r"<thing> (?:every|each) <step> <turn>", steps)
    yield Clause(rf"<thing> <way> (?:every|each) <step>{_MONEY}?", steps)
    yield Clause(rf"(?:every|each) <step>{_MONEY}? <way> (?:in|of) <thing>", steps)
    yield Clause(r"(?:every|each) <step> (?:in|of) <thing>", "{x} every {step}")
    yield Clause(r"(?:every|each) <step> <thing> <way>", steps)
    yield Clause(rf"<thing> (?:every|each) <step>{_MONEY}", "{x} every {step}")
    yield Clause(r"<thing> each <step>", "{x} every {step}")

    yield Clause(
        r"(?:<thing> )?closes? <to> <l>(?: on| in)?(?: the| a)? <tf>(?: chart| candles?| basis| close)?",
        "close({x}, {tf}) {to} {l}",
    )

    above = (
        " (?:is |goes )?(?:> |>= |above |over |exceeds |at least |more than )?<times>"
        " (?:the |its )?(?:average|avg|mean|normal|usual)(?: volume)?"
    )
    volume = "volume({x}, {tf}) > {times} * average(volume({x}, {tf}), {tf20})"
    yield Clause(rf"(?:<thing> )?<tf> volume{above}", volume)
    yield Clause(rf"(?:<thing> )?volume{_CANDLES}{above}", volume)
    yield Clause(rf"(?:<thing> )?volume{above}", volume)


NOUNS = (*_known(), *_OWNED)
CLAUSES = tuple(_clauses())
