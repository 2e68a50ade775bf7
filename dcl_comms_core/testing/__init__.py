"""The test kit: sessions and scripted peers on a virtual clock; Hypothesis strategies in ``testing.strategies``.

``dcl_comms_drivers.testing.run.run_bot`` puts a whole asyncio or trio program on such a clock.
"""

from __future__ import annotations

from dcl_comms_core.deployment.keys import wallet_of
from dcl_comms_core.simulation.memory_room import MemoryRoom
from dcl_comms_core.simulation.settings import Faults
from dcl_comms_core.testing import script
from dcl_comms_core.testing.inhabitant import Inhabitant
from dcl_comms_core.testing.islands import MemoryIslands
from dcl_comms_core.testing.pair import Pair, Party, VirtualClock
from dcl_comms_core.testing.source import MemorySource
from dcl_comms_core.testing.stage import Stage
from dcl_comms_core.testing.world_stage import WorldStage

__all__ = [
    "Faults",
    "Inhabitant",
    "MemoryIslands",
    "MemoryRoom",
    "MemorySource",
    "Pair",
    "Party",
    "Stage",
    "VirtualClock",
    "WorldStage",
    "script",
    "wallet_of",
]
