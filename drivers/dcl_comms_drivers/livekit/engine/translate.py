"""The engine's messages about participants and tracks, in the core's words."""

from __future__ import annotations

from typing import Final

from dcl_comms_core.inputs import Participant, Track, TrackKind
from dcl_comms_drivers.livekit.engine.ffi import e2ee_pb2, participant_pb2, track_pb2
from dcl_comms_drivers.livekit.sources import source_of

__all__ = ["participant", "track"]

_KINDS: Final = {track_pb2.KIND_AUDIO: TrackKind.AUDIO, track_pb2.KIND_VIDEO: TrackKind.VIDEO}


def participant(info: participant_pb2.ParticipantInfo) -> Participant:
    """A participant."""
    attributes = tuple(info.attributes.items())
    return Participant(
        identity=info.identity, sid=info.sid, name=info.name, metadata=info.metadata, attributes=attributes
    )


def track(info: track_pb2.TrackPublicationInfo) -> Track | None:
    """A published track; None when it is neither audio nor video."""
    kind = _KINDS.get(info.kind)
    if kind is None:
        return None
    source = source_of(info.source)
    encrypted = info.encryption_type != e2ee_pb2.NONE
    return Track(sid=info.sid, kind=kind, source=source, name=info.name, muted=info.muted, encrypted=encrypted)
