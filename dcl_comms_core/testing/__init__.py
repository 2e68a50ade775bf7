"""The test kit: sessions on a virtual clock here, Hypothesis strategies in ``dcl_comms_core.testing.strategies``."""

from __future__ import annotations

from dcl_comms_core.testing.islands import MemoryIslands
from dcl_comms_core.testing.pair import Pair, Party, VirtualClock
from dcl_comms_core.testing.source import MemorySource

__all__ = ["MemoryIslands", "MemorySource", "Pair", "Party", "VirtualClock"]
