"""Who is in which of several rooms, and through which of them each one's movements and the like are told.

=================  ================  =================================================================================
it came through a  and before a      it is told, unless
=================  ================  =================================================================================
room               room              it is not later by its sender's clock, which is the same in all rooms
room               movement source   the source spoke of the peer within Limits.source_seconds; or the peer stands where
                                     that left it: a source says nothing of who stands still
movement source    room              it is the same, to the last bit: a source may count from another origin
=================  ================  =================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.company.arrivals import Acquaintances
from dcl_comms_core.company.entries import written
from dcl_comms_core.peers import Arrival, Peer, PeerId, peer_id
from dcl_comms_core.proto import rfc4

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcl_comms_core.events import PeerEmoted, PeerMoved, ProfileAnnounced
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import Who
    from dcl_comms_core.tools.vectors import Vector3

__all__ = ["Presence"]

_NOWHERE: Final[Mapping[int, PeerId]] = {}
_SAME_PLACE: Final = 0.5
"""Metres, on each axis.  Services round what they pass on, to some centimetres."""


class _Emote(NamedTuple):
    """What was told of a peer's emotes last."""

    link: int
    source: bool
    at: float
    what: str | None
    """The emote; None: its end, whichever it was."""


class _Whereabouts:
    """One peer."""

    __slots__ = (
        "announced", "arrival", "by_source", "clock", "emote", "first_seen", "ids", "joined_at", "moved", "moved_in",
        "source_at", "version", "who",
    )  # fmt: skip

    def __init__(self, who: PeerId, at: float, arrival: Arrival, first_seen: float) -> None:
        self.who = who
        self.joined_at = at
        self.arrival = arrival
        self.first_seen = first_seen
        self.ids: dict[int, PeerId] = {}
        """The rooms that it is in, by link, and how each of them writes its identity."""
        self.moved_in: int | None = None
        """The link through which its last movement was told."""
        self.clock = 0.0
        """That movement's time, by the sender's clock, or by a source's own."""
        self.moved: PeerMoved | None = None
        """That movement, which is kept when nobody brings more."""
        self.by_source = False
        """Was it a movement source that told it?"""
        self.source_at: float | None = None
        """When a movement source last spoke of it."""
        self.announced: tuple[int, int] | None = None
        """The link through which its profile's version was told, and the version."""
        self.version: int | None = None
        """That version, which is kept as the movement is."""
        self.emote: _Emote | None = None
        """The emote that was told last."""


class Presence:
    """Peers of several rooms: a peer is there while one room has it.  As many as its rooms have, which are bounded.

    Reads like a collection of PeerId, in the order in which they came.
    """

    __slots__ = ("_late", "_peers", "_silence", "acquaintances")

    def __init__(self, limits: Limits) -> None:
        self.acquaintances = Acquaintances(limits)
        """Who was in any of the rooms, and is in none now."""
        self._peers: dict[str, _Whereabouts] = {}
        """By PeerId.key: a text is looked up without a call of Python."""
        self._silence = limits.source_seconds
        self._late = limits.late_seconds

    def __contains__(self, who: object) -> bool:
        return peer_id(who).key in self._peers

    def __iter__(self) -> Iterator[PeerId]:
        return iter([peer.who for peer in self._peers.values()])

    def __len__(self) -> int:
        return len(self._peers)

    def ids(self, who: Who) -> Mapping[int, PeerId]:
        """The rooms that a peer is in, by link, each with the identity exactly as it is written there."""
        peer = self._peers.get(peer_id(who).key)
        return _NOWHERE if peer is None else peer.ids

    def get(self, who: Who) -> Peer | None:
        """A peer, as far as all know it who have it; its rooms know more."""
        return self.described(who, None)

    def described(
        self,
        who: Who,
        known: Peer | None,
        *,
        rooms: tuple[str, ...] = (),
        tracks: tuple[Track, ...] = (),
        speaking: bool = False,
    ) -> Peer | None:
        """A peer with what was told of it through all rooms.  ``known``: as one of its rooms knows it.  None: gone."""
        peer = self._peers.get(peer_id(who).key)
        if peer is None:
            return None
        entry = Peer(
            id=peer.who,
            joined_at=peer.joined_at,
            sid="" if known is None else known.sid,
            name="" if known is None else known.name,
            metadata="" if known is None else known.metadata,
            attributes={} if known is None else known.attributes,
            arrival=peer.arrival,
            first_seen=peer.first_seen,
        )
        version = peer.version
        return written(entry, last=peer.moved, rooms=rooms, tracks=tracks, profile_version=version, speaking=speaking)

    def places(self) -> Iterator[tuple[PeerId, Vector3]]:
        """Who told where it is, and where."""
        for peer in self._peers.values():
            if peer.moved is not None:
                yield peer.who, peer.moved.position

    # --- rooms tell

    def join(self, link: int, who: PeerId, at: float, otherwise: Arrival) -> Arrival | None:
        """A room has this peer, and says how it came there.  How it came to us; None: another room had it already."""
        peer = self._peers.get(who.key)
        if peer is None:
            arrival, first_seen = self.acquaintances.met(who, at, otherwise)
            peer = self._peers[who.key] = _Whereabouts(who, at, arrival, first_seen)
        peer.ids[link] = who
        return peer.arrival if len(peer.ids) == 1 else None

    def leave(self, link: int, who: PeerId, at: float) -> bool:
        """A room has this peer no longer.  True: it was the last."""
        peer = self._peers[who.key]
        del peer.ids[link]
        if peer.moved_in == link:
            # Somebody who comes back there may count from another origin.
            peer.moved_in = peer.source_at = None
        if peer.announced is not None and peer.announced[0] == link:
            peer.announced = None
        if peer.emote is not None and peer.emote.link == link:
            peer.emote = None
        if peer.ids:
            return False
        del self._peers[who.key]
        self.acquaintances.parted(peer.who, at, peer.first_seen)
        return True

    def lose(self, link: int, at: float) -> list[PeerId]:
        """A room is over: the peers that are gone with it, as it wrote them."""
        theirs = [peer.ids[link] for peer in self._peers.values() if link in peer.ids]
        return [who for who in theirs if self.leave(link, who, at)]

    def move(self, link: int, event: PeerMoved, *, source: bool) -> bool:
        """A movement came.  False: it is told already, or a movement source speaks of this peer better.

        Explorers send each movement to all their rooms, with the same time of their own clock; what another room
        brings must be later than what was told, or so much earlier that the clock started again.  The table above says
        the rest.
        """
        peer = None if event.sender is None else self._peers.get(event.sender.key)
        if peer is None:
            return True
        message, last = event.message, peer.moved_in
        clock = message.timestamp if isinstance(message, rfc4.Movement) else float(message.index)
        if source:
            peer.source_at = event.at
            told = peer.moved
            same = told is not None and peer.clock == clock and told.position == event.position
            if last is not None and last != link and same:
                peer.moved_in, peer.by_source = link, True
                return False
        elif (peer.source_at is not None or (last is not None and last != link)) and self._repeats(
            peer, link, clock, event
        ):
            return False
        peer.moved_in, peer.clock, peer.moved, peer.by_source = link, clock, event, source
        return True

    def _repeats(self, peer: _Whereabouts, link: int, clock: float, event: PeerMoved) -> bool:
        """Whether a room says again what a source, or another room, told."""
        if peer.source_at is not None and event.at - peer.source_at < self._silence:
            return True
        if peer.by_source and peer.moved is not None:
            return all(
                abs(one - other) <= _SAME_PLACE for one, other in zip(event.position, peer.moved.position, strict=True)
            )
        return peer.moved_in not in {None, link} and 0.0 <= peer.clock - clock < self._late

    def emote(self, link: int, event: PeerEmoted, *, source: bool) -> bool:
        """An emote came, or its end.  False: a room told it and now a movement source does, or the other way round.

        What several rooms bring is told apart by what is in it (``room/incoming/dedupe``), which sources don't keep.
        """
        peer = None if event.sender is None else self._peers.get(event.sender.key)
        if peer is None:
            return True
        what, told = None if event.stopping else event.urn, peer.emote
        if told is not None and told.source is not source and told.what == what and event.at - told.at < self._silence:
            return False
        peer.emote = _Emote(link, source, event.at, what)
        return True

    def announce(self, link: int, event: ProfileAnnounced) -> bool:
        """A profile's version came.  False: another room told it; each room repeats it every few seconds."""
        peer = None if event.sender is None else self._peers.get(event.sender.key)
        if peer is None:
            return True
        if peer.announced is not None and peer.announced[1] == event.version and peer.announced[0] != link:
            return False
        peer.announced = link, event.version
        peer.version = event.version
        return True
