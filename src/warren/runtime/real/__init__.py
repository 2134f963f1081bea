"""The runtime of the operating system: asyncio, sockets, files, threads and SQLite."""

from __future__ import annotations

from warren.runtime.real.runtime import RealRuntime
from warren.runtime.real.transport import RealTransport

__all__ = ["RealRuntime", "RealTransport"]
