"""How a message goes, and why a connection is over."""

from __future__ import annotations

from enum import Enum

__all__ = ["Delivery", "EnetEnd"]


class Delivery(Enum):
    """How a message goes."""

    RELIABLE = "reliable"
    """It arrives, in order with the other reliable ones of its channel, or the connection ends."""
    UNRELIABLE = "unreliable"
    """It may be lost; what is older than what came is let go."""
    UNSEQUENCED = "unsequenced"
    """It may be lost, and may overtake and be overtaken; it comes once at the most."""


class EnetEnd(Enum):
    """Why a connection is over."""

    REMOTE = "the other side left"
    LOCAL = "we left"
    TIMEOUT = "the other side acknowledged nothing"
