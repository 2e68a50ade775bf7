"""What waits for the disk: a tap that only appends, and takes no more than it has room for."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dcl_comms_core.commands import Command, SendData
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId
    from dcl_comms_station.recording.writer import RecordingWriter

__all__ = ["Waiting", "write"]

_EACH: Final = 256
"""What an observation costs beside its bytes, about."""
_GATHER_SECONDS: Final = 0.05
RECEIVED, SENT, ACKNOWLEDGED, STEP, NOTE, SOUND, LOST = range(7)
_Item = tuple[int, tuple[Any, ...], int]


def write(writer: RecordingWriter, kind: int, told: tuple[Any, ...]) -> None:
    """Have what waited written."""
    if kind == RECEIVED:
        at, room, sender, data, reliable, topic, private, verdict = told
        writer.received(at, room, sender, data, reliable=reliable, topic=topic, private=private, verdict=verdict)
    elif kind == STEP:
        writer.step(*told)
    elif kind == SENT:
        writer.sent(*told)
    elif kind == ACKNOWLEDGED:
        at, room, tokens, failed = told
        writer.acknowledged(at, room, tokens, failed=failed)
    elif kind == NOTE:
        writer.note(*told)
    elif kind == SOUND:
        writer.sound(*told)
    else:
        writer.lost(*told)


class Waiting(Tap):
    """A tap that never blocks.  One thread takes what waits, in order."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[_Item] = deque()
        # Each is changed by one side only, so neither needs a lock.
        self._put = self._taken = 0
        self._gap: list[float] = []
        self._awake = self._closed = False
        self._wake, self._closing = threading.Event(), threading.Event()
        self.lost = 0
        """Observations that there was no room for."""
        self.began: tuple[float, float] | None = None
        """The time of the first observation, by the host's clock and by the wall clock."""

    def received(
        self,
        at: float,
        room: str,
        sender: PeerId | None,
        data: bytes,
        *,
        reliable: bool,
        topic: str,
        private: bool,
        verdict: str,
    ) -> None:
        """A packet came."""
        self._take(RECEIVED, at, (at, room, sender, data, reliable, topic, private, verdict), len(data))

    def sent(self, at: float, room: str, command: SendData) -> None:
        """A packet of ours was given to the transport."""
        self._take(SENT, at, (at, room, command), len(command.data))

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
        """The transport took packets of ours, or did not."""
        self._take(ACKNOWLEDGED, at, (at, room, tokens, failed), 8 * len(tokens))

    def step(self, at: float, item: Input | Command | Event) -> None:
        """An input, a command or an event that is no packet itself."""
        self._take(STEP, at, (at, item), _size(item))

    def note(self, at: float, values: Mapping[str, object]) -> None:
        """Figures of the connection."""
        self._take(NOTE, at, (at, values), _EACH)

    def sound(self, at: float, who: PeerId, samples: bytes, rate: int, channels: int) -> None:
        """What somebody is heard to say."""
        self._take(SOUND, at, (at, who, samples, rate, channels), len(samples))

    def _take(self, kind: int, at: float, told: tuple[Any, ...], size: int) -> None:
        if self._closed:
            return
        size += _EACH
        if self._put - self._taken + size > self._most:
            self.lost += 1
            self._gap = [self._gap[0] if self._gap else at, at, (self._gap[2] if self._gap else 0) + 1]
            return
        if self.began is None:
            self.began = at, time.time()
        if self._gap:
            since, until, count = self._gap
            self._gap = []
            self._put += _EACH
            self._items.append((LOST, (since, until, int(count)), _EACH))
        self._put += size
        self._items.append((kind, told, size))
        if not self._awake:
            self._awake = True
            self._wake.set()

    def close(self) -> None:
        """Nothing more comes."""
        self._closed = True
        self._closing.set()
        self._wake.set()

    # --- for the thread that takes

    def wait(self, seconds: float | None) -> bool:
        """Wait until something waits, or so long; True: what waits now is the last."""
        if self._wake.wait(seconds):
            # The next ones come soon: they are taken together.
            self._closing.wait(_GATHER_SECONDS)
        self._wake.clear()
        closed = self._closed
        self._awake = False
        return closed

    def take(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """What waits now."""
        for _ in range(len(self._items)):
            kind, told, size = self._items.popleft()
            self._taken += size
            yield kind, told

    def last_gap(self) -> tuple[float, float, int] | None:
        """What was lost at the very end, after which nothing came any more."""
        if not self._gap:
            return None
        since, until, count = self._gap
        return since, until, int(count)

    def refuse(self) -> None:
        """Nobody takes any more."""
        self.close()
        self._items.clear()


def _size(item: Any) -> int:
    """About as many bytes as it holds beside its fields."""
    for name in ("data", "serialized", "metadata", "body"):
        value = getattr(item, name, None)
        if isinstance(value, bytes | str):
            return len(value)
    return 0
