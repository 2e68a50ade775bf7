"""What the SDK says of the room and of ourselves in it, as inputs.

It has an event for a refreshed token too, but shows no token.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from dcl_comms_core.inputs import LinkMoved, PermissionsGiven, RoomMetadataGiven
from dcl_comms_drivers.livekit.own_tracks import OwnTracks
from dcl_comms_drivers.livekit.permissions import permissions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from livekit import rtc

    from dcl_comms_core.inputs import Input, LinkRef, Permissions

__all__ = ["SdkOurselves", "known_sid", "permissions_of_participant"]


class Home(Protocol):
    """The room that we are in."""

    ref: LinkRef

    @property
    def room(self) -> rtc.Room:
        """The SDK's."""
        ...

    @property
    def staying(self) -> bool:
        """Whether we are in it and not leaving it."""
        ...

    def post(self, inp: Input) -> None:
        """Deliver an input; from any thread."""
        ...

    def in_loop(self, callback: Callable[[], None]) -> None:
        """Call back in the thread of the loop; from any thread."""
        ...


class SdkOurselves:
    """Of one room.  ``callbacks`` are for the SDK's thread, the rest for that of the loop."""

    def __init__(self, room: Home) -> None:
        self._room = room
        self.tracks = OwnTracks(room.ref)
        self.callbacks: Final[Mapping[str, Callable[..., None]]] = {
            "participant_permissions_changed": self._permitted,
            "room_metadata_changed": self._described,
            "moved": self._moved,
            "local_track_unpublished": self._unpublished,
            "local_track_republished": self._republished,
        }

    def _in_loop(self, call: Callable[..., None], *args: Any) -> None:
        self._room.in_loop(partial(call, *args))

    # -- in the SDK's thread

    def _permitted(self, who: rtc.Participant, permission: Any) -> None:
        if who.identity == self._room.room.local_participant.identity:
            permissions = permissions_of(permission)
            self._room.post(PermissionsGiven(link=self._room.ref, permissions=permissions))
            self._in_loop(self._tell, self.tracks.restrict, permissions)

    def _unpublished(self, publication: rtc.LocalTrackPublication) -> None:
        if self._room.staying:  # leaving takes our tracks back too
            self._in_loop(self._tell, self.tracks.unpublished, publication.sid)

    def _republished(self, publication: rtc.LocalTrackPublication, before: str) -> None:
        self._in_loop(self.tracks.republished, before, publication.sid)

    def _described(self, _before: str, metadata: str) -> None:
        self._room.post(RoomMetadataGiven(link=self._room.ref, metadata=metadata))

    def _moved(self) -> None:
        room = self._room.room
        sid = known_sid(room)
        self._room.post(LinkMoved(link=self._room.ref, room=room.name, sid=sid, metadata=room.metadata))

    # -- in the thread of the loop

    def _tell(self, news: Callable[..., Iterable[Input]], *args: Any) -> None:
        for inp in news(*args):
            self._room.post(inp)


def permissions_of_participant(who: rtc.Participant) -> Permissions | None:
    """What the server lets us do; None: this SDK does not say."""
    permission = getattr(who, "permissions", None)
    return None if permission is None else permissions_of(permission)


def known_sid(room: rtc.Room) -> str:
    """The room's own id, if the server has told it already."""
    asking = room.sid
    try:
        waiter = asking.send(None)
    except StopIteration as known:
        return str(known.value)
    asking.close()
    waiter.cancel()
    return ""
