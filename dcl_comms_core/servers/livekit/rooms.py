"""One room: who is in it, and what of it is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import encode
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.servers.livekit.participants import Participant

__all__ = ["Room"]

_UPDATE_BYTES: Final = 131_072
"""A longer update is told in several."""
_NONCES: Final = 100


class Room:
    """What it is called, and its participants by identity."""

    __slots__ = (
        "_nonces", "_updates", "changed", "created", "departure_timeout", "empty_timeout", "max_participants",
        "members", "metadata", "name", "sid",
    )  # fmt: skip

    def __init__(
        self, name: str, sid: str, *, created: float, max_participants: int, empty_timeout: int, departure_timeout: int
    ) -> None:
        self.name = name
        self.sid = sid
        self.created = created
        """Unix seconds."""
        self.max_participants = max_participants
        """0: any number."""
        self.empty_timeout = empty_timeout
        self.departure_timeout = departure_timeout
        self.metadata = ""
        self.members: dict[str, Participant] = {}
        self.changed = False
        """Whether all are to be told of the room itself."""
        self._updates: dict[str, livekit.ParticipantInfo] = {}
        self._nonces: dict[bytes, None] = {}

    def info(self) -> livekit.Room:
        """What is told of it."""
        return livekit.Room(
            sid=self.sid,
            name=self.name,
            empty_timeout=self.empty_timeout,
            departure_timeout=self.departure_timeout,
            max_participants=self.max_participants,
            creation_time=int(self.created),
            metadata=self.metadata,
            num_participants=sum(not member.grant.hidden for member in self.members.values()),
        )

    def is_full(self, identity: str) -> bool:
        """Whether this one finds no place."""
        return 0 < self.max_participants <= len(self.members) and identity not in self.members

    def seen_by(self, participant: Participant) -> list[livekit.ParticipantInfo]:
        """The others, as this one sees them."""
        others = (one for one in self.members.values() if one is not participant)
        return [one.info() for one in others if not one.grant.hidden]

    def tell_of(self, participant: Participant, reason: livekit.DisconnectReason | None = None) -> None:
        """Have all know how somebody is now, or why he left.  Of one identity the newest is told."""
        info = participant.info(reason)
        if participant.grant.hidden:
            return
        self._updates.pop(info.identity, None)
        self._updates[info.identity] = info

    def take_updates(self) -> Iterator[bytes]:
        """What is to be told to all, as messages."""
        updates, self._updates = self._updates, {}
        part: list[livekit.ParticipantInfo] = []
        size = 0
        for info in updates.values():
            size += len(encode(info))
            if part and size > _UPDATE_BYTES:
                yield _update(part)
                part, size = [], len(encode(info))
            part.append(info)
        if part:
            yield _update(part)
        if self.changed:
            self.changed = False
            yield encode(livekit.SignalResponse(room_update=livekit.RoomUpdate(room=self.info())))

    def is_new(self, nonce: bytes) -> bool:
        """Whether a packet with this nonce did not come before."""
        if nonce in self._nonces:
            return False
        self._nonces[nonce] = None
        if len(self._nonces) > _NONCES:
            del self._nonces[next(iter(self._nonces))]
        return True


def _update(part: list[livekit.ParticipantInfo]) -> bytes:
    return encode(livekit.SignalResponse(update=livekit.ParticipantUpdate(participants=part)))
