"""The simulated runtime: whole nodes in virtual time, on a network in memory, from one seed."""

from __future__ import annotations

from warren.runtime.simulated.loop import Deadlock, SimulationError, VirtualLoop, virtual_loop
from warren.runtime.simulated.network import Quality, SimulatedNetwork
from warren.runtime.simulated.world import SimulatedRuntime, World

__all__ = [
    "Deadlock",
    "Quality",
    "SimulatedNetwork",
    "SimulatedRuntime",
    "SimulationError",
    "VirtualLoop",
    "World",
    "virtual_loop",
]
