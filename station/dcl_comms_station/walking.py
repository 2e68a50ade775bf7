"""``walk``: go along a line of points in a room or a realm, where others see it."""

from __future__ import annotations

import time
from itertools import pairwise
from math import atan2, degrees, dist
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.settings import Subscribe

from dcl_comms_core.states import RoomState
from dcl_comms_station.progress import entered
from dcl_comms_station.rooms import unix_time
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dcl_comms_core.events import Event
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Point, Visitor

__all__ = ["steps", "walk"]

_STEP_SECONDS: Final = 0.1
_STILL: Final = (0.0, 0.0, 0.0)


def steps(points: Sequence[Point], speed: float) -> Iterator[tuple[float, Point, Point, float]]:
    """The way from point to point: seconds since the beginning, position, velocity (m/s), yaw (degrees from north).

    The last step is at the last point, and stands still.
    """
    began, yaw = 0.0, 0.0
    for start, end in pairwise(points):
        length = dist(start, end)
        if length == 0.0:
            continue
        takes = length / speed
        x, y, z = ((after - before) / takes for before, after in zip(start, end, strict=True))
        if x or z:
            yaw = degrees(atan2(x, z)) % 360.0
        count = int(takes / _STEP_SECONDS) + 1
        for number in range(count):
            at = takes * number / count
            yield began + at, (start[0] + x * at, start[1] + y * at, start[2] + z * at), (x, y, z), yaw
        began += takes
    yield began, points[-1], _STILL, yaw


async def walk(
    loop: Loop,
    target: str,
    points: Sequence[Point],
    write: Callable[[Event, float], None],
    *,
    speed: float,
    stay: float = 3.0,
    patience: float = 20.0,
    visitor: Visitor = NOBODY,
) -> None:
    """Be at the first point, go to the others, stand ``stay`` seconds at the last, and leave.

    ``write`` is told what happens, and when: unix seconds.
    ``speed`` is in m/s.  A room that is lost for a while is not waited for: the walk goes on.
    """
    settings = visitor.settings(target)
    settings |= {"position": points[0], "timeout": patience, "subscribe": Subscribe.NONE}
    async with entered(loop, target, settings) as room:
        began = time.monotonic()

        async def read_until(seconds: float) -> None:
            async with loop.limit(max(began + seconds - time.monotonic(), 0.0)):
                async for event in room:
                    write(event, unix_time(room, event.at))

        at = 0.0
        for at, position, velocity, yaw in steps(points, speed):
            await read_until(at)
            if room.state is RoomState.OPEN:
                room.move(position, velocity=velocity, yaw=yaw)
        await read_until(at + stay)
