"""The part of a room session that is about live tracks: who offers which, and which of them we receive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core import events as ev
from dcl_comms_core.commands import SubscribeTrack
from dcl_comms_core.errors import LocalProtocolError, PermissionMissing
from dcl_comms_core.room.announcing import Acting
from dcl_comms_core.room.incoming.inbound import RECEIVING
from dcl_comms_core.room.options import wants

if TYPE_CHECKING:
    from dcl_comms_core.inputs import Track, TrackInput
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.options import SubscribePolicy

__all__ = ["Tracking"]


class Tracking(Acting):
    """Asks for tracks by a policy, or as it is told."""

    _policy: SubscribePolicy

    def _on_track(self, inp: TrackInput) -> None:
        events = self._roster.track(inp, self._now)
        if not events:
            self.counters["unknown_track"] += 1
        self._events += events
        for event in events:
            if isinstance(event, ev.TrackPublished) and wants(self._policy, event.sender, event.track):
                self._ask_for(event.sender, event.track.sid, wanted=True)

    def subscribe(self, track: Track | str, *, wanted: bool = True, now: float | None = None) -> bool:
        """Receive a track, or (``wanted=False``) stop receiving it, whatever the policy says; a Track or its id.

        False: there is no such track any more.  LocalProtocolError: the room is not open; PermissionMissing: the token
        does not grant it.  Joining anew, where all tracks are offered anew, asks the policy again.
        """
        self._pass_time(now)
        if self._state not in RECEIVING:
            msg = f"the room is {self._state.value}: subscribe between RoomOpened and RoomClosed"
            raise LocalProtocolError(msg)
        if self._token is not None and not self._token.grants.can_subscribe:
            raise PermissionMissing("canSubscribe", "the server would send no track")
        sid = track if isinstance(track, str) else track.sid
        owner = self._roster.owner_of(sid)
        if owner is not None:
            self._ask_for(owner, sid, wanted=wanted)
        return owner is not None

    def has_track(self, track: Track | str) -> bool:
        """Whether somebody in this room offers this track; a Track or its id."""
        return self._roster.owner_of(track if isinstance(track, str) else track.sid) is not None

    def _ask_for(self, owner: PeerId, sid: str, *, wanted: bool) -> None:
        self._commands.append(SubscribeTrack(link=self._link, identity=owner.text, sid=sid, wanted=wanted))
