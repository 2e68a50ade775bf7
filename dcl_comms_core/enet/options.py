"""What two sides of ENet agree on beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dcl_comms_core.errors import LocalProtocolError

__all__ = ["FORK_FLAG", "STOCK_FLAG", "EnetOptions"]

STOCK_FLAG: Final = 0x8000
"""What says "the sent time follows" in the header of stock ENet 1.3."""
FORK_FLAG: Final = 0x4000
"""The same in the fork (ENet-CSharp 2.4) that Pulse and the explorers link."""

LEAST_MTU: Final = 576
MOST_MTU: Final = 4_096
_MOST_CHANNELS: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class EnetOptions:
    """How we speak.  Bounds of buffers are not here: they are in ``Limits``.

    LocalProtocolError: a value that ENet can't do.
    """

    sent_time_flag: int = STOCK_FLAG
    """STOCK_FLAG or FORK_FLAG: with the wrong one the other side says nothing at all."""
    mtu: int = 1_280
    """Bytes of a datagram, at most, from 576 to 4,096; two sides use the smaller of theirs."""
    channels: int = 3
    """From 1 to 255; two sides use the smaller number of theirs."""
    ping_seconds: float = 0.25
    """The other side is pinged when nothing came for so long and nothing is on its way."""
    first_round_trip: float = 0.5
    """Seconds that a round trip is taken to last before there was one."""
    least_resend: float = 0.05
    """Nothing is sent again sooner than after so many seconds."""
    timeout_least: float = 5.0
    timeout_most: float = 30.0
    """Seconds after which the other side is given up: the least if nothing came of it for so long, though a command was
    sent six times; the most if one command was not acknowledged for so long, whatever else came."""

    def __post_init__(self) -> None:
        problem = (
            "the flag is STOCK_FLAG or FORK_FLAG"
            if self.sent_time_flag not in (STOCK_FLAG, FORK_FLAG)
            else f"an MTU is {LEAST_MTU} to {MOST_MTU} bytes"
            if not LEAST_MTU <= self.mtu <= MOST_MTU
            else f"there are 1 to {_MOST_CHANNELS} channels"
            if not 1 <= self.channels <= _MOST_CHANNELS
            else "times are seconds, longer than none"
            if not (self.ping_seconds > 0.0 and self.first_round_trip > 0.0 and self.least_resend > 0.0)
            else "a time-out's least is longer than none and at most its most"
            if not 0.0 < self.timeout_least <= self.timeout_most
            else None
        )
        if problem is not None:
            raise LocalProtocolError(problem)
