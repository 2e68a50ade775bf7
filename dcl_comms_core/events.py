"""Events: everything that the core can tell an application.

Every event has ``at`` (monotonic seconds, the ``now`` of the call that caused it) and ``room``, the label of the room
it belongs to.  Those about one packet are written in ``dcl_comms_core.packets.events``, and are here all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from dcl_comms_core.packets.events import (
    ChatReceived,
    MovementKind,
    PacketEvent,
    PacketReceived,
    PacketRejected,
    PeerEmoted,
    PeerMoved,
    ProfileAnnounced,
    ProfileReceived,
    ProfileRequested,
    ReactionReceived,
    RejectReason,
    SceneMessageReceived,
    Vector3,
    VoiceReceived,
)
from dcl_comms_core.peers import Arrival
from dcl_comms_core.tools.labels import Moment, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.token import Grants
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.states import CloseReason, Retry

__all__ = [
    "ChatReceived",
    "CredentialsNeeded",
    "Event",
    "IslandChanged",
    "Kicked",
    "LimitReached",
    "MovementKind",
    "OwnTrackEnded",
    "PacketEvent",
    "PacketReceived",
    "PacketRejected",
    "PeerEmoted",
    "PeerIdentified",
    "PeerIgnored",
    "PeerJoined",
    "PeerLeft",
    "PeerMoved",
    "PeerUpdated",
    "PermissionsChanged",
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
    "RoomMetadataChanged",
    "RoomMoved",
    "RoomOpened",
    "SceneMessageReceived",
    "SignatureNeeded",
    "SpeakersChanged",
    "TrackMuted",
    "TrackPublished",
    "TrackSubscribed",
    "TrackSubscriptionFailed",
    "TrackUnpublished",
    "TrackUnsubscribed",
    "Vector3",
    "VoiceReceived",
    "Warning",
    "WarningCode",
    "WorldClosed",
]


class WarningCode(Enum):
    """What a Warning is about."""

    ANNOUNCED_LATE = "announced late"
    """The token allows neither attributes nor a track.

    Others learn of us up to 3 s late, and our first packets have no sender.
    """
    SEND_FAILED = "send failed"
    """The transport did not take a packet."""
    SENDS_UNCONFIRMED = "sends unconfirmed"
    """A link was lost, or the room closed, while packets waited for their acknowledgement: they may or may not have
    arrived."""
    SENDS_MAY_BE_LOST = "sends may be lost"
    """A connection was lost, and nothing had come from the server for a while: reliable packets that the transport
    acknowledged since may not have arrived.  ``count`` says how many; told once we are back, or before RoomClosed."""
    SENDS_DROPPED = "sends dropped"
    """A room closed before it was the turn of packets that had been accepted: they were not sent."""
    SENDS_EXPIRED = "sends expired"
    """What was said waited for a room, and none came in time: it was let go (Limits.waiting_seconds).

    ``count`` says how many packets; told once in an outage, further ones are counted only.
    """
    ENGINE_CHANGED = "engine changed"
    """Our own engine could not reach LiveKit's server by datagrams: this room is joined by the livekit package's."""
    COMMAND_FAILED = "command failed"
    """The transport refused something other than a packet."""
    ALREADY_CONNECTED = "already connected"
    """The same wallet has a session there, which ours will end."""
    NO_ISLAND = "no island"
    """The island service is silent although it has our position, and we are in no island's room; heartbeats go on.

    Where an island might come of a movement source, it is told once that had its time.
    """
    ISLAND_UNREADABLE = "island unreadable"
    """The island service sent us somewhere, and its connection string can't be read."""
    OFFLINE = "offline"
    """The realm has no comms: nobody is met there."""
    ROOM_TAKEN = "room taken"
    """The scene's room has the only place that the island's could have, and is left: RoomClosed("scene") follows."""
    SOURCE_UNREACHABLE = "source unreachable"
    """A movement source (``room`` says which, such as ``pulse``) can't be reached or was lost, and tries again.

    Told once, until it is open again.  What rooms carry of movement is told meanwhile.
    """
    SOURCE_LOST = "source lost"
    """A movement source (``room`` says which) is over for good, or could not be had.  The rooms go on."""
    PULSE_UNREADABLE = "pulse unreadable"
    """The realm's document says where its Pulse is, and that can't be read, or must not be used from here."""
    SILENT = "silent"
    """We joined with ``silent=True`` and never announce a profile: Unity clients then send us nothing but chat, scene
    messages and reactions, and show no avatar of ours."""
    NO_PROFILE = "no profile"
    """The realm has no profile of our wallet, or could not be asked, or ours can't be offered: we announce version 0,
    by which Unity clients talk to us, and have nothing to show them."""
    SCENE_MESSAGE_LARGE = "scene message large"
    """A scene message is beyond Limits.scene_warn_bytes: Unity clients drop it.  Said once."""
    CHAT_LARGE = "chat large"
    """A chat message is beyond Limits.chat_warn_bytes: Godot clients cut it there.  Said once."""
    ADDRESSEE_UNKNOWN = "addressee unknown"
    """A packet is for somebody who is not in the room, as far as is known: it may reach nobody."""
    JOURNAL_STOPPED = "journal stopped"
    """The file of ``journal=`` can't be written any more: what comes from here on is not recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    at: float
    """When, monotonic seconds of the host's clock."""
    room: str
    """Which room: island, scene, or the label that the session was given."""

    @property
    def time(self) -> Moment | None:
        """When, by the wall clock, in UTC: as the session knows it now (ClockSet); None: it was not told."""
        return moment(self.room, self.at)


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
    metadata: str = ""
    """What the server says of this room, free text: comms-gatekeeper keeps who is banned there, in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomClosed(_Event):
    """A room is over, and no event of it follows.

    Where the target was one room, that is the last event.  In a realm a room of the same name may be opened after it,
    with Reconnecting and RoomOpened; there WorldClosed is the last event.
    """

    reason: CloseReason
    """Why."""
    retry: Retry
    """What may help."""
    detail: str = ""
    """For people; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnecting(_Event):
    """The connection was lost and is being repaired.  Sends wait meanwhile."""

    attempt: int
    """0: the transport repairs it by itself; n: the session is about to join anew for the n-th time."""
    reason: CloseReason
    """Why it was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnected(_Event):
    """The connection is back.

    Peers that came or went meanwhile are told of between Reconnecting and this, or right after it.
    """

    attempt: int
    """0: repaired by the transport; n: joined anew at the n-th attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionsChanged(_Event):
    """The server changed what we may do here.  The verbs go by it from now on, and raise PermissionMissing."""

    grants: Grants
    """All that holds now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomMetadataChanged(_Event):
    """The room's metadata changed."""

    metadata: str
    """All of it, as it is now.  Free text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomMoved(_Event):
    """The server moved us to another room, whose peers are told as those of this one: the old ones leave."""

    name: str
    """The room's name."""
    sid: str
    """The transport's id of that room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsNeeded(_Event):
    """A room that was open ends, and its token is spent: a new connection string is needed.  Its RoomClosed follows.

    Ask whoever gave the last one, and be there with the new one: a new RoomSession, ``go`` or ``join`` of a
    MergedRooms, a new WorldSession.  A WorldSession that knows itself whom to ask (a realm, an island service, a
    gatekeeper) does so and does not tell this; and where the answer to ``open()`` is RoomClosed, its ``retry`` says it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureNeeded(_Event):
    """Somebody has to sign ``payload`` and answer with ``provide_signature(request, chain)``."""

    payload: str = field(repr=False)
    """It may hold a world's password."""
    request: int
    """Which one is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IslandChanged(_Event):
    """The realm put us on another island."""

    island: str
    """Which one, as the realm calls it."""
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
    """For people; holds no secret."""


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
    """Why."""
    retry: Retry
    """What may help."""
    detail: str = ""
    """For people; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldClosed(_Event):
    """A WorldSession is over, with all its rooms; no event follows."""

    reason: CloseReason
    """Why."""
    retry: Retry
    """What may help; not always what RETRY says of the reason, where a server's answer says more."""
    detail: str = ""
    """For people; holds no secret."""


# --- peers


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerJoined(_Event):
    """Somebody is in the room."""

    sender: PeerId
    """Who."""
    arrival: Arrival = Arrival.NEW
    """Whether it is new, was there before us, or is only back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLeft(_Event):
    """Somebody left the room, or was gone when we came back to it.

    On LiveKit their last packets may still come after it, and then have no sender: see docs/faults.md.
    """

    sender: PeerId
    """Who."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIgnored(_Event):
    """A peer is ignored from now on, its packets and its tracks, for what it sent: as the setting ``ignore`` says."""

    sender: PeerId
    """Who."""
    until: float | None
    """Until when, monotonic seconds; None: until ``unignore``."""
    abuse: float
    """The abuse score that it had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerUpdated(_Event):
    """Somebody's name, metadata or attributes changed, or the server changed ours.  Free text, untrusted."""

    sender: PeerId
    """Whose.  May be we ourselves."""
    name: str
    """As it is now; may be empty."""
    metadata: str
    """As it is now; may be empty."""
    attributes: Mapping[str, str]
    """All of them, as they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentified(_Event):
    """The transport said now who sent some earlier packets.

    ``early`` are their events again, with the sender filled in.
    """

    sender: PeerId
    """Whose they are."""
    early: tuple[PacketEvent, ...]
    """The oldest first."""


# --- tracks


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrackEvent(_Event):
    sender: PeerId
    """Whose it is."""
    track: Track
    """As it is now: id, kind, source, name, whether it is muted or encrypted."""


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
class TrackSubscriptionFailed(_TrackEvent):
    """We should receive the track, and can't."""

    detail: str
    """The transport's words, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTrackEnded(_Event):
    """The server took a track of ours back."""

    sid: str
    """The track's id."""


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
    """What it is about."""
    text: str
    """For people; holds no secret."""
    count: int = 0
    """How many packets it is about; 0: it is not about packets, or about one."""


Event = (
    RoomOpened
    | RoomClosed
    | Reconnecting
    | Reconnected
    | PermissionsChanged
    | RoomMetadataChanged
    | RoomMoved
    | CredentialsNeeded
    | SignatureNeeded
    | IslandChanged
    | Kicked
    | RealmOpened
    | RealmClosed
    | WorldClosed
    | PeerIgnored
    | PeerJoined
    | PeerLeft
    | PeerUpdated
    | PeerIdentified
    | PacketEvent
    | TrackPublished
    | TrackUnpublished
    | TrackSubscribed
    | TrackUnsubscribed
    | TrackMuted
    | TrackSubscriptionFailed
    | OwnTrackEnded
    | SpeakersChanged
    | LimitReached
    | Warning
)
"""Any event."""
