"""What participants ask for over their sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from dcl_comms_core.servers.livekit.house import House
    from dcl_comms_core.servers.livekit.participants import Participant
    from dcl_comms_core.servers.livekit.settings import RoomSettings

__all__ = ["change_metadata", "hear"]

_NO_METADATA = "does not have permission to update own metadata"
_NO_TRACKS = "this server takes no tracks"
_PASSED_ON = frozenset(
    {
        livekit.DisconnectReason.USER_UNAVAILABLE,
        livekit.DisconnectReason.USER_REJECTED,
        livekit.DisconnectReason.AGENT_ERROR,
    }
)
"""Reasons of a client that others are told; any other is his own business."""


def hear(house: House, participant: Participant, request: livekit.SignalRequest) -> None:
    """Do what somebody asks for.  What is of sound and pictures, and of addresses, is not looked at."""
    if request.ping_req is not None:
        now = round(house.unix_now() * 1_000)
        pong = livekit.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=now)
        house.tell(participant, livekit.SignalResponse(pong_resp=pong))
    elif request.ping:
        house.tell(participant, livekit.SignalResponse(pong=round(house.unix_now() * 1_000)))
    elif request.offer is not None:
        take_offer(house, participant, request.offer)
    elif request.leave is not None:
        reason = request.leave.reason
        seen = reason if reason in _PASSED_ON else livekit.DisconnectReason.CLIENT_INITIATED
        house.end(participant, livekit.DisconnectReason.CLIENT_INITIATED, seen=seen)
    elif request.update_metadata is not None:
        _update_metadata(house, participant, request.update_metadata)
    elif request.add_track is not None:
        outcome = livekit.RequestResponse(
            reason=livekit.RequestOutcome.NOT_ALLOWED, message=_NO_TRACKS, add_track=request.add_track
        )
        house.tell(participant, livekit.SignalResponse(request_response=outcome))
    elif request.publish_data_track_request is not None:
        outcome = livekit.RequestResponse(
            reason=livekit.RequestOutcome.NOT_ALLOWED,
            message=_NO_TRACKS,
            publish_data_track=request.publish_data_track_request,
        )
        house.tell(participant, livekit.SignalResponse(request_response=outcome))


def take_offer(house: House, participant: Participant, offer: livekit.SessionDescription) -> None:
    """Answer an offer of somebody's connection."""
    connection = participant.connection
    text = connection.answer(offer.sdp)
    if text is not None:
        house.routes.name(participant, connection.frags)
        answer = livekit.SessionDescription(type="answer", sdp=text, id=offer.id)
        house.tell(participant, livekit.SignalResponse(answer=answer))
    house.settle(participant)


def _update_metadata(house: House, participant: Participant, change: livekit.UpdateParticipantMetadata) -> None:
    outcome = livekit.RequestResponse(request_id=change.request_id)
    if not participant.grant.can_update_metadata:
        outcome.reason, outcome.message = livekit.RequestOutcome.NOT_ALLOWED, _NO_METADATA
    else:
        problem = change_metadata(
            participant, house.settings, name=change.name, metadata=change.metadata, attributes=change.attributes
        )
        if problem:
            outcome.reason, outcome.message = livekit.RequestOutcome.LIMIT_EXCEEDED, problem
        else:
            house.change(participant)
            house.refresh(participant)
            if not participant.wants_outcomes:
                return
    house.tell(participant, livekit.SignalResponse(request_response=outcome))


def change_metadata(
    participant: Participant, settings: RoomSettings, *, name: str, metadata: str, attributes: dict[str, str]
) -> str:
    """Have somebody be called and say something else; empty: as before, of an attribute: it goes.

    Gives what is too long; then nothing is changed.
    """
    grant = participant.grant
    merged = {key: value for key, value in {**grant.attributes, **attributes}.items() if value}
    if len(name.encode()) > settings.name_bytes:
        return "exceeds name size limit"
    if len(metadata.encode()) > settings.metadata_bytes:
        return "exceeds metadata size limit"
    if sum(len(key.encode()) + len(value.encode()) for key, value in merged.items()) > settings.attributes_bytes:
        return "exceeds attributes size limit"
    grant.name, grant.metadata, grant.attributes = name or grant.name, metadata or grant.metadata, merged
    participant.version += 1
    return ""
