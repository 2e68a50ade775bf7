"""From a connection's thread to the Station's: what a tap is told, in a mailbox with a bound, and one wake a burst."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from dcl_comms_core.packets.events import PacketEvent
from dcl_comms_core.tap import Tap
from dcl_comms_station.board.limits import STATION_LIMITS
from dcl_comms_station.board.observed import Acknowledged, Counted, Missed, Received, Sent, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.commands import Command, SendData
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId
    from dcl_comms_station.board.observed import Observed

__all__ = ["StationTap"]

_Packet: TypeAlias = "tuple[float, str, PeerId | None, bytes, bool, str, bool, str]"
_Item: TypeAlias = "tuple[float, Input | Command | Event]"
_STEP: Final = 2
"""What is as long is a step, what is longer a packet."""
_OVERHEAD: Final = 200
"""Bytes of an observation beside those of its packet, about."""


class StationTap(Tap):
    """A tap for ``connect(..., tap=tap)``.  ``unix_now``: what gives its observations their times."""

    def __init__(self, unix_now: Callable[[], float], *, limits: Any = STATION_LIMITS) -> None:
        self._unix_now = unix_now
        self._most = limits.mailbox_bytes
        # A packet and a step are kept as they came: what is made of them is made on the Station's thread.
        self._seen: deque[_Packet | _Item | Observed] = deque()
        # Two counts, of which each thread writes one.
        self._in = 0
        self._out = 0
        self._missed = 0
        self._told = 0
        self._offset: float | None = None
        self._awake = False
        self._wake: Callable[[], None] | None = None
        self._others: tuple[Tap, ...] = ()
        self._noting: tuple[Callable[[float, Mapping[str, Any]], object], ...] = ()

    def add(self, tap: Tap, note: Callable[[float, Mapping[str, Any]], object]) -> None:
        """Tell it too, from now on, and ``note`` of what the connection counted."""
        self._others = (*self._others, tap)
        self._noting = (*self._noting, note)

    def remove(self, tap: Tap) -> None:
        """Tell it no longer."""
        kept = [pair for pair in zip(self._others, self._noting, strict=True) if pair[0] is not tap]
        self._others = tuple(other for other, _ in kept)
        self._noting = tuple(note for _, note in kept)

    # --- the connection's thread

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
        if self._in - self._out > self._most:
            self._missed += 1
        else:
            if self._offset is None:
                self._begin(at)
            self._in += len(data) + _OVERHEAD
            self._seen.append((at, room, sender, data, reliable, topic, private, verdict))
            if not self._awake:
                self._ring()
        for tap in self._others:
            tap.received(at, room, sender, data, reliable=reliable, topic=topic, private=private, verdict=verdict)

    def sent(self, at: float, room: str, command: SendData) -> None:
        """A packet of ours was given to the transport."""
        self._put(Sent(self._unix(at), room, command), len(command.data), most=1)
        for tap in self._others:
            tap.sent(at, room, command)

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
        """The transport took packets of ours, or did not."""
        if tokens:
            self._put(Acknowledged(self._unix(at), room, tokens, failed), 0, most=1)
            for tap in self._others:
                tap.acknowledged(at, room, tokens, failed=failed)

    def step(self, at: float, item: Input | Command | Event) -> None:
        """An input, a command or an event."""
        waiting = self._in - self._out
        # What is no packet has twice the room.
        if waiting > self._most and (waiting > 2 * self._most or isinstance(item, PacketEvent)):
            self._missed += 1
        else:
            if self._offset is None:
                self._begin(at)
            self._in += _OVERHEAD
            self._seen.append((at, item))
            if not self._awake:
                self._ring()
        for tap in self._others:
            tap.step(at, item)

    def counted(self, at: float, values: Mapping[str, Any]) -> None:
        """What the connection counted."""
        self._put(Counted(self._unix(at), values), 0, most=2)
        for note in self._noting:
            note(at, values)

    def _begin(self, at: float) -> None:
        """Something is observed for the first time: from now on it is known how far both clocks are apart."""
        self._offset = self._unix_now() - at

    def _unix(self, at: float) -> float:
        if self._offset is None:
            self._begin(at)
        assert self._offset is not None  # noqa: S101 - begun
        return at + self._offset

    def _put(self, seen: Observed, size: int, most: int) -> None:
        if self._in - self._out > most * self._most:
            self._missed += 1
            return
        self._in += size + _OVERHEAD
        self._seen.append(seen)
        if not self._awake:
            self._ring()

    def _ring(self) -> None:
        if self._wake is not None:
            self._awake = True
            self._wake()

    # --- the Station's thread

    def attach(self, wake: Callable[[], None] | None) -> None:
        """Call this, from any thread, once for each burst; None: nobody looks any more."""
        self._wake = wake
        if wake is not None:
            self._awake = True
            wake()

    def take(self) -> list[Observed]:
        """What was observed since the last call."""
        self._awake = False
        taken: list[Observed] = []
        while self._seen:
            seen = self._seen.popleft()
            size = _OVERHEAD
            if type(seen) is not tuple:
                if isinstance(seen, Sent):
                    size += len(seen.command.data)
                taken.append(cast("Observed", seen))
            elif len(seen) == _STEP:
                at, item = cast("_Item", seen)  # pyright: ignore[reportUnnecessaryCast]  # mypy
                taken.append(Step(self._unix(at), item))
            else:
                at, room, sender, data, reliable, topic, private, verdict = cast("_Packet", seen)  # pyright: ignore[reportUnnecessaryCast]  # mypy
                size += len(data)
                taken.append(Received(self._unix(at), room, sender, data, reliable, topic, private, verdict))
            self._out += size
        missed = self._missed - self._told
        if missed:
            self._told += missed
            taken.append(Missed(self._unix_now(), missed))
        return taken
