"""One page: what waits for it, what it has not drawn yet, and so what it may be sent now."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_station.board.frames import audio, positions, video
from dcl_comms_station.board.hearing import Hearing
from dcl_comms_station.board.texts import js
from dcl_comms_station.board.views import View

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_station.board.limits import StationLimits

__all__ = ["FRAME_CHARS", "Page"]

FRAME_CHARS: Final = 56_000
"""Of the events in one text frame; each is shorter than what is left to 64 KiB, or goes alone."""
_PING_SECONDS: Final = 10.0


@dataclass(eq=False)
class Page:
    """A page, from its socket's opening to its end.  What it is to be sent is in ``frames``."""

    number: int
    limits: StationLimits
    read_only: bool
    view: View = field(default_factory=View)
    ready: bool = False
    """It said hello."""
    paused: bool = False
    closing: int | None = None
    """The code that its socket is to be closed with."""
    frames: list[str | bytes] = field(default_factory=list[str | bytes])
    verbs: int = 0
    """That the Station has to answer still."""
    moved: int = 0
    """The version of the last position that it was sent."""
    due: dict[str, float] = field(default_factory=dict[str, float])
    """When each of its windows may be sent again."""
    last: dict[str, str] = field(default_factory=dict[str, str])
    """What each was last time: it is not sent twice."""
    timed: float | None = None
    """To when it has the bins of the time line."""
    good: dict[str, str] = field(default_factory=dict[str, str])
    """The last filters of its that could be read, by name."""
    hearing: Hearing = field(init=False)
    """What waits of sound and pictures."""
    turns: deque[str] = field(default_factory=lambda: deque(("positions", "sound", "pictures")))
    """Which of its binary frames are next, where there is something of each."""
    _seq: int = 0
    _undrawn: deque[tuple[int, int, float]] = field(default_factory=deque[tuple[int, int, float]])
    _snapshot: deque[str] = field(default_factory=deque[str])
    _queue: deque[str] = field(default_factory=deque[str])
    _dropped: int = 0
    _allowance: float = 0.0
    _heard: float | None = None
    _pinged: float = 0.0

    def __post_init__(self) -> None:
        self.hearing = Hearing(self.limits)

    # --- what it says

    def look(self, view: View) -> None:
        """It looks at something else."""
        self.view = view
        self.hearing.look(view.audio, view.video)

    def may_ask(self, now: float) -> bool:
        """Whether a further message is within what a page may send."""
        rate = self.limits.page_messages
        if self._heard is None:
            self._allowance = 2.0 * rate
        else:
            self._allowance = min(self._allowance + (now - self._heard) * rate, 2.0 * rate)
        self._heard = now
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True

    def acknowledge(self, seq: int) -> None:
        """It has drawn everything up to this frame."""
        while self._undrawn and self._undrawn[0][0] <= seq:
            self._undrawn.popleft()

    def answer(self, number: object, *, ok: object = None, error: dict[str, Any] | None = None) -> None:
        """Answer one of its messages."""
        self.frames.append(js({"re": number, "ok": ok} if error is None else {"re": number, "error": error}))

    # --- what waits for it

    def begin(self, texts: Iterable[str]) -> None:
        """Begin anew with a snapshot: what waited is in it."""
        self._snapshot = deque(texts)
        self._queue.clear()
        self.hearing.clear()
        self.moved, self.timed = 0, None
        self.last.clear()

    def tell(self, text: str) -> None:
        """An event for it, as JSON."""
        if not self.ready or self.paused:
            return
        if len(self._queue) >= self.limits.queue:
            self._dropped += len(self._queue)
            self._queue.clear()
        if self._dropped:
            self._dropped += 1
        else:
            self._queue.append(text)

    @property
    def overran(self) -> int:
        """How many events went because it was too slow: a snapshot is due."""
        return self._dropped

    def caught_up(self) -> int:
        """The snapshot comes now; how many went."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    @property
    def waits(self) -> bool:
        """Whether events wait."""
        return bool(self._snapshot or self._queue)

    def take(self) -> list[str]:
        """The next events, as many as one frame has room for."""
        texts: list[str] = []
        size = 0
        for source in (self._snapshot, self._queue):
            while source and (not texts or size + len(source[0]) <= FRAME_CHARS):
                text = source.popleft()
                size += len(text) + 1
                texts.append(text)
            if source:
                break
        return texts

    @property
    def waiting(self) -> int:
        """How many events wait, beside a snapshot."""
        return len(self._queue)

    @property
    def undrawn(self) -> int:
        """How many frames it has not drawn yet."""
        return len(self._undrawn)

    # --- what it is sent

    @property
    def open(self) -> bool:
        """Whether a further frame may be sent before another one is drawn."""
        undrawn = self._undrawn
        return len(undrawn) < self.limits.unacknowledged and (
            sum(size for _, size, _ in undrawn) < self.limits.window_bytes
        )

    def send(self, texts: list[str], now: float) -> None:
        """A frame of events."""
        self._seq += 1
        frame = f'{{"s":{self._seq},"t":{now:.3f},"ev":[{",".join(texts)}]}}'
        self._sent(frame, now)

    def send_positions(self, rows: list[bytes], now: float, t: float) -> None:
        """A frame of positions, of the session's time ``t``."""
        self._seq += 1
        self._sent(positions(rows, self._seq, t), now)

    def send_sound(self, now: float, t: float) -> bool:
        """A frame of sound, of the session's time ``t``.  False: none waits."""
        heard = self.hearing.next_sound()
        if heard is None:
            return False
        self._seq += 1
        self._sent(audio(self.view.audio.index(heard.sid), heard.samples, self._seq, t), now)
        return True

    def send_picture(self, now: float, t: float) -> bool:
        """A frame with a picture.  False: none waits."""
        seen = self.hearing.next_picture()
        if seen is None:
            return False
        self._seq += 1
        self._sent(video(self.view.video.index(seen.sid), seen.picture, self._seq, t), now)
        return True

    def _sent(self, frame: str | bytes, now: float) -> None:
        self.frames.append(frame)
        self._undrawn.append((self._seq, len(frame), now))

    def ping(self, now: float) -> None:
        """A sign of life for a page that is hidden."""
        if now - self._pinged >= _PING_SECONDS and self.open:
            self._pinged = now
            self.send(['{"k":"ping"}'], now)

    def deadline(self) -> float | None:
        """When it is given up, or gets a ping."""
        times = [self._undrawn[0][2] + self.limits.ack_seconds] if self._undrawn else []
        if self.paused and self.open:
            times.append(self._pinged + _PING_SECONDS)
        return min(times, default=None)

    def is_stuck(self, now: float) -> bool:
        """Whether it acknowledged nothing for too long."""
        return bool(self._undrawn) and now - self._undrawn[0][2] >= self.limits.ack_seconds
