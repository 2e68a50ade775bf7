"""What a user of ENet is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcl_comms_core.enet.peer import EnetPeer

__all__ = ["Delivery", "EnetConnected", "EnetDisconnected", "EnetEnd", "EnetEvent", "EnetMessage"]


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


@dataclass(slots=True, kw_only=True)
class EnetConnected:
    """The other side answered, and its address is proved."""

    peer: EnetPeer
    data: int
    """What the side that connects says with it, 32 bits; 0 for that side itself."""


@dataclass(slots=True, kw_only=True)
class EnetDisconnected:
    """The connection is over; nothing follows of this peer."""

    peer: EnetPeer
    end: EnetEnd
    data: int
    """What who left says with it, 32 bits; 0 if nobody did."""


@dataclass(slots=True)
class EnetMessage:
    """A message came."""

    peer: EnetPeer
    channel: int
    data: bytes
    delivery: Delivery


EnetEvent = EnetConnected | EnetDisconnected | EnetMessage
