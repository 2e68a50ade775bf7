"""Commands: everything that the core can ask of a transport.

A driver drains them with ``commands()`` after every call and carries them out in order; results come back as inputs
that carry the same :class:`~dcl_comms_core.inputs.LinkRef`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dcl_comms_core.inputs import LinkRef

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.url_guard import Place

__all__ = [
    "CancelFetch",
    "CloseDatagrams",
    "CloseLink",
    "ClosePort",
    "CloseSocket",
    "Command",
    "Fetch",
    "OpenDatagrams",
    "OpenLink",
    "OpenPort",
    "OpenSocket",
    "PortCommand",
    "PublishMicrophone",
    "RequestCommand",
    "RoomCommand",
    "SendData",
    "SendDatagram",
    "SendDatagrams",
    "SendFrame",
    "SetAttributes",
    "SubscribeTrack",
]

_UNNAMED = LinkRef(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink:
    """Join the room that ``adapter`` names.  Answered by LinkOpened or LinkFailed."""

    link: LinkRef
    adapter: Adapter
    auto_subscribe: bool = True
    """Receive every audio and video track as it is published."""
    within: Place | None = None
    """Where the server is that named the room; None: the user did.  See ``adapters/url_guard.py``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLink:
    """Leave, or give up a link that is still opening.  Answered by LinkClosed once nothing more will come."""

    link: LinkRef
    drain: float = 0.0
    """How many seconds reliable data that was accepted may take to leave this machine, at most."""


@dataclass(slots=True, kw_only=True)  # not frozen, which would make it twice as dear: there is one for each packet
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

    A link whose LinkOpened had ``data_tracks`` publishes a track for data in its place, and sends nothing through it.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSocket:
    """Open a WebSocket, without compression.  Answered by SocketOpened or SocketClosed.

    Pings are answered, and lost connections noticed, without the session's doing.
    """

    link: LinkRef
    url: str = field(repr=False)
    """ws(s); http(s) means the same."""
    subprotocol: str = ""
    """What to offer; empty: nothing."""
    within: Place | None = None
    """Where the server is that named this URL; None: the user did.  See ``adapters/url_guard.py``."""
    farewell: bytes = b""
    """Said to the server where the open socket is let go of without CloseSocket, or its loop ends; empty: nothing."""


@dataclass(slots=True, kw_only=True)  # not frozen, which would make it a third dearer: there is one for each packet
class SendFrame:
    """Send one binary message.

    Answered by SendAcknowledged with the same token once the network has taken it, or by SendsAcknowledged.

    No link checks the size: the servers' own limit is 16,384 bytes.
    """

    link: LinkRef
    token: int
    data: bytes = field(repr=False)
    """May hold an auth chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSocket:
    """Close a WebSocket, or give up one that is still opening.  Answered by SocketClosed."""

    link: LinkRef
    drain: float = 0.0
    """How many seconds messages that wait may take to be sent, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDatagrams:
    """Have datagrams (UDP) go to and fro between here and one address.  Answered by DatagramsOpened or DatagramsClosed.

    They are in the clear.  Nothing is sent by this alone: that somebody listens there is not known.
    """

    link: LinkRef
    host: str
    """A name, or an address without brackets."""
    port: int
    within: Place | None = None
    """Where the server is that named this host; None: the user did.  See ``adapters/url_guard.py``."""


@dataclass(slots=True, kw_only=True)  # not frozen, which would make it a third dearer: there is one for each packet
class SendDatagram:
    """Send one datagram, or lose it: nothing answers, and nothing waits where the network takes none now."""

    link: LinkRef
    data: bytes = field(repr=False)
    """May hold an auth chain, or a part of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDatagrams:
    """Let no more datagrams go to and fro, or give up what is still opening.  Answered by DatagramsClosed."""

    link: LinkRef


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPort:
    """Have a port of this machine's, from which there is a way to ``towards``.  Answered by PortOpened or PortClosed.

    Of UDP it sends to any address and hears from any; of TCP it is connected to that address, and each datagram goes
    as RFC 4571 frames it.
    """

    link: LinkRef
    towards: tuple[str, int]
    """An IP address and a port."""
    tcp: bool = False


@dataclass(slots=True, kw_only=True)  # not frozen, which would make it a third dearer: there may be one for each packet
class SendDatagrams:
    """Send datagrams from a port, or lose them: nothing answers, and nothing waits where the network takes none now."""

    link: LinkRef
    to: tuple[str, int]
    datagrams: list[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePort:
    """Give a port back.  Nothing answers."""

    link: LinkRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Make one HTTP request, and follow its redirects.  Answered by Fetched or FetchFailed."""

    link: LinkRef = _UNNAMED
    """Names the request, for a session that makes several."""
    url: str = field(repr=False)
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Beside the usual ones.  Those of a signed request are a password for a minute."""
    body: bytes = field(default=b"", repr=False)
    max_bytes: int = 1_048_576
    """How long the answer's body may be, decompressed: a longer one is FetchFailed."""
    within: Place | None = None
    """Where the server is that named this URL; None: the user did.  See ``adapters/url_guard.py``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelFetch:
    """Give up a request.  Nothing more comes of it, unless it is on its way already."""

    link: LinkRef


RoomCommand = OpenLink | CloseLink | SendData | SetAttributes | PublishMicrophone | SubscribeTrack
"""Any command to a link that is in a room."""

RequestCommand = (
    OpenSocket | SendFrame | CloseSocket | Fetch | CancelFetch | OpenDatagrams | SendDatagram | CloseDatagrams
)
"""Any command to the network: WebSockets, HTTP and datagrams."""

PortCommand = OpenPort | SendDatagrams | ClosePort
"""Any command about ports: a SignalSession's, which needs those to the network too."""

Command = RoomCommand | RequestCommand
"""Any command."""
