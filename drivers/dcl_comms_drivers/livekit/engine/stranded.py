"""Tracks of ours that the engine keeps because the server ended their room: on wheels before 1.2 (rust-sdks#1443).

There such a track, its source and their threads stay for as long as the process lives, whatever we give back; but once
it is published in another room, the engine lets go of what the old one held.  So they wait here, and the next track of
the same kind is one of them.  The first of these rooms stays too, and with it libwebrtc's factory, which all rooms and
tracks share as long as one is there: else each would leave a factory with five threads, and a track that comes into a
room of another factory crashes the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Stranded"]


class Stranded:
    """Those of a process.  From any thread: each step is atomic."""

    def __init__(self) -> None:
        self._tracks: dict[Hashable, list[tuple[int, int]]] = {}
        self._rooms: list[int] = []

    def put(self, kind: Hashable, source: int, track: int) -> None:
        """Keep a track of this kind: the engine's handles of its source and of itself."""
        self._tracks.setdefault(kind, []).append((source, track))

    def take(self, kind: Hashable) -> tuple[int, int] | None:
        """One of this kind, which is the caller's from now on; None: there is none."""
        try:
            return self._tracks[kind].pop()
        except (KeyError, IndexError):
            return None

    def keep_room(self, room: int) -> bool:
        """Whether this room is never to be given back, as none is kept yet."""
        if self._rooms:
            return False
        self._rooms.append(room)
        return True
