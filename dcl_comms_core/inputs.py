"""Inputs: everything that a transport can tell the core.

A driver makes these from what its socket or engine reports and hands them to ``receive(inp, now=...)``.  Data packets
may skip the object: ``receive_data(sender, data, ...)``.  Each input of a link names it by :class:`LinkRef`, so that
late news of a link that was given up is recognised and ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dcl_comms_core.adapters.token import AccessToken
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.states import CloseReason

__all__ = [
    "ClockSet",
    "CommandCompleted",
    "CommandFailed",
    "ConnectionQuality",
    "DataReceived",
    "DatagramReceived",
    "DatagramRefused",
    "DatagramsClosed",
    "DatagramsOpened",
    "DatagramsReceived",
    "EngineChanged",
    "FetchFailed",
    "Fetched",
    "ForeignReceived",
    "FrameReceived",
    "Input",
    "LinkClosed",
    "LinkFailed",
    "LinkInput",
    "LinkMoved",
    "LinkOpened",
    "LinkReconnected",
    "LinkReconnecting",
    "LinkRef",
    "LinkSilent",
    "NetworkInput",
    "OwnTrackVanished",
    "PacketsDropped",
    "Participant",
    "ParticipantJoined",
    "ParticipantLeft",
    "ParticipantUpdated",
    "Permissions",
    "PermissionsGiven",
    "PortClosed",
    "PortInput",
    "PortOpened",
    "QualityGiven",
    "RoomMetadataGiven",
    "SendAcknowledged",
    "SendsAcknowledged",
    "SocketClosed",
    "SocketOpened",
    "SpeakersHeard",
    "TokenRefreshed",
    "Track",
    "TrackAppeared",
    "TrackAttached",
    "TrackDetached",
    "TrackFailed",
    "TrackInput",
    "TrackKind",
    "TrackMuteChanged",
    "TrackSource",
    "TrackVanished",
]


class LinkRef(NamedTuple):
    """Names one attempt of one link."""

    link: int
    """Which link of the session; a RoomSession has one, a merged view has several."""
    generation: int
    """Counts the attempts to open that link, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """What a transport says of a participant."""

    identity: str
    sid: str = ""
    name: str = ""
    metadata: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Names and values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What a server lets us do in its room: of the grants of a token, those that it can change meanwhile."""

    can_publish: bool
    can_publish_data: bool
    can_subscribe: bool
    can_publish_sources: tuple[str, ...] | None = None
    """The kinds of track that may be published, as TrackSource names them; None: all."""
    can_update_own_metadata: bool = False
    hidden: bool = False


class ConnectionQuality(Enum):
    """How good the server finds somebody's way to it, the best first."""

    EXCELLENT = "excellent"
    GOOD = "good"
    POOR = "poor"
    LOST = "lost"


class TrackKind(Enum):
    """What a track carries."""

    AUDIO = "audio"
    VIDEO = "video"


class TrackSource(Enum):
    """Where a track's media comes from; the values are the names that tokens use."""

    UNKNOWN = "unknown"
    CAMERA = "camera"
    MICROPHONE = "microphone"
    SCREEN_SHARE = "screen_share"
    SCREEN_SHARE_AUDIO = "screen_share_audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A live audio or video track of a participant."""

    sid: str
    """The transport's id of the track, unique in the room."""
    kind: TrackKind
    source: TrackSource = TrackSource.UNKNOWN
    name: str = ""
    muted: bool = False
    encrypted: bool = False
    """Its sender encrypts it end to end: without the key, which we don't have, it is noise and no picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet:
    """Wall-clock time: unix seconds = monotonic seconds + ``unix_offset``.

    May come again when the clock is changed.
    """

    unix_offset: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOpened:
    """The link is in the room."""

    link: LinkRef
    identity: str
    """Our own identity, as the server gave it."""
    room: str
    """The room's name."""
    sid: str = ""
    participants: tuple[Participant, ...] = ()
    """Who was there already."""
    permissions: Permissions | None = None
    """What we may do; None: what the token says."""
    metadata: str = ""
    """The room's."""
    data_tracks: bool = False
    """Whether PublishMicrophone publishes a track for data, for which the right to send packets is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFailed:
    """The link could not be opened.  ``detail`` is for people and holds no secret."""

    link: LinkRef
    reason: CloseReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReconnecting:
    """The transport lost its connection and repairs it by itself."""

    link: LinkRef


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSilent:
    """How long nothing had come from the server when the connection was lost.  Follows LinkReconnecting, if known."""

    link: LinkRef
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReconnected:
    """The transport repaired its connection."""

    link: LinkRef


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChanged:
    """The link joins by another engine than the one that was chosen for it.  ``detail`` says why, without secrets."""

    link: LinkRef
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMoved:
    """The server moved us to another room, over the same link."""

    link: LinkRef
    room: str
    """The room's name."""
    sid: str = ""
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionsGiven:
    """The server lets us do this from now on."""

    link: LinkRef
    permissions: Permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityGiven:
    """The server says how good our way to it is."""

    link: LinkRef
    quality: ConnectionQuality


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshed:
    """The server gave us a newer token: the one to join anew with."""

    link: LinkRef
    token: AccessToken


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomMetadataGiven:
    """The room's metadata is this from now on."""

    link: LinkRef
    metadata: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkClosed:
    """The link is over, for the given reason; nothing more comes from it."""

    link: LinkRef
    reason: CloseReason
    detail: str = ""
    silent: float | None = None
    """Seconds: for how long nothing had come when the connection was lost; None: it was not, or LinkReconnecting told
    it."""
    stranded: int = 0
    """Tracks of ours that the transport keeps all the same, threads and all, because the server ended the room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantJoined:
    """Somebody is in the room."""

    link: LinkRef
    participant: Participant
    source: int | None = None
    """The transport's own handle of this sender, where it has one: names the sender of earlier data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantUpdated:
    """Somebody's name, metadata or attributes changed; or our own."""

    link: LinkRef
    participant: Participant


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantLeft:
    """Somebody left the room."""

    link: LinkRef
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived:
    """A data packet.  ``sender`` is None (or empty) when the transport did not say who sent it."""

    link: LinkRef
    sender: str | None
    data: bytes
    reliable: bool = True
    topic: str = ""
    source: int | None = None
    """The transport's own handle of an unnamed sender, where it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAcknowledged:
    """The transport took the packet that ``SendData(token=...)`` asked it to send, or failed to."""

    link: LinkRef
    token: int
    error: str = ""
    """Empty when it went well; else the transport's words, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendsAcknowledged:
    """The transport took several packets, none of which failed: as many SendAcknowledged, in one."""

    link: LinkRef
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandCompleted:
    """The transport carried out SetAttributes or PublishMicrophone: others know us now."""

    link: LinkRef
    what: str
    """The command's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailed:
    """The transport could not carry out a command other than SendData, and goes on without it."""

    link: LinkRef
    what: str
    """The command's name."""
    detail: str = ""
    """The transport's words, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackAppeared:
    """A participant published a track."""

    link: LinkRef
    identity: str
    track: Track


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackVanished:
    """A participant took a track back."""

    link: LinkRef
    identity: str
    sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackAttached:
    """We receive a track's media now."""

    link: LinkRef
    identity: str
    sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackDetached:
    """We receive a track's media no longer."""

    link: LinkRef
    identity: str
    sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFailed:
    """We should receive a track, and can't.  ``detail`` holds no secret."""

    link: LinkRef
    identity: str
    sid: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTrackVanished:
    """The server took a track of ours back."""

    link: LinkRef
    sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackMuteChanged:
    """A participant muted or unmuted a track."""

    link: LinkRef
    identity: str
    sid: str
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakersHeard:
    """Who speaks now, the loudest first; nobody when it is empty.  Includes ourselves."""

    link: LinkRef
    identities: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketsDropped:
    """Packets came in that the link had no room for, because the loop did not turn for long: Limits.inbox_bytes."""

    link: LinkRef
    count: int
    """0: none yet, because the link reads no further until there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignReceived:
    """Somebody sent what is no packet of Decentraland's; the transport let it go, and says how much it was."""

    link: LinkRef
    sender: str | None
    """None (or empty): the transport did not say, or it is the sum of several."""
    what: str
    """On LiveKit: ``stream``, ``transcription``, ``chat``, ``dtmf``; over our own engine also ``rpc``, ``encrypted``,
    ``other``."""
    count: int
    size: int
    """Bytes, all together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOpened:
    """A WebSocket is open."""

    link: LinkRef
    place: Place
    """Where the server is."""
    subprotocol: str = ""
    """What the server chose of what was offered; empty: nothing."""


@dataclass(slots=True, kw_only=True)  # not frozen, which would make it a third dearer: there is one for each packet
class FrameReceived:
    """A whole message came in over a WebSocket."""

    link: LinkRef
    data: bytes = field(repr=False)
    """May hold an access token."""
    text: bool = False
    """Whether it came as text; ``data`` is UTF-8 then, unless the server broke the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketClosed:
    """A WebSocket is over, or could not be opened; nothing more comes from it."""

    link: LinkRef
    reason: CloseReason
    """CLIENT: we closed it.  NETWORK: the server did, or the connection broke; ``code`` says which."""
    code: int = 1006
    """What the server's close frame said: 1005 if nothing was in it, 1006 if there was none."""
    status: int = 0
    """The HTTP status with which the server refused; 0: it did not."""
    detail: str = ""
    """For people; holds no secret."""
    silent: float | None = None
    """Seconds: for how long nothing had come when it was over; None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsOpened:
    """Datagrams may be sent from now on.  Whether anybody listens there is not known yet."""

    link: LinkRef


@dataclass(slots=True, kw_only=True)  # not frozen, which would make it a third dearer: there is one for each packet
class DatagramReceived:
    """A whole datagram came in, from the address that ours go to."""

    link: LinkRef
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramRefused:
    """The network says that a datagram of ours did not arrive: nobody listens there now, or no way leads there now.

    It is no proof, because anybody on the way may say so; further ones may be sent.
    """

    link: LinkRef
    detail: str = ""
    """For people; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramsClosed:
    """Datagrams are over, or could not be opened; nothing more comes."""

    link: LinkRef
    reason: CloseReason
    """CLIENT: we closed it.  UNREACHABLE: no address.  FORBIDDEN: none that may be used.  NETWORK: the network went."""
    detail: str = ""
    """For people; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOpened:
    """A port is ours."""

    link: LinkRef
    local: tuple[str, int]
    """Its IP address, by which others may know us, and its number."""


@dataclass(slots=True, kw_only=True)  # not frozen, which would make it a third dearer: there may be one for each packet
class DatagramsReceived:
    """Datagrams came to a port from one address, in order."""

    link: LinkRef
    remote: tuple[str, int]
    datagrams: list[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortClosed:
    """A port could not be had, or is gone; nothing more comes from it."""

    link: LinkRef
    detail: str = ""
    """For people; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The answer to a request, whatever its status."""

    link: LinkRef
    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names in lower case, in order; a name may come more than once."""
    body: bytes = field(repr=False)
    """Decompressed.  May hold an access token."""
    url: str = field(repr=False)
    """What answered: another URL than was asked for after redirects."""
    place: Place
    """Where the server is: what it names may be requested ``within`` this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailed:
    """A request got no answer that can be used.  ``detail`` is for people and holds no secret."""

    link: LinkRef
    reason: CloseReason
    detail: str = ""


TrackInput = TrackAppeared | TrackVanished | TrackAttached | TrackDetached | TrackFailed | TrackMuteChanged
"""Any input about a track of somebody else's."""

LinkInput = (
    LinkOpened
    | LinkFailed
    | LinkReconnecting
    | LinkSilent
    | LinkReconnected
    | LinkMoved
    | LinkClosed
    | ParticipantJoined
    | ParticipantUpdated
    | ParticipantLeft
    | DataReceived
    | SendAcknowledged
    | SendsAcknowledged
    | CommandCompleted
    | CommandFailed
    | TrackInput
    | OwnTrackVanished
    | SpeakersHeard
    | PermissionsGiven
    | QualityGiven
    | TokenRefreshed
    | RoomMetadataGiven
    | PacketsDropped
    | ForeignReceived
    | EngineChanged
)
"""Any input that comes from a link."""

NetworkInput = (
    SocketOpened
    | FrameReceived
    | SocketClosed
    | Fetched
    | FetchFailed
    | DatagramsOpened
    | DatagramReceived
    | DatagramRefused
    | DatagramsClosed
)
"""Any input that answers a RequestCommand."""

PortInput = PortOpened | DatagramsReceived | PortClosed
"""Any input that answers a PortCommand."""

Input = ClockSet | LinkInput | NetworkInput
"""Any input."""
