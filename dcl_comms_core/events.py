"""Events: everything that the core can tell an application.

Every event has ``at`` (monotonic seconds, the ``now`` of the call that caused it) and ``room``, the label of the room
it belongs to.  Events about a packet have ``sender`` (None: the transport did not say who sent it; never guessed) and
``private`` (True: it was addressed to us alone).

The events that come once per packet are not frozen, because building a frozen one takes more than twice as long;
treat them as read-only all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.chat import author_of, message_id
from dcl_comms_core.codec import decode
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.scene import SceneContent, read_scene_data

if TYPE_CHECKING:
    from dcl_comms_core.connection import Adapter
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.states import CloseReason, Retry

__all__ = [
    "ChatReceived",
    "CredentialsNeeded",
    "Event",
    "IslandChanged",
    "Kicked",
    "LimitReached",
    "MovementKind",
    "PacketEvent",
    "PacketReceived",
    "PacketRejected",
    "PeerEmoted",
    "PeerIdentified",
    "PeerJoined",
    "PeerLeft",
    "PeerMoved",
    "ProfileAnnounced",
    "ProfileReceived",
    "ProfileRequested",
    "ReactionReceived",
    "RealmClosed",
    "RealmOpened",
    "Reconnected",
    "Reconnecting",
    "RejectReason",
    "RoomClosed",
    "RoomOpened",
    "SceneMessageReceived",
    "SignatureNeeded",
    "SpeakersChanged",
    "TrackMuted",
    "TrackPublished",
    "TrackSubscribed",
    "TrackUnpublished",
    "TrackUnsubscribed",
    "Vector3",
    "VoiceReceived",
    "Warning",
    "WarningCode",
    "WorldClosed",
]


class Vector3(NamedTuple):
    """A position in metres or a velocity in metres per second: x east, y up, z north."""

    x: float
    y: float
    z: float


class MovementKind(Enum):
    """Which message told of a movement; the values are the packet kinds."""

    POSITION = "position"
    MOVEMENT = "movement"
    COMPRESSED = "movement_compressed"


class RejectReason(Enum):
    """Why a packet was rejected."""

    TOO_LARGE = "larger than Limits.packet_bytes"
    MALFORMED = "not a valid Packet"
    NOT_FINITE = "a number that is not finite"
    OUT_OF_RANGE = "a number or a text beyond what its kind allows"


class WarningCode(Enum):
    """What a Warning is about."""

    ANNOUNCED_LATE = "announced late"
    """The token allows neither attributes nor a track.

    Others learn of us up to 3 s late, and our first packets have no sender.
    """
    SEND_FAILED = "send failed"
    """The transport did not take a packet."""
    SENDS_UNCONFIRMED = "sends unconfirmed"
    """A link was lost while packets waited for their acknowledgement: they may or may not have arrived."""
    COMMAND_FAILED = "command failed"
    """The transport refused something other than a packet."""
    ALREADY_CONNECTED = "already connected"
    """The same wallet has a session there, which ours will end."""
    NO_ISLAND = "no island"
    """The island service is silent although it has our position; heartbeats go on."""
    ISLAND_UNREADABLE = "island unreadable"
    """The island service sent us somewhere, and its connection string can't be read."""
    OFFLINE = "offline"
    """The realm has no comms: nobody is met there."""
    ROOM_TAKEN = "room taken"
    """Two roles lead to one room, which takes one session of ours: the second waits until the first leaves."""
    SILENT = "silent"
    """We joined with ``silent=True`` and never announce a profile: Unity clients then send us nothing but chat, scene
    messages and reactions, and show no avatar of ours."""
    SCENE_MESSAGE_LARGE = "scene message large"
    """A scene message is beyond Limits.scene_warn_bytes: Unity clients drop it.  Said once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    at: float
    """When, monotonic seconds of the host's clock."""
    room: str
    """Which room: island, scene, or the label that the session was given."""


@dataclass(slots=True, kw_only=True)
class _PacketEvent:
    """What every event about a packet has."""

    at: float
    """When, monotonic seconds of the host's clock."""
    room: str
    """Which room: island, scene, or the label that the session was given."""
    sender: PeerId | None
    """Who sent it; None: the transport did not say."""
    private: bool
    """True: it was addressed to us alone."""
    size: int = field(default=0, repr=False, compare=False)
    """Bytes of the packet."""


# --- the room


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOpened(_Event):
    """We are in the room.  PeerJoined follows for everybody who was there already."""

    identity: PeerId
    """Who we are, as the server says."""
    name: str
    """The room's name."""
    sid: str
    """The transport's id of this room, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomClosed(_Event):
    """The room is over; no event follows."""

    reason: CloseReason
    retry: Retry
    detail: str = ""
    """For people; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnecting(_Event):
    """The connection was lost and is being repaired.  Sends wait meanwhile."""

    attempt: int
    """0: the transport repairs it by itself; n: the session is about to join anew for the n-th time."""
    reason: CloseReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnected(_Event):
    """The connection is back.  Peers that came or went meanwhile are told right after this."""

    attempt: int
    """0: repaired by the transport; n: joined anew at the n-th attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsNeeded(_Event):
    """A new connection string is needed: the last one is spent.  From sessions that can take one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureNeeded(_Event):
    """Somebody has to sign ``payload`` and answer with ``provide_signature(request, chain)``."""

    payload: str
    request: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IslandChanged(_Event):
    """The realm put us on another island."""

    island: str
    previous: str | None
    """Where we were before, as far as we were told; the server's own word for it may name an island of nobody."""
    adapter: Adapter
    """Where to go.  Its token lives five minutes: use it now, and ask for a new one (``renew()``) later."""
    peers: tuple[tuple[PeerId, Vector3], ...] = ()
    """Who is there and where, ourselves included: a snapshot.  Build peers from the room's events, not from this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kicked(_Event):
    """The server ended our session.  RoomClosed or RealmClosed follows.  Do not retry at once."""

    cause: CloseReason
    """What the stage says: DUPLICATE_IDENTITY (or banned meanwhile: servers tell them not apart), BANNED, ROOM_FULL."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmOpened(_Event):
    """The island service let us in; islands come once it knows a position."""

    identity: PeerId
    """Who we are, as the server says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmClosed(_Event):
    """The session with the island service is over; no event of it follows.

    A room that it led to is not closed by that.
    """

    reason: CloseReason
    retry: Retry
    detail: str = ""
    """For people; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldClosed(_Event):
    """A WorldSession is over, with all its rooms; no event follows."""

    reason: CloseReason
    retry: Retry
    """What may help; not always what RETRY says of the reason, where a server's answer says more."""
    detail: str = ""
    """For people; holds no secret."""


# --- peers


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerJoined(_Event):
    """Somebody is in the room."""

    sender: PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLeft(_Event):
    """Somebody left the room, or was gone when we came back to it."""

    sender: PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentified(_Event):
    """The transport said now who sent some earlier packets.

    ``early`` are their events again, with the sender filled in.
    """

    sender: PeerId
    early: tuple[PacketEvent, ...]


# --- packets


@dataclass(slots=True, kw_only=True)
class PeerMoved(_PacketEvent):
    """Somebody is at a position."""

    position: Vector3
    """Metres."""
    velocity: Vector3
    """Metres per second; zero for the kind POSITION, which does not carry it."""
    yaw: float
    """Degrees clockwise from north, 0 <= yaw < 360."""
    kind: MovementKind
    message: rfc4.Movement | rfc4.Position
    """The whole message: gait, head, pointing and so on; of the kind COMPRESSED, what it was decompressed to."""


@dataclass(slots=True, kw_only=True)
class PeerEmoted(_PacketEvent):
    """Somebody plays an emote, or stops it."""

    urn: str
    incremental_id: int
    timestamp: float
    """Seconds of the sender's own clock."""
    stopping: bool
    message: rfc4.PlayerEmote


@dataclass(slots=True, kw_only=True)
class ChatReceived(_PacketEvent):
    """Somebody wrote a message."""

    text: str
    """As received: strip control characters before it reaches a terminal."""
    sent_at: float | None
    """Unix seconds by the sender's clock; None when the sender counts from another origin."""
    timestamp: float
    """The stamp exactly as sent; with the sender it identifies the message."""
    forwarded_from: str | None
    """Whom the sender says that it relays.  Believe it of a message router only: see ``author``."""
    topic: str = ""
    """Empty; our own identity, of a private message; or a community's channel."""

    @property
    def author(self) -> PeerId | None:
        """Who wrote it: the sender, or whom a message router relays.  None: nobody knows."""
        return author_of(self.sender, self.forwarded_from)

    @property
    def message_id(self) -> str | None:
        """What reactions call this message; None: its author is not known."""
        author = self.author
        return None if author is None else message_id(author, self.timestamp)


@dataclass(slots=True, kw_only=True)
class SceneMessageReceived(_PacketEvent):
    """A scene's message."""

    scene_id: str
    data: bytes
    """As received; its first byte says how the rest is framed."""

    @property
    def content(self) -> SceneContent:
        """The message without its framing; read each time that it is asked for."""
        return read_scene_data(self.data)


@dataclass(slots=True, kw_only=True)
class ProfileAnnounced(_PacketEvent):
    """Somebody's profile has this version."""

    version: int


@dataclass(slots=True, kw_only=True)
class ProfileRequested(_PacketEvent):
    """Somebody asks for the profile of an address."""

    address: str
    version: int


@dataclass(slots=True, kw_only=True)
class ProfileReceived(_PacketEvent):
    """A profile as its sender tells it.  The address inside is a claim; the sender is not."""

    serialized: str
    """JSON text, not parsed."""
    base_url: str
    """Where the sender says that its content is.  Untrusted: see ``trusted_url``."""
    requested: bool = False
    """We asked this sender for it, with ``request_profile``."""


@dataclass(slots=True, kw_only=True)
class ReactionReceived(_PacketEvent):
    """Somebody reacts with an emoji: in the world, or to a chat message."""

    emoji_index: int
    """From 0 to 4095."""
    count: int
    """From 1 to Limits.reaction_count."""
    timestamp: float
    """Seconds of the sender's own clock; 0 of a reaction to a message."""
    message_id: str | None = None
    """Which chat message it is about: its ``message_id``.  None: it is a reaction in the world."""
    removed: bool = False
    """The reaction to a message is taken back."""
    address: str = ""
    """Whom the sender says that it relays.  Believe it of a message router only: see ``author``."""

    @property
    def author(self) -> PeerId | None:
        """Who reacts: the sender, or whom a message router relays.  None: nobody knows."""
        return author_of(self.sender, self.address)


@dataclass(slots=True, kw_only=True)
class VoiceReceived(_PacketEvent):
    """Legacy voice samples inside a packet; today's voice is a LiveKit track."""

    encoded_samples: bytes
    index: int
    codec: int


@dataclass(slots=True, kw_only=True)
class PacketReceived(_PacketEvent):
    """A packet of a kind that has no event of its own, or any packet when raw delivery was asked for."""

    data: bytes
    """As received."""
    kind: str | None
    """The name of the Packet's field, or None: empty, or newer than this library.

    ``scene_driven_animation`` is a private message of Bevy's that has the number of ``look_at_position``; raw delivery
    does not look far enough to tell them apart.
    """
    protocol_version: int
    reliable: bool
    topic: str
    _limits: Limits = field(default=DEFAULT_LIMITS, repr=False, compare=False)
    _packet: rfc4.Packet | None = field(default=None, repr=False, compare=False)

    @property
    def packet(self) -> rfc4.Packet:
        """The decoded packet; decoded on first use.

        DecodeError is possible with raw delivery only, which looks no further than the kind.
        """
        if self._packet is None:
            self._packet = decode(self.data, limits=self._limits)
        return self._packet


@dataclass(slots=True, kw_only=True)
class PacketRejected(_PacketEvent):
    """Bytes that are not an acceptable packet.  Counted in ``RoomSession.counters``."""

    reason: RejectReason
    offset: int
    """Index of the byte that can't be accepted; 0 where no single byte is to blame."""
    size: int = 0
    """Bytes of the packet."""
    detail: str = ""


# --- tracks


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrackEvent(_Event):
    sender: PeerId
    track: Track


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPublished(_TrackEvent):
    """Somebody offers a live audio or video track."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackUnpublished(_TrackEvent):
    """The track is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSubscribed(_TrackEvent):
    """We receive the track: ``connection.audio(track)`` or ``connection.video(track)`` give its frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackUnsubscribed(_TrackEvent):
    """We receive the track no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackMuted(_TrackEvent):
    """The track was muted or unmuted: see ``track.muted``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakersChanged(_Event):
    """Others speak than before, or in another order of loudness."""

    speakers: tuple[PeerId, ...]
    """The loudest first; may include ourselves."""


# --- notices


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached(_Event):
    """A limit was reached, for the first time or again after it had been left."""

    limit: str
    """The name in Limits."""
    value: int
    """The limit."""
    sender: PeerId | None = None
    """Whose packets are beyond it; None: it is not a limit on one sender, or one that many share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warning(_Event):  # noqa: A001 - the word that the design gives it; it lives in this namespace
    """Something to know that is nobody's failure."""

    code: WarningCode
    text: str
    """For people; holds no secret."""


PacketEvent = (
    PeerMoved
    | PeerEmoted
    | ChatReceived
    | SceneMessageReceived
    | ProfileAnnounced
    | ProfileRequested
    | ProfileReceived
    | ReactionReceived
    | VoiceReceived
    | PacketReceived
    | PacketRejected
)
"""Any event about one packet."""

Event = (
    RoomOpened
    | RoomClosed
    | Reconnecting
    | Reconnected
    | CredentialsNeeded
    | SignatureNeeded
    | IslandChanged
    | Kicked
    | RealmOpened
    | RealmClosed
    | WorldClosed
    | PeerJoined
    | PeerLeft
    | PeerIdentified
    | PacketEvent
    | TrackPublished
    | TrackUnpublished
    | TrackSubscribed
    | TrackUnsubscribed
    | TrackMuted
    | SpeakersChanged
    | LimitReached
    | Warning
)
"""Any event."""
