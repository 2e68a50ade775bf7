"""What waits for a room to be open: where we are, and our profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.merged.roles import AVATAR, RoomRole

if TYPE_CHECKING:
    from dcl_comms_core.merged.session import MergedRooms
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Waiting"]

_SHOWN: Final = frozenset({RoomRole.ISLAND.value, RoomRole.SCENE.value})


class Waiting:
    """The newest of each, until a room takes it; the profile that is offered is for rooms to come, too."""

    __slots__ = ("_clock", "_merged", "_movement", "_offer", "_version")

    def __init__(self, merged: MergedRooms, clock: Clock) -> None:
        self._merged = merged
        self._clock = clock
        self._movement: rfc4.Movement | None = None
        self._version: int | None = None
        self._offer: tuple[int, str, str] | None = None

    def walk(self, movement: rfc4.Movement) -> None:
        """Be there, once a room is open, or a movement source."""
        if self._movement is not None and self._movement.is_instant:
            movement.is_instant = True
        self._movement = movement
        self._walk()

    def announce(self, version: int) -> None:
        """Tell our profile's version, once a room is open, or a movement source."""
        if self._merged.reaches(AVATAR):
            self._merged.announce_profile(version, now=self._clock.now)
        else:
            self._version = version

    def offer(self, version: int, serialized: str, base_url: str) -> None:
        """Answer those who ask for our profile, in all rooms, in those to come too."""
        self._offer = version, serialized, base_url
        for session in self._merged.rooms.values():
            self._present_to(session)

    def opened(self, room: str) -> None:
        """Rooms of this label, or a source, are open.  CommsError: one of them did not take it all."""
        version, self._version = self._version, None
        self._walk()
        if version is not None:
            self._merged.announce_profile(version, now=self._clock.now)
        for session in self._merged.rooms.values():
            if session.room == room:
                self._present_to(session)

    def _walk(self) -> None:
        if self._movement is not None and self._merged.reaches(AVATAR):
            movement, self._movement = self._movement, None
            self._merged.move(movement, now=self._clock.now)

    def _present_to(self, session: RoomSession) -> None:
        if self._offer is not None and session.sending and session.room in _SHOWN:
            version, serialized, base_url = self._offer
            session.offer_profile(version, serialized, base_url=base_url, now=self._clock.now)
