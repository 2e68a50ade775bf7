"""Packets that come in through the channels of a LiveKit room, each with its sender and each once.

The server sets who sent a packet, also before it told that somebody is there.  Reliable packets have numbers that only
grow within a session of their sender; what comes with an older one was sent again by who could not know that it came.

What is LiveKit's own, such as its streams, nobody reads.  It counts as its sender's all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.codec import decode_message
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.inputs import ForeignReceived
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_core.limits import Limits

__all__ = ["Arrivals", "Arrived"]

_TALLIES: Final = 256
"""Of so many kinds and senders it is kept apart what nobody reads; the rest is summed up by kind."""
_KINDS: Final = (
    ("stream_chunk", "stream"),
    ("stream_header", "stream"),
    ("stream_trailer", "stream"),
    ("chat_message", "chat"),
    ("transcription", "transcription"),
    ("sip_dtmf", "dtmf"),
    ("rpc_request", "rpc"),
    ("rpc_ack", "rpc"),
    ("rpc_response", "rpc"),
    ("encrypted_packet", "encrypted"),
)


class Arrived(NamedTuple):
    """A packet that came in."""

    sender: str | None
    """None: the server did not say who sent it."""
    data: bytes
    reliable: bool
    topic: str


class Arrivals:
    """The packets of one session; until the room is told to be open they are kept."""

    __slots__ = ("_early_bytes", "_limits", "_newest", "_tallies", "dropped", "early")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._newest: dict[str, int] = {}
        """The newest number of each session, by sid."""
        self._tallies: dict[tuple[str, str], tuple[int, int]] = {}
        """How often what nobody reads came, and bytes: by what it is, and its sender."""
        self._early_bytes = 0
        self.early: list[Arrived] = []
        """What came before the room was told to be open."""
        self.dropped = 0
        """How many more there would be, had there been room."""

    def read(self, message: bytes) -> Arrived | None:
        """A message of a channel.  None: it is no packet, one that came already, or one of LiveKit's own."""
        try:
            packet = decode_message(livekit.DataPacket, message)
        except DecodeError:
            return None
        user = packet.user
        if user is None:
            self._tally(packet.participant_identity, message)
            return None
        reliable = packet.kind is livekit.DataKind.RELIABLE
        if reliable and packet.sequence and not self._is_new(packet.participant_sid, packet.sequence):
            return None
        return Arrived(packet.participant_identity or None, user.payload, reliable, user.topic or "")

    def _tally(self, sender: str, message: bytes) -> None:
        try:
            packet = decode_message(livekit.ForeignPacket, message)
        except DecodeError:
            packet = livekit.ForeignPacket()
        what = next((what for field, what in _KINDS if getattr(packet, field) is not None), "other")
        whose = what, sender
        if whose not in self._tallies and len(self._tallies) >= _TALLIES:
            whose = what, ""
        count, size = self._tallies.get(whose, (0, 0))
        self._tallies[whose] = count + 1, size + len(message)

    def foreign(self, link: LinkRef) -> list[ForeignReceived]:
        """What came that nobody reads, since the last call."""
        if not self._tallies:
            return []
        tallies, self._tallies = self._tallies, {}
        return [
            ForeignReceived(link=link, sender=sender or None, what=what, count=count, size=size)
            for (what, sender), (count, size) in tallies.items()
        ]

    def _is_new(self, sid: str, sequence: int) -> bool:
        newest = self._newest
        if sequence <= newest.get(sid, 0):
            return False
        if sid not in newest and len(newest) >= self._limits.room_members:
            del newest[next(iter(newest))]
        newest[sid] = sequence
        return True

    def keep(self, message: bytes) -> None:
        """The same before the room is told to be open."""
        arrived = self.read(message)
        if arrived is None:
            return
        size = len(message) + self._limits.inbox_overhead
        if self._early_bytes + size > self._limits.early_bytes:
            self.dropped += 1
            return
        self._early_bytes += size
        self.early.append(arrived)

    @property
    def newest(self) -> list[livekit.DataChannelReceiveState]:
        """What came last of whom, as the server wants to know it."""
        return [
            livekit.DataChannelReceiveState(publisher_sid=sid, last_seq=number) for sid, number in self._newest.items()
        ]
