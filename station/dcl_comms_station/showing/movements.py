"""Who moves: many movements a second as one line."""

from __future__ import annotations

from collections import OrderedDict, deque
from math import dist, hypot, inf
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_station.clean import short

if TYPE_CHECKING:
    from dcl_comms_core.events import PeerMoved
    from dcl_comms_core.tools.vectors import Vector3

__all__ = ["Movements"]

_SECONDS: Final = 2.0
_MOST: Final = 20_000
"""Movements of those seconds, and peers whose last place is remembered."""
_STILL: Final = 0.01
"""Metres, or metres a second."""


class _Seen(NamedTuple):
    at: Vector3
    speed: float
    moved: float
    """When it last was in motion, unix seconds; -inf: it never was."""


class Movements:
    """The movements of the last two seconds, by the time at which they were."""

    def __init__(self) -> None:
        self._told: deque[float] = deque(maxlen=_MOST)
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def take(self, event: PeerMoved, unix: float) -> None:
        """Note a movement; ``unix``: when it was."""
        who = "?" if event.sender is None else event.sender.text
        before = self._seen.pop(who, None)
        speed = hypot(*event.velocity)
        moves = speed > _STILL or (before is not None and dist(before.at, event.position) > _STILL)
        self._seen[who] = _Seen(event.position, speed, unix if moves else -inf if before is None else before.moved)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        self._told.append(unix)

    def text(self, now: float) -> str:
        """How many move, how many movements a second are told, who and where; empty: nothing is told."""
        while self._told and now - self._told[0] > _SECONDS:
            self._told.popleft()
        if not self._told:
            return ""
        moving = sorted((who, seen) for who, seen in self._seen.items() if now - seen.moved <= _SECONDS)
        head = f"{len(moving)} {'moves' if len(moving) == 1 else 'move'}, {len(self._told) / _SECONDS:.0f}/s"
        return ", ".join([head, *(_line(who, seen) for who, seen in moving)])


def _line(who: str, seen: _Seen) -> str:
    x, _, z = seen.at
    return f"{short(who)} ({x:.1f}, {z:.1f}) {seen.speed:.1f} m/s"
