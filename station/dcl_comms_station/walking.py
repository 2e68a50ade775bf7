"""``walk``: go along a line of points in a room or a realm, where others see it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dcl_comms_drivers.settings import Subscribe

from dcl_comms_station.progress import entered
from dcl_comms_station.rooms import read, unix_time
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dcl_comms_core.events import Event
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.showing.faces import Face
    from dcl_comms_station.visitor import Point, Visitor

__all__ = ["walk"]

_GLANCE_SECONDS = 0.1


async def walk(
    loop: Loop,
    target: str,
    points: Sequence[Point],
    face: Face,
    *,
    speed: float,
    stay: float = 3.0,
    patience: float = 20.0,
    visitor: Visitor = NOBODY,
) -> None:
    """Be at the first point, go to the others, stand ``stay`` seconds at the last, and leave.

    ``face`` shows what happens meanwhile.
    ``speed`` is in m/s.  A room that is lost for a while is not waited for: the walk goes on.
    """
    settings = visitor.settings(target)
    settings |= {"position": points[0], "timeout": patience, "subscribe": Subscribe.NONE}
    async with entered(loop, target, settings) as room:

        def take(event: Event) -> bool:
            face.show(event, unix_time(room, event.at))
            return False

        async def read_for(seconds: float) -> None:
            async with loop.limit(seconds):
                await read(loop, room, face, take)

        way = room.walk_to(points, pace=speed)
        while not way.done:
            await read_for(_GLANCE_SECONDS)
            face.tick(time.time())
        await read_for(stay)
