"""CoinGecko: the bitcoins that listed companies hold, without a key, or with a free one for more questions.

https://docs.coingecko.com (``/companies/public_treasury/bitcoin``)

A company is named by its ticker there, without the country: ``treasury(mstr)`` for ``MSTR.US``. Where two
countries have the ticker, the one in the US is meant. Its number is what it last made known, as of the
instant of the look. A company that is not in the list is not known, which is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from bot.feeds.faults import Fault, Trouble
from bot.feeds.metrics.figures import number_of
from bot.feeds.metrics.http import Http
from bot.feeds.metrics.provider import Look, Means, Offer, Plug
from bot.metrics import MetricKey, Observation, Want

NAME = "coingecko"
KEY = "TOCSIN_COINGECKO_KEY"

_URL = "https://api.coingecko.com/api/v3/companies/public_treasury/bitcoin"
_SECONDS = 3600.0
_HOME = "us"
_MOST = 21_000_000


class CoinGecko:
    """Read all companies in one answer, and give those that are wanted."""

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._headers = {"x-cg-demo-api-key": key} if key else {}

    async def read(self, wants: Sequence[Want], now: float) -> Look:
        """Ask for the companies. Raises Fault where they cannot be read."""
        held = read_holdings(await self._http.json(NAME, _URL, headers=self._headers))
        found: list[Observation] = []
        refused: dict[MetricKey, str] = {}
        for want in wants:
            coins = held.get(want.key.instrument)
            if coins is None:
                refused[want.key] = f"{NAME} lists no holdings of {want.key.instrument.upper()}"
            else:
                found.append(Observation(want.key, int(now), coins, now, source=NAME))
        return Look(now + _SECONDS, tuple(found), refused)


def read_holdings(answer: object) -> Mapping[str, Decimal]:
    """Read the coins by ticker, in lower case without the country. Raises Fault for an unknown form.

    A ticker of several countries, none of them the US, is left out: nobody can say which is meant.
    """
    match answer:
        case {"companies": [_, *_] as companies}:
            pass
        case _:
            raise Fault(Trouble.NONSENSE, f"{NAME} answers in an unknown form")
    by_ticker: dict[str, dict[str, Decimal]] = {}
    for company in companies:
        match company:
            case {"symbol": str() as symbol, "total_holdings": raw}:
                ticker, _, country = symbol.strip().lower().partition(".")
                coins = number_of(raw)
                if ticker and coins is not None and 0 <= coins <= _MOST:
                    held = by_ticker.setdefault(ticker, {})
                    if held.setdefault(country, coins) != coins:
                        raise Fault(Trouble.NONSENSE, f"{NAME} lists {symbol.strip()[:20]} twice")
    if not by_ticker:
        raise Fault(Trouble.NONSENSE, f"{NAME} gives no company that can be read")
    return {
        ticker: countries.get(_HOME, next(iter(countries.values())))
        for ticker, countries in by_ticker.items()
        if len(countries) == 1 or _HOME in countries
    }


def _build(means: Means) -> CoinGecko:
    return CoinGecko(means.http, means.given.get(KEY, ""))


PLUG = Plug(
    NAME,
    (
        Offer(
            "treasury",
            (),
            str.isalnum,
            example="treasury(mstr)",
            note="bitcoins, as the company last made known",
        ),
    ),
    _build,
)
