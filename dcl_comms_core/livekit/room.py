"""What a LiveKit server tells of the room that we are in, as news of a link, and what it is asked to change.

Before the room is told to be open nothing of it is news: what is so by then is what LinkOpened tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.commands import PublishMicrophone, SubscribeTrack
from dcl_comms_core.errors import InvalidToken
from dcl_comms_core.inputs import (
    CommandCompleted,
    CommandFailed,
    ConnectionQuality,
    LinkMoved,
    LinkOpened,
    LinkRef,
    QualityGiven,
    RoomMetadataGiven,
    TokenRefreshed,
    TrackFailed,
)
from dcl_comms_core.livekit.members import Members
from dcl_comms_core.livekit.requests import Requests
from dcl_comms_core.proto import livekit
from dcl_comms_core.tools.secrets import without_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.commands import SetAttributes
    from dcl_comms_core.inputs import LinkInput
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.livekit.signals import Signals

__all__ = ["Room"]

_ATTRIBUTES: Final = "SetAttributes"
_TRACK: Final = "PublishMicrophone"
_QUALITIES: Final = {
    livekit.ConnectionQuality.EXCELLENT: ConnectionQuality.EXCELLENT,
    livekit.ConnectionQuality.GOOD: ConnectionQuality.GOOD,
    livekit.ConnectionQuality.POOR: ConnectionQuality.POOR,
    livekit.ConnectionQuality.LOST: ConnectionQuality.LOST,
}
_NOT_HERE: Final = "we are not in the room"
_DATA_ONLY: Final = "this engine carries data only: connect(..., engine='livekit') has sound and pictures"


class Room:
    """Of one session.  ``ref``: whose news these are."""

    __slots__ = ("_members", "_ref", "_requests", "_room", "full_list_due", "token")

    def __init__(self, ref: LinkRef, signals: Signals, limits: Limits) -> None:
        self._ref = ref
        self._members = Members(ref, limits)
        self._requests = Requests(signals, limits.room_requests)
        self._room = livekit.Room()
        self.token: AccessToken | None = None
        """The newest that the server gave us; None: none yet."""
        self.full_list_due = False
        """Whether the server is to tell who all is there."""

    @property
    def sid(self) -> str:
        """Our own session's."""
        return self._members.me.sid

    @property
    def identity(self) -> str:
        """Our own."""
        return self._members.me.identity

    def begin(self, join: livekit.JoinResponse, me: livekit.ParticipantInfo) -> Iterator[LinkInput]:
        """The server let us in."""
        self._room = join.room or livekit.Room()
        yield from self._members.move(me)
        yield from self._members.update(join.other_participants)

    def opened(self) -> Iterator[LinkInput]:
        """What is to be told where nothing was."""
        members, room = self._members, self._room
        yield LinkOpened(
            link=self._ref,
            identity=members.me.identity,
            room=room.name,
            sid=room.sid,
            participants=members.present,
            permissions=members.permissions,
            metadata=room.metadata,
            data_tracks=True,
        )
        yield from members.beside()
        if self.token is not None:
            yield TokenRefreshed(link=self._ref, token=self.token)

    def resumed(self) -> None:
        """There is another socket: the server is about to tell who all is there, and is asked again what it was."""
        self.full_list_due = True
        self._requests.again()

    def read(self, response: livekit.SignalResponse) -> Iterator[LinkInput]:
        """What the server tells."""
        if response.update is not None:
            yield from self._update(response.update.participants)
        elif response.speakers_changed is not None:
            yield self._members.heard(response.speakers_changed.speakers)
        elif response.connection_quality is not None:
            yield from self._judged(response.connection_quality.updates)
        elif response.room_update is not None and response.room_update.room is not None:
            yield from self._describe(response.room_update.room)
        elif response.request_response is not None:
            yield from self._outcome(response.request_response)
        elif response.publish_data_track_response is not None:
            yield from self._published(livekit.RequestOutcome.OK)
        elif response.room_moved is not None:
            yield from self._move(response.room_moved)
        elif response.refresh_token:
            yield from self._refresh(response.refresh_token)

    def _update(self, infos: list[livekit.ParticipantInfo]) -> Iterator[LinkInput]:
        if self.full_list_due and any(info.identity == self._members.me.identity for info in infos):
            self.full_list_due = False
            yield from self._members.replace(infos)
        else:
            yield from self._members.update(infos)

    def _judged(self, qualities: list[livekit.ConnectionQualityInfo]) -> Iterator[LinkInput]:
        for one in qualities:
            quality = _QUALITIES.get(one.quality)
            if one.participant_sid == self.sid and quality is not None:
                yield QualityGiven(link=self._ref, quality=quality)

    def _describe(self, room: livekit.Room) -> Iterator[LinkInput]:
        before, self._room = self._room, room
        if room.metadata != before.metadata:
            yield RoomMetadataGiven(link=self._ref, metadata=room.metadata)

    def _refresh(self, text: str) -> Iterator[LinkInput]:
        try:
            token = AccessToken(text)
        except InvalidToken:
            return  # the one that we have goes on
        self.token = token
        yield TokenRefreshed(link=self._ref, token=token)

    def _move(self, moved: livekit.RoomMoved) -> Iterator[LinkInput]:
        room, me = moved.room, moved.participant
        if room is None or me is None or not me.identity:
            return
        yield from self._members.replace(())
        self._room = room
        yield LinkMoved(link=self._ref, room=room.name, sid=room.sid, metadata=room.metadata)
        if moved.token:
            yield from self._refresh(moved.token)
        yield from self._members.move(me)
        yield from self._members.update(moved.other_participants)

    # --- requests

    def execute(
        self, command: SetAttributes | PublishMicrophone | SubscribeTrack, *, here: bool
    ) -> Iterator[LinkInput]:
        """Ask the server for what we want, or say why not.  ``here``: whether we are in the room."""
        match command:
            case PublishMicrophone() if here:
                # Its point is that others are told of us at once: any track does.
                self._requests.publish()
            case PublishMicrophone():
                yield CommandFailed(link=self._ref, what=_TRACK, detail=_NOT_HERE)
            case SubscribeTrack():
                if command.wanted:
                    yield TrackFailed(link=self._ref, identity=command.identity, sid=command.sid, detail=_DATA_ONLY)
            case _ if not here:
                yield self._refused(_NOT_HERE)
            case _:
                asked = dict(command.attributes)
                if self._requests.ask(asked):
                    self._members.asked.update(asked)
                else:
                    yield self._refused("the server has not answered what it was asked before")

    def _refused(self, why: str) -> CommandFailed:
        return CommandFailed(link=self._ref, what=_ATTRIBUTES, detail=why)

    def _published(self, outcome: livekit.RequestOutcome, text: str = "") -> Iterator[LinkInput]:
        published = self._requests.published(outcome)
        if published:
            yield CommandCompleted(link=self._ref, what=_TRACK)
        elif published is False:
            yield CommandFailed(link=self._ref, what=_TRACK, detail=_said(outcome, text))

    def _outcome(self, outcome: livekit.RequestResponse) -> Iterator[LinkInput]:
        if outcome.publish_data_track is not None:
            yield from self._published(outcome.reason, outcome.message)
            return
        asked = self._requests.answered(outcome)
        if asked is None:
            return
        if outcome.reason is livekit.RequestOutcome.OK:
            yield CommandCompleted(link=self._ref, what=_ATTRIBUTES)
        else:
            self._members.forget(asked)
            yield self._refused(_said(outcome.reason, outcome.message))


def _said(outcome: livekit.RequestOutcome, text: str) -> str:
    """Why something was refused, in the server's words if it had any."""
    return without_tokens(text) or outcome.name or str(outcome.value)
