"""Streams in a room: whose they are, the ``livekit-video:`` addresses that scenes use, and the current-stream rule.

Cast and ingress participants are told apart by their identities alone: ``stream:PLACE:UUID`` streams,
``watch:ROOM:UUID`` only looks on, ``presentation-bot:ROOM:UUID`` shows slides, and what LiveKit takes in over RTMP ends
in ``-streamer``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import RoomClosed, SpeakersChanged, TrackMuted, TrackPublished, TrackUnpublished
from dcl_comms_core.inputs import TrackKind, TrackSource
from dcl_comms_core.peers import PeerId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Track

__all__ = ["CurrentStream", "Stream", "StreamIdentity", "StreamRole", "VideoAddress", "stream_identity"]

_INGRESS: Final = "-streamer"
_SCHEME: Final = "livekit-video://"
_CURRENT: Final = "livekit-video://current-stream"
_HOLD: Final = 1.5
"""Seconds that a picture stays before it goes to another speaker, as in Unity."""


class StreamRole(Enum):
    """The role of a participant that is no player; the values are prefixes of identities."""

    STREAMER = "stream:"
    WATCHER = "watch:"
    PRESENTATION = "presentation-bot:"
    INGRESS = ""
    """A stream from outside, over RTMP; its identity ends in ``-streamer``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamIdentity:
    """An identity taken apart."""

    role: StreamRole
    where: str
    """The place of a streamer, the room of a watcher or a presentation, the name of an ingress."""
    uuid: str = ""


def stream_identity(who: PeerId | str) -> StreamIdentity | None:
    """What an identity says of its participant; None for a player or anybody else."""
    text = who if isinstance(who, str) else who.text
    key = text.lower()
    for role in (StreamRole.STREAMER, StreamRole.WATCHER, StreamRole.PRESENTATION):
        if key.startswith(role.value):
            # Names of rooms may hold colons, uuids do not.
            where, _, uuid = text[len(role.value) :].rpartition(":")
            return StreamIdentity(role=role, where=where, uuid=uuid)
    if key.endswith(_INGRESS):
        return StreamIdentity(role=StreamRole.INGRESS, where=text[: -len(_INGRESS)])
    return None


@dataclass(frozen=True, slots=True)
class VideoAddress:
    """What a scene's video player shows: one track of a participant, or whatever the current stream is (both None)."""

    identity: PeerId | None = None
    sid: str | None = None

    @classmethod
    def parse(cls, text: str) -> VideoAddress:
        """Read ``livekit-video://current-stream`` or ``livekit-video://IDENTITY/TRACK``.  LocalProtocolError: neither.

        The identity ends at the last slash: a presentation bot's may hold more of them.
        """
        if text == _CURRENT:
            return cls()
        identity, _, sid = text.removeprefix(_SCHEME).rpartition("/")
        if not (text.startswith(_SCHEME) and identity and sid):
            msg = f"a video address is {_CURRENT} or {_SCHEME}IDENTITY/TRACK, not {text[:80]!r}"
            raise LocalProtocolError(msg)
        return cls(PeerId(identity), sid)

    @property
    def is_current_stream(self) -> bool:
        """Whether CurrentStream chooses the video."""
        return self.sid is None

    def __str__(self) -> str:
        return _CURRENT if self.sid is None else f"{_SCHEME}{self.identity}/{self.sid}"


class Stream(NamedTuple):
    """A video track and whose it is."""

    sender: PeerId
    track: Track


class CurrentStream:
    """The current-stream rule over the events of one room: which video is to be seen.

    In this order, as in Unity: a presentation bot's video, a screen share that is not muted, the video of whoever
    speaks (the loudest first; it stays 1.5 s at least before it goes to another speaker), the first video there is.
    What is seen stays until it ends or something comes that goes before it.  ``ingress_only``: as in Bevy and Godot,
    which look at nothing but ``-streamer`` participants.

    A machine like the others of the core: give it every event with ``receive``, look at ``chosen``; when ``deadline()``
    comes, call ``handle_timeout``.
    """

    def __init__(self, *, ingress_only: bool = False) -> None:
        self._ingress_only = ingress_only
        self._videos: dict[str, Stream] = {}
        self._speakers: tuple[PeerId, ...] = ()
        self._chosen: str | None = None
        self._chosen_at = 0.0
        self._due: float | None = None

    @property
    def chosen(self) -> Stream | None:
        """What is to be seen now; None when there is no video."""
        return None if self._chosen is None else self._videos[self._chosen]

    def deadline(self) -> float | None:
        """When the video may switch to a speaker that has to wait; None: none waits."""
        return self._due

    def receive(self, event: Event) -> bool:
        """Take an event of the room; irrelevant ones are ignored.  True: the choice changed."""
        match event:
            case TrackPublished() | TrackMuted() if self._counts(event):
                self._videos[event.track.sid] = Stream(event.sender, event.track)
            case TrackUnpublished():
                self._videos.pop(event.track.sid, None)
            case SpeakersChanged():
                self._speakers = event.speakers
            case RoomClosed():
                self._videos.clear()
                self._speakers = ()
            case _:
                return False
        return self._choose(event.at)

    def handle_timeout(self, now: float) -> bool:
        """Let time pass.  True: the choice changed."""
        return self._choose(now)

    def _counts(self, event: TrackPublished | TrackMuted) -> bool:
        if event.track.kind is not TrackKind.VIDEO or event.track.encrypted:
            return False
        return not self._ingress_only or event.sender.text.lower().endswith(_INGRESS)

    def _choose(self, now: float) -> bool:
        before = self._chosen
        self._due = None
        if before not in self._videos:
            self._chosen = None
        chosen = self._best(now)
        if chosen == before:
            return False
        self._chosen = chosen
        self._chosen_at = now
        return True

    def _best(self, now: float) -> str | None:
        for goes_first in (_is_presentation, _is_screen):
            found = [sid for sid, stream in self._videos.items() if goes_first(stream)]
            if found:
                return self._chosen if self._chosen in found else found[0]
        current = self.chosen
        spoken = self._of_a_speaker()
        if spoken is None or (current is not None and spoken.sender == current.sender and not _is_share(current)):
            return self._chosen if current is not None else next(iter(self._videos), None)
        if current is not None and not _is_share(current) and now < self._chosen_at + _HOLD:
            self._due = self._chosen_at + _HOLD
            return self._chosen
        return spoken.track.sid

    def _of_a_speaker(self) -> Stream | None:
        """The video of the loudest speaker, if it has one."""
        return _first(
            stream
            for speaker in self._speakers[:1]
            for stream in self._videos.values()
            if stream.sender == speaker and not _is_share(stream)
        )


def _first(streams: Iterable[Stream]) -> Stream | None:
    return next(iter(streams), None)


def _is_presentation(stream: Stream) -> bool:
    return stream.sender.text.lower().startswith(StreamRole.PRESENTATION.value)


def _is_share(stream: Stream) -> bool:
    return stream.track.source is TrackSource.SCREEN_SHARE


def _is_screen(stream: Stream) -> bool:
    return _is_share(stream) and not stream.track.muted
