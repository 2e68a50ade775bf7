"""What the server says of the room and of ourselves in it, as inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.errors import InvalidToken
from dcl_comms_core.inputs import (
    Input,
    LinkMoved,
    LinkRef,
    PermissionsGiven,
    RoomMetadataGiven,
    TokenRefreshed,
)
from dcl_comms_drivers.livekit.own_tracks import OwnTracks
from dcl_comms_drivers.livekit.permissions import permissions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dcl_comms_drivers.livekit.engine.ffi import participant_pb2, room_pb2

__all__ = ["Ourselves"]


class Ourselves:
    """Of one room."""

    def __init__(self, ref: LinkRef) -> None:
        self._ref = ref
        self._me = ""
        self._metadata = ""
        self.tracks = OwnTracks(ref)
        self._readers: Final[dict[str, Callable[[room_pb2.RoomEvent], Iterator[Input]]]] = {
            "participant_permission_changed": self._permitted,
            "token_refreshed": self._refreshed,
            "room_metadata_changed": lambda event: self._described(event.room_metadata_changed.metadata),
            "room_updated": lambda event: self._described(event.room_updated.metadata),
            "moved": self._moved,
            "local_track_unpublished": lambda event: self.tracks.unpublished(
                event.local_track_unpublished.publication_sid
            ),
            "local_track_republished": self._republished,
        }

    def begin(self, me: participant_pb2.ParticipantInfo, room: room_pb2.RoomInfo) -> None:
        """We joined."""
        self._me = me.identity
        self._metadata = room.metadata

    def inputs(self, what: str, event: room_pb2.RoomEvent) -> Iterator[Input] | None:
        """The inputs that an event stands for; None when events of this kind are about something else."""
        reader = self._readers.get(what)
        return None if reader is None else reader(event)

    def _permitted(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        change = event.participant_permission_changed
        if change.participant_identity != self._me:
            return
        permissions = permissions_of(change.permission)
        yield PermissionsGiven(link=self._ref, permissions=permissions)
        yield from self.tracks.restrict(permissions)

    def _republished(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        change = event.local_track_republished
        self.tracks.republished(change.previous_sid, change.info.sid)
        yield from ()

    def _refreshed(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        try:
            token = AccessToken(event.token_refreshed.token)
        except InvalidToken:
            # The one that we have goes on.
            return
        yield TokenRefreshed(link=self._ref, token=token)

    def _described(self, metadata: str) -> Iterator[Input]:
        if metadata != self._metadata:
            self._metadata = metadata
            yield RoomMetadataGiven(link=self._ref, metadata=metadata)

    def _moved(self, event: room_pb2.RoomEvent) -> Iterator[Input]:
        room = event.moved
        self._metadata = room.metadata
        yield LinkMoved(link=self._ref, room=room.name, sid=room.sid, metadata=room.metadata)
