"""Every event, and the types of its fields: as a user matches them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never, assert_type

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    CredentialsNeeded,
    Grants,
    IslandChanged,
    Kicked,
    LimitReached,
    Movement,
    MovementKind,
    OwnTrackEnded,
    PacketReceived,
    PacketRejected,
    PeerEmoted,
    PeerId,
    PeerIdentified,
    PeerIgnored,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    PeerUpdated,
    PermissionsChanged,
    Position,
    ProfileAnnounced,
    ProfileReceived,
    ProfileRequested,
    ReactionReceived,
    RealmClosed,
    RealmOpened,
    Reconnected,
    Reconnecting,
    RejectReason,
    Retry,
    RoomClosed,
    RoomMetadataChanged,
    RoomMoved,
    RoomOpened,
    SceneMessageReceived,
    SignatureNeeded,
    SpeakersChanged,
    Track,
    TrackMuted,
    TrackPublished,
    TrackSubscribed,
    TrackSubscriptionFailed,
    TrackUnpublished,
    TrackUnsubscribed,
    Vector3,
    VoiceReceived,
    WarningCode,
    WorldClosed,
)
from dcl_comms_core.events import Event, PacketEvent, Warning  # noqa: A004 - it lives in that namespace


def common(event: Event) -> None:
    assert_type(event.at, float)
    assert_type(event.room, str)


def of_a_sender(event: PacketEvent) -> None:
    assert_type(event.sender, PeerId | None)
    assert_type(event.private, bool)


def matched(event: Event) -> None:
    match event:
        case ChatReceived(sender=PeerId() as who, text=text):
            assert_type(who, PeerId)
            assert_type(text, str)
        case ChatReceived(sender=None, text=text, sent_at=sent_at, forwarded_from=forwarded, topic=topic):
            assert_type(sent_at, float | None)
            assert_type(forwarded, str | None)
            assert_type(topic, str)
        case PeerMoved(sender=who, position=position, velocity=velocity, yaw=yaw, kind=kind, message=message):
            assert_type(who, PeerId | None)
            assert_type(position, Vector3)
            assert_type(velocity, Vector3)
            assert_type(yaw, float)
            assert_type(kind, MovementKind)
            assert_type(message, Movement | Position)
            x, _, z = position
            assert_type(x + z, float)
        case _:
            pass


def all_of_them(event: Event) -> str:  # noqa: PLR0911 - one of each
    """A match that a type checker takes for complete: a new event would be told here."""
    match event:
        case RoomOpened(identity=identity, name=name):
            assert_type(identity, PeerId)
            return name
        case RoomClosed(reason=reason, retry=retry) | RealmClosed(reason=reason, retry=retry):
            assert_type(reason, CloseReason)
            assert_type(retry, Retry)
            return event.detail
        case WorldClosed(reason=reason, retry=retry):
            return f"{reason.value} {retry.value}"
        case Reconnecting(attempt=attempt, reason=reason):
            assert_type(attempt, int)
            return reason.value
        case Reconnected(attempt=attempt):
            return str(attempt)
        case CredentialsNeeded() | RealmOpened():
            return event.room
        case SignatureNeeded(payload=payload, request=request):
            assert_type(request, int)
            return payload
        case IslandChanged(island=island, previous=previous, peers=peers):
            assert_type(previous, str | None)
            assert_type(peers, tuple[tuple[PeerId, Vector3], ...])
            return island + event.adapter.to_connection_string()
        case Kicked(cause=cause):
            return cause.value
        case PeerJoined(sender=who) | PeerLeft(sender=who):
            assert_type(who, PeerId)
            return who.text
        case PeerIdentified(sender=who, early=early):
            assert_type(early, tuple[PacketEvent, ...])
            return who.text
        case TrackPublished(track=track) | TrackUnpublished(track=track) | TrackMuted(track=track):
            assert_type(track, Track)
            return track.sid
        case TrackSubscribed(track=track) | TrackUnsubscribed(track=track):
            return track.name
        case PeerIgnored(sender=who, until=until, abuse=abuse):
            assert_type(until, float | None)
            assert_type(abuse, float)
            return who.text
        case PeerUpdated(sender=who, name=name, attributes=attributes):
            assert_type(attributes, Mapping[str, str])
            return name + who.text
        case PermissionsChanged(grants=grants):
            assert_type(grants, Grants)
            return str(grants.can_publish_data)
        case RoomMetadataChanged(metadata=metadata):
            return metadata
        case RoomMoved(name=name, sid=sid):
            return name + sid
        case TrackSubscriptionFailed(track=track, detail=detail):
            return track.sid + detail
        case OwnTrackEnded(sid=sid):
            return sid
        case SpeakersChanged(speakers=speakers):
            assert_type(speakers, tuple[PeerId, ...])
            return str(len(speakers))
        case LimitReached(limit=limit, sender=sender):
            assert_type(sender, PeerId | None)
            return limit
        case Warning(code=code, text=text, count=count):
            assert_type(code, WarningCode)
            assert_type(count, int)
            return text
        case PeerMoved() | VoiceReceived():
            return str(event.size)
        case PeerEmoted(urn=urn, stopping=stopping):
            assert_type(stopping, bool)
            return urn
        case ChatReceived(text=text):
            return text
        case SceneMessageReceived(scene_id=scene, data=data):
            assert_type(data, bytes)
            return scene
        case ProfileAnnounced(version=version) | ProfileRequested(version=version):
            assert_type(version, int)
            return str(version)
        case ProfileReceived(serialized=serialized):
            return serialized
        case ReactionReceived(message_id=message_id, emoji_index=index):
            assert_type(message_id, str | None)
            return str(index)
        case PacketReceived(kind=kind_name, data=data):
            assert_type(kind_name, str | None)
            return kind_name or data.hex()
        case PacketRejected(reason=why, offset=offset):
            assert_type(why, RejectReason)
            return str(offset)
        case _:
            assert_never(event)
