"""dcl-comms on any other loop: a game loop, a GUI, a select loop.

::

    with polled.open("livekit:wss://comms.example.com?access_token=...") as room:
        while running:
            for event in room.poll():
                ...
            draw_a_frame()

``poll()`` never blocks, and nothing is called back outside of it.  A loop that sleeps may wait until ``fileno()`` is
readable or ``deadline()`` has come, whichever is first, and then poll.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Self, Unpack

from dcl_comms_core.errors import InvalidConnectionString
from dcl_comms_core.inputs import TrackSource
from dcl_comms_core.room.session import Delivery
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_core.walking.pace import Pace
from dcl_comms_drivers.connection.base import BaseConnection
from dcl_comms_drivers.connection.driver import Driver
from dcl_comms_drivers.connection.hearing import HearingSettings, listen
from dcl_comms_drivers.connection.surroundings import Surroundings
from dcl_comms_drivers.connection.tracks import Tracks
from dcl_comms_drivers.connection.walking import Walk
from dcl_comms_drivers.livekit.choice import LiveKitVia
from dcl_comms_drivers.loops.on_polled import PolledHost
from dcl_comms_drivers.media.frames import AudioTrack, VideoFormat, VideoTrack
from dcl_comms_drivers.settings import OnFull, Options, Subscribe

if TYPE_CHECKING:
    from types import TracebackType

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.avatars.person import Person
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import Who
    from dcl_comms_core.walking.course import Destination
    from dcl_comms_drivers.media.feeds import AudioFeed, Reader, VideoFeed
    from dcl_comms_drivers.media.frames import AudioFrame, VideoFrame
    from dcl_comms_drivers.media.hearing import Ears
    from dcl_comms_drivers.settings import Settings, VideoSettings

__all__ = ["Delivery", "LiveKitVia", "OnFull", "PolledConnection", "Subscribe", "open"]


class PolledConnection(BaseConnection):
    """A room that its owner polls.  Its verbs act at once; what happens is in the lists that ``poll`` returns.

    The end is the event RoomClosed, of a realm WorldClosed; after it ``poll`` returns empty lists.
    """

    @raises_bare(InvalidConnectionString)
    def __init__(self, target: str | Adapter, options: Options) -> None:
        self._polled = PolledHost()
        try:
            driver = Driver(target, self._polled, options, Surroundings(), changed=_nothing, progressed=_nothing)
        except BaseException:
            self._polled.close()
            raise
        super().__init__(driver)
        self._tracks = Tracks(driver)
        driver.start()

    def poll(self) -> list[Event]:
        """Handle what came in and what is due; returns the events since the last call.  Never blocks."""
        if not self.closed:
            self._polled.calm()
            self.driver.woken()
        batch = self.driver.inbox.unread.take()
        if not batch and self.driver.crash is not None:
            raise self.driver.crash
        return batch

    def deadline(self) -> float | None:
        """When to poll at the latest, as ``time.monotonic()`` seconds; None: not before ``fileno()`` is readable."""
        return self._polled.due

    def fileno(self) -> int:
        """A file descriptor that is readable when there is something to poll for: for select and its kin."""
        return self._polled.fileno()

    @property
    def closed(self) -> bool:
        """Whether the room is over."""
        return self.driver.over

    def wait(self, timeout: float | None = None) -> bool:
        """Block until there is something to poll for, at most ``timeout`` seconds.  False: it took that long."""
        if self.driver.inbox.unread:
            return True
        due = self._polled.due
        limit = None if due is None else max(due - time.monotonic(), 0.0)
        patience = limit if timeout is None else timeout if limit is None else min(limit, timeout)
        readable = select.select([self._polled.fileno()], [], [], patience)[0]
        return bool(readable) or (due is not None and time.monotonic() >= due)

    def publish_audio(
        self,
        name: str = "mic",
        *,
        source: TrackSource = TrackSource.MICROPHONE,
        sample_rate: int = 48_000,
        channels: int = 1,
        muted: bool = False,
    ) -> AudioFeed:
        """Publish an audio track; give it sound with ``capture``, which is False as long as it has enough."""
        track = AudioTrack(name=name, source=source, sample_rate=sample_rate, channels=channels, muted=muted)
        return self._tracks.publish_audio(track)

    def audio(
        self, track: Track | str, *, sample_rate: int = 48_000, channels: int = 1, max_frames: int | None = None
    ) -> Reader[AudioFrame]:
        """The sound of a subscribed track; take frames with its own ``poll``, which is None when there is none yet."""
        return self._tracks.open_audio(track, sample_rate, channels, max_frames)

    def utterances(self, who: Who | None = None, **settings: Unpack[HearingSettings]) -> Ears:
        """What people say, from one silence to the next; take it with its own ``poll``, and ``close`` it.

        Of everybody whose sound is received, or of one.  LocalProtocolError: the room carries no sound.
        """
        return listen(self, self._tracks, who, settings)

    def publish_video(self, **settings: Unpack[VideoSettings]) -> VideoFeed:
        """Publish a video track; give it pictures with ``capture``."""
        return self._tracks.publish_video(VideoTrack.of(settings))

    def video(
        self,
        track: Track | str,
        *,
        format: VideoFormat = VideoFormat.RGBA,  # noqa: A002 - what it is
        max_frames: int | None = None,
    ) -> Reader[VideoFrame]:
        """The pictures of a subscribed track; take them with its own ``poll``, which is None when there is none yet."""
        return self._tracks.open_video(track, format, max_frames)

    def whois(self, who: Who) -> Person | None:
        """Who somebody is, if that is known; None: it is being asked for, so ask again at a later ``poll``."""
        _, now = self.driver.begin()
        person = self.driver.names.answer(who, now)
        self.driver.after()
        return person

    def walk_to(self, target: Destination, *, stop: float = 0.0, pace: Pace | str | float = Pace.JOG) -> Walk:
        """Go to a peer, to a point, or along a list of points, and stand still ``stop`` metres before the end.

        ``pace``: a Pace, its name or m/s.  A new walk takes the place of the last.  See docs/walking.md.
        """
        return Walk(self.walking.go(target, stop, pace), self.walking)

    def follow(self, who: Who, *, metres: float = 3.0, pace: Pace | str | float = Pace.RUN) -> Walk:
        """Stay within so many metres of a peer, until ``stop()`` of what is returned, or the peer leaves."""
        return Walk(self.walking.follow(who, metres, pace), self.walking)

    def begin_close(self, drain: float | None = None) -> None:
        """Start to leave; go on polling until ``closed``."""
        self.driver.close(drain)

    def close(self, drain: float | None = None) -> None:
        """Leave, and block until that is done: at most ``drain`` and Limits.close_seconds together.

        Events that come meanwhile are kept for ``poll``.  In a process that was forked off nothing is left: the other's
        connection goes on.
        """
        if self.driver.elsewhere:
            return
        if not self.closed:
            self.driver.close(drain)
        while not self.closed:
            self._block()
            self._polled.calm()
            self.driver.woken()
        self.driver.abandon()
        self._polled.close()

    def _block(self) -> None:
        due = self._polled.due
        select.select([self._polled.fileno()], [], [], None if due is None else max(due - time.monotonic(), 0.0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(drain=None if kind is None else 0.0)


@raises_bare(InvalidConnectionString)
def open(target: str | Adapter, **settings: Unpack[Settings]) -> PolledConnection:  # noqa: A001 - the name that the design gives it: polled.open(...)
    """Begin to join a room, or a realm's rooms; poll until RoomOpened, or ``closed``.

    ``target``: a realm's URL, a connection string or an Adapter; ``settings``: see
    :class:`~dcl_comms_drivers.settings.Settings`.
    """
    return PolledConnection(target, Options.of(settings))


def _nothing() -> None:
    """Its owner looks at ``poll``."""
