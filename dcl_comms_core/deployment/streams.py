"""A stream between a machine and a server: what is sent comes in order, late, or not any more.

Where there is no way it is held, until there is one again or the network gives up.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.deployment.network import Network

__all__ = ["Stream"]


class _Way:
    """One direction."""

    def __init__(self, stream: Stream, network: Network) -> None:
        self._stream = stream
        self._network = network
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._moving = False
        self._last = 0.0

    def put(self, work: Callable[[], None]) -> None:
        """Have this happen at the other end."""
        network = self._network
        when = network.clock.now + network.delay() + network.hold_up()
        self._last = max(self._last, when)
        self._waiting.append((self._last, work))
        self.go_on()

    def go_on(self) -> None:
        """Bring what waits."""
        if self._waiting and not self._moving:
            self._moving = True
            now = self._network.clock.now
            self._network.after(max(self._waiting[0][0] - now, 0.0), self._arrive)

    def _arrive(self) -> None:
        self._moving = False
        if self._waiting and self._stream.reaches:
            self._waiting.popleft()[1]()
            self.go_on()

    def clear(self) -> None:
        """Nothing of it comes any more."""
        self._waiting.clear()


class Stream:
    """``one`` opened it, to ``other``.

    ``up`` and ``down`` bring what is to happen at the other end; ``broken`` are called where it breaks.  Whoever closed
    its end still gets what the other one had sent, and lets it go.
    """

    def __init__(self, network: Network, one: str, other: str) -> None:
        self.between = frozenset((one, other))
        self.broken: list[Callable[[], None]] = []
        self._network = network
        self._one = one
        self._other = other
        self._up = _Way(self, network)
        self._down = _Way(self, network)
        self.up = self._up.put
        self.down = self._down.put
        network.opened(self)

    @property
    def reaches(self) -> bool:
        """Whether there is a way now."""
        return self._network.reaches(self._one, self._other)

    def go_on(self) -> None:
        """There is a way again."""
        self._up.go_on()
        self._down.go_on()

    def end_up(self, work: Callable[[], None]) -> None:
        """The end that opened it closes it; the other one hears of that as the last."""
        self._up.put(lambda: self._end(work))

    def end_down(self, work: Callable[[], None]) -> None:
        """The same of the other end."""
        self._down.put(lambda: self._end(work))

    def reset(self, work: Callable[[], None]) -> None:
        """The other end is gone, with whatever it had to say."""
        self._up.clear()
        self._down.clear()
        self.end_down(work)

    def _end(self, work: Callable[[], None]) -> None:
        self._network.closed(self)
        work()

    def break_(self) -> None:
        """It breaks, for both ends."""
        self._up.clear()
        self._down.clear()
        self._network.closed(self)
        for work in self.broken:
            work()
