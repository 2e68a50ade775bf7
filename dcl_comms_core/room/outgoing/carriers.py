"""What a transport can carry, and its command for sending a packet: LiveKit's, a ws-room's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.commands import SendData, SendFrame
from dcl_comms_core.errors import LocalProtocolError, NoWhispers, PacketTooLarge
from dcl_comms_core.handshake.frames import update_frame
from dcl_comms_core.packets.envelope import (
    LIVEKIT_MAX_PACKET,
    WEBSOCKET_MAX_FRAME,
    livekit_packet_size,
    ws_room_frame_size,
)

if TYPE_CHECKING:
    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_core.room.outgoing.outbox import Messages, Outgoing

__all__ = ["Carrier", "LiveKitCarrier", "WsRoomCarrier"]

_FITS: Final = WEBSOCKET_MAX_FRAME - 16
"""A packet of this many bytes fits into a frame with any other fields."""
_LIVEKIT_FITS: Final = LIVEKIT_MAX_PACKET - 64
"""So many bytes of a packet to everybody and of our identity fit into LiveKit's envelope with its other fields."""


class Carrier(Protocol):
    """The rules of one transport."""

    @property
    def addresses(self) -> bool:
        """Whether a packet may be for some alone, or have a topic; such a transport has tracks too."""
        ...

    def check(self, messages: Messages, *, identity: str, reliable: bool, sequence: int) -> None:
        """Check packets against the transport's rules.  ``sequence``: the number of the first of them, if reliable.

        Raises PacketTooLarge, LocalProtocolError.
        """
        ...

    def command(self, link: LinkRef, message: Outgoing) -> Command:
        """The command that sends a packet."""
        ...


class LiveKitCarrier:
    """Packets in LiveKit's envelope, whose size is known beforehand."""

    __slots__ = ()
    addresses = True

    def check(self, messages: Messages, *, identity: str, reliable: bool, sequence: int) -> None:
        """Raise PacketTooLarge or LocalProtocolError for what LiveKit would not take."""
        most = _LIVEKIT_FITS - 4 * len(identity)
        for number, (data, to, topic) in enumerate(messages, sequence):
            if to is None and not topic and len(data) <= most:
                continue
            try:
                size = livekit_packet_size(
                    len(data), identity=identity, to=to, topic=topic, reliable=reliable, sequence=number
                )
            except UnicodeEncodeError:
                msg = "an identity or the topic holds half a surrogate pair, which no transport can carry"
                raise LocalProtocolError(msg) from None
            if size > LIVEKIT_MAX_PACKET:
                raise PacketTooLarge(size, LIVEKIT_MAX_PACKET)

    def command(self, link: LinkRef, message: Outgoing) -> Command:
        """SendData."""
        return SendData(
            link=link,
            token=message.token,
            data=message.data,
            to=message.to,
            reliable=message.reliable,
            topic=message.topic,
        )


class WsRoomCarrier:
    """Packets in frames of a WebSocket: everything goes to everybody."""

    __slots__ = ()
    addresses = False

    def check(self, messages: Messages, *, identity: str, reliable: bool, sequence: int) -> None:  # noqa: ARG002 - LiveKit's
        """Raise PacketTooLarge or LocalProtocolError for what a ws-room can't carry."""
        for data, to, topic in messages:
            if to is not None or topic:
                raise NoWhispers
            if len(data) > _FITS and (size := ws_room_frame_size(len(data), reliable=reliable)) > WEBSOCKET_MAX_FRAME:
                raise PacketTooLarge(size, WEBSOCKET_MAX_FRAME)

    def command(self, link: LinkRef, message: Outgoing) -> Command:
        """SendFrame."""
        return SendFrame(link=link, token=message.token, data=update_frame(message.data, reliable=message.reliable))
