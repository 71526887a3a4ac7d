"""What an exchange lists, and which names are near a name that does not exist. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from bot.feeds.exchanges.table import Kind

_USUAL_QUOTES = ("usdt", "usd", "usdc", "eur", "fdusd", "btc", "eth", "gbp", "try")
_DOLLARS = ("usdt", "usd", "usdc")
_USUAL_BASES = ("btc", "eth", "sol", "xrp", "bnb", "doge", "ada", "link", "ltc", "zec")
_SPOKEN = {
    "bitcoin": "btc",
    "xbt": "btc",
    "ether": "eth",
    "ethereum": "eth",
    "solana": "sol",
    "ripple": "xrp",
    "dogecoin": "doge",
    "cardano": "ada",
    "litecoin": "ltc",
    "zcash": "zec",
    "gold": "paxg",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One traded instrument: ccxt's symbol for it, and its kind."""

    symbol: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Listing:
    """What one exchange trades, by unified name in lower case, as of an instant."""

    loaded_at: float
    traded: Mapping[str, Listed]

    def __contains__(self, name: object) -> bool:
        return name in self.traded

    def __len__(self) -> int:
        return len(self.traded)

    def count(self, kind: Kind) -> int:
        """Count what is traded of a kind."""
        return sum(listed.kind == kind for listed in self.traded.values())


def listing_of(markets: Mapping[str, Mapping[str, Any]], now: float) -> Listing:
    """Keep the spot markets and the perpetuals that are open for trade."""
    return Listing(now, dict(_traded(markets)))


def _traded(markets: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Listed]]:
    for symbol, market in markets.items():
        if market.get("active") is False:
            continue
        if market.get("spot") is True:
            yield symbol.lower(), Listed(symbol, "spot")
        elif market.get("swap") is True:
            yield symbol.lower(), Listed(symbol, "swap")


def siblings(name: str) -> tuple[str, ...]:
    """Name an instrument, and then the same thing in other dollars: their prices go together."""
    base, _, rest = name.partition("/")
    quote, _, settle = rest.partition(":")
    if quote not in _DOLLARS or settle not in {"", quote}:
        return (name,)
    return (name, *(f"{base}/{one}:{one}" if settle else f"{base}/{one}" for one in _DOLLARS if one != quote))


def by_prefix(names: Iterable[str], prefix: str, quote: str, limit: int) -> list[str]:
    """Name what begins with a prefix: the most usual base and quote first, perpetuals after spot."""
    prefix = prefix.strip().lower()
    found = {name for name in names if name.startswith(prefix)}
    return sorted(found, key=lambda name: _rank(name, prefix, quote))[:limit]


def nearest(names: Iterable[str], name: str, quote: str, limit: int = 5) -> list[str]:
    """Name up to ``limit`` existing instruments that may have been meant by ``name``, best first."""
    by_base: dict[str, list[str]] = {}
    for one in names:
        by_base.setdefault(one.partition("/")[0], []).append(one)
    base, _, rest = name.lower().partition("/")
    wanted, _, settle = rest.partition(":")
    bases = [base, _SPOKEN.get(base, base), *get_close_matches(base, by_base, n=limit, cutoff=0.6)]
    found: list[str] = []
    for candidate in dict.fromkeys(bases):
        same = sorted(
            by_base.get(candidate, []),
            key=lambda one: (bool(settle) != (":" in one), _rank(one, candidate, wanted or quote)),
        )
        found += same[: 3 if candidate == base else 1]
    return found[:limit]


def _rank(name: str, prefix: str, quote: str) -> tuple[bool, bool, int, int, str]:
    base, _, rest = name.partition("/")
    traded, _, settle = rest.partition(":")
    quotes = (quote, *_USUAL_QUOTES)
    return (
        base != prefix.partition("/")[0],
        bool(settle),
        quotes.index(traded) if traded in quotes else len(quotes),
        _USUAL_BASES.index(base) if base in _USUAL_BASES else len(_USUAL_BASES),
        name,
    )
