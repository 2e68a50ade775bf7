"""The application's handle of a room, as far as it is the same on every loop."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, TypedDict, cast

from dcl_comms_core.connection import Adapter, LiveKitAdapter, SimulatorAdapter, WsRoomAdapter, parse_connection_string
from dcl_comms_core.errors import ConnectionLost, LocalProtocolError
from dcl_comms_core.events import RoomClosed
from dcl_comms_core.identity import ChallengeGuard
from dcl_comms_core.inputs import ClockSet, TrackSource
from dcl_comms_core.peers import EVERYONE
from dcl_comms_core.room import RoomSession
from dcl_comms_core.simulator import parse_simulator
from dcl_comms_core.states import RETRY, CloseReason, RoomState
from dcl_comms_core.unread import Unread
from dcl_comms_core.ws_room import WsRoomSession
from dcl_comms_drivers.feeds import AudioLink, VideoLink
from dcl_comms_drivers.journal_file import JournalFile
from dcl_comms_drivers.livekit.choice import open_livekit
from dcl_comms_drivers.memory_link import MemoryLink
from dcl_comms_drivers.pump import Pump
from dcl_comms_drivers.settings import OnFull
from dcl_comms_drivers.signing import Signing, address_of
from dcl_comms_drivers.stats import Stats, collect

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.backoff import Backoff
    from dcl_comms_core.defence import PeerTraffic
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.movement import MovementCodec
    from dcl_comms_core.peers import Addressees, PeerId, PeerTable
    from dcl_comms_core.profiles import Profile
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.readings import Delivery
    from dcl_comms_core.seen import Seen
    from dcl_comms_drivers.feeds import AudioFeed, Reader, VideoFeed
    from dcl_comms_drivers.host import Host, Link
    from dcl_comms_drivers.livekit.frames import AudioFrame, VideoFormat, VideoFrame
    from dcl_comms_drivers.net.link import NetLink
    from dcl_comms_drivers.settings import Options, VideoSettings

__all__ = ["BaseConnection", "resolve"]


class _RoomOptions(TypedDict):
    limits: Limits
    entropy: int
    reconnect: Backoff | None
    delivery: Delivery
    profile_version: int | None
    silent: bool
    movement_codec: MovementCodec | None
    seen: Seen | None


def resolve(target: str | Adapter, limits: Limits) -> Adapter:
    """The adapter of a target; LocalProtocolError for a kind that these drivers don't open."""
    adapter = target if isinstance(target, Adapter) else parse_connection_string(target, limits=limits)
    if not isinstance(adapter, LiveKitAdapter | SimulatorAdapter | WsRoomAdapter):
        msg = f"these drivers open livekit:, ws-room: and simulator: strings, not {adapter.protocol}:"
        raise LocalProtocolError(msg)
    return adapter


_SOUND = frozenset({TrackSource.MICROPHONE, TrackSource.SCREEN_SHARE_AUDIO, TrackSource.UNKNOWN})
_PICTURES = frozenset({TrackSource.CAMERA, TrackSource.SCREEN_SHARE, TrackSource.UNKNOWN})


def _sid(track: Track | str) -> str:
    return track if isinstance(track, str) else track.sid


class BaseConnection:
    """A room as the application sees it, without anything that waits.

    The verbs (``chat``, ``move``, ``emote``, ``send_nowait`` and so on) act at once and raise LocalProtocolError when
    the room is not open, SendQueueFull when too much waits already, PacketTooLarge, or PermissionMissing.
    """

    def __init__(self, target: str | Adapter, host: Host, options: Options) -> None:
        adapter = resolve(target, options.limits)
        self._journal_file = JournalFile(options.journal, options.limits)
        try:
            self._session = self._new_session(adapter, options)
        except BaseException:
            self._journal_file.close()
            raise
        self._host = host
        self._on_full = options.on_full
        self._limits = options.limits
        self._unread = Unread(options.limits)
        self._dropped = 0
        self._end: RoomClosed | None = None
        self._crash: Exception | None = None
        self._wake_pending = False
        self._round_trip: tuple[float, float] | None = None
        self._answers = 0
        """How often the round trip was answered for, be it that it is not known."""
        self._signing: Signing | None = None
        self._link = self._open_link(adapter, options)
        turn_inputs = options.limits.turn_inputs
        self._pump = Pump(self._session, host, self._link, self._take, turn_inputs=turn_inputs, later=self._turn)

    def _new_session(self, adapter: Adapter, options: Options) -> RoomSession:
        new = self._journal_file.session
        if not isinstance(adapter, WsRoomAdapter):
            return new(RoomSession, adapter, **self._room_options(options), subscribe=options.subscribe)
        return new(
            WsRoomSession,
            adapter,
            address=address_of(options.wallet, "a ws-room"),
            guard=options.guard or ChallengeGuard(limits=options.limits).allowing(adapter.url),
            **self._room_options(options),
        )

    def _room_options(self, options: Options) -> _RoomOptions:
        return {
            "limits": options.limits,
            "entropy": self._entropy(),
            "reconnect": options.reconnect,
            "delivery": options.delivery,
            "profile_version": options.profile_version,
            "silent": options.silent,
            "movement_codec": options.movement_codec,
            "seen": options.seen,
        }

    def _open_link(self, adapter: Adapter, options: Options) -> Link:
        host = self._host
        if isinstance(adapter, WsRoomAdapter):
            return self._open_net(options)
        if isinstance(adapter, SimulatorAdapter):
            return MemoryLink(parse_simulator(adapter.detail), self._wake, host.now())
        return open_livekit(
            self._wake,
            options.livekit,
            falls_back=options.sdk_fallback,
            limits=options.limits,
            wake_fd=lambda: host.wake_fd(self._turn),
        )

    def _open_net(self, options: Options) -> NetLink:
        """The way into the network, and the wallet at work beside it."""
        try:
            from dcl_comms_drivers.net.link import NetLink  # noqa: PLC0415 - the extra
        except ModuleNotFoundError as error:
            msg = f'{error.name} is not installed: pip install "dcl-comms[net]"'
            raise LocalProtocolError(msg) from error
        runner = self._host.runner()
        if options.wallet is not None:
            self._signing = Signing(options.wallet, runner, self._wake, self._unix_now, options.limits)
        return NetLink(self._wake, runner, options.net, turn=self._turn)

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
        signing.answer(cast("WsRoomSession", self._session), now)

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
            self._signing.answer(cast("WsRoomSession", self._session), self._host.now())
            if not events:
                return
        unread = self._unread
        unread.put(events)
        last = events[-1]
        if isinstance(last, RoomClosed):
            self._end = last
            self._abandon()
        if unread.full:
            self._overflow(last)
        self._changed()

    def _overflow(self, last: Event) -> None:
        if self._on_full is OnFull.CLOSE:
            self._end = RoomClosed(
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
    def peers(self) -> PeerTable:
        """Who else is in the room, by PeerId."""
        return self._session.peers

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

    # --- verbs

    def chat(self, text: str, to: Addressees = EVERYONE, *, channel: str = "", stamp: float | None = None) -> float:
        """Write to everybody, privately to each of the peers named, or to a community; see ``RoomSession.chat``."""
        stamp = self._session.chat(text, to=to, channel=channel, stamp=stamp, now=self._host.now())
        self._after()
        return stamp

    def move(
        self,
        position: tuple[float, float, float] | rfc4.Movement,
        *,
        velocity: tuple[float, float, float] = (0.0, 0.0, 0.0),
        yaw: float = 0.0,
        grounded: bool = True,
        instant: bool = False,
        to: Addressees = EVERYONE,
    ) -> None:
        """Be somewhere: metres (x east, y up, z north), m/s, degrees clockwise from north.

        It goes out at the explorers' pace, and is repeated while nothing changes; see ``RoomSession.move``.
        """
        self._session.move(
            position, velocity=velocity, yaw=yaw, grounded=grounded, instant=instant, to=to, now=self._host.now()
        )
        self._after()

    def emote(self, urn: str, *, stop: bool = False, to: Addressees = EVERYONE) -> None:
        """Play an emote by its URN, or stop it."""
        self._session.emote(urn, stop=stop, to=to, now=self._host.now())
        self._after()

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE) -> None:
        """Tell the version of our profile."""
        self._session.announce_profile(version, to=to, now=self._host.now())
        self._after()

    def offer_profile(self, version: int, serialized: str, *, base_url: str = "") -> None:
        """Announce a profile and answer those who ask for it: its JSON, and where its content is."""
        self._session.offer_profile(version, serialized, base_url=base_url, now=self._host.now())
        self._after()

    def request_profile(self, who: PeerId, version: int = 0) -> bool:
        """Ask a peer for its profile: see ``RoomSession.request_profile``."""
        asked = self._session.request_profile(who, version, now=self._host.now())
        self._after()
        return asked

    def profile(self, who: PeerId) -> Profile | None:
        """The profile that a peer sent; None: none, or it was forgotten."""
        return self._session.profile(who)

    def react(self, emoji_index: int, *, count: int = 1, to: Addressees = EVERYONE) -> None:
        """React with an emoji, in the world."""
        self._session.react(emoji_index, count=count, to=to, now=self._host.now())
        self._after()

    def react_to(self, message_id: str, emoji_index: int, *, remove: bool = False) -> None:
        """React to a chat message (``ChatReceived.message_id``), or take it back."""
        self._session.react_to(message_id, emoji_index, remove=remove, now=self._host.now())
        self._after()

    def scene_message(self, scene_id: str, data: bytes, *, to: Addressees = EVERYONE) -> None:
        """Send a scene's message."""
        self._session.scene_message(scene_id, data, to=to, now=self._host.now())
        self._after()

    def send_nowait(
        self, packet: rfc4.Packet, *, to: Addressees = EVERYONE, reliable: bool | None = None, topic: str = ""
    ) -> None:
        """Send any packet; ``reliable=None``: as the explorers do for its kind."""
        self._session.send(packet, to=to, reliable=reliable, topic=topic, now=self._host.now())
        self._after()

    def send_bytes(self, data: bytes, *, to: Addressees = EVERYONE, reliable: bool = True, topic: str = "") -> None:
        """Send bytes as they are."""
        self._session.send_bytes(data, to=to, reliable=reliable, topic=topic, now=self._host.now())
        self._after()

    # --- sound and pictures

    def subscribe(self, track: Track | str) -> bool:
        """Receive a track, whatever the policy said; TrackSubscribed follows.  False: it is gone.

        PermissionMissing: the token does not grant it; LocalProtocolError: the room is not open.
        """
        return self._subscribe(track, wanted=True)

    def unsubscribe(self, track: Track | str) -> bool:
        """Stop receiving a track; TrackUnsubscribed follows.  False: it is gone."""
        return self._subscribe(track, wanted=False)

    def _subscribe(self, track: Track | str, *, wanted: bool) -> bool:
        known = self._session.subscribe(track, wanted=wanted, now=self._host.now())
        self._after()
        return known

    def _sound(self) -> AudioLink:
        link = self._link
        if not isinstance(link, AudioLink):
            msg = f"a room over {link.name} carries no sound: use a livekit: string"
            raise LocalProtocolError(msg)
        return link

    def _pictures(self) -> VideoLink:
        link = self._link
        if not isinstance(link, VideoLink):
            msg = f"a room over {link.name} carries no pictures: use a livekit: string"
            raise LocalProtocolError(msg)
        return link

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
