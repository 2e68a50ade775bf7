"""How things stand, of what was told until now: so that a reader may begin in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, cast, get_args

from dcl_comms_core import events as ev
from dcl_comms_station.recording.openings import Openings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.events import Event

__all__ = ["Newest"]

_MOST_PEERS: Final = 5_000
"""In all rooms.  Further ones are in no keyframe."""
_OfRoom: TypeAlias = (
    ev.RoomOpened
    | ev.RealmOpened
    | ev.IslandChanged
    | ev.RoomMoved
    | ev.RoomMetadataChanged
    | ev.PermissionsChanged
    | ev.Reconnecting
    | ev.SpeakersChanged
)
_OfPeer: TypeAlias = ev.PeerJoined | ev.PeerUpdated | ev.PeerMoved | ev.ProfileAnnounced | ev.PeerIgnored
_OfTrack: TypeAlias = (
    ev.TrackPublished | ev.TrackSubscribed | ev.TrackUnsubscribed | ev.TrackMuted | ev.TrackSubscriptionFailed
)
_End: TypeAlias = ev.RoomClosed | ev.RealmClosed | ev.WorldClosed | ev.PeerLeft | ev.TrackUnpublished | ev.Reconnected
_OF_PEERS: Final = frozenset(get_args(_OfPeer))
Table = dict[str, "Event"]


class Newest:
    """The newest event of each kind, of each room, peer and track that is there."""

    def __init__(self) -> None:
        self._rooms: dict[str, Table] = {}
        self._peers: dict[str, dict[str, Table]] = {}
        """By the peer's key, then by the room."""
        self._tables = 0
        self._openings = Openings()

    def take(self, event: Event) -> None:
        """An event was told."""
        if isinstance(event, ev.RoomOpened):
            self._openings.opened(event.room)
        if type(event) in _OF_PEERS:
            self._of_peer(cast("_OfPeer", event), type(event).__name__)
        elif isinstance(event, _OfTrack):
            self._of_peer(event, f"{type(event).__name__} {event.track.sid}")
        elif isinstance(event, _OfRoom):
            self._rooms.setdefault(event.room, {})[type(event).__name__] = event
        elif isinstance(event, _End):
            self._end(event)

    def events(self) -> Iterator[Event]:
        """All of them: rooms first, then each peer, its coming first."""
        for tables in (self._rooms, *self._peers.values()):
            for table in tables.values():
                yield from table.values()

    def _of_peer(self, event: _OfPeer | _OfTrack, name: str) -> None:
        if event.sender is None:
            return
        key = event.sender.key
        table = self._peers.get(key, {}).get(event.room)
        if table is None:
            if self._tables >= _MOST_PEERS:
                return
            self._tables += 1
            table = self._peers.setdefault(key, {})[event.room] = {}
        table[name] = event

    def _left(self, event: ev.PeerLeft) -> None:
        """A realm tells of it under the label of the room that was left last, which may be another than of the coming.

        Of several connections, each has told of a coming of its own: what came elsewhere stays.
        """
        tables = self._peers.get(event.sender.key, {})
        came = {room for room, table in tables.items() if ev.PeerJoined.__name__ in table}
        stay = came - {event.room} if event.room in came else set[str]()
        for room in tables.keys() - stay:
            self._drop(event.sender.key, room)

    def _drop(self, key: str, room: str) -> None:
        tables = self._peers.get(key, {})
        if tables.pop(room, None) is not None:
            self._tables -= 1
            if not tables:
                del self._peers[key]

    def _end(self, event: _End) -> None:
        match event:
            case ev.WorldClosed():
                self._rooms.clear()
                self._openings = Openings()
                self._peers.clear()
                self._tables = 0
            case ev.PeerLeft():
                self._left(event)
            case ev.TrackUnpublished():
                table = self._peers.get(event.sender.key, {}).get(event.room, {})
                for name in [name for name in table if name.endswith(f" {event.track.sid}")]:
                    del table[name]
            case ev.Reconnected():
                self._rooms.get(event.room, {}).pop(ev.Reconnecting.__name__, None)
            case ev.RoomClosed() if not self._openings.closed(event.room):
                """The one before it is over."""
            case _:
                self._rooms.pop(event.room, None)
                for key in list(self._peers):
                    self._drop(key, event.room)
