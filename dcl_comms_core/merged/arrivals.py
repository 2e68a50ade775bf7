"""Packets on their way to the rooms: the shortest way there is, because it is walked the most."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.merged.children import Child, Children
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Arrivals"]


class Arrivals:
    """Gives packets to the room of their link, and remembers which one it was.

    What comes of them is taken later, many at a time: before a packet goes to another room, or ``settle`` is called.
    So it goes before what comes of anything else, as if it were taken at once.  ``take``: takes what packets brought.
    """

    __slots__ = ("_children", "_clock", "_link", "_output", "_receive", "_take", "last")

    def __init__(self, children: Children, output: Output, clock: Clock, take: Callable[[Child], None]) -> None:
        self._children = children
        self._output = output
        self._clock = clock
        self._take = take
        self.last: Child | None = None
        """Whose packets came last, and were not taken yet."""
        self._link: int | None = None
        self._receive: Callable[[str | None, bytes, bool, str, float, int | None], object]

    def receive(
        self, sender: str | None, data: bytes, link: int, reliable: bool, topic: str, now: float, source: int | None
    ) -> None:
        """Take a packet of a room's current link."""
        if link != self._link:
            self._turn_to(link)
        clock = self._clock
        if now != clock.now:
            clock.pass_time(now)
        if self.last is None:
            self._output.counters["late"] += 1
        else:
            self._receive(sender, data, reliable, topic, clock.now, source)

    def settle(self) -> None:
        """Take what came of the last ones."""
        last = self.last
        if last is not None:
            self.last = self._link = None
            self._take(last)

    def _turn_to(self, link: int) -> None:
        self.settle()
        child = self._children.get(link)
        if child is not None and child.room is not None:
            self.last, self._link = child, link
            self._receive = child.room.inbound.receive
