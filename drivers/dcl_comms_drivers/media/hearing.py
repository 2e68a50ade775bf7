"""What people say, out of all the tracks that are received: one utterance after the other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import TrackMuted, TrackSubscribed, TrackUnpublished, TrackUnsubscribed
from dcl_comms_core.inputs import TrackKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.sound.pieces import Sound
    from dcl_comms_core.sound.utterances import Utterances
    from dcl_comms_drivers.media.feeds import Reader
    from dcl_comms_drivers.media.frames import AudioFrame

__all__ = ["Ears", "Utterance"]


class Utterance(NamedTuple):
    """What somebody said, from one silence to the next: ``async for who, sound in room.utterances()``."""

    sender: PeerId
    sound: Sound


class _Ear:
    """One track that is listened to."""

    def __init__(self, owner: PeerId, reader: Reader[AudioFrame], cut: Utterances) -> None:
        self.owner = owner
        self.reader = reader
        self.cut = cut


class Ears:
    """Listens to the sound of everybody, or of one: a Chore beside the session and a Reader of utterances.

    ``listen``: opens a track's sound.  ``cut``: makes what cuts a track's sound.  ``sender``: to whom alone.  ``kept``:
    utterances that wait to be read; of more the oldest goes, and ``dropped`` counts it.
    """

    def __init__(
        self,
        listen: Callable[[Track], Reader[AudioFrame]],
        cut: Callable[[], Utterances],
        *,
        sender: PeerId | None,
        kept: int,
    ) -> None:
        self.on_ready: Callable[[], None] | None = None
        self.ended = False
        """Whether it was closed."""
        self.dropped = 0
        """Utterances that nobody read in time."""
        self._listen = listen
        self._cut = cut
        self._sender = sender
        self._kept = kept
        self._ears: dict[str, _Ear] = {}
        self._unread: deque[Utterance] = deque()

    def poll(self) -> Utterance | None:
        """The oldest that was not read; None: there is none now."""
        return self._unread.popleft() if self._unread else None

    def close(self) -> None:
        """Listen no more.  May be repeated."""
        self.ended = True
        for sid in tuple(self._ears):
            self._stop(sid)

    def hear(self, owner: PeerId, track: Track) -> None:
        """Listen to a track, if it is sound of whom we listen to and is received."""
        if self.ended or track.kind is not TrackKind.AUDIO or track.encrypted or self._sender not in {None, owner}:
            return
        self._stop(track.sid)
        try:
            reader = self._listen(track)
        except LocalProtocolError:
            # It is not received now; TrackSubscribed says when it is.
            return
        ear = self._ears[track.sid] = _Ear(owner, reader, self._cut())
        reader.on_ready = lambda: self._drain(ear)
        self._drain(ear)

    # --- beside the session

    def take(self, events: list[Event], *, now: float) -> None:  # noqa: ARG002 - as of every Chore
        """Tracks come and go."""
        for event in events:
            if isinstance(event, TrackSubscribed):
                self.hear(event.sender, event.track)
            elif isinstance(event, TrackUnsubscribed | TrackUnpublished):
                self._stop(event.track.sid)
            elif isinstance(event, TrackMuted) and event.track.muted and event.track.sid in self._ears:
                # Nothing more may come for a long time.
                ear = self._ears[event.track.sid]
                self._tell(ear.owner, ear.cut.end())

    def deadline(self) -> float | None:
        """Time is counted in samples."""
        return None

    def handle_timeout(self, now: float) -> None:
        """Nothing is ever due."""

    # --- one track

    def _drain(self, ear: _Ear) -> None:
        while (frame := ear.reader.poll()) is not None:
            for sound in ear.cut.feed(frame.data):
                self._tell(ear.owner, sound)
        if ear.reader.ended:
            self._tell(ear.owner, ear.cut.end())

    def _stop(self, sid: str) -> None:
        ear = self._ears.pop(sid, None)
        if ear is not None:
            self._drain(ear)
            ear.reader.on_ready = None
            ear.reader.close()
            self._tell(ear.owner, ear.cut.end())

    def _tell(self, owner: PeerId, sound: Sound | None) -> None:
        if sound is None:
            return
        if len(self._unread) >= self._kept:
            self._unread.popleft()
            self.dropped += 1
        self._unread.append(Utterance(owner, sound))
        if self.on_ready is not None:
            self.on_ready()
