"""What pages have us say, a tone or a WAV: a chore beside the room's session, one sound at a time."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_drivers.connection.tracks import Tracks
from dcl_comms_drivers.media.files import pieces_of
from dcl_comms_drivers.media.frames import AudioTrack

from dcl_comms_core.errors import CommsError, InvalidSound
from dcl_comms_core.sound.pieces import Sound
from dcl_comms_station.board.asked import BadRequest, Refused
from dcl_comms_station.board.limits import SOUND_RATE
from dcl_comms_station.board.making.composing import call
from dcl_comms_station.clean import clean
from dcl_comms_station.residents.tone import LEAD_SECONDS, TAIL_SECONDS, tone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dcl_comms_drivers.connection.base import BaseConnection
    from dcl_comms_drivers.media.feeds import AudioFeed

    from dcl_comms_core.events import Event
    from dcl_comms_station.board.asked import Arguments
    from dcl_comms_station.board.limits import StationLimits

__all__ = ["Speaking"]

_PUBLISH: Final = "async with room.publish_audio() as microphone:"
_TEXT: Final = 300
_LOWEST: Final = 20.0
_HIGHEST: Final = 20_000.0
_TOLD: Final = 0.5
"""Seconds between two words of how far it is."""


class _Stage(Enum):
    PUBLISHING = "publishing"
    LEADING = "leading"
    PLAYING = "playing"
    FADING = "fading"


class _Said:
    """One sound, from when it is asked for until its track is taken back."""

    def __init__(self, what: str, seconds: float, feed: AudioFeed, pieces: Iterator[bytes]) -> None:
        self.what = what
        self.seconds = seconds
        self.feed = feed
        self.pieces = pieces
        self.stage = _Stage.PUBLISHING
        self.due: float | None = None
        self.samples = 0
        """Of those that were given to the track."""
        self.piece: bytes | None = None
        """What it did not take yet."""


class Speaking:
    """``changed``: called where ``told`` is another."""

    def __init__(self, room: BaseConnection, changed: Callable[[], object], limits: StationLimits) -> None:
        self._room = room
        self._changed = changed
        self._limits = limits
        self._tracks = Tracks(room.driver)
        self._said: _Said | None = None
        self._told: dict[str, Any] | None = None
        self._telling = 0.0

    def told(self) -> dict[str, Any] | None:
        """Of the event ``media``; None: nothing was said."""
        return self._told

    # --- what pages ask, in the room's turn

    def ask(self, given: Arguments) -> dict[str, Any]:
        """``publish``.  Refused: it can't be said; CommsError: we may not, or the room carries no sound."""
        match given.text("kind", most=20):
            case "tone":
                return self._play_tone(given)
            case "wav":
                return self._play_wav(given)
            case "stop":
                if self._said is not None:
                    self._end(self._said, "done")
                return {}
            case kind:
                raise BadRequest("kind", f"kind is one of tone, wav, stop, and not {kind}")

    def _play_tone(self, given: Arguments) -> dict[str, Any]:
        hertz, seconds = given.number("hz", 440.0), given.number("seconds", 3.0)
        if not _LOWEST <= hertz <= _HIGHEST:
            raise BadRequest("hz", f"hz is from {_LOWEST:g} to {_HIGHEST:g}")
        self._check_length(seconds)
        self._begin("tone", seconds, lambda _: tone(hertz, seconds))
        return {"python": f"{_PUBLISH} await microphone.play(tone({hertz:g}, {seconds:g}))"}

    def _play_wav(self, given: Arguments) -> dict[str, Any]:
        sound = given.all.get("sound")
        if not isinstance(sound, Sound):
            raise Refused("not_found", "no WAV was sent to be played", field="kind")
        self._check_length(sound.seconds)
        self._begin("wav", sound.seconds, lambda feed: pieces_of(sound, feed))
        name = given.text("name", "sound.wav", most=200)
        return {"python": f"{_PUBLISH} await {call('play_file', repr(name)).replace('room.', 'microphone.')}"}

    def _check_length(self, seconds: float) -> None:
        if not 0.0 < seconds <= self._limits.speak_seconds:
            raise Refused("limit", f"{self._limits.speak_seconds} s are played at most", field="seconds")

    def _begin(self, what: str, seconds: float, pieces: Callable[[AudioFeed], Iterator[bytes]]) -> None:
        if self._said is not None:
            raise Refused("busy", "something is being said already", fix="stop it first")
        feed = self._tracks.publish_audio(AudioTrack(name="mic", sample_rate=SOUND_RATE, channels=1))
        said = self._said = _Said(what, seconds, feed, pieces(feed))
        feed.on_ready = lambda: self._go_on(said)
        self._tell(said, "publishing")
        self._go_on(said)

    def close(self) -> None:
        """Say nothing more."""
        if self._said is not None:
            self._end(self._said, "done")

    # --- beside the session

    def take(self, events: list[Event], *, now: float) -> None:
        """Its track tells by itself of what happens to it."""

    def deadline(self) -> float | None:
        """When the next part begins."""
        return None if self._said is None else self._said.due

    def handle_timeout(self, now: float) -> None:
        """Begin to play, or end."""
        said = self._said
        if said is None or said.due is None or said.due > now:
            return
        said.due = None
        if said.stage is _Stage.LEADING:
            said.stage = _Stage.PLAYING
            self._go_on(said)
        else:
            self._end(said, "done")

    # --- one sound

    def _go_on(self, said: _Said) -> None:
        """Something about its track changed."""
        feed = said.feed
        if said is not self._said:
            return
        if feed.problem is not None or feed.error or feed.closed:
            self._end(said, "failed", str(feed.problem or feed.error or "the room took the track back"))
        elif said.stage is _Stage.PUBLISHING and feed.sid:
            # The others have to subscribe to it first.
            said.stage, said.due = _Stage.LEADING, self._now() + LEAD_SECONDS
        elif said.stage is _Stage.PLAYING:
            try:
                self._play(said)
            except (CommsError, InvalidSound) as error:
                self._end(said, "failed", str(error))

    def _play(self, said: _Said) -> None:
        """Give the track as much as it takes now."""
        feed = said.feed
        while not feed.busy:
            piece = said.piece or next(said.pieces, b"")
            if not piece:
                # The last of it is in the engine still.
                said.stage, said.due = _Stage.FADING, self._now() + TAIL_SECONDS
                return
            said.piece = piece
            if not feed.capture(piece):
                return
            said.piece = None
            said.samples += len(piece) // 2
            if self._now() >= self._telling:
                self._tell(said, "speaking")

    def _end(self, said: _Said, state: str, text: str = "") -> None:
        self._said = None
        said.feed.on_ready = None
        said.feed.close()
        self._tell(said, state, text)

    def _tell(self, said: _Said, state: str, text: str = "") -> None:
        self._telling = self._now() + _TOLD
        self._told = {
            "state": state,
            "what": said.what,
            "at": round(said.samples / SOUND_RATE, 1),
            "seconds": round(said.seconds, 1),
            "text": clean(text, limit=_TEXT),
        }
        self._changed()

    def _now(self) -> float:
        return self._room.driver.host.now()
