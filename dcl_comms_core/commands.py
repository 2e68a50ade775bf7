"""Commands: everything that the core can ask of a transport.

A driver drains them with ``commands()`` after every call and carries them out in order; results come back as inputs
that carry the same :class:`~dcl_comms_core.inputs.LinkRef`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dcl_comms_core.connection import Adapter
    from dcl_comms_core.inputs import LinkRef

__all__ = [
    "CloseLink",
    "Command",
    "OpenLink",
    "PublishMicrophone",
    "SendData",
    "SetAttributes",
    "SubscribeTrack",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink:
    """Join the room that ``adapter`` names.  Answered by LinkOpened or LinkFailed."""

    link: LinkRef
    adapter: Adapter
    auto_subscribe: bool = True
    """Receive every audio and video track as it is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLink:
    """Leave, or give up a link that is still opening.  Answered by LinkClosed once nothing more will come."""

    link: LinkRef
    drain: float = 0.0
    """How many seconds reliable data that was accepted may take to leave this machine, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendData:
    """Send one packet.  Answered by SendAcknowledged with the same token."""

    link: LinkRef
    token: int
    data: bytes
    to: tuple[str, ...] | None
    """Identities exactly as received, never empty; None: everybody."""
    reliable: bool
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAttributes:
    """Set attributes of our own participant.  Also makes the server announce us at once instead of up to 3 s later.

    Answered by CommandCompleted or CommandFailed.
    """

    link: LinkRef
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishMicrophone:
    """Publish a silent, muted microphone track: makes the server announce us at once where attributes are forbidden.

    Answered by CommandCompleted or CommandFailed.
    """

    link: LinkRef


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeTrack:
    """Receive a track that somebody published, or stop receiving it.

    TrackAttached or TrackDetached tells what comes of it; nothing does where the track is gone by now.
    """

    link: LinkRef
    identity: str
    """Whose track it is."""
    sid: str
    wanted: bool


Command = OpenLink | CloseLink | SendData | SetAttributes | PublishMicrophone | SubscribeTrack
"""Any command."""
