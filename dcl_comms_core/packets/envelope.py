"""How large a packet is in LiveKit's envelope, computed without encoding it.

The engine wraps each packet in a protobuf message and refuses, by itself and before anything is sent, what is larger
than the size that it negotiated with the server.  Knowing the size beforehand, the core can refuse the same packets
with a clear error.  Measured on livekit 1.2.1 with livekit-server 1.13.5, field by field::

    kind                    reliable packets only: 2 bytes
    participant_identity    our own identity
    user.payload            the packet
    user.topic              left out when it is empty
    destination_identities  each addressee
    sequence                reliable packets only: counts them from 1, refused ones too, in each connection
    participant_sid         15 characters
"""

from __future__ import annotations

from typing import Final

__all__ = ["LIVEKIT_MAX_PACKET", "WEBSOCKET_MAX_FRAME", "livekit_packet_size", "ws_room_frame_size"]

LIVEKIT_MAX_PACKET: Final = 64_000
"""Bytes of the whole envelope that the engine accepts, for reliable and lossy packets alike."""

WEBSOCKET_MAX_FRAME: Final = 16_384
"""Bytes of a WebSocket message that the island service and ws-rooms accept; they cut the line at a longer one."""

_KIND: Final = 2
_WIDE_TAG: Final = 2
_SID_CHARS: Final = 15


def livekit_packet_size(  # each is a field of the envelope
    payload: int,
    *,
    identity: str,
    to: tuple[str, ...] | None,
    topic: str = "",
    reliable: bool = True,
    sequence: int = 1,
) -> int:
    """Bytes that a packet of ``payload`` bytes takes in its envelope; compare with :data:`LIVEKIT_MAX_PACKET`.

    ``identity`` is our own, ``to`` the addressees (None: everybody), ``sequence`` the number that a reliable packet
    gets: 1 for the first one that is given to the engine on a connection.
    """
    user = _field(payload) + _text(topic) if payload else _text(topic)
    # Ours is what the server says, and it may say anything: that is no mistake of whoever sends.
    ours = _field(len(identity.encode(errors="surrogatepass"))) if identity else 0
    size = ours + 1 + _varint(user) + user + _WIDE_TAG + 1 + _SID_CHARS
    for addressee in to or ():
        # One of many, so it is written even where it is empty.
        size += _field(len(addressee.encode()))
    return size + _KIND + _WIDE_TAG + _varint(sequence) if reliable else size


def ws_room_frame_size(payload: int, *, reliable: bool = True) -> int:
    """Bytes that a packet of ``payload`` bytes takes on a ws-room's wire; compare with :data:`WEBSOCKET_MAX_FRAME`."""
    return _field((_field(payload) if payload else 0) + (0 if reliable else 2))


def _text(value: str) -> int:
    """Size of a string field with a one-byte tag; an empty one is left out."""
    return _field(len(value.encode())) if value else 0


def _field(length: int) -> int:
    return 1 + _varint(length) + length


def _varint(value: int) -> int:
    return (value.bit_length() + 6) // 7 or 1
