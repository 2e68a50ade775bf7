"""The application's handle on a loop with ``await``: everything that waits, the same for asyncio and trio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from dcl_comms_core.errors import ConnectionLost, InvalidConnectionString, LocalProtocolError, SendQueueFull
from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.packets.conventions import is_reliable
from dcl_comms_core.peers import EVERYONE
from dcl_comms_core.proto import rfc4
from dcl_comms_core.states import RoomState
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_core.walking.pace import Pace
from dcl_comms_core.weather.away import Away
from dcl_comms_drivers.connection.ahead import needed_by, take_steps
from dcl_comms_drivers.connection.base import BaseConnection
from dcl_comms_drivers.connection.driver import Driver
from dcl_comms_drivers.connection.hearing import Heard, HearingSettings, listen
from dcl_comms_drivers.connection.listening import Listener, Listening
from dcl_comms_drivers.connection.opening import resolve
from dcl_comms_drivers.connection.surroundings import Surroundings
from dcl_comms_drivers.connection.tracks import Tracks
from dcl_comms_drivers.connection.walking import AwaitableWalk
from dcl_comms_drivers.media.frames import AudioTrack, VideoFormat, VideoTrack
from dcl_comms_drivers.media.waiting import AudioIn, AudioOut, VideoIn, VideoOut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType, UnionType

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.avatars.person import Person
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import Addressees, Who
    from dcl_comms_core.walking.course import Destination
    from dcl_comms_drivers.connection.stats import Stats
    from dcl_comms_drivers.loops.host import WaitingHost
    from dcl_comms_drivers.settings import OnFull, Options, VideoSettings

    SeveralKinds = tuple[type[Event], type[Event], type[Event], *tuple[type[Event], ...]] | UnionType

__all__ = ["Batches", "Connecting", "Listener", "WaitingConnection"]

E = TypeVar("E")
F = TypeVar("F")


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
            changed=self._changed,
            progressed=self._progressed,
        )
        super().__init__(driver)
        self._tracks = Tracks(driver)
        self._inbox = driver.inbox
        self._raises_away = options.away is Away.RAISE
        self._unread = driver.inbox.unread
        self._listening = Listening(driver, host, options.on_full)
        self.forgives: Callable[[ConnectionLost], bool] | None = None
        """With which ends the loop over events just ends, because another connection follows; None: with none."""
        self._leaves = False
        """Is it left in the background?"""

    def _changed(self) -> None:
        self._signal.notify()
        if self.driver.ended:
            self._listening.wake()

    def _progressed(self) -> None:
        self._progress.notify()
        if self._leaves and self.driver.over:
            self._leaves = False
            self.let_go()

    # --- reading

    def __aiter__(self) -> Self:
        self._inbox.begun = True
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
        self._inbox.begun = True
        self._reading = True
        try:
            if self._unread or self.driver.ended:
                await self._loop.checkpoint()
            while not self._unread and not self.driver.ended:
                await self._signal.wait()
        finally:
            self._reading = False
        if not self._unread and (failure := self.driver.failure) is not None and not self._is_forgiven(failure):
            raise failure

    def _is_forgiven(self, failure: Exception) -> bool:
        return self.forgives is not None and isinstance(failure, ConnectionLost) and self.forgives(failure)

    # --- other readers

    @overload
    def wait_for(
        self,
        kind: type[E],
        where: Callable[[E], object] | None = None,
        *,
        sender: Who | None = None,
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, E]: ...
    @overload
    def wait_for(
        self,
        kind: tuple[type[E], type[F]],
        where: Callable[[E | F], object] | None = None,
        *,
        sender: Who | None = None,
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, E | F]: ...
    @overload
    def wait_for(
        self,
        kind: SeveralKinds,
        where: Callable[[Any], object] | None = None,
        *,
        sender: Who | None = None,
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, Event]: ...
    def wait_for(
        self,
        kind: object,
        where: Callable[[Any], object] | None = None,
        *,
        sender: Who | None = None,
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """The next event of ``kind``, from ``sender``, for which ``where`` is true: ``await room.wait_for(...)``.

        Of those from this call on: ask, say, then await what was asked for.  The loop over events gets it too.
        ``kind``: a class, a tuple of them, or a union such as ``Event``; ``timeout``: seconds from now.
        TimeoutError; ConnectionLost: the room was closed first, by whomever; LocalProtocolError: misuse; what
        ``where`` raises.
        """
        return self._listening.wait_for(kind, where, sender=sender, timeout=timeout)

    @overload
    def listen(
        self,
        kind: type[E],
        where: Callable[[E], object] | None = None,
        *,
        sender: Who | None = None,
        on_full: OnFull | str | None = None,
    ) -> Listener[E]: ...
    @overload
    def listen(
        self,
        kind: tuple[type[E], type[F]],
        where: Callable[[E | F], object] | None = None,
        *,
        sender: Who | None = None,
        on_full: OnFull | str | None = None,
    ) -> Listener[E | F]: ...
    @overload
    def listen(
        self,
        kind: SeveralKinds,
        where: Callable[[Any], object] | None = None,
        *,
        sender: Who | None = None,
        on_full: OnFull | str | None = None,
    ) -> Listener[Event]: ...
    def listen(
        self,
        kind: object,
        where: Callable[[Any], object] | None = None,
        *,
        sender: Who | None = None,
        on_full: OnFull | str | None = None,
    ) -> Listener[Any]:
        """All events of ``kind`` from now on, as of ``wait_for``: ``async with room.listen(ChatReceived) as chats``.

        ``on_full``: what happens where they are not read and ``Limits.event_queue`` is reached; None: as ``connect``
        was told.  CLOSE ends the listener only, with ListenerOverflow.  DROP_OLDEST counts in its ``dropped``, and a
        LimitReached stands in the place of what went for those who ask for that kind too.
        """
        return self._listening.listen(kind, where, sender=sender, on_full=on_full)

    # --- sending

    async def send(
        self, packet: rfc4.Packet | bytes, *, to: Addressees = EVERYONE, reliable: bool | None = None, topic: str = ""
    ) -> None:
        """Send a packet, or bytes as they are, after waiting until the transport has credit for it.

        ``reliable=None``: as the explorers do for its kind; bytes are reliable.  ConnectionLost: the room is over;
        NotInARoom: none is open, and ``away`` says not to wait.
        """
        steady = reliable if reliable is not None else not isinstance(packet, rfc4.Packet) or is_reliable(packet)
        while True:
            while not self.driver.session.has_credit(reliable=steady) and not self.driver.ended:
                if self._raises_away:
                    self.driver.begin()[0].check_sending()
                await self._progress.wait()
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
        hastened = False
        while self.driver.session.unacknowledged and not self.driver.ended:
            if not hastened and not self.driver.session.waiting:
                hastened = True
                self.driver.hasten()
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

    # --- people

    async def whois(self, who: Who) -> Person:
        """Who somebody is, as the realm's lambdas say, else as the peer does; ``known`` is False where nobody does.

        Many at once are one request.  It takes ten seconds at most, no time where it is known.  See docs/avatars.md.
        """
        _, now = self.driver.begin()
        asking = self.driver.names.ask(who, now)
        self.driver.after()
        await self._loop.checkpoint()
        while asking.person is None:
            self.driver.check()
            await self._progress.wait()
        return asking.person

    # --- walking

    def walk_to(self, target: Destination, *, stop: float = 0.0, pace: Pace | str | float = Pace.JOG) -> AwaitableWalk:
        """Go to a peer, to a point, or along a list of points, and stand still ``stop`` metres before the end.

        ``await`` gives how it ended; it goes on whether or not it is awaited, and ends with the wait's cancelling.
        ``pace``: a Pace, its name or m/s.  A new walk takes the place of the last.  See docs/walking.md.
        """
        walk = self.walking.go(target, stop, pace)
        return AwaitableWalk(walk, self.walking, self._loop, self._progress)

    def follow(self, who: Who, *, metres: float = 3.0, pace: Pace | str | float = Pace.RUN) -> AwaitableWalk:
        """Stay within so many metres of a peer, until ``stop()`` of what is returned, or the peer leaves."""
        walk = self.walking.follow(who, metres, pace)
        return AwaitableWalk(walk, self.walking, self._loop, self._progress)

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

        PermissionMissing: the token does not grant it; NotInARoom: no room is open; LocalProtocolError: it is a
        simulated one, or a ws-room.
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

    def utterances(self, who: Who | None = None, **settings: Unpack[HearingSettings]) -> Heard:
        """What people say, from one silence to the next: ``async for who, sound in room.utterances(silence=0.6)``.

        Of everybody whose sound is received, or of one.  LocalProtocolError: the room carries no sound.
        """
        return Heard(self, listen(self, self._tracks, who, settings), self._progress)

    def publish_video(self, **settings: Unpack[VideoSettings]) -> VideoOut:
        """Publish a video track: ``async with connection.publish_video(width=640, height=360) as camera``.

        PermissionMissing: the token does not grant it; NotInARoom: no room is open; LocalProtocolError: it is a
        simulated one, or a ws-room.
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

    def leave(self) -> None:
        """Begin to leave, in the background: for who can't wait."""
        if not self.driver.ended and not self.driver.elsewhere and self.driver.host.running:
            self._leaves = True
            self.driver.close(None)

    def let_go(self) -> None:
        """Drop everything at once, without a word to the server if need be."""
        if self.driver.elsewhere:
            return
        self.driver.abandon()
        self._loop.close()
        self._signal.notify()
        self._progress.notify()
        self._listening.wake()


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
