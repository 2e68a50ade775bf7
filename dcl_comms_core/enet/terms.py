"""What two sides tell each other of themselves when they meet, and what they agree on."""

from __future__ import annotations

from typing import Final

from dcl_comms_core.enet.options import LEAST_MTU
from dcl_comms_core.enet.wire import Terms

__all__ = ["NO_SESSION", "agreed", "next_session", "offer"]

NO_SESSION: Final = 0xFF
"""The session of who had no connection yet."""
_LEAST_WINDOW: Final = 4_096
_MOST_WINDOW: Final = 65_536
_THROTTLE: Final = 5_000, 2, 2
"""Interval in ms, acceleration, deceleration: ENet's defaults."""


def offer(
    peer_id: int, sessions: tuple[int, int], mtu: int, channels: int, connect_id: bytes, asked: Terms | None = None
) -> Terms:
    """What we say; ``sessions``: incoming and outgoing as seen from who connects; ``asked``: what we answer to."""
    return Terms(
        peer_id=peer_id,
        incoming_session=sessions[0],
        outgoing_session=sessions[1],
        mtu=mtu,
        window=_MOST_WINDOW,
        channels=channels,
        incoming_bandwidth=0,
        outgoing_bandwidth=0,
        throttle_interval=_THROTTLE[0] if asked is None else asked.throttle_interval,
        throttle_acceleration=_THROTTLE[1] if asked is None else asked.throttle_acceleration,
        throttle_deceleration=_THROTTLE[2] if asked is None else asked.throttle_deceleration,
        connect_id=connect_id,
    )


def agreed(theirs: Terms, mtu: int, channels: int) -> tuple[int, int, int]:
    """MTU, window and channels that both sides can do."""
    window = min(max(theirs.window, _LEAST_WINDOW), _MOST_WINDOW)
    return min(mtu, max(theirs.mtu, LEAST_MTU)), window, min(channels, max(theirs.channels, 1))


def next_session(named: int, known: int) -> int:
    """The session after the one that the other side names, or that we know; never the one that we know."""
    session = (known if named == NO_SESSION else named) + 1 & 3
    return session + 1 & 3 if session == known else session
