"""The requests that we make of the engine, built in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.livekit.engine.ffi import FfiRequest, address_of, participant_pb2, room_pb2

if TYPE_CHECKING:
    from dcl_comms_core.adapters.connection_string import LiveKitAdapter

__all__ = [
    "connect",
    "leave",
    "publish_data",
    "ready",
    "send_buffer",
    "set_attributes",
    "subscribe",
    "transport_counters",
    "unpublish",
]

_CONNECT_TIMEOUT_MS: Final = 5_000
"""For one of the up to four connections that the engine tries; the deadline of the whole is the core's."""


def connect(adapter: LiveKitAdapter, async_id: int, *, auto_subscribe: bool) -> FfiRequest:
    """Join a room."""
    request = FfiRequest()
    wanted = request.connect
    wanted.url = adapter.url
    wanted.token = adapter.token.reveal()
    wanted.options.auto_subscribe = auto_subscribe
    wanted.options.adaptive_stream = False
    wanted.options.dynacast = False
    wanted.options.join_retries = 0
    wanted.options.connect_timeout_ms = _CONNECT_TIMEOUT_MS
    wanted.request_async_id = async_id
    return request


def ready(room: int) -> FfiRequest:
    """Say that the room's events may come; where nobody says so for 15 seconds the engine panics."""
    request = FfiRequest()
    request.ready_for_room_event.room_handle = room
    return request


def leave(room: int, async_id: int) -> FfiRequest:
    """Leave a room."""
    request = FfiRequest()
    request.disconnect.room_handle = room
    request.disconnect.reason = participant_pb2.CLIENT_INITIATED
    request.disconnect.request_async_id = async_id
    return request


def publish_data(me: int, data: bytes, to: tuple[str, ...], topic: str, async_id: int, *, reliable: bool) -> FfiRequest:
    """Send a packet; the engine copies ``data`` before it returns.  No addressee is everybody."""
    request = FfiRequest()
    publish = request.publish_data
    publish.local_participant_handle = me
    publish.data_ptr = address_of(data)
    publish.data_len = len(data)
    publish.reliable = reliable
    if topic:
        publish.topic = topic
    if to:
        publish.destination_identities.extend(to)
    publish.request_async_id = async_id
    return request


def send_buffer(me: int, size: int) -> FfiRequest:
    """From now on take a reliable packet only when at most ``size`` bytes are in front of it; 2 MiB at first."""
    request = FfiRequest()
    request.set_data_channel_buffered_amount_low_threshold.local_participant_handle = me
    request.set_data_channel_buffered_amount_low_threshold.threshold = size
    request.set_data_channel_buffered_amount_low_threshold.kind = room_pb2.KIND_RELIABLE
    return request


def transport_counters(room: int, async_id: int) -> FfiRequest:
    """Read the counters of the room's transports."""
    request = FfiRequest()
    request.get_session_stats.room_handle = room
    request.get_session_stats.request_async_id = async_id
    return request


def set_attributes(me: int, attributes: tuple[tuple[str, str], ...], async_id: int) -> FfiRequest:
    """Set attributes of our own participant."""
    request = FfiRequest()
    request.set_local_attributes.local_participant_handle = me
    for key, value in attributes:
        request.set_local_attributes.attributes.add(key=key, value=value)
    request.set_local_attributes.request_async_id = async_id
    return request


def subscribe(publication: int, *, wanted: bool) -> FfiRequest:
    """Ask for a published track, or decline it."""
    request = FfiRequest()
    request.set_subscribed.publication_handle = publication
    request.set_subscribed.subscribe = wanted
    return request


def unpublish(me: int, track_sid: str, async_id: int) -> FfiRequest:
    """Take a track of ours back."""
    request = FfiRequest()
    request.unpublish_track.local_participant_handle = me
    request.unpublish_track.track_sid = track_sid
    request.unpublish_track.stop_on_unpublish = True
    request.unpublish_track.request_async_id = async_id
    return request
