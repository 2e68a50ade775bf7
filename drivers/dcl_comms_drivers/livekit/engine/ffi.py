"""The LiveKit wheel's private side.  No other module of ours touches it.

The wheel's native library takes protobuf requests and answers with protobuf events through one callback.  Neither the
library's functions nor the messages are a public interface: between 1.1.0 and 1.2.1 fields of ParticipantInfo were
renumbered and ``ready_for_room_event`` became mandatory.  So the messages are always those of the installed wheel, and
every name and field that we rely on is looked up here, when this module is imported, which raises
:class:`EngineUnavailable` when one is missing.  That does not show what a newer wheel asks for in addition; so one of a
version that was not tried is refused too.
"""

# Private names of the wheel are what this module is for.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
import time
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from dcl_comms_core.errors import CommsError
from dcl_comms_drivers.livekit.engine import callback
from dcl_comms_drivers.livekit.engine.readings import readings
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable, redact
from dcl_comms_drivers.livekit.wheel import keeps_tracks, numbers
from dcl_comms_drivers.loops.native import NativeThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from google.protobuf.descriptor import Descriptor

    from dcl_comms_drivers.livekit._native import _events

try:
    from livekit.rtc import __version__ as _version
    from livekit.rtc import _ffi_client as _sdk
    from livekit.rtc._proto import (
        audio_frame_pb2,
        e2ee_pb2,
        handle_pb2,
        participant_pb2,
        room_pb2,
        track_pb2,
        video_frame_pb2,
    )
    from livekit.rtc._proto.ffi_pb2 import FfiEvent, FfiRequest, FfiResponse
except ImportError as error:
    try:
        _found = version("livekit")
    except PackageNotFoundError:
        raise EngineUnavailable(EngineProblem.NOT_INSTALLED, 'pip install "dcl-comms[livekit]"') from None
    raise EngineUnavailable(EngineProblem.UNKNOWN_WHEEL, f"livekit {_found} lacks {error.name}") from None

__all__ = [
    "ASYNC_EVENTS",
    "KEEPS_TRACKS",
    "OWNING_ROOM_EVENTS",
    "STREAM_EVENTS",
    "FfiEvent",
    "FfiRequest",
    "FfiResponse",
    "Native",
    "NativeRefusal",
    "address_of",
    "audio_frame_pb2",
    "copy_memory",
    "e2ee_pb2",
    "hot_numbers",
    "owned_handles",
    "parse_event",
    "participant_pb2",
    "room_pb2",
    "track_pb2",
    "video_frame_pb2",
]

FIELDS: Final[Mapping[str, str]] = {
    "FfiRequest": "connect disconnect publish_data set_local_attributes ready_for_room_event publish_track "
    "unpublish_track new_audio_source create_audio_track capture_audio_frame clear_audio_buffer new_audio_stream "
    "new_video_source create_video_track capture_video_frame new_video_stream "
    "local_track_mute set_subscribed get_session_stats set_data_channel_buffered_amount_low_threshold",
    "FfiResponse": "new_audio_source create_audio_track new_audio_stream new_video_source create_video_track "
    "new_video_stream",
    "FfiEvent": "room_event connect disconnect publish_data set_local_attributes publish_track unpublish_track "
    "capture_audio_frame audio_stream_event video_stream_event get_session_stats logs panic",
    "ConnectRequest": "url token options request_async_id",
    "RoomOptions": "auto_subscribe adaptive_stream dynacast join_retries connect_timeout_ms",
    "ConnectCallback": "async_id error result",
    "ConnectCallback.Result": "room local_participant participants",
    "ConnectCallback.ParticipantWithTracks": "participant publications",
    "DisconnectRequest": "room_handle request_async_id reason",
    "ReadyForRoomEventRequest": "room_handle",
    "PublishDataRequest": "local_participant_handle data_ptr data_len reliable topic destination_identities "
    "request_async_id",
    "PublishDataCallback": "async_id error",
    "SetLocalAttributesRequest": "local_participant_handle attributes request_async_id",
    "SetLocalAttributesCallback": "async_id error",
    "SetDataChannelBufferedAmountLowThresholdRequest": "local_participant_handle threshold kind",
    "GetSessionStatsRequest": "room_handle request_async_id",
    "GetSessionStatsCallback": "async_id error result",
    "GetSessionStatsCallback.Result": "publisher_stats",
    "RtcStats": "transport candidate_pair",
    "RtcStats.Transport": "transport",
    "RtcStats.CandidatePair": "rtc candidate_pair",
    "RtcStatsData": "id timestamp",
    "TransportStats": "bytes_sent packets_received selected_candidate_pair_id",
    "CandidatePairStats": "current_round_trip_time responses_received last_packet_received_timestamp",
    "PublishTrackRequest": "local_participant_handle track_handle options request_async_id",
    "TrackPublishOptions": "source simulcast video_encoding",
    "VideoEncoding": "max_bitrate max_framerate",
    "PublishTrackCallback": "async_id error publication",
    "UnpublishTrackRequest": "local_participant_handle track_sid stop_on_unpublish request_async_id",
    "RoomEvent": "room_handle participant_connected participant_disconnected track_published track_unpublished "
    "track_subscribed track_unsubscribed track_muted track_unmuted active_speakers_changed "
    "participant_metadata_changed participant_name_changed participant_attributes_changed "
    "participant_permission_changed track_subscription_failed local_track_unpublished local_track_republished "
    "room_metadata_changed room_updated moved token_refreshed disconnected reconnecting reconnected eos "
    "data_packet_received room_sid_changed",
    "DataPacketReceived": "kind participant_identity user sip_dtmf",
    "UserPacket": "data topic",
    "OwnedBuffer": "handle data",
    "BufferInfo": "data_ptr data_len",
    "RoomInfo": "sid name metadata",
    "Disconnected": "reason",
    "ParticipantInfo": "sid name identity metadata attributes permission",
    "AttributesEntry": "key value",
    "ParticipantPermission": "can_publish can_publish_data can_subscribe can_publish_sources can_update_metadata "
    "hidden",
    "OwnedParticipant": "handle info",
    "TrackInfo": "sid name kind muted",
    "OwnedTrack": "handle info",
    "TrackPublicationInfo": "sid name kind source muted encryption_type",
    "OwnedTrackPublication": "handle info",
    "FfiOwnedHandle": "id",
    "AudioFrameBufferInfo": "data_ptr num_channels sample_rate samples_per_channel",
    "OwnedAudioFrameBuffer": "handle info",
    "NewAudioSourceRequest": "type sample_rate num_channels queue_size_ms",
    "CaptureAudioFrameRequest": "source_handle buffer request_async_id",
    "CaptureAudioFrameCallback": "async_id error",
    "NewAudioStreamRequest": "track_handle type sample_rate num_channels",
    "AudioStreamEvent": "stream_handle frame_received eos",
    "ActiveSpeakersChanged": "participant_identities",
    "ParticipantConnected": "info",
    "ParticipantDisconnected": "participant_identity",
    "ParticipantMetadataChanged": "participant_identity metadata",
    "ParticipantNameChanged": "participant_identity name",
    "ParticipantAttributesChanged": "participant_identity attributes",
    "ParticipantPermissionChanged": "participant_identity permission",
    "RoomMetadataChanged": "metadata",
    "TokenRefreshed": "token",
    "LocalTrackUnpublished": "publication_sid",
    "LocalTrackRepublished": "previous_sid info",
    "TrackSubscriptionFailed": "participant_identity track_sid error",
    "TrackPublished": "participant_identity publication",
    "TrackUnpublished": "publication_sid",
    "TrackSubscribed": "participant_identity track",
    "TrackUnsubscribed": "track_sid",
    "TrackMuted": "track_sid",
    "TrackUnmuted": "track_sid",
    "OwnedRoom": "handle info",
    "CreateAudioTrackRequest": "name source_handle",
    "CreateAudioTrackResponse": "track",
    "NewAudioSourceResponse": "source",
    "NewAudioStreamResponse": "stream",
    "OwnedAudioSource": "handle",
    "OwnedAudioStream": "handle",
    "ClearAudioBufferRequest": "source_handle",
    "CreateVideoTrackResponse": "track",
    "NewVideoSourceResponse": "source",
    "NewVideoStreamResponse": "stream",
    "OwnedVideoSource": "handle",
    "OwnedVideoStream": "handle",
    "LocalTrackMuteRequest": "track_handle mute",
    "SetSubscribedRequest": "publication_handle subscribe",
    "Panic": "message",
    "LogBatch": "records",
    "LogRecord": "level target module_path line message",
    "NewVideoSourceRequest": "type resolution is_screencast",
    "VideoSourceResolution": "width height",
    "CreateVideoTrackRequest": "name source_handle",
    "CaptureVideoFrameRequest": "source_handle buffer timestamp_us rotation",
    "VideoBufferInfo": "type width height data_ptr stride components",
    "VideoBufferInfo.ComponentInfo": "data_ptr stride size",
    "OwnedVideoBuffer": "handle info",
    "NewVideoStreamRequest": "track_handle type format normalize_stride",
    "VideoStreamEvent": "stream_handle frame_received eos",
    "VideoFrameReceived": "buffer timestamp_us rotation",
}
HOT: Final[Mapping[str, tuple[str, str, str]]] = {
    "event_room": ("FfiEvent", "room_event", "MESSAGE"),
    "event_publish": ("FfiEvent", "publish_data", "MESSAGE"),
    "room_handle": ("RoomEvent", "room_handle", "UINT64"),
    "room_data": ("RoomEvent", "data_packet_received", "MESSAGE"),
    "data_kind": ("DataPacketReceived", "kind", "ENUM"),
    "data_sender": ("DataPacketReceived", "participant_identity", "STRING"),
    "data_user": ("DataPacketReceived", "user", "MESSAGE"),
    "data_dtmf": ("DataPacketReceived", "sip_dtmf", "MESSAGE"),
    "user_data": ("UserPacket", "data", "MESSAGE"),
    "user_topic": ("UserPacket", "topic", "STRING"),
    "owned_handle": ("OwnedBuffer", "handle", "MESSAGE"),
    "owned_data": ("OwnedBuffer", "data", "MESSAGE"),
    "handle_id": ("FfiOwnedHandle", "id", "UINT64"),
    "buffer_address": ("BufferInfo", "data_ptr", "UINT64"),
    "buffer_length": ("BufferInfo", "data_len", "UINT64"),
    "answer_id": ("PublishDataCallback", "async_id", "UINT64"),
    "answer_error": ("PublishDataCallback", "error", "STRING"),
    "request_publish": ("FfiRequest", "publish_data", "MESSAGE"),
    "publish_me": ("PublishDataRequest", "local_participant_handle", "UINT64"),
    "publish_address": ("PublishDataRequest", "data_ptr", "UINT64"),
    "publish_length": ("PublishDataRequest", "data_len", "UINT64"),
    "publish_reliable": ("PublishDataRequest", "reliable", "BOOL"),
    "publish_topic": ("PublishDataRequest", "topic", "STRING"),
    "publish_to": ("PublishDataRequest", "destination_identities", "STRING"),
    "publish_id": ("PublishDataRequest", "request_async_id", "UINT64"),
}
"""Every field that the native callback reads or writes by itself: message, name and type."""
TRIED: Final = ("1.1.21", "1.3")
"""The first version of the wheel that this binding was tried with, and the first that it was not; pyproject.toml allows
the same ones."""
KEEPS_TRACKS: Final = keeps_tracks(_version)
"""Whether a track that is published when the server ends the room stays in the engine."""
_LOG_VARIABLE: Final = "DCL_COMMS_NATIVE_LOG"
_PRECEDING: Final = "RUST_LOG"
_NO_HANDLE: Final = 0
_CALLBACK: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)
_LAST_CALLBACKS_SECONDS: Final = 0.05
_LAST_EVENTS_SECONDS: Final = 1.0

_sdk_logger: Final = logging.getLogger("livekit")


def _missing() -> list[str]:
    """Every name that we use and that the installed wheel doesn't have."""
    lacking: list[str] = []
    pool = _descriptor(FfiEvent).file.pool
    for message, names in FIELDS.items():
        try:
            known = pool.FindMessageTypeByName(f"livekit.proto.{message}").fields_by_name
        except KeyError:
            lacking.append(message)
        else:
            lacking += [f"{message}.{name}" for name in names.split() if name not in known]
    lacking += [name for name in ("FfiClient", "to_python_level") if not hasattr(_sdk, name)]
    # `instance` is not asked for: that would start the engine.
    lacking += [f"FfiClient.{name}" for name in ("_instance", "_dispose", "queue") if not hasattr(_sdk.FfiClient, name)]
    return lacking


def hot_numbers() -> dict[str, int] | str:
    """The installed wheel's numbers for the native callback, or what about them is not as it expects."""
    pool = _descriptor(FfiEvent).file.pool
    numbers = {"kind_reliable": int(room_pb2.KIND_RELIABLE)}
    for name, (message, field, kind) in HOT.items():
        found = pool.FindMessageTypeByName(f"livekit.proto.{message}").fields_by_name[field]
        if found.type != getattr(found, f"TYPE_{kind}"):
            return f"{message}.{field} is no {kind}"
        numbers[name] = found.number
    return numbers


def _descriptor(message: Any) -> Descriptor:  # generated classes have no common typed base
    return cast("Descriptor", message.DESCRIPTOR)


def _owning(descriptor: Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a message of this type can hold a handle that its receiver has to drop."""
    if descriptor.full_name == _HANDLE:
        return True
    if descriptor.full_name in seen:
        return False
    seen |= {descriptor.full_name}
    return any(field.message_type is not None and _owning(field.message_type, seen) for field in descriptor.fields)


@cache
def _hands_over(descriptor: Descriptor) -> bool:
    return _owning(descriptor)


_HANDLE: Final = _descriptor(handle_pb2.FfiOwnedHandle).full_name
_lacking = _missing()
if _lacking:
    raise EngineUnavailable(EngineProblem.UNKNOWN_WHEEL, f"livekit {_version} lacks {', '.join(_lacking)}")
if not numbers(TRIED[0]) <= numbers(_version) < numbers(TRIED[1]):
    _tried = f"{TRIED[0]} up to {TRIED[1]} was"
    raise EngineUnavailable(EngineProblem.UNKNOWN_WHEEL, f"livekit {_version} was not tried, {_tried}")

ASYNC_EVENTS: Final = frozenset(
    field.name
    for field in _descriptor(FfiEvent).fields
    if field.message_type is not None and "async_id" in field.message_type.fields_by_name
)
"""The kinds of event that answer one request."""

STREAM_EVENTS: Final = frozenset(
    field.name
    for field in _descriptor(FfiEvent).fields
    if field.message_type is not None and "stream_handle" in field.message_type.fields_by_name
)
"""The kinds of event that belong to a media stream."""

OWNING_ROOM_EVENTS: Final = frozenset(
    field.name
    for field in _descriptor(room_pb2.RoomEvent).fields
    if field.message_type is not None and _owning(field.message_type)
)
"""The kinds of room event that hand over something that has to be dropped."""


def owned_handles(message: Any) -> Iterator[int]:  # generated classes have no common typed base
    """Every handle that a message hands over, however deep."""
    if _descriptor(message).full_name == _HANDLE:
        yield message.id
        return
    for field, value in message.ListFields():
        if field.message_type is not None and _hands_over(field.message_type):
            for item in value if field.is_repeated else (value,):
                yield from owned_handles(item)


def copy_memory(address: int, length: int) -> bytes:
    """Copy native memory that an event points to."""
    return ctypes.string_at(address, length)


_bytes_address = ctypes.pythonapi.PyBytes_AsString
_bytes_address.argtypes = [ctypes.py_object]
_bytes_address.restype = ctypes.c_void_p


def address_of(data: bytes) -> int:
    """Return the address of a bytes object's content.  The caller keeps the object alive while it is used."""
    return cast("int", _bytes_address(data))


class _Events(Protocol):
    """The extension."""

    Queue: type[_events.Queue]

    def start(
        self, numbers: Mapping[str, int], request: int, drop: int, readings: tuple[_events.Reading, ...], /
    ) -> int: ...
    def wait(self) -> list[bytes | int]: ...
    def stop(self) -> None: ...
    def refused_drops(self) -> int: ...


class NativeRefusal(CommsError):
    """The engine refused a request at once: a bug of ours, or a handle that is gone."""


class Native:
    """The native library, shared with the SDK in the same process.

    The library has one callback and the last one to be registered wins.  So the SDK is made to register its own first,
    then ours takes its place, and ``forward`` passes on to the SDK whatever turns out not to be ours.

    With the native callback, ``events`` is the extension: what it has no Queue for comes here by a thread of ours,
    which takes Python's lock once for all that has come meanwhile.  Without it ``events`` is None, ``why_ctypes`` says
    why, and the library's own threads come here.  ``on_event`` is called on whichever thread that is; ``on_wake`` on
    ours, with the number of a Queue whose reader has to be woken.
    """

    def __init__(self, on_event: Callable[[FfiEvent], None], on_wake: Callable[[int], None]) -> None:
        self.events, self.why_ctypes = choose_callback()
        sdk_was_first = _sdk.FfiClient._instance is not None
        # The library writes its log to standard error, errors by default, and these repeat access tokens.  It reads its
        # filter from the environment once, when it starts.
        before = os.environ.get(_PRECEDING)
        os.environ[_PRECEDING] = os.environ.get(_LOG_VARIABLE, "off")
        try:
            self._sdk_client: Any = _sdk.FfiClient.instance
        except ImportError as error:
            raise EngineUnavailable(EngineProblem.NOT_LOADED, str(error).splitlines()[0]) from None
        finally:
            if before is None:
                del os.environ[_PRECEDING]
            else:
                os.environ[_PRECEDING] = before
        self._sdk_queue: Any = self._sdk_client.queue
        self._on_event = on_event
        self._on_wake = on_wake
        # Another object for the same loaded library, because ctypes keeps argument types per object.
        self._library = ctypes.CDLL(self._sdk_client._ffi_lib._name)
        self._request = self._library.livekit_ffi_request
        self._request.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.POINTER(ctypes.c_void_p),
            ctypes.POINTER(ctypes.c_size_t),
        ]
        self._request.restype = ctypes.c_uint64
        self._drop = self._library.livekit_ffi_drop_handle
        self._drop.argtypes = [ctypes.c_uint64]
        self._drop.restype = ctypes.c_bool
        self._server: NativeThread | None = None
        self._callback: Any = _CALLBACK(self._receive) if self.events is None else self._start(self.events)
        self._initialize = self._library.livekit_ffi_initialize
        self._initialize.argtypes = [_CALLBACK, ctypes.c_bool, ctypes.c_char_p, ctypes.c_char_p]
        self._initialize.restype = None
        # When the SDK was first, the filter was not ours: then logs keep coming as events, as the SDK wants them.
        self._initialize(self._callback, sdk_was_first, b"python", version("livekit").encode())

    def request(self, message: FfiRequest) -> FfiResponse:
        """Send a request and return the engine's immediate response."""
        handle, address, length = self._exchange(message)
        response = FfiResponse()
        response.ParseFromString(ctypes.string_at(address, length))
        self._drop(handle)
        return response

    def send(self, message: FfiRequest) -> None:
        """Send a request whose immediate response says nothing."""
        handle, _, _ = self._exchange(message)
        self._drop(handle)

    def drop(self, handle: int) -> bool:
        """Give up a handle; False when the engine did not know it."""
        return bool(self._drop(handle))

    def forward(self, event: FfiEvent) -> None:
        """Pass on an event that belongs to the SDK."""
        self._sdk_queue.put(event)

    def dispose(self) -> None:
        """Stop the engine, for the SDK too.  Its threads must not outlive the interpreter."""
        # A thread of the library that enters Python while the interpreter goes aborts the process.  So no more
        # callbacks begin in Python, and those that have begun get the time to end.  Measured: 4 of 80 exits aborted
        # without either, none of 170 with both.
        if self.events is not None:
            self.events.stop()
            self._sdk_client._dispose()
            if self._server is not None:
                self._server.join(_LAST_EVENTS_SECONDS)
        else:
            ignore = ctypes.cast(ctypes.CDLL(None).labs, _CALLBACK)
            self._initialize(ignore, False, b"python", version("livekit").encode())
            self._sdk_client._dispose()
        # With the native callback too: the SDK's own, in Python, was called until ours took its place.
        time.sleep(_LAST_CALLBACKS_SECONDS)

    def _exchange(self, message: FfiRequest) -> tuple[int, int, int]:
        """Hand a request over; return handle, address and length of the response, which is to be dropped."""
        data = message.SerializeToString()
        address = ctypes.c_void_p()
        length = ctypes.c_size_t()
        handle: int = self._request(data, len(data), ctypes.byref(address), ctypes.byref(length))
        if handle == _NO_HANDLE:
            msg = "the LiveKit engine refused a request"
            raise NativeRefusal(msg)
        return handle, address.value or 0, length.value

    # -- events

    def _start(self, events: _Events) -> Any:
        numbers = hot_numbers()
        assert not isinstance(numbers, str)  # noqa: S101 - choose_callback looked
        request, drop = (ctypes.cast(function, ctypes.c_void_p).value or 0 for function in (self._request, self._drop))
        address = events.start(numbers, request, drop, readings(_descriptor(room_pb2.RoomEvent)))
        self._server = NativeThread(partial(self._serve, events), "dcl-comms engine")
        self._server.start()
        return ctypes.cast(address, _CALLBACK)

    def _serve(self, events: _Events) -> None:
        while items := events.wait():
            for item in items:
                try:
                    if isinstance(item, int):
                        self._on_wake(item)
                    else:
                        self._deliver(item)
                except Exception:  # noqa: BLE001 - as with a callback: said, and the next event gets its turn
                    threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))

    def _receive(self, address: int, length: int) -> None:
        self._deliver(ctypes.string_at(address, length))

    def _deliver(self, data: bytes) -> None:
        event = parse_event(data)
        if event.WhichOneof("message") == "logs":
            _log(event)
        else:
            self._on_event(event)


def parse_event(data: bytes) -> FfiEvent:
    """An event of the engine."""
    event = FfiEvent()
    event.ParseFromString(data)
    return event


def choose_callback() -> tuple[_Events | None, str]:
    numbers = hot_numbers()
    return callback.choose(callback.load_native if not isinstance(numbers, str) else lambda: numbers)


def _log(event: FfiEvent) -> None:
    """What the SDK does with the engine's log, without the tokens."""
    for record in event.logs.records:
        level = _sdk.to_python_level(record.level)
        if level is not None and level > logging.DEBUG:
            _sdk_logger.log(
                level, "%s:%s:%s - %s", record.target, record.line, record.module_path, redact(record.message)
            )
