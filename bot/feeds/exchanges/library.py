"""Import ccxt one exchange at a time: its packages import more than a hundred of them, whichever is wanted.

That costs half a second and 50 MB, and one of them a tenth. So its packages are put in place without
their ``__init__``: what is asked of one is imported by its name. For a name that is not found so, the
``__init__`` runs after all, and the package is as it always is; what others imported before is left alone.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from threading import Lock
from types import ModuleType
from typing import Any, Literal

Way = Literal["async_support", "pro"]
"""Whether an exchange is asked questions alone, or heard by websocket too."""

_HOMES = {
    "ccxt": ("ccxt.base.errors", "ccxt.base.exchange"),
    "ccxt.async_support": ("ccxt.base.errors", "ccxt.async_support.base.exchange"),
    "ccxt.pro": ("ccxt.base.errors", "ccxt.async_support.base.exchange"),
}
"""The packages, and in which modules there is what they have besides exchanges."""

_lock = Lock()


class _Package(ModuleType):
    """A package that has not run its ``__init__``."""

    def __setattr__(self, name: str, value: object) -> None:
        # Python sets every module that it imports; by the name of an exchange, its class is meant.
        super().__setattr__(name, vars(value).get(name, value) if isinstance(value, ModuleType) else value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python asks of every module
            raise AttributeError(name)
        if find_spec(f"{self.__name__}.{name}") is not None:
            import_module(f"{self.__name__}.{name}")
            return vars(self)[name]
        for home in map(import_module, _HOMES[self.__name__]):
            if name in vars(home):
                return vars(home)[name]
        assert self.__spec__ is not None and self.__spec__.loader is not None  # noqa: S101 - it was found
        self.__class__ = ModuleType  # type: ignore[assignment]  # from now on it is one like any other
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def exchange_class(name: str, way: Way) -> Any:
    """Import one exchange, and give its class."""
    with _lock:
        for package in _HOMES:
            if package not in sys.modules:
                _put_in_place(package)
        return getattr(import_module(f"ccxt.{way}.{name}"), name)


def _put_in_place(package: str) -> None:
    spec = find_spec(package)
    assert spec is not None  # noqa: S101 - ccxt is installed with the bot
    module = module_from_spec(spec)
    module.__class__ = _Package
    sys.modules[package] = module
    parent, _, name = package.rpartition(".")
    if parent:
        setattr(sys.modules[parent], name, module)
