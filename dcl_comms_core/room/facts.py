"""What the server says of the room and of ourselves while we are there: what we may do, the token, the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core import events as ev
from dcl_comms_core.inputs import (
    LinkMoved,
    OwnTrackVanished,
    ParticipantUpdated,
    PermissionsGiven,
    QualityGiven,
    RoomMetadataGiven,
    TokenRefreshed,
)
from dcl_comms_core.peers import PeerId

if TYPE_CHECKING:
    from dcl_comms_core.inputs import ConnectionQuality, LinkOpened
    from dcl_comms_core.room.announcing import Announcing
    from dcl_comms_core.room.outgoing.outbound import Outbound
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.room.permit import Permit
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Fact", "Facts"]

Fact = (
    PermissionsGiven
    | QualityGiven
    | TokenRefreshed
    | RoomMetadataGiven
    | LinkMoved
    | ParticipantUpdated
    | OwnTrackVanished
)
"""The inputs that are such; ParticipantUpdated, where it is about ourselves."""


class Facts:
    """Heeds them and tells them."""

    __slots__ = ("_announcing", "_clock", "_metadata", "_outbound", "_output", "_permit", "quality")

    def __init__(
        self, output: Output, clock: Clock, permit: Permit, *, outbound: Outbound, announcing: Announcing
    ) -> None:
        self._output = output
        self._clock = clock
        self._permit = permit
        self._outbound = outbound
        self._announcing = announcing
        self._metadata = ""
        self.quality: ConnectionQuality | None = None
        """Of our way to the server, as it said last since we entered; None: it did not say."""

    @property
    def metadata(self) -> str:
        """The room's; empty: it has none, or the server said nothing of it."""
        return self._metadata

    def entered(self, inp: LinkOpened, *, again: bool) -> None:
        """We are in the room, for the first time or again."""
        self.quality = None
        if self._permit.entered(inp.permissions):
            self._tell_permissions()
        if again:
            self._set_metadata(inp.metadata)
        else:
            self._metadata = inp.metadata

    def receive(self, inp: Fact) -> None:
        """Take one of them."""
        at, room, events = self._clock.now, self._output.room, self._output.events
        match inp:
            case PermissionsGiven():
                could = self._permit.may_send
                if self._permit.given(inp.permissions):
                    self._tell_permissions()
                if self._permit.may_send and not could:
                    self._announcing.arrive()
            case QualityGiven():
                self.quality = inp.quality
            case TokenRefreshed():
                self._permit.renew(inp.token)
            case RoomMetadataGiven():
                self._set_metadata(inp.metadata)
            case LinkMoved():
                events.append(ev.RoomMoved(at=at, room=room, name=inp.room, sid=inp.sid))
                self._set_metadata(inp.metadata)
            case ParticipantUpdated():
                me = inp.participant
                events.append(
                    ev.PeerUpdated(
                        at=at,
                        room=room,
                        sender=PeerId(me.identity),
                        name=me.name,
                        metadata=me.metadata,
                        attributes=dict(me.attributes),
                    )
                )
            case _:
                events.append(ev.OwnTrackEnded(at=at, room=room, sid=inp.sid))

    def _set_metadata(self, metadata: str) -> None:
        if metadata != self._metadata:
            self._metadata = metadata
            self._output.events.append(
                ev.RoomMetadataChanged(at=self._clock.now, room=self._output.room, metadata=metadata)
            )

    def _tell_permissions(self) -> None:
        grants = self._permit.grants
        assert grants is not None  # noqa: S101 - something was granted or taken away
        self._output.events.append(ev.PermissionsChanged(at=self._clock.now, room=self._output.room, grants=grants))
        if not self._permit.may_send:
            self._outbound.refuse_waiting()
