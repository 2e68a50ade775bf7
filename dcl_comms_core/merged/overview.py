"""Several rooms as one, as far as nothing but their sessions is needed for it: numbers, profiles, tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dcl_comms_core.errors import CommsError, LocalProtocolError, NotInARoom, PermissionMissing
from dcl_comms_core.room.lifecycle import RECEIVING
from dcl_comms_core.weather.can import Can, Cannot, Obstacle, least

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcl_comms_core.inputs import Track, TrackSource
    from dcl_comms_core.merged.presence import Presence
    from dcl_comms_core.peers import Peer, PeerId, Who
    from dcl_comms_core.room.incoming.allowances import PeerTraffic
    from dcl_comms_core.room.incoming.profiles import Profile
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.tools.vectors import Vector3

__all__ = ["Overview", "PeersOfRooms", "Rooms"]


class Overview:
    """What may be asked and told of all rooms at once.  ``rooms``: their sessions by link, in the order of joining."""

    __slots__ = ("_presence", "_rooms")

    def __init__(self, rooms: Mapping[int, RoomSession], presence: Presence) -> None:
        self._rooms = rooms
        self._presence = presence

    # --- what can be done

    def obstacle(self, one: Can, *, seen: bool) -> Obstacle | None:
        """Why this can't be done in any of them; ``seen``: others see us move through something that is no room."""
        if one is Can.MOVE and seen:
            return None
        none = Obstacle(Cannot.NO_ROOM, "no room is open")
        return least((session.obstacle(one) for session in self._rooms.values() if session.sending), none)

    # --- credit and traffic

    @property
    def sending(self) -> bool:
        """Whether any room takes packets."""
        return any(session.sending for session in self._rooms.values())

    @property
    def waiting(self) -> int:
        """Packets that wait for credit, in all rooms."""
        return sum(session.waiting for session in self._rooms.values())

    @property
    def waiting_bytes(self) -> int:
        """What the packets that wait for credit hold."""
        return sum(session.waiting_bytes for session in self._rooms.values())

    @property
    def in_flight_bytes(self) -> int:
        """What the packets hold that the transports have and did not acknowledge yet."""
        return sum(session.in_flight_bytes for session in self._rooms.values())

    @property
    def credits(self) -> int:
        """Further packets that every open room would take now."""
        return min((session.credits for session in self._rooms.values() if session.sending), default=0)

    @property
    def unacknowledged(self) -> int:
        """Packets that wait for credit or for an acknowledgement, in all rooms."""
        return sum(session.unacknowledged for session in self._rooms.values())

    def has_credit(self, *, reliable: bool = True) -> bool:
        """Whether a packet sent now goes straight to the transports of all open rooms."""
        rooms = [session for session in self._rooms.values() if session.sending]
        return bool(rooms) and all(session.has_credit(reliable=reliable) for session in rooms)

    def traffic(self, who: Who) -> PeerTraffic | None:
        """What came from a peer, in the room where its abuse score is highest; None: no room knows it."""
        known = [traffic for session in self._rooms.values() if (traffic := session.traffic(who)) is not None]
        return max(known, key=lambda traffic: traffic.abuse, default=None)

    # --- profiles

    def request_profile(self, who: Who, version: int = 0, *, now: float | None) -> bool:
        """Ask a peer for its own profile, in the first room that has it; see RoomSession.request_profile."""
        for link, there in self._presence.ids(who).items():
            session = self._rooms.get(link)
            if session is not None and session.sending:
                return session.request_profile(there, version, now=now)
        if not self.sending and who not in self._presence:
            msg = "no room is open, and so no peer can be asked"
            raise NotInARoom(msg)
        msg = "no room has this peer: ask between PeerJoined and PeerLeft, and where rooms_of(peer) names one"
        raise LocalProtocolError(msg)

    def profile(self, who: Who) -> Profile | None:
        """The profile that a peer sent, the newest of its versions; None: none, or it was forgotten."""
        known = [profile for session in self._rooms.values() if (profile := session.profile(who)) is not None]
        return max(known, key=lambda profile: profile.version, default=None)

    # --- tracks

    def subscribe(self, track: Track | str, *, wanted: bool = True, now: float | None) -> bool:
        """Receive a track, or stop receiving it, in whichever room it is; see RoomSession.subscribe."""
        rooms = [session for session in self._rooms.values() if session.state in RECEIVING]
        if not rooms:
            msg = "no room is open: subscribe between RoomOpened and RoomClosed"
            raise NotInARoom(msg)
        known: list[bool] = []
        denied: list[PermissionMissing] = []
        for session in rooms:
            try:
                known.append(session.subscribe(track, wanted=wanted, now=now))
            except PermissionMissing as error:
                denied.append(error)
        if not known:
            raise denied[0]
        return any(known)

    def room_with(self, track: Track | str) -> int | None:
        """The number of the link of the room in which somebody offers this track; None: nobody does any more."""
        return next((link for link, session in self._rooms.items() if session.has_track(track)), None)

    def room_to_publish(self, source: TrackSource) -> int:
        """The number of the link of the room in which a track from this source is published: the first that allows it.

        NotInARoom: no room is open; LocalProtocolError: none has tracks; PermissionMissing: no token allows it.
        """
        problem: CommsError = NotInARoom("no room is open: publish after RoomOpened")
        for link, session in self._rooms.items():
            try:
                session.check_publish(source)
            except (LocalProtocolError, NotInARoom, PermissionMissing) as error:
                # That a token forbids it says more than that some room has no tracks at all, and that more than that
                # one is not open.
                if _telling(error) >= _telling(problem):
                    problem = error
            else:
                return link
        raise problem


def _telling(error: CommsError) -> int:
    """How much it says of why nothing can be published."""
    return 2 if isinstance(error, PermissionMissing) else 0 if isinstance(error, NotInARoom) else 1


class Rooms(Protocol):
    """Whoever has several rooms: a MergedRooms, a WorldSession."""

    @property
    def rooms(self) -> Mapping[int, RoomSession]:
        """The sessions of all rooms that are not closed, by the number of their link, in the order of joining."""
        ...

    @property
    def peers(self) -> Presence:
        """Who is in any of the rooms, or told of by a movement source."""
        ...


class PeersOfRooms:
    """Who is in any of several rooms, or told of by a movement source.

    Reads like a mapping from PeerId to Peer, as the table of one room does.
    """

    __slots__ = ("_view",)

    def __init__(self, view: Rooms) -> None:
        self._view = view

    def get(self, who: Who) -> Peer | None:
        """The peer as the first of its rooms knows it, with what was told through all; None: nobody has it.

        Of one in no room, which a movement source tells of, there is no name, nor any track.
        """
        rooms, peers = self._view.rooms, self._view.peers
        within = [(rooms[link], there) for link, there in peers.ids(who).items() if link in rooms]
        known = [peer for session, there in within if (peer := session.peers.get(there)) is not None]
        return peers.described(
            who,
            known[0] if known else None,
            rooms=tuple(session.room for session, _ in within),
            tracks=tuple(track for peer in known for track in peer.tracks),
            speaking=any(peer.speaking for peer in known),
        )

    def places(self) -> Iterator[tuple[PeerId, Vector3]]:
        """Who told where it is, and where."""
        return self._view.peers.places()

    def values(self) -> tuple[Peer, ...]:
        """All peers, in the order in which they came."""
        return tuple(peer for who in self if (peer := self.get(who)) is not None)

    def __getitem__(self, who: Who) -> Peer:
        peer = self.get(who)
        if peer is None:
            raise KeyError(who)
        return peer

    def __contains__(self, who: object) -> bool:
        return who in self._view.peers

    def __iter__(self) -> Iterator[PeerId]:
        return iter(self._view.peers)

    def __len__(self) -> int:
        return len(self._view.peers)
