"""The reading of somebody else's track, as far as it is the same over the engine and over the SDK: frames that wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NOT_RECEIVED", "Frames"]

NOT_RECEIVED: Final = "we don't receive this track: wait for TrackSubscribed, and subscribe where that isn't automatic"

F = TypeVar("F")


class Home(Protocol):
    """The room that a track is in."""

    on_over: list[Callable[[], None]]
    """What to call when it is over."""

    def in_loop(self, call: Callable[[], None], /) -> None:
        """Call something in the thread of the loop that owns the link; for any thread."""
        ...


class Frames(ABC, Generic[F]):
    """The frames of one remote track, the newest ``max_frames`` of those that nobody polled."""

    def __init__(self, home: Home, max_frames: int) -> None:
        self.on_ready: Callable[[], None] | None = None
        self.ended = False
        """Nothing more will come, except what can still be polled."""
        self.dropped = 0
        """Frames that were pushed out because nobody polled."""
        self._home = home
        self._frames: deque[F] = deque()
        self.max_frames = max_frames
        self._told = False
        self.closed = False
        """Whether reading was stopped."""

    def poll(self) -> F | None:
        """Take the oldest frame; None when there is none."""
        try:
            return self._frames.popleft()
        except IndexError:
            return None

    def close(self) -> None:
        """Stop reading.  May be repeated."""
        if not self.closed:
            self._home.on_over.remove(self.over)
            self.over()

    @abstractmethod
    def _end(self) -> None:
        """End the stream."""

    def over(self) -> None:
        """Stop, with the room or before it."""
        self.ended = self.closed = True
        self._end()
        self._ready()

    def _ready(self) -> None:
        self._told = False
        if self.on_ready is not None:
            self.on_ready()

    # -- in the thread that frames come in

    def keep(self, frame: F) -> None:
        """Let a frame wait, for the oldest where there are too many."""
        if len(self._frames) >= self.max_frames and self.poll() is not None:
            self.dropped += 1
        self._frames.append(frame)

    def tell(self) -> None:
        """Say that there is something to poll, or the end; once until it was heard."""
        if not self._told:
            self._told = True
            self._home.in_loop(self._ready)
