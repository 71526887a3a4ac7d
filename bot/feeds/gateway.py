"""Send every call through a gateway: another machine, or a server of a test. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def through(gateway: str, tree: Any) -> Any:
    """Send every address in a tree of them through a gateway: ``https://HOST/path`` to ``ROOT/HOST/path``.

    Websocket addresses keep their kind of scheme, in plain or in secret as the gateway is.
    """
    match tree:
        case str() if "://" in tree:
            scheme, _, rest = tree.partition("://")
            root = gateway.rstrip("/")
            if scheme in {"ws", "wss"}:
                root = root.replace("http", "ws", 1)
            return f"{root}/{rest}"
        case Mapping():
            return {name: through(gateway, leaf) for name, leaf in tree.items()}
        case list():
            return [through(gateway, leaf) for leaf in tree]
        case _:
            return tree
