"""The application's handle of a room, as far as it is the same on every loop."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, cast

from dcl_comms_core.adapters.connection_string import Adapter, WsRoomAdapter
from dcl_comms_core.errors import ConnectionLost, LocalProtocolError
from dcl_comms_core.events import RoomClosed, WorldClosed
from dcl_comms_core.inputs import ClockSet, TrackSource
from dcl_comms_core.merged.overview import PeersOfRooms
from dcl_comms_core.room.event_queue import Unread
from dcl_comms_core.states import RETRY, CloseReason, RoomState
from dcl_comms_drivers.connection.journal_file import JournalFile
from dcl_comms_drivers.connection.opening import Links, new_session, resolve
from dcl_comms_drivers.connection.signing import Signing
from dcl_comms_drivers.connection.stats import Stats, collect
from dcl_comms_drivers.connection.verbs import Verbs
from dcl_comms_drivers.connection.world_link import WorldLink
from dcl_comms_drivers.loops.pump import Pump
from dcl_comms_drivers.media.feeds import pictures_of, sound_of
from dcl_comms_drivers.settings import OnFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.events import Event, IslandChanged
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import PeerId, PeerTable
    from dcl_comms_core.room.incoming.allowances import PeerTraffic
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_drivers.connection.signing import Asking
    from dcl_comms_drivers.loops.host import Host, Link, Session
    from dcl_comms_drivers.media.feeds import AudioFeed, AudioLink, Reader, VideoFeed, VideoLink
    from dcl_comms_drivers.media.frames import AudioFrame, VideoFormat, VideoFrame
    from dcl_comms_drivers.settings import Options, VideoSettings

__all__ = ["BaseConnection"]


_ADVICE = ": use a livekit: string"
_SOUND = frozenset({TrackSource.MICROPHONE, TrackSource.SCREEN_SHARE_AUDIO, TrackSource.UNKNOWN})
_PICTURES = frozenset({TrackSource.CAMERA, TrackSource.SCREEN_SHARE, TrackSource.UNKNOWN})


def _sid(track: Track | str) -> str:
    return track if isinstance(track, str) else track.sid


class BaseConnection(Verbs):
    """A room, or a realm with its rooms, as the application sees it, without anything that waits.

    The verbs (``chat``, ``move``, ``emote``, ``send_nowait`` and so on) act at once and raise LocalProtocolError when
    the room is not open, SendQueueFull when too much waits already, PacketTooLarge, or PermissionMissing.
    """

    def __init__(self, target: str | Adapter, host: Host, options: Options) -> None:
        where = resolve(target, options.limits)
        self._journal_file = JournalFile(options.journal, options.limits)
        try:
            self._session, self._realm = new_session(
                where, options, self._journal_file.session, entropy=self._entropy()
            )
        except BaseException:
            self._journal_file.close()
            raise
        self._peers = cast("RoomSession", self._session).peers if self._realm is None else PeersOfRooms(self._realm)
        self._host = host
        self._on_full = options.on_full
        self._limits = options.limits
        self._unread = Unread(options.limits)
        self._dropped = 0
        self._end: RoomClosed | WorldClosed | None = None
        self._crash: Exception | None = None
        self._wake_pending = False
        self._round_trip: tuple[float, float] | None = None
        self._answers = 0
        """How often the round trip was answered for, be it that it is not known."""
        self._signing: Signing | None = None
        self._link = self._open_link(where, options)
        # A realm's link tells its session of which room each packet is.
        session = cast("Session", self._session)
        turn_inputs = options.limits.turn_inputs
        self._pump = Pump(session, host, self._link, self._take, turn_inputs=turn_inputs, later=self._turn)

    def _open_link(self, where: str | Adapter, options: Options) -> Link:
        links = Links(self._host, options, self._wake, self._turn)
        if self._realm is None and not isinstance(where, WsRoomAdapter):
            return links.room(cast("Adapter", where))
        runner = links.runner()
        net = links.net(runner)
        if options.wallet is not None:
            self._signing = Signing(options.wallet, runner, self._wake, self._unix_now, options.limits)
        return net if self._realm is None else WorldLink(self._realm, net, links.room)

    def _entropy(self) -> int:
        return secrets.randbits(64)

    def _unix_now(self) -> float:
        return time.time()

    def start(self) -> None:
        """Begin to join."""
        self._set_clock()
        if self._signing is None:
            self._session.open(now=self._host.now())
        self._guarded(self._step)

    @property
    def crash(self) -> Exception | None:
        """What ended the connection and is no event: a bug of this library, or an error of the wallet's; or None."""
        return self._crash

    # --- the pump's surroundings

    def _wake(self) -> None:
        """Thread-safe: have a turn soon."""
        if not self._wake_pending:
            self._wake_pending = True
            self._host.wake(self._turn)

    def _turn(self) -> None:
        self._wake_pending = False
        self._guarded(self._step)

    def _step(self) -> None:
        if self._signing is not None and not self._ended():
            self._sign(self._signing, self._host.now())
        self._pump.turn()

    def _sign(self, signing: Signing, now: float) -> None:
        """Open the session once there is a login, and sign what it asked for."""
        if self._session.state is RoomState.NEW and signing.ready():
            self._session.open(now=now)
        signing.answer(cast("Asking", self._session), now)

    def _guarded(self, step: Callable[[], None]) -> None:
        """A bug of ours ends the connection and reaches the application, instead of a loop's log."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - kept, and raised to whoever reads or closes
            self._crash = error
            self._abandon()
            self._changed()
        self._progressed()

    def _abandon(self) -> None:
        """Let go of the wallet and the link."""
        if self._signing is not None:
            self._signing.abandon()
        self._link.abandon()

    def _set_clock(self) -> None:
        now = self._host.now()
        self._session.receive(ClockSet(unix_offset=self._unix_now() - now), now=now)

    def _take(self, events: list[Event]) -> None:
        if self._end is not None:
            return  # we closed it ourselves because nobody read; what follows is only our own leaving
        if self._signing is not None:
            events = self._signing.take(events)
            self._signing.answer(cast("Asking", self._session), self._host.now())
            if not events:
                return
        unread = self._unread
        unread.put(events)
        last = events[-1]
        if isinstance(last, RoomClosed if self._realm is None else WorldClosed):
            self._end = last
            self._abandon()
        if unread.full:
            self._overflow(last)
        self._changed()

    def _overflow(self, last: Event) -> None:
        if self._on_full is OnFull.CLOSE:
            self._end = (RoomClosed if self._realm is None else WorldClosed)(
                at=last.at,
                room=last.room,
                reason=CloseReason.OVERFLOW,
                retry=RETRY[CloseReason.OVERFLOW],
                detail=f"{len(self._unread)} events were not read",
            )
            self._unread.put((self._end,))
            self._session.close(drain=0.0)
            return
        self._dropped += self._unread.trim(last.at, last.room)

    def _changed(self) -> None:
        """Something may be there to read, or to go on with; a driver wakes its waiters here."""

    def _progressed(self) -> None:
        """The session had a turn: acknowledgements may have come in."""

    def _ended(self) -> bool:
        return self._end is not None or self._crash is not None

    def _failure(self) -> Exception | None:
        """What ended the connection, if it was neither we nor nothing."""
        if self._crash is not None:
            return self._crash
        end = self._end
        if end is None or end.reason is CloseReason.CLIENT:
            return None
        return ConnectionLost(end.reason, end.retry, end.detail)

    def _next_batch(self) -> list[Event]:
        return self._unread.take()

    def _after(self) -> None:
        """An intent was used: carry it out now."""
        self._guarded(self._pump.carry_out)

    # --- what is known

    @property
    def identity(self) -> PeerId | None:
        """Who we are in the room."""
        return self._session.identity

    @property
    def peers(self) -> PeerTable | PeersOfRooms:
        """Who else is in the room, or in any room of the realm, by PeerId."""
        return self._peers

    @property
    def realm(self) -> Realm | None:
        """What the realm's ``/about`` said last; None: it was not asked."""
        return None if self._realm is None else self._realm.realm

    @property
    def island(self) -> IslandChanged | None:
        """The island that we are on, as the realm's island service said; None: it said nothing, or there is none."""
        return None if self._realm is None else self._realm.island

    def rooms_of(self, who: PeerId) -> tuple[str, ...]:
        """The rooms of the realm that a peer is in: ``island``, which is also a world's room, and ``scene``."""
        return () if self._realm is None else self._realm.rooms_of(who)

    def traffic(self, who: PeerId) -> PeerTraffic | None:
        """What came from a peer, and its abuse score; None: it is not known, or was forgotten after it left."""
        return self._session.traffic(who)

    @property
    def state(self) -> RoomState:
        """Where the connection stands."""
        return self._session.state

    @property
    def stats(self) -> Stats:
        """Counts since the connection was made, and how things stand."""
        return collect(
            self._session,
            link=self._link.name,
            unread_events=len(self._unread),
            dropped_events=self._dropped,
            coalesced=self._unread.coalesced,
            round_trip=self._round_trip,
        )

    def request_stats(self) -> None:
        """Have ``stats.round_trip`` measured again; ``stats.round_trip_at`` changes when the answer has come."""
        self._guarded(lambda: self._link.measure(self._measured))

    def _measured(self, seconds: float | None) -> None:
        self._answers += 1
        if seconds is not None:
            self._round_trip = seconds, self._host.now()

    # --- sound and pictures

    def _sound(self) -> AudioLink:
        return sound_of(self._link, _ADVICE)

    def _pictures(self) -> VideoLink:
        return pictures_of(self._link, _ADVICE)

    def _publish_audio(
        self, name: str, source: TrackSource, sample_rate: int, channels: int, *, muted: bool
    ) -> AudioFeed:
        self._check_publish(source, _SOUND)
        return self._sound().publish_audio(name, source=source, sample_rate=sample_rate, channels=channels, muted=muted)

    def _open_audio(
        self, track: Track | str, sample_rate: int, channels: int, max_frames: int | None
    ) -> Reader[AudioFrame]:
        kept = self._limits.audio_frames if max_frames is None else max_frames
        return self._sound().open_audio(_sid(track), sample_rate=sample_rate, channels=channels, max_frames=kept)

    def _publish_video(self, settings: VideoSettings) -> VideoFeed:
        source = settings.get("source", TrackSource.CAMERA)
        self._check_publish(source, _PICTURES)
        return self._pictures().publish_video(
            settings.get("name", "screen" if source is TrackSource.SCREEN_SHARE else "camera"),
            width=settings["width"],
            height=settings["height"],
            source=source,
            simulcast=settings.get("simulcast", True),
            max_bitrate=settings.get("max_bitrate"),
            max_framerate=settings.get("max_framerate", 30.0),
            muted=settings.get("muted", False),
        )

    def _open_video(self, track: Track | str, layout: VideoFormat, max_frames: int | None) -> Reader[VideoFrame]:
        kept = self._limits.video_frames if max_frames is None else max_frames
        return self._pictures().open_video(_sid(track), format=layout, max_frames=kept)

    def _check_publish(self, source: TrackSource, sources: frozenset[TrackSource]) -> None:
        if source not in sources:
            names = ", ".join(sorted(source.name for source in sources))
            msg = f"such a track comes from one of {names}, not from {source.name}"
            raise LocalProtocolError(msg)
        self._session.check_publish(source)

    def _begin_close(self, drain: float | None) -> None:
        self._session.close(drain=drain, now=self._host.now())
        self._guarded(self._step)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._session.state.value} as {self._session.identity}>"
