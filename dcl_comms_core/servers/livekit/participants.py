"""One participant of a room: who he is, what he may do, how far he has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.proto import livekit
from dcl_comms_core.servers.livekit.credit import Credits

if TYPE_CHECKING:
    from dcl_comms_core.inputs import LinkRef
    from dcl_comms_core.servers.livekit.connection import Connection
    from dcl_comms_core.servers.livekit.tokens import Grant

__all__ = ["Participant"]

_REQUESTS_ANSWERED: Final = 15


class Participant:
    """One session of one identity."""

    __slots__ = (
        "announced", "connection", "credits", "due", "gone", "grant", "joined", "last", "link",
        "lost", "protocol", "refresh_at", "sid", "state", "version",
    )  # fmt: skip

    def __init__(self, sid: str, grant: Grant, connection: Connection, *, protocol: int, joined: float) -> None:
        self.sid = sid
        self.grant = grant
        self.connection = connection
        self.credits = Credits()
        self.protocol = protocol
        self.joined = joined
        """Unix seconds."""
        self.link: LinkRef | None = None
        """His socket; None: he has none."""
        self.state = livekit.ParticipantState.JOINED
        self.version = 0
        self.announced = False
        """Whether others were told of him, beside by a list."""
        self.last = 0
        """The newest number of a packet of his."""
        self.due: float | None = None
        """When he has to be in, or back."""
        self.gone = False
        """Whether his stay is over."""
        self.lost = False
        """Whether he is to come back."""
        self.refresh_at = 0.0

    @property
    def identity(self) -> str:
        """Who he is."""
        return self.grant.identity

    @property
    def active(self) -> bool:
        """Whether he has come in."""
        return self.state is livekit.ParticipantState.ACTIVE

    @property
    def wants_outcomes(self) -> bool:
        """Whether he is told of what went well too."""
        return self.protocol >= _REQUESTS_ANSWERED

    def wake_at(self, silent_seconds: float) -> float:
        """When something may be due."""
        due = self.due
        if due is None:
            due = self.connection.heard_at + silent_seconds
        deadline = self.connection.deadline
        return min(due, self.refresh_at) if deadline is None else min(due, self.refresh_at, deadline)

    def info(self, reason: livekit.DisconnectReason | None = None) -> livekit.ParticipantInfo:
        """What others are told; ``reason``: why he left."""
        grant = self.grant
        info = livekit.ParticipantInfo(
            sid=self.sid,
            identity=grant.identity,
            state=self.state if reason is None else livekit.ParticipantState.DISCONNECTED,
            metadata=grant.metadata,
            joined_at=int(self.joined),
            name=grant.name,
            version=self.version,
            permission=self.permission,
            attributes=dict(grant.attributes),
            joined_at_ms=int(self.joined * 1_000),
        )
        if reason is not None:
            info.disconnect_reason = reason
        return info

    @property
    def permission(self) -> livekit.ParticipantPermission:
        """What he may do: no sound and no pictures, whatever his token says."""
        grant = self.grant
        return livekit.ParticipantPermission(
            can_subscribe=grant.can_subscribe,
            can_publish=False,
            can_publish_data=grant.can_publish_data,
            hidden=grant.hidden,
            can_update_metadata=grant.can_update_metadata,
        )
