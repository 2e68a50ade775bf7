"""What sound and pictures have in common: a track of ours (Source), and the reading of somebody else's (Sink).

Both are used in the thread of the loop that owns the link, and call ``on_ready`` there, from ``drain``: an async
iterator needs no more than an event that ``on_ready`` sets.

    source = link.publish_audio()            sink = link.open_audio(track_sid)
    source.on_ready = event.set              sink.on_ready = event.set
    source.mute(muted=True)                  while (frame := sink.poll()) is not None: ...
    source.close()                           sink.ended, sink.close()

``on_ready`` of a source says that it was published, failed (``error``), was muted or unmuted, or is closed; of a sink,
that there is a frame or the end.  Frames nobody polls push out the oldest, counted in ``dropped``.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from dcl_comms_core.errors import LocalProtocolError, TrackEncrypted
from dcl_comms_drivers.livekit.engine import requests
from dcl_comms_drivers.livekit.engine.buffers import Hold
from dcl_comms_drivers.livekit.engine.engine import NativeRefusal
from dcl_comms_drivers.livekit.engine.ffi import FfiEvent, FfiRequest, track_pb2
from dcl_comms_drivers.livekit.errors import redact
from dcl_comms_drivers.livekit.own_tracks import OwnTrack
from dcl_comms_drivers.livekit.received import NOT_RECEIVED, Frames
from dcl_comms_drivers.livekit.sources import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dcl_comms_core.inputs import TrackSource
    from dcl_comms_drivers.livekit.engine.room import Room

__all__ = ["Sink", "Source"]

F = TypeVar("F")


class Source(OwnTrack):
    """A published track.  ``command``: the core's command that asked for it, to be answered; empty: the application."""

    def __init__(self, room: Room, source: TrackSource, *, command: str = "") -> None:
        super().__init__(room.ourselves.tracks, source, muted=False, command=command)
        self.room = room
        self.engine = room.engine
        self.native = 0
        """The engine's handle of the source."""
        self._publication = self._track = 0
        self._kind: Hashable = None
        room.on_over.append(self._room_over)

    def mute(self, *, muted: bool) -> None:
        """Mute or unmute the track; everybody in the room is told."""
        if self.closed:
            return
        self.muted = muted
        request = FfiRequest()
        request.local_track_mute.track_handle = self._track
        request.local_track_mute.mute = muted
        self.engine.send(request)

    def close(self) -> None:
        """Take the track back.  May be repeated."""
        if self.closed:
            return
        self.room.on_over.remove(self._room_over)
        if self.sid:
            self._unpublish(self.sid)
        self._ended()

    # -- requests

    def publish(self, name: str, *, muted: bool) -> None:
        """Make the native source and track, and publish it."""
        request = FfiRequest()
        publish = request.publish_track
        try:
            self._kind = self.kind(name)
            kept = self.engine.stranded.take(self._kind)
            if kept is None:
                self.native = self.engine.own(self.new_source())
                self._track = self.engine.own(self.new_track(name))
            else:
                self.native, self._track = map(self.engine.own, kept)
                self.clear()
            if muted or kept:
                self.mute(muted=muted)
            publish.local_participant_handle = self.room.me
            publish.track_handle = self._track
            publish.options.source = cast("track_pb2.TrackSource.ValueType", NUMBERS[self.source])
            self.set_options(publish.options)
            publish.request_async_id = async_id = self.engine.next_id()
            self.room.call(request, async_id, self._published)
        except NativeRefusal:
            self.close()
            raise

    @abstractmethod
    def kind(self, name: str) -> Hashable:
        """What a native source and track must have in common with these to be used in their place."""

    @abstractmethod
    def clear(self) -> None:
        """Throw away what has not been sent yet."""

    @abstractmethod
    def new_source(self) -> int:
        """Make the native source; its handle."""

    @abstractmethod
    def new_track(self, name: str) -> int:
        """Make the native track; its handle."""

    @abstractmethod
    def set_options(self, options: Any) -> None:
        """Fill in options of publishing, beyond the track's source."""

    def _unpublish(self, sid: str) -> None:
        async_id = self.engine.next_id()
        # Whatever comes of it: the track's end is what we want, and a refusal says that it has ended.
        with suppress(NativeRefusal):
            self.room.call(requests.unpublish(self.room.me, sid, async_id), async_id, lambda _: None)

    # -- answers

    def _published(self, event: FfiEvent) -> None:
        answer = event.publish_track
        if answer.WhichOneof("message") != "publication":
            self.error = redact(answer.error)
            if self.command:
                self.refuse(answer.error)
                self.close()
        elif self.closed:
            self.engine.discard(event)
            self._unpublish(answer.publication.info.sid)
        else:
            self._publication = self.engine.own(answer.publication.handle.id)
            self.sid = answer.publication.info.sid
            if self.command:
                self.room.completed(self.command)
        self.ready()

    def refuse(self, why: str) -> None:
        """Answer the command: it was not carried out."""
        self.room.failed(self.command, why)

    def _room_over(self) -> None:
        if self.room.keeps_tracks and self.sid:
            self.room.stranded += 1
            self.engine.keep(self.native, self._track)
            self.engine.stranded.put(self._kind, self.native, self._track)
            self.native = self._track = 0
        self._ended()

    def _ended(self) -> None:
        self.end()
        for handle in (self._publication, self._track, self.native):
            if handle:
                self.engine.drop(handle)
        self.ready()


class Sink(Frames[F]):
    """The frames of one remote track, the newest ``max_frames`` of those that nobody polled.

    LocalProtocolError: we don't receive the track, or ``max_frames`` is less than 1.
    """

    _EVENT: ClassVar[str]
    """The kind of event that carries frames."""

    def __init__(self, room: Room, track_sid: str, max_frames: int) -> None:
        track = room.members.track_handle(track_sid)
        if track is None:
            raise LocalProtocolError(NOT_RECEIVED)
        if room.members.is_encrypted(track_sid):
            raise TrackEncrypted
        if max_frames < 1:
            msg = f"max_frames is at least 1, not {max_frames}"
            raise LocalProtocolError(msg)
        super().__init__(room, max_frames)
        self._room = room
        self._engine = room.engine
        request = FfiRequest()
        handle_of = self._ask(request, track)
        self._stream = self._engine.open_stream(request, handle_of, self._on_event)
        room.on_over.append(self.over)

    @abstractmethod
    def _ask(self, request: FfiRequest, track: int) -> Callable[[Any], int]:
        """Fill in the request for a stream; return what finds the stream's handle in the response."""

    @abstractmethod
    def _frame(self, received: Any) -> F:
        """The frame that a ``frame_received`` tells of; it gives the native one back when it dies."""

    def hold(self, handle: int) -> Hold:
        """What gives a native frame back when the last view of it dies."""
        return Hold(partial(self._engine.release, handle))

    def _end(self) -> None:
        # Frames may still be on their way; the stream's last event is its end.
        self._engine.drop(self._stream)

    # -- on the engine's threads

    def _on_event(self, event: FfiEvent) -> None:
        if event.WhichOneof("message") != self._EVENT:
            self.ended = True  # the engine's own end
        else:
            news = getattr(event, self._EVENT)
            if news.WhichOneof("message") != "frame_received":
                self._engine.detach_stream(news.stream_handle)
                self.ended = True
            elif self.closed:
                self._engine.discard(event)
                return
            else:
                self.keep(self._frame(news.frame_received))
        self.tell()
