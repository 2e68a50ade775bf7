"""What pages listen to and look at, in one room: a chore beside its session.

Nothing is subscribed by itself: a track is, as soon as a page wants it, and is let go when none does any more.  What
somebody else subscribed to, the program whose room it is, stays as it is.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_drivers.connection.tracks import Tracks
from dcl_comms_drivers.media import VideoFormat

from dcl_comms_core.errors import CommsError, LocalProtocolError, PermissionMissing, TrackEncrypted
from dcl_comms_core.events import RoomOpened, TrackPublished, TrackSubscribed, TrackUnpublished, TrackUnsubscribed
from dcl_comms_core.inputs import TrackKind
from dcl_comms_station.board.hearing import Heard, Seen
from dcl_comms_station.board.limits import SOUND_RATE
from dcl_comms_station.clean import clean
from dcl_comms_station.web.media.pictures import shrunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.connection.base import BaseConnection
    from dcl_comms_drivers.media import AudioFrame, VideoFrame
    from dcl_comms_drivers.media.feeds import Reader

    from dcl_comms_core.events import Event
    from dcl_comms_station.board.hearing import Perceived
    from dcl_comms_station.board.limits import StationLimits

__all__ = ["Listening"]

_TEXT: Final = 300
_KEPT: Final = 50
"""Pieces of sound of 10 ms that wait for the room's turn."""


class _Track:
    """One that is wanted, for its sound or for its pictures."""

    def __init__(self, sid: str, kind: TrackKind) -> None:
        self.sid = sid
        self.kind = kind
        self.reader: Reader[AudioFrame] | Reader[VideoFrame] | None = None
        self.is_ours = False
        """Whether it is received because of us."""
        self.due: float | None = None
        """When the next picture is wanted, where one came before that."""
        self.next = 0.0
        self.state = "waiting"
        self.text = ""
        self.format = ""
        self.dropped = 0

    def told(self) -> dict[str, Any]:
        return {"state": self.state, "text": self.text, "format": self.format, "dropped": self.dropped}


class Listening:
    """``put``: where sound and pictures go; ``changed``: called where ``told`` is another."""

    def __init__(
        self,
        room: BaseConnection,
        put: Callable[[Perceived], object],
        changed: Callable[[], object],
        limits: StationLimits,
    ) -> None:
        self._room = room
        self._put = put
        self._changed = changed
        self._limits = limits
        self._tracks = Tracks(room.driver)
        self._wanted: dict[tuple[TrackKind, str], _Track] = {}

    def told(self) -> dict[str, dict[str, Any]]:
        """Of the event ``media``, by the track's id."""
        return {track.sid: track.told() for track in self._wanted.values()}

    def want(self, heard: frozenset[str], seen: frozenset[str]) -> None:
        """Listen to these and look at those, and at no others.  In the room's turn."""
        wanted = {(TrackKind.AUDIO, sid) for sid in heard} | {(TrackKind.VIDEO, sid) for sid in seen - heard}
        for key in self._wanted.keys() - wanted:
            track = self._wanted.pop(key)
            _close(track)
            self._let_go(track)
        for kind, sid in wanted - self._wanted.keys():
            track = self._wanted[kind, sid] = _Track(sid, kind)
            self._open(track)
        self._changed()

    def close(self) -> None:
        """Listen to nothing."""
        self.want(frozenset(), frozenset())

    # --- beside the session

    def take(self, events: list[Event], *, now: float) -> None:  # noqa: ARG002 - as of every Chore
        """Tracks come and go."""
        for event in events if self._wanted else ():
            match event:
                case TrackSubscribed() | TrackPublished():
                    self._each(event.track.sid, self._open)
                case TrackUnsubscribed():
                    self._each(event.track.sid, partial(self._ended, state="waiting"))
                case TrackUnpublished():
                    self._each(event.track.sid, partial(self._ended, state="gone"))
                case RoomOpened():
                    self._each(None, self._open)
                case _:
                    pass

    def deadline(self) -> float | None:
        """When a picture that waits is due."""
        return min((track.due for track in self._wanted.values() if track.due is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Take the pictures that are due."""
        for track in list(self._wanted.values()):
            if track.due is not None and track.due <= now:
                self._look(track)

    # --- one track

    def _each(self, sid: str | None, do: Callable[[_Track], object]) -> None:
        """Do it for one, or for all, and tell of it."""
        found = [track for track in self._wanted.values() if sid in {None, track.sid}]
        for track in found:
            do(track)
        if found:
            self._changed()

    def _open(self, track: _Track) -> None:
        """Read a track, if it is received; else ask for it."""
        if track.reader is not None:
            if not track.reader.ended:
                return
            _close(track)
        offered = next((one for peer in self._room.peers.values() for one in peer.tracks if one.sid == track.sid), None)
        try:
            if offered is None:
                _is(track, "gone")
            elif offered.kind is not track.kind:
                _is(track, "failed", f"this track is {offered.kind.value}")
            elif not self._read(track):
                track.is_ours = self._room.subscribe(track.sid) or track.is_ours
                _is(track, "waiting")
        except (PermissionMissing, TrackEncrypted) as error:
            _is(track, "failed", str(error))
        except CommsError as error:
            # No room is open now: once there is, it is tried again.
            _is(track, "waiting", str(error))

    def _read(self, track: _Track) -> bool:
        """Read it.  False: it is not received now."""
        try:
            if track.kind is TrackKind.AUDIO:
                track.reader = self._tracks.open_audio(track.sid, SOUND_RATE, 1, _KEPT)
                track.reader.on_ready = partial(self._listen, track)
            else:
                track.reader = self._tracks.open_video(track.sid, VideoFormat.I420, 1)
                track.reader.on_ready = partial(self._look, track)
        except TrackEncrypted:
            raise
        except LocalProtocolError:
            return False
        _is(track, "on")
        return True

    def _listen(self, track: _Track) -> None:
        reader = cast("Reader[AudioFrame] | None", track.reader)
        if reader is None:
            return
        pieces: list[bytes] = []
        while (frame := reader.poll()) is not None:
            pieces.append(bytes(frame.data))
        if pieces:
            self._put(Heard(track.sid, b"".join(pieces)))
        self._note(track, f"{SOUND_RATE // 1_000} kHz", reader.dropped)

    def _look(self, track: _Track) -> None:
        reader = cast("Reader[VideoFrame] | None", track.reader)
        if reader is None:
            return
        now = self._room.driver.host.now()
        if now < track.next:
            track.due = track.next
            return
        track.due = None
        frame = reader.poll()
        if frame is not None:
            track.next = now + 1.0 / self._limits.pictures
            self._put(Seen(track.sid, shrunk(frame, self._limits.picture_pixels)))
            self._note(track, f"{frame.width} x {frame.height}", 0)

    def _note(self, track: _Track, form: str, dropped: int) -> None:
        if (track.format, track.dropped) != (form, dropped):
            track.format, track.dropped = form, dropped
            self._changed()

    def _ended(self, track: _Track, state: str) -> None:
        _close(track)
        _is(track, state)

    def _let_go(self, track: _Track) -> None:
        if track.is_ours and track.state != "gone":
            # Where no room is open nothing is received of it anyway.
            with suppress(CommsError):
                self._room.unsubscribe(track.sid)


def _is(track: _Track, state: str, text: str = "") -> None:
    track.state, track.text = state, clean(text, limit=_TEXT)


def _close(track: _Track) -> None:
    reader, track.reader, track.due = track.reader, None, None
    if reader is not None:
        reader.on_ready = None
        reader.close()
