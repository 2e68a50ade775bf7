"""Being in a room to look at it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from dcl_comms_bot.tasks import tasks
from dcl_comms_drivers.settings import Subscribe

from dcl_comms_station.progress import entered

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from dcl_comms_drivers.connection.waiting import WaitingConnection

    from dcl_comms_station.loops import Loop
    from dcl_comms_station.visitor import Visitor

__all__ = ["visited"]


@asynccontextmanager
async def visited(loop: Loop, target: str, *, patience: float, visitor: Visitor) -> AsyncGenerator[WaitingConnection]:
    """In the room, whose events are read and dropped, until the block ends; ConnectionLost: the room is over.

    ``patience``: seconds until the (first) room must be open.
    """
    settings = visitor.settings(target)
    settings |= {"timeout": patience, "subscribe": Subscribe.NONE}
    async with entered(loop, target, settings) as room:
        if visitor.scene is not None:
            room.enter_scene(*visitor.scene)
        async with tasks() as group:
            group.start(_read, room)
            yield room
            group.cancel()


async def _read(room: WaitingConnection) -> None:
    async for _ in room:
        pass
