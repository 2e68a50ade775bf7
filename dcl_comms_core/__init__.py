"""Decentraland comms for Python: the sans-IO protocol core.

What programs need is here: events (``Event`` is any of them), errors, messages, sessions, machines.  ``Warning`` is
here too, but not in ``__all__``, so that ``import *`` leaves Python's own alone.  The vocabulary in full is in
``events``, ``inputs`` and ``commands``, message classes in ``proto``, the kit for tests in ``testing``; drivers for
asyncio, trio and other loops are in ``dcl_comms_drivers``.

Pages that docstrings name (docs/faults.md) are in the folder ``docs`` of the source distribution.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# A block a package, from the ground up: what may import what is in ARCHITECTURE.md.
# fmt: off
# isort: off

# The vocabulary.
from dcl_comms_core.errors import (
    AuthChainProblem, CommsError, ConnectionLost, ConnectionStringProblem, DecodeError, EncodeError, IdentityExpired,
    InvalidAuthChain, InvalidConnectionString, InvalidFilter, InvalidJournal, InvalidRealm, InvalidRecord, InvalidSound,
    InvalidToken, JournalProblem, ListenerOverflow, LocalProtocolError, NotInARoom, NoWhispers, PacketTooLarge,
    PermissionMissing, ProtocolError, RealmProblem, RemoteProtocolError, RequestFailed, SendQueueFull, SigningProblem,
    SigningRefused, TargetProblem, TargetRefused, TokenError, TokenExpired, TokenNotYetValid, TrackEncrypted,
    TrackEnded,
)
from dcl_comms_core.states import (
    ARCHIPELAGO_TRANSITIONS, ARCHIPELAGO_WAITS, CLOSED_AT, PULSE_TRANSITIONS, PULSE_WAITS, RETRY, ROOM_TRANSITIONS,
    ROOM_WAITS, STAGE_TRANSITIONS, STAGE_WAITS, STAY_TRANSITIONS, STAY_WAITS, WAY_TRANSITIONS, WAY_WAITS,
    WORLD_TRANSITIONS, WORLD_WAITS, ArchipelagoState, CloseReason, PulseState, Retry, RoomState, Stage, StayState,
    Timer, WayState,
)
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.peers import EVERYONE, Addressees, Arrival, Peer, PeerId, Who
from dcl_comms_core.inputs import (
    ClockSet, CommandCompleted, CommandFailed, ConnectionQuality, DataReceived, DatagramReceived, DatagramRefused,
    DatagramsClosed, DatagramsOpened, FetchFailed, Fetched, ForeignReceived, FrameReceived, LinkClosed, LinkFailed,
    LinkMoved, LinkOpened, LinkReconnected, LinkReconnecting, LinkRef, LinkSilent, OwnTrackVanished, PacketsDropped,
    Participant, ParticipantJoined, ParticipantLeft, ParticipantUpdated, Permissions, PermissionsGiven, QualityGiven,
    RoomMetadataGiven, SendAcknowledged, SendsAcknowledged, SocketClosed, SocketOpened, SpeakersHeard, TokenRefreshed,
    Track, TrackAppeared, TrackAttached, TrackDetached, TrackFailed, TrackKind, TrackMuteChanged, TrackSource,
    TrackVanished,
)
from dcl_comms_core.commands import (
    CancelFetch, CloseDatagrams, CloseLink, CloseSocket, Fetch, OpenDatagrams, OpenLink, OpenSocket, PublishMicrophone,
    SendData, SendDatagram, SendFrame, SetAttributes, SubscribeTrack,
)
from dcl_comms_core.events import (
    ChatReceived, CredentialsNeeded, Event, IslandChanged, Kicked, LimitReached, MovementKind, OwnTrackEnded,
    PacketEvent, PacketReceived, PacketRejected, PeerEmoted, PeerIdentified, PeerIgnored, PeerJoined, PeerLeft,
    PeerMoved, PeerUpdated, PermissionsChanged, ProfileAnnounced, ProfileReceived, ProfileRequested, ReactionReceived,
    RealmClosed, RealmOpened, Reconnected, Reconnecting, RejectReason, RoomClosed, RoomMetadataChanged, RoomMoved,
    RoomOpened, SceneMessageReceived, SignatureNeeded, SpeakersChanged, TrackMuted, TrackPublished, TrackSubscribed,
    TrackSubscriptionFailed, TrackUnpublished, TrackUnsubscribed, Vector3, VoiceReceived, WarningCode, WorldClosed,
)
from dcl_comms_core.events import Warning as Warning  # noqa: A004 - public, and kept out of __all__
from dcl_comms_core.tap import Tap

from dcl_comms_core.weather.away import Away
from dcl_comms_core.weather.can import Ability, Can, Cannot

# Messages, and their bytes.
from dcl_comms_core.proto._gen.rfc4 import (
    AnnounceProfileVersion, Chat, ChatReaction, GlideState, LookAtPosition, Movement, MovementCompressed, Packet,
    PlayerEmote, Position, ProfileRequest, ProfileResponse, Reaction, Scene, SceneEmote, Voice, VoiceCodec,
)
from dcl_comms_core.proto._gen.rfc5 import (
    WsChallengeRequired, WsIdentification, WsKicked, WsPacket, WsPeerJoin, WsPeerLeave, WsPeerUpdate, WsSignedChallenge,
    WsWelcome,
)
from dcl_comms_core.proto._gen.v3 import (
    ChallengeRequestMessage, ChallengeResponseMessage, ClientPacket, Heartbeat, IslandChangedMessage, IslandData,
    IslandStatusMessage, JoinIslandMessage, KickedMessage, KickedReason, LeftIslandMessage, ServerPacket,
    ServiceDiscoveryMessage, ServiceStatus, SignedChallengeMessage, WelcomeMessage,
)
from dcl_comms_core.codec import (
    Peek, Tag13, decode, decode_kind, decode_message, decode_movements, decode_positions, encode, encode_chat,
    encode_movement, encode_position, kind_of, peek, tag13,
)

# What packets mean.
from dcl_comms_core.packets.chat import AUTHORITATIVE_SERVER, COMMUNITY_ROUTER
from dcl_comms_core.packets.movement import (
    GENESIS_BOUNDS, MovementCodec, MovementProblem, MovementRefused, TimestampUnwrapper,
)
from dcl_comms_core.packets.scene import (
    SceneContent, SceneFraming, frame_binary, frame_comms_data, frame_string, read_scene_data,
)

# Who we are.
from dcl_comms_core.identity.auth_chain import AuthChain, AuthLink, AuthLinkType, ContractCheck, Verifier, login_payload
from dcl_comms_core.identity.guard import DECENTRALAND_HOSTS, ChallengeGuard
from dcl_comms_core.identity.login import AuthIdentity, EphemeralSigner
from dcl_comms_core.identity.signed_fetch import login_metadata, scene_metadata, signed_fetch_headers
from dcl_comms_core.identity.signed_request import RequestRefused, SignedRequest, read_signed_request

# Where to go.
from dcl_comms_core.adapters.about import Realm, parse_about, read_about
from dcl_comms_core.adapters.answers import REFUSAL_RETRY, Refusal, RefusalReason, read_answer
from dcl_comms_core.adapters.connection_string import (
    Adapter, ArchipelagoAdapter, LiveKitAdapter, OfflineAdapter, SignedLoginAdapter, SimulatorAdapter, WsRoomAdapter,
    parse_connection_string,
)
from dcl_comms_core.adapters.resolution import Resolution
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.adapters.token import AccessToken, Claims, Grants
from dcl_comms_core.adapters.url_guard import LEADS_TO, Place, Target, place_of

# Who is around.
from dcl_comms_core.company.around import Me, near, nearest
from dcl_comms_core.company.ignoring import Ignore, Ignored

# How people look, and what they can do.
from dcl_comms_core.avatars.emotes import Emotes

# One room.
from dcl_comms_core.room.incoming.allowances import PeerTraffic
from dcl_comms_core.room.incoming.dedupe import Seen
from dcl_comms_core.room.incoming.profiles import Profile, trusted_url
from dcl_comms_core.room.options import Subscribe, SubscribePolicy
from dcl_comms_core.room.session import Delivery, RoomSession
from dcl_comms_core.room.streams import CurrentStream, Stream, StreamIdentity, StreamRole, VideoAddress, stream_identity
from dcl_comms_core.room.ws_room import WsRoomSession

# Small things.
from dcl_comms_core.tools.backoff import Backoff
from dcl_comms_core.tools.urls import request_url

# Island service, several rooms as one, realms, Pulse; rooms in memory, services from their other end, journals: loaded
# when they are asked for.
if TYPE_CHECKING:
    from dcl_comms_core.handshake.archipelago import ArchipelagoSession
    from dcl_comms_core.merged.overview import PeersOfRooms
    from dcl_comms_core.merged.presence import Presence
    from dcl_comms_core.merged.session import MergedRooms, RoomRole
    from dcl_comms_core.merged.sources import (
        Emoting, IslandSource, MovementSource, Placing, Preferring, RealmFollowing, Signing,
    )
    from dcl_comms_core.world.membership import Standing
    from dcl_comms_core.world.scenes import GATEKEEPER
    from dcl_comms_core.world.session import WorldSession
    from dcl_comms_core.simulation.memory_room import MemoryRoom
    from dcl_comms_core.simulation.settings import Faults
    from dcl_comms_core.servers.archipelago import ArchipelagoServer
    from dcl_comms_core.servers.islands import Islands
    from dcl_comms_core.servers.realm import RealmPage, RealmRules, RealmServer, RealmSettings
    from dcl_comms_core.servers.ws_room import WsRoomServer
    from dcl_comms_core.journal.record import Difference, Journal, Replay
    from dcl_comms_core.pulse.areas import ScenesOnly
    from dcl_comms_core.pulse.positions import PositionsByHttp
    from dcl_comms_core.pulse.session import PulseSession
    from dcl_comms_core.sound.pieces import Sound
    from dcl_comms_core.sound.utterances import Utterances
    from dcl_comms_core.avatars.avatar import Avatar
    from dcl_comms_core.avatars.people import Asking, Lambdas, People
    from dcl_comms_core.avatars.person import Person, SaidBy
    from dcl_comms_core.walking.pace import Pace
    from dcl_comms_core.walking.walk import Walk, WalkEnd
    from dcl_comms_core.walking.walker import Walker
    from dcl_comms_core.records.forms import as_dict, event_name, event_schema, from_dict
# Not for type checkers: to them every name would pass for one of ours.
else:
    _LATER = {
        "ArchipelagoSession": "handshake.archipelago",
        "PeersOfRooms": "merged.overview",
        "Presence": "merged.presence",
        "MergedRooms": "merged.session",
        "RoomRole": "merged.session",
        "Emoting": "merged.sources",
        "IslandSource": "merged.sources",
        "MovementSource": "merged.sources",
        "Placing": "merged.sources",
        "Preferring": "merged.sources",
        "RealmFollowing": "merged.sources",
        "Signing": "merged.sources",
        "Standing": "world.membership",
        "GATEKEEPER": "world.scenes",
        "WorldSession": "world.session",
        "MemoryRoom": "simulation.memory_room",
        "Faults": "simulation.settings",
        "ArchipelagoServer": "servers.archipelago",
        "Islands": "servers.islands",
        "RealmPage": "servers.realm",
        "RealmRules": "servers.realm",
        "RealmServer": "servers.realm",
        "RealmSettings": "servers.realm",
        "WsRoomServer": "servers.ws_room",
        "Difference": "journal.record",
        "Journal": "journal.record",
        "Replay": "journal.record",
        "ScenesOnly": "pulse.areas",
        "PositionsByHttp": "pulse.positions",
        "PulseSession": "pulse.session",
        "Sound": "sound.pieces",
        "Utterances": "sound.utterances",
        "Avatar": "avatars.avatar",
        "Asking": "avatars.people",
        "Lambdas": "avatars.people",
        "People": "avatars.people",
        "Person": "avatars.person",
        "SaidBy": "avatars.person",
        "Pace": "walking.pace",
        "Walk": "walking.walk",
        "WalkEnd": "walking.walk",
        "Walker": "walking.walker",
        "as_dict": "records.forms",
        "event_name": "records.forms",
        "event_schema": "records.forms",
        "from_dict": "records.forms",
    }

    def __getattr__(name: str) -> object:
        where = _LATER.get(name)
        if where is None:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        found = globals()[name] = getattr(import_module(f"{__name__}.{where}"), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})

# isort: on

__all__ = [
    "ARCHIPELAGO_TRANSITIONS", "ARCHIPELAGO_WAITS", "AUTHORITATIVE_SERVER", "CLOSED_AT", "COMMUNITY_ROUTER",
    "DECENTRALAND_HOSTS", "DEFAULT_LIMITS", "EVERYONE", "GATEKEEPER", "GENESIS_BOUNDS", "LEADS_TO", "PULSE_TRANSITIONS",
    "PULSE_WAITS", "REFUSAL_RETRY", "RETRY", "ROOM_TRANSITIONS", "ROOM_WAITS", "STAGE_TRANSITIONS", "STAGE_WAITS",
    "STAY_TRANSITIONS", "STAY_WAITS", "WAY_TRANSITIONS", "WAY_WAITS", "WORLD_TRANSITIONS", "WORLD_WAITS", "Ability",
    "AccessToken", "Adapter", "Addressees", "AnnounceProfileVersion", "ArchipelagoAdapter", "ArchipelagoServer",
    "ArchipelagoSession", "ArchipelagoState", "Arrival", "Asking", "AuthChain", "AuthChainProblem", "AuthIdentity",
    "AuthLink", "AuthLinkType", "Avatar", "Away", "Backoff", "Can", "CancelFetch", "Cannot", "ChallengeGuard",
    "ChallengeRequestMessage", "ChallengeResponseMessage", "Chat", "ChatReaction", "ChatReceived", "Claims",
    "ClientPacket", "ClockSet", "CloseDatagrams", "CloseLink", "CloseReason", "CloseSocket", "CommandCompleted",
    "CommandFailed", "CommsError", "ConnectionLost", "ConnectionQuality", "ConnectionStringProblem", "ContractCheck",
    "CredentialsNeeded", "CurrentStream", "DataReceived", "DatagramReceived", "DatagramRefused", "DatagramsClosed",
    "DatagramsOpened", "DecodeError", "Delivery", "Difference", "Emotes", "Emoting", "EncodeError", "EphemeralSigner",
    "Event", "Faults", "Fetch", "FetchFailed", "Fetched", "ForeignReceived", "FrameReceived", "GlideState", "Grants",
    "Heartbeat", "IdentityExpired", "Ignore", "Ignored", "InvalidAuthChain", "InvalidConnectionString", "InvalidFilter",
    "InvalidJournal", "InvalidRealm", "InvalidRecord", "InvalidSound", "InvalidToken", "IslandChanged",
    "IslandChangedMessage", "IslandData", "IslandSource", "IslandStatusMessage", "Islands", "JoinIslandMessage",
    "Journal", "JournalProblem", "Kicked", "KickedMessage", "KickedReason", "Lambdas", "LeftIslandMessage",
    "LimitReached", "Limits", "LinkClosed", "LinkFailed", "LinkMoved", "LinkOpened", "LinkReconnected",
    "LinkReconnecting", "LinkRef", "LinkSilent", "ListenerOverflow", "LiveKitAdapter", "LocalProtocolError",
    "LookAtPosition", "Me", "MemoryRoom", "MergedRooms", "Movement", "MovementCodec", "MovementCompressed",
    "MovementKind", "MovementProblem", "MovementRefused", "MovementSource", "NoWhispers", "NotInARoom",
    "OfflineAdapter", "OpenDatagrams", "OpenLink", "OpenSocket", "OwnTrackEnded", "OwnTrackVanished", "Pace", "Packet",
    "PacketEvent", "PacketReceived", "PacketRejected", "PacketTooLarge", "PacketsDropped", "Participant",
    "ParticipantJoined", "ParticipantLeft", "ParticipantUpdated", "Peek", "Peer", "PeerEmoted", "PeerId",
    "PeerIdentified", "PeerIgnored", "PeerJoined", "PeerLeft", "PeerMoved", "PeerTraffic", "PeerUpdated",
    "PeersOfRooms", "People", "PermissionMissing", "Permissions", "PermissionsChanged", "PermissionsGiven", "Person",
    "Place", "Placing", "PlayerEmote", "Position", "PositionsByHttp", "Preferring", "Presence", "Profile",
    "ProfileAnnounced", "ProfileReceived", "ProfileRequest", "ProfileRequested", "ProfileResponse", "ProtocolError",
    "PublishMicrophone", "PulseSession", "PulseState", "QualityGiven", "Reaction", "ReactionReceived", "Realm",
    "RealmClosed", "RealmFollowing", "RealmOpened", "RealmPage", "RealmProblem", "RealmRules", "RealmServer",
    "RealmSettings", "Reconnected", "Reconnecting", "Refusal", "RefusalReason", "RejectReason", "RemoteProtocolError",
    "Replay", "RequestFailed", "RequestRefused", "Resolution", "Retry", "RoomClosed", "RoomMetadataChanged",
    "RoomMetadataGiven", "RoomMoved", "RoomOpened", "RoomRole", "RoomSession", "RoomState", "SaidBy", "Scene",
    "SceneContent", "SceneEmote", "SceneFraming", "SceneMessageReceived", "ScenesOnly", "Seen", "SendAcknowledged",
    "SendData", "SendDatagram", "SendFrame", "SendQueueFull", "SendsAcknowledged", "ServerPacket",
    "ServiceDiscoveryMessage", "ServiceStatus", "SetAttributes", "SignatureNeeded", "SignedChallengeMessage",
    "SignedLoginAdapter", "SignedRequest", "Signing", "SigningProblem", "SigningRefused", "SimulatorAdapter",
    "SocketClosed", "SocketOpened", "Sound", "SpeakersChanged", "SpeakersHeard", "Stage", "Standing", "StayState",
    "Stream", "StreamIdentity", "StreamRole", "Subscribe", "SubscribePolicy", "SubscribeTrack", "Tag13", "Tap",
    "Target", "TargetProblem", "TargetRefused", "Timer", "TimestampUnwrapper", "TokenError", "TokenExpired",
    "TokenNotYetValid", "TokenRefreshed", "Track", "TrackAppeared", "TrackAttached", "TrackDetached", "TrackEncrypted",
    "TrackEnded", "TrackFailed", "TrackKind", "TrackMuteChanged", "TrackMuted", "TrackPublished", "TrackSource",
    "TrackSubscribed", "TrackSubscriptionFailed", "TrackUnpublished", "TrackUnsubscribed", "TrackVanished",
    "Utterances", "Vector3", "Verifier", "VideoAddress", "Voice", "VoiceCodec", "VoiceReceived", "Walk", "WalkEnd",
    "Walker", "WarningCode", "WayState", "WelcomeMessage", "Who", "WorldClosed", "WorldSession", "WsChallengeRequired",
    "WsIdentification", "WsKicked", "WsPacket", "WsPeerJoin", "WsPeerLeave", "WsPeerUpdate", "WsRoomAdapter",
    "WsRoomServer", "WsRoomSession", "WsSignedChallenge", "WsWelcome", "as_dict", "decode", "decode_kind",
    "decode_message", "decode_movements", "decode_positions", "encode", "encode_chat", "encode_movement",
    "encode_position", "event_name", "event_schema", "frame_binary", "frame_comms_data", "frame_string", "from_dict",
    "kind_of", "login_metadata", "login_payload", "near", "nearest", "parse_about", "parse_connection_string",
    "parse_target", "peek", "place_of", "read_about", "read_answer", "read_scene_data", "read_signed_request",
    "request_url", "scene_metadata", "signed_fetch_headers", "stream_identity", "tag13", "trusted_url",
]
