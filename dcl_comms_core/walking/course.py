"""Where a walk leads: a line of points, or a peer wherever it is; and headings."""

from __future__ import annotations

from collections import deque
from math import atan2, degrees
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.packets.motion import check_position, heading
from dcl_comms_core.peers import Peer, PeerId, peer_id
from dcl_comms_core.tools.arguments import are_finite, require_number
from dcl_comms_core.tools.vectors import Vector3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.peers import Who

__all__ = ["Course", "Destination", "Point", "bearing", "metres", "point"]

Point: TypeAlias = tuple[float, float, float]
"""Metres: x east, y up, z north."""

Destination: TypeAlias = "Who | Point | Iterable[Point]"
"""Where a walk may lead: a peer, a point, or a line of points."""

_FLAT: Final = 1e-6
_TARGETS: Final = "a walk leads to a peer, to a point (x, y, z), or along a list of points"


def bearing(here: Point, there: Point) -> float | None:
    """Degrees clockwise from north, in [0, 360); None: it is neither east nor north of here, nor west nor south."""
    east, north = there[0] - here[0], there[2] - here[2]
    if abs(east) < _FLAT and abs(north) < _FLAT:
        return None
    return heading(degrees(atan2(east, north)))


def point(place: object) -> Vector3:
    """Three numbers as a point.  LocalProtocolError: they are something else."""
    check_position(cast("Point", place))
    x, y, z = map(float, cast("Point", place))
    return Vector3(x, y, z)


def metres(value: float, what: str) -> float:
    """A distance.  LocalProtocolError: it is none."""
    require_number(value, f"{what} is metres")
    if value < 0.0:
        msg = f"{what} is metres from 0 on, not {value!r}"
        raise LocalProtocolError(msg)
    return float(value)


class Course:
    """Where a walk leads.

    ``who``: the peer that it leads to; None: the points ahead.  ``stop``: how many metres before the last of it we
    stand.  ``speed``: m/s.  ``lasting``: it is not over when we are there.
    """

    __slots__ = ("ahead", "lasting", "seen", "speed", "stop", "who")

    def __init__(
        self, who: PeerId | None, ahead: Iterable[Vector3], *, stop: float, speed: float, lasting: bool = False
    ) -> None:
        self.who = who
        self.ahead = deque(ahead)
        self.stop = stop
        self.speed = speed
        self.lasting = lasting
        self.seen: Vector3 | None = None
        """Where the peer was when we saw it last."""

    @classmethod
    def to(cls, target: Destination, *, stop: float, speed: float, most: int) -> Course:
        """The way to what an application names.  LocalProtocolError: nobody can walk to that."""
        if isinstance(target, PeerId | Peer | str):
            return cls(peer_id(target), (), stop=stop, speed=speed)
        if are_finite(target, 3):
            return cls(None, [point(target)], stop=stop, speed=speed)
        try:
            given = list(cast("Iterable[object]", target))
        except TypeError:
            msg = f"{_TARGETS}, not to {type(target).__name__}"
            raise LocalProtocolError(msg) from None
        if len(given) > most:
            msg = f"a walk has {most:,} points at most (Limits.walk_points), not {len(given):,}"
            raise LocalProtocolError(msg)
        if not given:
            msg = f"{_TARGETS}: this list is empty"
            raise LocalProtocolError(msg)
        return cls(None, [point(one) for one in given], stop=stop, speed=speed)
