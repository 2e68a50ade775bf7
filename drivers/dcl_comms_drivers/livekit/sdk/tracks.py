"""What sound and pictures over the SDK have in common: the same objects, for the same callers, as the engine's."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from livekit import rtc

from dcl_comms_core.errors import LocalProtocolError, TrackEncrypted
from dcl_comms_drivers.livekit.own_tracks import OwnTrack
from dcl_comms_drivers.livekit.received import NOT_RECEIVED, Frames
from dcl_comms_drivers.livekit.sources import NUMBERS

if TYPE_CHECKING:
    from dcl_comms_core.inputs import TrackSource
    from dcl_comms_drivers.livekit.sdk.room import SdkRoom

__all__ = ["SdkSink", "SdkSource"]

F = TypeVar("F")
N = TypeVar("N", rtc.AudioSource, rtc.VideoSource)


class SdkSource(OwnTrack, Generic[N]):
    """A published track.  ``command``: the core's command that asked for it, to be answered; empty: the application."""

    def __init__(self, room: SdkRoom, name: str, source: TrackSource, *, muted: bool, command: str = "") -> None:
        super().__init__(room.ourselves.tracks, source, muted=muted, command=command)
        self.room = room
        # For the SDK's thread only.
        self._taken_back = False
        self.native: N | None = None
        self._track: rtc.LocalAudioTrack | rtc.LocalVideoTrack | None = None
        room.on_over.append(self._ended)
        room.in_thread(partial(self._begin, name, source, muted=muted))

    def mute(self, *, muted: bool) -> None:
        """Mute or unmute the track; everybody in the room is told."""
        self.muted = muted
        self.room.in_thread(partial(self._mute, muted=muted))

    def close(self) -> None:
        """Take the track back.  May be repeated."""
        if not self.closed:
            self.room.on_over.remove(self._ended)
            self._ended()

    @abstractmethod
    def make(self, name: str) -> tuple[N, rtc.LocalAudioTrack | rtc.LocalVideoTrack]:
        """Make the native source and a track of it; in the SDK's thread."""

    @abstractmethod
    def options(self) -> rtc.TrackPublishOptions:
        """Options of publishing, but for the source."""

    # -- in the SDK's thread

    def _begin(self, name: str, source: TrackSource, *, muted: bool) -> None:
        if self.room.run(self._publish, name, source, muted) is None:
            self.room.in_loop(partial(self.failed, "the room is over"))

    async def _publish(self, name: str, source: TrackSource, muted: bool) -> None:  # noqa: FBT001 - run() passes these on
        native, track = self.make(name)
        self.native, self._track = native, track
        if muted:
            track.mute()
        options = self.options()
        options.source = cast("rtc.TrackSource.ValueType", NUMBERS[source])
        try:
            publication = await self.room.room.local_participant.publish_track(track, options)
        except Exception as error:  # noqa: BLE001 - the SDK's errors are not exported and have no base in common
            self.room.in_loop(partial(self.failed, self.room.redacted(error)))
        else:
            self.room.in_loop(partial(self._published, publication.sid))
            if self._taken_back:
                # When there was nothing yet to take back.
                await self._unpublish(publication.sid, native)

    def _mute(self, *, muted: bool) -> None:
        if self._track is not None:
            (self._track.mute if muted else self._track.unmute)()

    def _take_back(self, sid: str) -> None:
        self._taken_back = True
        if sid and self.native is not None:
            self.room.run(self._unpublish, sid, self.native)
        self.native = self._track = None

    async def _unpublish(self, sid: str, native: N) -> None:
        try:
            await self.room.room.local_participant.unpublish_track(sid)
        except Exception as error:  # noqa: BLE001 - likewise
            # The track's end is what we want; a refusal says that it has ended.
            self.room.failed("unpublish", error)
        await native.aclose()

    # -- in the thread of the loop

    def _published(self, sid: str) -> None:
        self.sid = sid
        if self.command:
            self.room.completed(self.command)
        self.ready()

    def failed(self, error: str) -> None:
        """It could not be published, or sends no more."""
        self.error = error
        if self.command:
            self.refuse(error)
            self.close()
        self.ready()

    def refuse(self, why: str) -> None:
        """Answer the command: it was not carried out."""
        self.room.failed(self.command, why)

    def _ended(self) -> None:
        self.end()
        self.room.in_thread(partial(self._take_back, self.sid))
        self.ready()


class SdkSink(Frames[F]):
    """The frames of one remote track, the newest ``max_frames`` of those that nobody polled."""

    def __init__(self, room: SdkRoom, track_sid: str, max_frames: int) -> None:
        track = room.members.track(track_sid)
        if track is None:
            raise LocalProtocolError(NOT_RECEIVED)
        if room.members.is_encrypted(track_sid):
            raise TrackEncrypted
        super().__init__(room, max_frames)
        self._room = room
        self._stream: rtc.AudioStream | rtc.VideoStream | None = None
        room.on_over.append(self.over)
        room.in_thread(lambda: room.run(self._listen, track_sid, track))

    def _end(self) -> None:
        self._room.in_thread(self._stop)

    # -- in the SDK's thread

    @abstractmethod
    def _open(self, track: rtc.RemoteTrack, max_frames: int) -> rtc.AudioStream | rtc.VideoStream:
        """Make the SDK's stream."""

    @abstractmethod
    def _frame(self, event: Any) -> F:
        """The frame that an event of the stream holds."""

    async def _listen(self, sid: str, track: rtc.RemoteTrack) -> None:
        if self.closed:
            return
        stream = self._stream = self._open(track, self.max_frames)
        # The SDK's stream keeps the track alive, and so does not end with it.
        self._room.members.when_detached(sid, self._stop)
        try:
            async for event in stream:
                self.keep(self._frame(event))
                self.tell()
        finally:
            self.ended = True
            self.tell()
            await stream.aclose()

    def _stop(self) -> None:
        if self._stream is not None:
            self._room.run(self._stream.aclose)
