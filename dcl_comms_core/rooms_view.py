"""Several rooms as one, as far as nothing but their sessions is needed for it: numbers, profiles, tracks."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from dcl_comms_core.errors import LocalProtocolError, PermissionMissing
from dcl_comms_core.intents import Intents
from dcl_comms_core.receiving import RECEIVING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.defence import PeerTraffic
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.presence import Presence
    from dcl_comms_core.profiles import Profile
    from dcl_comms_core.room import RoomSession

__all__ = ["RoomsView"]


class RoomsView(Intents):
    """What an application may ask and tell of all rooms at once."""

    @property
    @abstractmethod
    def rooms(self) -> Mapping[int, RoomSession]:
        """The sessions of all rooms that are not closed, by the number of their link, in the order of joining."""

    @property
    @abstractmethod
    def peers(self) -> Presence:
        """Who is in any of the rooms."""

    @abstractmethod
    def _settle_rooms(self) -> None:
        """Take what the rooms have, after one of them was told something."""

    # --- credit and traffic

    @property
    def sending(self) -> bool:
        """Whether any room takes packets."""
        return any(session.sending for session in self.rooms.values())

    @property
    def waiting(self) -> int:
        """Packets that wait for credit, in all rooms."""
        return sum(session.waiting for session in self.rooms.values())

    @property
    def waiting_bytes(self) -> int:
        """What the packets that wait for credit hold."""
        return sum(session.waiting_bytes for session in self.rooms.values())

    @property
    def in_flight_bytes(self) -> int:
        """What the packets hold that the transports have and did not acknowledge yet."""
        return sum(session.in_flight_bytes for session in self.rooms.values())

    @property
    def credits(self) -> int:
        """Further packets that every open room would take now."""
        return min((session.credits for session in self.rooms.values() if session.sending), default=0)

    @property
    def unacknowledged(self) -> int:
        """Packets that wait for credit or for an acknowledgement, in all rooms."""
        return sum(session.unacknowledged for session in self.rooms.values())

    def has_credit(self, *, reliable: bool = True) -> bool:
        """Whether a packet sent now goes straight to the transports of all open rooms."""
        rooms = [session for session in self.rooms.values() if session.sending]
        return bool(rooms) and all(session.has_credit(reliable=reliable) for session in rooms)

    def traffic(self, who: PeerId) -> PeerTraffic | None:
        """What came from a peer, in the room where its abuse score is highest; None: no room knows it."""
        known = [traffic for session in self.rooms.values() if (traffic := session.traffic(who)) is not None]
        return max(known, key=lambda traffic: traffic.abuse, default=None)

    # --- profiles

    def request_profile(self, who: PeerId, version: int = 0, *, now: float | None = None) -> bool:
        """Ask a peer for its own profile, in the first room that has it; see RoomSession.request_profile."""
        for link, there in self.peers.ids(who).items():
            session = self.rooms.get(link)
            if session is not None and session.sending:
                asked = session.request_profile(there, version, now=now)
                self._settle_rooms()
                return asked
        msg = "no room has this peer: ask between PeerJoined and PeerLeft"
        raise LocalProtocolError(msg)

    def profile(self, who: PeerId) -> Profile | None:
        """The profile that a peer sent, the newest of its versions; None: none, or it was forgotten."""
        known = [profile for session in self.rooms.values() if (profile := session.profile(who)) is not None]
        return max(known, key=lambda profile: profile.version, default=None)

    # --- tracks

    def subscribe(self, track: Track | str, *, wanted: bool = True, now: float | None = None) -> bool:
        """Receive a track, or stop receiving it, in whichever room it is; see RoomSession.subscribe."""
        rooms = [session for session in self.rooms.values() if session.state in RECEIVING]
        if not rooms:
            msg = "no room is open: subscribe between RoomOpened and RoomClosed"
            raise LocalProtocolError(msg)
        known: list[bool] = []
        denied: list[PermissionMissing] = []
        for session in rooms:
            try:
                known.append(session.subscribe(track, wanted=wanted, now=now))
            except PermissionMissing as error:
                denied.append(error)
        self._settle_rooms()
        if not known:
            raise denied[0]
        return any(known)
