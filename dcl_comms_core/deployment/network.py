"""The network of a deployment: datagrams that are lost, doubled and late, streams that hold or break, who is cut off.

Ends have names: servers', and machines'.  Everything that is drawn is a seed's; of what is due at one time, what was
sent first comes first.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.livekit.webrtc import Address
    from dcl_comms_core.simulation.settings import Faults

__all__ = ["Breakable", "Network"]

_AGAIN: Final = 0.2
"""Seconds that a stream takes longer for each time that a part of it is lost."""
_LOST_TIMES: Final = 5
"""As often at most."""


class Breakable(Protocol):
    """A stream, as far as the network knows it."""

    @property
    def between(self) -> frozenset[str]:
        """Whose ends it has."""
        ...

    def go_on(self) -> None:
        """There is a way again."""
        ...

    def break_(self) -> None:
        """There was none for too long."""
        ...


class Network:
    """Whatever is on its way, and the clock.

    Of Faults count latency, jitter, loss, duplicate and reorder, for datagrams; streams come in order and are late
    where something of them was lost.  ``give_up``: after so long without a way streams break.
    """

    def __init__(self, *, seed: int, faults: Faults) -> None:
        self.clock = VirtualClock()
        self.faults = faults
        self._luck = Prng(seed)
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._cut: dict[frozenset[str], int] = {}
        """Pairs between which there is no way, each with the number of its cut."""
        self._cuts = count(1)
        self._bound: dict[Address, tuple[str, Callable[[Address, bytes], None]]] = {}
        self._streams: dict[Breakable, None] = {}

    # --- time

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Have this done in so many seconds."""
        heappush(self._due, (self.clock.now + seconds, next(self._order), work))

    def deadline(self) -> float | None:
        """When ``run`` is needed."""
        return self._due[0][0] if self._due else None

    def run(self) -> None:
        """Let everything arrive that is due."""
        while self._due and self._due[0][0] <= self.clock.now:
            heappop(self._due)[2]()

    def delay(self) -> float:
        """How long something takes now."""
        return self.faults.latency + self._luck.unit() * self.faults.jitter

    def hold_up(self) -> float:
        """How much longer a part of a stream takes."""
        lost = 0
        while lost < _LOST_TIMES and self._luck.chance(self.faults.loss):
            lost += 1
        return lost * _AGAIN

    # --- ways

    def reaches(self, one: str, other: str) -> bool:
        """Whether there is a way."""
        return frozenset((one, other)) not in self._cut

    def cut(self, one: str, other: str) -> bool:
        """Let there be none.  False: there was none."""
        pair = frozenset((one, other))
        if pair in self._cut:
            return False
        number = self._cut[pair] = next(self._cuts)
        self.after(self.faults.give_up, lambda: self._break(pair, number))
        return True

    def _break(self, pair: frozenset[str], number: int) -> None:
        if self._cut.get(pair) == number:
            for stream in [one for one in self._streams if one.between == pair]:
                stream.break_()
            # Those that are opened from now on break as well.
            self.after(self.faults.give_up, lambda: self._break(pair, number))

    def heal(self, one: str, other: str) -> bool:
        """Let there be one again.  False: there is."""
        pair = frozenset((one, other))
        if self._cut.pop(pair, None) is None:
            return False
        for stream in [one for one in self._streams if one.between == pair]:
            stream.go_on()
        return True

    # --- streams

    def opened(self, stream: Breakable) -> None:
        """There is one more."""
        self._streams[stream] = None

    def closed(self, stream: Breakable) -> None:
        """There is one less."""
        self._streams.pop(stream, None)

    # --- datagrams

    def bind(self, address: Address, owner: str, take: Callable[[Address, bytes], None]) -> None:
        """Have datagrams to an address arrive, each with where it is from."""
        self._bound[address] = owner, take

    def unbind(self, address: Address) -> None:
        """Let them go."""
        self._bound.pop(address, None)

    def send(self, owner: str, source: Address, to: Address, datagram: bytes) -> None:
        """Send a datagram, or lose it."""
        faults, luck = self.faults, self._luck
        if luck.chance(faults.loss):
            return
        for _ in range(2 if luck.chance(faults.duplicate) else 1):
            seconds = self.delay()
            if luck.chance(faults.reorder):
                seconds += faults.latency + 2.0 * faults.jitter
            self.after(seconds, lambda: self._arrive(owner, source, to, datagram))

    def _arrive(self, owner: str, source: Address, to: Address, datagram: bytes) -> None:
        bound = self._bound.get(to)
        if bound is not None and self.reaches(owner, bound[0]):
            bound[1](source, datagram)
