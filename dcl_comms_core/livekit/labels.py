"""The two data channels of a LiveKit room that carry packets, by their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dcl_comms_core.livekit.webrtc import Channel

__all__ = ["CHANNELS", "LOSSY", "RELIABLE"]

RELIABLE: Final = "_reliable"
LOSSY: Final = "_lossy"
CHANNELS: Final[tuple[Channel, Channel]] = ((RELIABLE, True, None, None), (LOSSY, False, 0, None))
"""What we open: the server sends us numbered packets only where both are."""
