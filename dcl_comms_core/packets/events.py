"""Events about one packet: what it means, itself, or why it was rejected.  Use them from ``dcl_comms_core.events``.

They have ``sender`` (None: the transport did not say who sent it; never guessed) and ``private`` (True: it was
addressed to us alone).  They are not frozen, because building a frozen one takes more than twice as long; treat them as
read-only all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from dcl_comms_core.codec import decode
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.chat import author_of, message_id
from dcl_comms_core.packets.scene import SceneContent, read_scene_data
from dcl_comms_core.tools.labels import Moment, moment
from dcl_comms_core.tools.vectors import Vector3

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.proto import rfc4

__all__ = [
    "ChatReceived",
    "MovementKind",
    "PacketEvent",
    "PacketReceived",
    "PacketRejected",
    "PeerEmoted",
    "PeerMoved",
    "ProfileAnnounced",
    "ProfileReceived",
    "ProfileRequested",
    "ReactionReceived",
    "RejectReason",
    "SceneMessageReceived",
    "Vector3",
    "VoiceReceived",
]


class MovementKind(Enum):
    """Which message told of a movement; the values are the packet kinds."""

    POSITION = "position"
    MOVEMENT = "movement"
    COMPRESSED = "movement_compressed"


class RejectReason(Enum):
    """Why a packet was rejected."""

    TOO_LARGE = "larger than Limits.packet_bytes, or its topic longer than Limits.topic_chars"
    MALFORMED = "not a valid Packet"
    NOT_FINITE = "a number that is not finite"
    OUT_OF_RANGE = "a number or a text beyond what its kind allows"


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

    @property
    def time(self) -> Moment | None:
        """When, by the wall clock, in UTC: as the session knows it now (ClockSet); None: it was not told."""
        return moment(self.room, self.at)


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
    """Which message told of it."""
    message: rfc4.Movement | rfc4.Position
    """The whole message: gait, head, pointing and so on; of the kind COMPRESSED, what it was decompressed to."""


@dataclass(slots=True, kw_only=True)
class PeerEmoted(_PacketEvent):
    """Somebody plays an emote, or stops it."""

    urn: str
    """Which emote."""
    incremental_id: int
    """The sender's count of its emotes."""
    timestamp: float
    """Seconds of the sender's own clock."""
    stopping: bool
    """It stops the emote, and does not begin one."""
    message: rfc4.PlayerEmote
    """The whole message; ``mask`` says of which parts of the body it is, where the sender says so."""
    finished: bool = False
    """It stops because it was over, and not because somebody stopped it.  Pulse alone says so."""


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
    """The address that the sender claims to relay for.  Trust it from a message router only: see ``author``."""
    topic: str = ""
    """Empty; our own identity, of a private message; or a community's channel."""

    @property
    def author(self) -> PeerId | None:
        """Who wrote it: the sender, or the address that a message router relays for.  None: unknown."""
        return author_of(self.sender, self.forwarded_from)

    @property
    def message_id(self) -> str | None:
        """The id by which reactions refer to this message; None: its author is unknown."""
        author = self.author
        return None if author is None else message_id(author, self.timestamp)


@dataclass(slots=True, kw_only=True)
class SceneMessageReceived(_PacketEvent):
    """A scene's message."""

    scene_id: str
    """Which scene it is of."""
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
    """Counted up with each change; 0 of who has none."""


@dataclass(slots=True, kw_only=True)
class ProfileRequested(_PacketEvent):
    """Somebody asks for the profile of an address."""

    address: str
    """Whose profile; as the sender wrote it."""
    version: int
    """The version that is asked for."""


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
    """The address that the sender claims to relay for.  Trust it from a message router only: see ``author``."""

    @property
    def author(self) -> PeerId | None:
        """Who reacts: the sender, or the address that a message router relays for.  None: unknown."""
        return author_of(self.sender, self.address)


@dataclass(slots=True, kw_only=True)
class VoiceReceived(_PacketEvent):
    """Legacy voice samples inside a packet; today's voice is a LiveKit track."""

    encoded_samples: bytes
    """As received, not decoded."""
    index: int
    """Which piece, by the sender's count."""
    codec: int
    """As the protocol numbers it: 0 is Opus."""


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
    """As the sender says; 0: it does not say."""
    reliable: bool
    """Whether it came by the transport's reliable way."""
    topic: str
    """Empty, or what it was sent under."""
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
    """What is wrong with it."""
    offset: int
    """Index of the offending byte; 0 where no single byte is to blame."""
    size: int = 0
    """Bytes of the packet."""
    detail: str = ""
    """For people: what exactly, where there is more to say."""


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
