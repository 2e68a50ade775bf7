"""A room's live tracks: who offers which, which of them we receive, and whether we may publish one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dcl_comms_core import events as ev
from dcl_comms_core.commands import SubscribeTrack
from dcl_comms_core.errors import LocalProtocolError, NotInARoom
from dcl_comms_core.inputs import Track
from dcl_comms_core.room.lifecycle import RECEIVING
from dcl_comms_core.room.options import Subscribe, wants
from dcl_comms_core.states import RoomState
from dcl_comms_core.tools.arguments import require

if TYPE_CHECKING:
    from dcl_comms_core.inputs import TrackInput, TrackSource
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.incoming.roster import Roster
    from dcl_comms_core.room.lifecycle import Lifecycle
    from dcl_comms_core.room.options import SubscribePolicy
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.room.permit import Permit

__all__ = ["Tracks", "sid_of"]


class Tracks:
    """Subscribes to tracks by a policy, or on request."""

    __slots__ = ("_lifecycle", "_output", "_permit", "_policy", "_roster")

    def __init__(
        self,
        output: Output,
        lifecycle: Lifecycle,
        roster: Roster,
        *,
        permit: Permit,
        policy: SubscribePolicy,
    ) -> None:
        self._output = output
        self._lifecycle = lifecycle
        self._roster = roster
        self._permit = permit
        self._policy = policy

    def receive(self, inp: TrackInput, now: float) -> None:
        """Take the transport's news of a track."""
        events = self._roster.track(inp, now)
        if not events:
            self._output.counters["unknown_track"] += 1
        self._output.events += events
        for event in events:
            if not isinstance(event, ev.TrackPublished):
                continue
            if event.sender in self._roster.ignored.ends:
                if self._policy is Subscribe.ALL:
                    # The transport asks for it by itself.
                    self._ask_for(event.sender, event.track.sid, wanted=False)
            elif wants(self._policy, event.sender, event.track):
                self._ask_for(event.sender, event.track.sid, wanted=True)

    def silence(self, who: PeerId) -> None:
        """Receive nothing of a peer."""
        for track in self._roster.tracks_of(who):
            self._ask_for(who, track.sid, wanted=False)

    def hear(self, who: PeerId) -> None:
        """Receive again what the policy says."""
        for track in self._roster.tracks_of(who):
            if self._policy is Subscribe.ALL or wants(self._policy, who, track):
                self._ask_for(who, track.sid, wanted=True)

    def subscribe(self, track: Track | str, *, wanted: bool) -> bool:
        """Subscribe to a track, or unsubscribe.  False: it is gone.

        NotInARoom: the room is not open; LocalProtocolError: it is over; PermissionMissing: it is not granted.
        """
        state = self._lifecycle.state
        if state not in RECEIVING and not self._lifecycle.over:
            msg = f"the room is {state.value}: its tracks come with RoomOpened"
            raise NotInARoom(msg, reason=self._lifecycle.lost_by)
        if state not in RECEIVING:
            msg = f"the room is {state.value}: subscribe between RoomOpened and RoomClosed"
            raise LocalProtocolError(msg)
        self._permit.check_subscribe()
        sid = sid_of(track)
        owner = self._roster.owner_of(sid)
        if owner is not None:
            self._ask_for(owner, sid, wanted=wanted)
        return owner is not None

    def check_publish(self, source: TrackSource) -> None:
        """Raise unless we may publish from a source.

        NotInARoom: the room is not open; LocalProtocolError: it is over; PermissionMissing: forbidden.
        """
        state = self._lifecycle.state
        if state is not RoomState.OPEN and not self._lifecycle.over:
            msg = f"the room is {state.value}: publish after RoomOpened"
            raise NotInARoom(msg, reason=self._lifecycle.lost_by)
        if state is not RoomState.OPEN:
            msg = f"the room is {state.value}: publish after RoomOpened"
            raise LocalProtocolError(msg)
        self._permit.check_publish(source)

    def has(self, track: Track | str) -> bool:
        """Whether somebody publishes this track."""
        return self._roster.owner_of(sid_of(track)) is not None

    def _ask_for(self, owner: PeerId, sid: str, *, wanted: bool) -> None:
        command = SubscribeTrack(link=self._lifecycle.link, identity=owner.text, sid=sid, wanted=wanted)
        self._output.commands.append(command)


def sid_of(track: object) -> str:
    """The id of a track: of a Track, or as text.  LocalProtocolError: it is neither."""
    if isinstance(track, Track):
        return track.sid
    require(track, str, "a track is named by a Track, as TrackPublished has it, or by its id")
    return cast("str", track)
