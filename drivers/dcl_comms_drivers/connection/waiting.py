"""The application's handle on a loop with ``await``: everything that waits, the same for asyncio and trio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, Unpack

from dcl_comms_core.errors import InvalidConnectionString, LocalProtocolError, SendQueueFull
from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.packets.conventions import is_reliable
from dcl_comms_core.peers import EVERYONE
from dcl_comms_core.proto import rfc4
from dcl_comms_core.states import RoomState
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_drivers.connection.ahead import needed_by, take_steps
from dcl_comms_drivers.connection.base import BaseConnection
from dcl_comms_drivers.connection.driver import Driver
from dcl_comms_drivers.connection.opening import resolve
from dcl_comms_drivers.connection.surroundings import Surroundings
from dcl_comms_drivers.connection.tracks import Tracks
from dcl_comms_drivers.media.frames import AudioTrack, VideoFormat, VideoTrack
from dcl_comms_drivers.media.waiting import AudioIn, AudioOut, VideoIn, VideoOut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import Addressees
    from dcl_comms_drivers.connection.stats import Stats
    from dcl_comms_drivers.loops.host import WaitingHost
    from dcl_comms_drivers.settings import Options, VideoSettings

__all__ = ["Batches", "Connecting", "WaitingConnection"]


class Batches:
    """Events as they come, all that are there at once: ``async for batch in connection.batches()``."""

    def __init__(self, take: Callable[[], Awaitable[list[Event]]]) -> None:
        self._take = take

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        batch = await self._take()
        if not batch:
            raise StopAsyncIteration
        return batch


class WaitingConnection(BaseConnection):
    """A room.  ``async for event in connection`` gives its events until it is over.

    The loop over events ends when we closed the room, and raises ConnectionLost when somebody else did.  Cancelling a
    wait loses no event.  Two tasks may not read at once.
    """

    @raises_bare(InvalidConnectionString)
    def __init__(
        self, target: str | Adapter, host: WaitingHost, options: Options, surroundings: Surroundings | None = None
    ) -> None:
        self._loop = host
        self._signal = host.signal()
        """There is an event to read, or there will be no more."""
        self._progress = host.signal()
        """The session had a turn."""
        self._reading = False
        driver = Driver(
            target,
            host,
            options,
            surroundings or Surroundings(),
            changed=self._signal.notify,
            progressed=self._progress.notify,
        )
        super().__init__(driver)
        self._tracks = Tracks(driver)
        self._unread = driver.inbox.unread

    # --- reading

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if not self._unread:
            await self._readable()
        elif not self._reading:
            await self._loop.checkpoint()
        self._check_reader()
        try:
            return self._unread.popleft()
        except IndexError:
            raise StopAsyncIteration from None

    def batches(self) -> Batches:
        """All events that are there, as lists: for whoever handles thousands a second."""
        return Batches(self._next_events)

    async def _next_events(self) -> list[Event]:
        await self._readable()
        return self._unread.take()

    def _check_reader(self) -> None:
        if self._reading:
            msg = "another task is reading this connection's events: read them in one task and pass them on"
            raise LocalProtocolError(msg)

    async def _readable(self) -> None:
        """Wait until there is an event, or nothing more will come; then raise what ended it, if that was an error."""
        self._check_reader()
        self._reading = True
        try:
            if self._unread or self.driver.ended:
                await self._loop.checkpoint()
            while not self._unread and not self.driver.ended:
                await self._signal.wait()
        finally:
            self._reading = False
        if not self._unread and (failure := self.driver.failure) is not None:
            raise failure

    # --- sending

    async def send(
        self, packet: rfc4.Packet | bytes, *, to: Addressees = EVERYONE, reliable: bool | None = None, topic: str = ""
    ) -> None:
        """Send a packet, or bytes as they are, after waiting until the transport has credit for it.

        ``reliable=None``: as the explorers do for its kind; bytes are reliable.  ConnectionLost: the room is over.
        """
        steady = reliable if reliable is not None else not isinstance(packet, rfc4.Packet) or is_reliable(packet)
        while True:
            while not self.driver.session.has_credit(reliable=steady) and not self.driver.ended:
                await self._progress.wait()
            self.driver.check()
            try:
                if isinstance(packet, bytes):
                    self.send_bytes(packet, to=to, reliable=reliable is not False, topic=topic)
                else:
                    self.send_nowait(packet, to=to, reliable=reliable, topic=topic)
            except SendQueueFull:
                # More bytes than the queue takes at once, although nothing is under way: that will not change.
                if self.driver.session.unacknowledged == 0:
                    raise
                await self._progress.wait()
            else:
                break
        await self._loop.checkpoint()

    async def flush(self) -> None:
        """Wait until the transport has acknowledged everything sent so far.

        ConnectionLost: the room ended before that.
        """
        await self._loop.checkpoint()
        while self.driver.session.unacknowledged and not self.driver.ended:
            await self._progress.wait()
        if self.driver.ended and (failure := self.driver.failure) is not None:
            raise failure

    async def refresh_stats(self) -> Stats:
        """Have the round trip to the server measured, and return ``stats``.  At once where there is no connection."""
        before = self.driver.answers
        self.request_stats()
        while self.driver.answers == before and not self.driver.ended:
            await self._progress.wait()
        await self._loop.checkpoint()
        return self.stats

    # --- sound and pictures

    def publish_audio(
        self,
        name: str = "mic",
        *,
        source: TrackSource = TrackSource.MICROPHONE,
        sample_rate: int = 48_000,
        channels: int = 1,
        muted: bool = False,
    ) -> AudioOut:
        """Publish an audio track: ``async with connection.publish_audio() as microphone``.

        PermissionMissing: the token does not grant it; LocalProtocolError: the room is not open, or simulated.
        """
        track = AudioTrack(name=name, source=source, sample_rate=sample_rate, channels=channels, muted=muted)
        return AudioOut(self._tracks.publish_audio(track), self._loop.signal())

    def audio(
        self, track: Track | str, *, sample_rate: int = 48_000, channels: int = 1, max_frames: int | None = None
    ) -> AudioIn:
        """The sound of a subscribed track, resampled and mixed to what is asked for: ``async for frame in ...``.

        ``max_frames``: how many unread ones are kept; None: Limits.audio_frames.
        """
        return AudioIn(self._tracks.open_audio(track, sample_rate, channels, max_frames), self._loop.signal())

    def publish_video(self, **settings: Unpack[VideoSettings]) -> VideoOut:
        """Publish a video track: ``async with connection.publish_video(width=640, height=360) as camera``.

        PermissionMissing: the token does not grant it; LocalProtocolError: the room is not open, or simulated.
        """
        return VideoOut(self._tracks.publish_video(VideoTrack.of(settings)), self._loop.signal(), self._loop.wake)

    def video(
        self,
        track: Track | str,
        *,
        format: VideoFormat = VideoFormat.RGBA,  # noqa: A002 - what it is
        max_frames: int | None = None,
    ) -> VideoIn:
        """The pictures of a subscribed track, converted to a format: ``async for frame in ...``.

        ``max_frames``: how many unread ones are kept; None: Limits.video_frames.
        """
        return VideoIn(self._tracks.open_video(track, format, max_frames), self._loop.signal())

    # --- the end

    async def opened(self) -> None:
        """Wait until we are in the room; ConnectionLost says why we are not."""
        while self.driver.session.state not in _INSIDE and not self.driver.ended:
            await self._progress.wait()
        self.driver.check()

    async def aclose(self, drain: float | None = None) -> None:
        """Leave.  Reliable packets already accepted get up to ``drain`` seconds (Limits.drain_seconds) to go out.

        In a process that was forked off nothing is left: the other's connection goes on.
        """
        if self.driver.elsewhere:
            return
        if not self.driver.ended:
            self.driver.close(drain)
        # Bounded by the core's own timers, so that waiting for it also while being cancelled ends.
        with self._loop.shield():
            while not self.driver.over:
                await self._progress.wait()
        self.let_go()
        await self._loop.checkpoint()

    def let_go(self) -> None:
        """Drop everything at once, without a word to the server if need be."""
        if self.driver.elsewhere:
            return
        self.driver.abandon()
        self._loop.close()
        self._signal.notify()
        self._progress.notify()


_INSIDE = frozenset({RoomState.OPEN, RoomState.RECONNECTING, RoomState.WAITING})


class Connecting:
    """What ``connect()`` returns: ``async with connect(...) as connection``.  Leaving the block leaves the room."""

    def __init__(self, target: str | Adapter, options: Options, host: Callable[[], WaitingHost]) -> None:
        self._target = target
        self._options = options
        self._host = host
        self._connection: WaitingConnection | None = None

    async def __aenter__(self) -> WaitingConnection:
        if self._connection is not None:
            msg = "a connect() is used once: call connect() again"
            raise LocalProtocolError(msg)
        host = self._host()
        try:
            await take_steps(host, needed_by(resolve(self._target, self._options.limits), self._options))
            connection = self._connection = WaitingConnection(self._target, host, self._options)
        except BaseException:
            host.close()
            raise
        try:
            connection.driver.start()
            await connection.opened()
        except BaseException:
            connection.let_go()
            raise
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection = self._connection
        assert connection is not None  # noqa: S101 - __aenter__ ran
        try:
            # A block that ends well lets packets go out; one that fails or is cancelled does not wait for them.
            await connection.aclose(drain=None if kind is None else 0.0)
        finally:
            connection.let_go()
        if kind is None and (crash := connection.crash) is not None:
            raise crash
