"""ccxt imported one exchange at a time: what is there is what the whole library has."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bot.feeds.exchanges.table import FEEDS

_ONE_BY_ONE = """
import sys
from bot.feeds.exchanges.library import exchange_class
for name in {names}:
    asked, heard = exchange_class(name, "async_support"), exchange_class(name, "pro")
    assert asked.__module__ == f"ccxt.async_support.{{name}}", asked
    assert issubclass(heard, asked) and heard is not asked, heard
    assert heard().describe()["id"] == name
others = [one for one in sys.modules if one.startswith("ccxt.async_support.") and one.count(".") == 2]
assert len(others) < {most}, others
"""

_ALL_AFTER_ALL = """
from bot.feeds.exchanges.library import exchange_class
kraken = exchange_class("kraken", "async_support")
import ccxt, ccxt.async_support, ccxt.pro
assert ccxt.async_support.kraken is kraken
assert issubclass(ccxt.pro.gate, ccxt.async_support.gate)
assert issubclass(ccxt.BadSymbol, ccxt.BaseError) and ccxt.async_support.BadSymbol is ccxt.BadSymbol
assert not issubclass(ccxt.async_support.Exchange, ccxt.Exchange)
assert "kraken" in ccxt.exchanges and ccxt.__version__
assert ccxt.kraken().id == "kraken" and ccxt.async_support.kraken is kraken
assert "kraken" in ccxt.async_support.exchanges
try:
    ccxt.nothing_of_that_name
except AttributeError:
    pass
else:
    raise AssertionError("a name that nobody has was found")
"""

_WHOLE_BEFORE = """
import ccxt.pro
from bot.feeds.exchanges.library import exchange_class
assert exchange_class("okx", "async_support") is ccxt.async_support.okx
assert exchange_class("okx", "pro") is ccxt.pro.okx
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(_ONE_BY_ONE.format(names=[*FEEDS], most=len(FEEDS) + 8), id="one by one"),
        pytest.param(_ALL_AFTER_ALL, id="all after all"),
        pytest.param(_WHOLE_BEFORE, id="whole before"),
    ],
)
def test_an_exchange_imported_alone_is_that_of_the_whole_library(program: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
