"""Warren: a peer-to-peer node that speaks libp2p.

    from warren import Config, Node

    async with Node() as node:
        print(node.peer_id, *node.addresses())

Importing this package takes no signal, logger or event loop and pulls in nothing but the
standard library: `Node` and `Config` are loaded when first named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.config import Config
    from warren.node import Node

__version__ = "0.1.0"
__all__ = ["Config", "Node", "__version__"]

_LAZY = {"Node": "warren.node", "Config": "warren.config"}


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted(__all__)
