"""Who is in which of several rooms, and through which of them each one's movements and profile versions are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.peers import PeerId, peer_id
from dcl_comms_core.proto import rfc4

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcl_comms_core.events import PeerMoved, ProfileAnnounced
    from dcl_comms_core.limits import Limits

__all__ = ["Presence"]

_NOWHERE: Final[Mapping[int, PeerId]] = {}


class _Whereabouts:
    """One peer."""

    __slots__ = ("announced", "clock", "ids", "moved_in", "source_at", "who")

    def __init__(self, who: PeerId) -> None:
        self.who = who
        self.ids: dict[int, PeerId] = {}
        """The rooms that it is in, by link, and how each of them writes its identity."""
        self.moved_in: int | None = None
        """The link through which its last movement was told."""
        self.clock = 0.0
        """That movement's time, by the sender's clock."""
        self.source_at: float | None = None
        """When a movement source last spoke of it."""
        self.announced: tuple[int, int] | None = None
        """The link through which its profile's version was told, and the version."""


class Presence:
    """Peers of several rooms: a peer is there while one room has it.  As many as its rooms have, which are bounded.

    Reads like a collection of PeerId, in the order in which they came.
    """

    __slots__ = ("_late", "_peers", "_silence")

    def __init__(self, limits: Limits) -> None:
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

    def ids(self, who: PeerId) -> Mapping[int, PeerId]:
        """The rooms that a peer is in, by link, each with the identity exactly as it is written there."""
        peer = self._peers.get(peer_id(who).key)
        return _NOWHERE if peer is None else peer.ids

    # --- rooms tell

    def join(self, link: int, who: PeerId) -> bool:
        """A room has this peer.  True: it is the first."""
        peer = self._peers.get(who.key)
        if peer is None:
            peer = self._peers[who.key] = _Whereabouts(who)
        peer.ids[link] = who
        return len(peer.ids) == 1

    def leave(self, link: int, who: PeerId) -> bool:
        """A room has this peer no longer.  True: it was the last."""
        peer = self._peers[who.key]
        del peer.ids[link]
        if peer.moved_in == link:
            # Somebody who comes back there may count from another origin.
            peer.moved_in = peer.source_at = None
        if peer.announced is not None and peer.announced[0] == link:
            peer.announced = None
        if peer.ids:
            return False
        del self._peers[who.key]
        return True

    def lose(self, link: int) -> list[PeerId]:
        """A room is over: the peers that are gone with it, as it wrote them."""
        theirs = [peer.ids[link] for peer in self._peers.values() if link in peer.ids]
        return [who for who in theirs if self.leave(link, who)]

    def move(self, link: int, event: PeerMoved, *, source: bool) -> bool:
        """A movement came.  False: it is told already, or a movement source speaks of this peer better.

        Explorers send each movement to all their rooms, with the same time of their own clock; what another room
        brings must be later than what was told, or so much earlier that the clock started again.
        """
        peer = None if event.sender is None else self._peers.get(event.sender.key)
        if peer is None:
            return True
        if source:
            peer.source_at = event.at
        elif peer.source_at is not None and event.at - peer.source_at < self._silence:
            return False
        message = event.message
        clock = message.timestamp if isinstance(message, rfc4.Movement) else float(message.index)
        last = peer.moved_in
        if last is not None and last != link and 0.0 <= peer.clock - clock < self._late:
            if source:
                peer.moved_in = link
            return False
        peer.moved_in, peer.clock = link, clock
        return True

    def announce(self, link: int, event: ProfileAnnounced) -> bool:
        """A profile's version came.  False: another room told it; each room repeats it every few seconds."""
        peer = None if event.sender is None else self._peers.get(event.sender.key)
        if peer is None:
            return True
        if peer.announced is not None and peer.announced[1] == event.version and peer.announced[0] != link:
            return False
        peer.announced = link, event.version
        return True
