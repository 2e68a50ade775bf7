"""Sound and pictures of tracks: as they come to the Board, and what of them waits for one page, which is little.

What can't be sent in time is of no use later: of sound the newest half second is kept, of pictures the newest one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from dcl_comms_station.board.limits import SOUND_RATE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dcl_comms_station.board.limits import StationLimits

__all__ = ["SILENT", "Heard", "Hearing", "MediaState", "Perceived", "Picture", "Seen", "how_to_hear"]

_SAMPLE_BYTES: Final = 2


class Heard(NamedTuple):
    """A piece of a track's sound: 16-bit samples, little-endian, mono, 48 kHz."""

    sid: str
    samples: bytes


class Picture(NamedTuple):
    """A picture: pixels of width and height, I420, and by how many quarters it is to be turned clockwise."""

    width: int
    height: int
    turns: int
    planes: bytes


class Seen(NamedTuple):
    """A picture of a track."""

    sid: str
    picture: Picture


Perceived: TypeAlias = Heard | Seen
"""Either of them."""


class MediaState(NamedTuple):
    """How it stands with what is listened to and looked at, and with what we say: as of the event ``media``."""

    tracks: dict[str, dict[str, Any]]
    speaking: dict[str, Any] | None


SILENT: Final = MediaState({}, None)
"""Nothing of either."""


_CURES: Final[dict[tuple[str, str], tuple[str, bool]]] = {
    ("engine", "own"): (
        "open it with sound and pictures, which takes a livekit-server, or start it with --media",
        True,
    ),
    ("engine", "target"): ("open it with sound and pictures, or start the Station with --media", True),
    ("engine", "watch"): ("connect(..., engine='livekit')", False),
    ("server", "own"): (
        "open it with sound and pictures, which takes a livekit-server, or start it with --media",
        True,
    ),
}
"""By what is missing and what is looked at: what helps, and whether opening it again does."""


def how_to_hear(source: str, mute: Mapping[str, str] | None) -> dict[str, Any] | None:
    """Of STATE, ``media``: why nothing is heard or seen here, and what helps; None: it is.

    ``source``: as of Source.kind.  ``mute``: ``why``, and ``missing``: ``engine``, ``server`` or nothing that helps.
    """
    if mute is None:
        return None
    fix, again = _CURES.get((mute["missing"], source), (None, False))
    return {"why": mute["why"], "fix": fix, "again": again}


class Hearing:
    """What waits for a page of the tracks that it looks at."""

    def __init__(self, limits: StationLimits) -> None:
        self._most = limits.sound_ms * SOUND_RATE // 1_000 * _SAMPLE_BYTES
        self._sounds: dict[str, deque[bytes]] = {}
        self._waiting: dict[str, int] = {}
        self._pictures: dict[str, Picture] = {}
        self._lost: dict[str, int] = {}
        self._heard = deque[str]()
        self._seen = deque[str]()

    def look(self, audio: tuple[str, ...], video: tuple[str, ...]) -> None:
        """Of these alone; what waits of others goes."""
        for kept in (self._sounds, self._waiting, self._lost):
            for sid in kept.keys() - set(audio):
                del kept[sid]
        for sid in self._pictures.keys() - set(video):
            del self._pictures[sid]
        self._heard, self._seen = deque(dict.fromkeys(audio)), deque(dict.fromkeys(video))

    def clear(self) -> None:
        """Nothing waits any more."""
        self._sounds.clear()
        self._waiting.clear()
        self._pictures.clear()

    def take(self, perceived: Perceived) -> None:
        """Let it wait, if it is of a track that is looked at."""
        sid = perceived.sid
        if isinstance(perceived, Seen):
            if sid in self._seen:
                self._pictures[sid] = perceived.picture
            return
        if sid not in self._heard:
            return
        sound = self._sounds.setdefault(sid, deque())
        sound.append(perceived.samples)
        waiting = self._waiting.get(sid, 0) + len(perceived.samples)
        while waiting > self._most:
            oldest = len(sound.popleft())
            waiting -= oldest
            self._lost[sid] = self._lost.get(sid, 0) + oldest
        self._waiting[sid] = waiting

    def lost_ms(self, sid: str) -> int:
        """Milliseconds of a track's sound that the page was too slow for."""
        return self._lost.get(sid, 0) * 1_000 // (SOUND_RATE * _SAMPLE_BYTES)

    @property
    def waiting_bytes(self) -> int:
        """Of all that waits."""
        return sum(self._waiting.values()) + sum(len(picture.planes) for picture in self._pictures.values())

    def next_sound(self) -> Heard | None:
        """All that waits of the track whose turn it is; None: nothing does."""
        sid = _next(self._heard, self._waiting)
        if sid is None:
            return None
        del self._waiting[sid]
        return Heard(sid, b"".join(self._sounds.pop(sid)))

    def next_picture(self) -> Seen | None:
        """The picture of the track whose turn it is; None: none waits."""
        sid = _next(self._seen, self._pictures)
        return None if sid is None else Seen(sid, self._pictures.pop(sid))


def _next(turns: deque[str], waiting: Collection[str]) -> str | None:
    """Whose turn it is of those that wait; it comes last from then on."""
    sid = next((one for one in turns if one in waiting), None)
    if sid is not None:
        turns.remove(sid)
        turns.append(sid)
    return sid
