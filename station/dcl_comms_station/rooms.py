"""What ``tail``, ``say``, ``emote`` and ``react`` do in a room: the same code on asyncio and on trio."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from dcl_comms_drivers.settings import Subscribe

from dcl_comms_core.events import RoomClosed, RoomOpened
from dcl_comms_core.limits import Limits
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.room.session import Delivery
from dcl_comms_station.clean import clean
from dcl_comms_station.exits import CLOSE_EXITS, AddresseeMissing, Exit, Failed
from dcl_comms_station.progress import entered
from dcl_comms_station.showing.faces import TICK_SECONDS
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dcl_comms_drivers.connection.base import BaseConnection
    from dcl_comms_drivers.connection.waiting import WaitingConnection

    from dcl_comms_core.events import Event
    from dcl_comms_core.peers import Addressees, Peer
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.selecting import Selection
    from dcl_comms_station.showing.faces import Face
    from dcl_comms_station.visitor import Visitor

__all__ = ["do", "in_rooms", "read", "say", "tail", "unix_time"]


def unix_time(room: WaitingConnection, at: float) -> float:
    """When an event was, in unix seconds: its ``at`` is of the loop's clock."""
    return time.time() - (room.driver.host.now() - at)


async def tail(
    loop: Loop,
    target: str,
    face: Face,
    *,
    packets: bool = False,
    seconds: float | None = None,
    count: int | None = None,
    patience: float = 20.0,
    visitor: Visitor = NOBODY,
    shown: Selection | None = None,
) -> None:
    """Show a room's or a realm's events until it is over, ``seconds`` have passed or ``count`` are shown.

    ``shown``: which of them; None: all.

    ``patience``: seconds until the (first) room must be open.
    """
    settings = visitor.settings(target)
    delivery = Delivery.PACKETS if packets else Delivery.EVENTS
    settings |= {"timeout": patience, "delivery": delivery, "subscribe": Subscribe.NONE}
    async with entered(loop, target, settings) as room, loop.limit(seconds):
        if visitor.scene is not None:
            room.enter_scene(*visitor.scene)
        if shown is not None:
            shown.watch(room)
        numbers = iter(range(1, (count or sys.maxsize) + 1))

        def take(event: Event) -> bool:
            if shown is not None and not shown(event):
                return False
            face.show(event, unix_time(room, event.at))
            return next(numbers) == count

        await read(loop, room, face, take)


async def read(loop: Loop, room: WaitingConnection, face: Face, take: Callable[[Event], bool]) -> None:
    """Have ``take`` get each event until it says that this was enough, or the room is over; ConnectionLost.

    A face that is live is told of the time meanwhile.
    """
    while True:
        async with loop.limit(TICK_SECONDS if face.live else None):
            async for event in room:
                if take(event):
                    return
            return
        face.tick(time.time())


async def say(
    loop: Loop,
    target: str,
    text: str,
    to: Sequence[str],
    *,
    wait: float = 10.0,
    patience: float = 20.0,
    visitor: Visitor = NOBODY,
) -> list[str]:
    """Join, write to everybody or privately to each of ``to`` once they are there, and leave: see ``do``."""
    return await do(
        loop, target, lambda room, whom: room.chat(text, to=whom), to, wait=wait, patience=patience, visitor=visitor
    )


async def do(
    loop: Loop,
    target: str,
    act: Callable[[WaitingConnection, Addressees], object],
    to: Sequence[str] = (),
    *,
    wait: float = 10.0,
    patience: float = 20.0,
    visitor: Visitor = NOBODY,
) -> list[str]:
    """Join, ``act`` towards everybody or each of ``to`` once they are there, and leave once it has gone out.

    Gives whom it reached: those of ``to``, or who was there when it was sent.
    AddresseeMissing: somebody was not there within ``wait`` seconds; nothing was sent then.
    """
    settings = visitor.settings(target)
    # Words without a name are worth little: rather wait, on a busy server, until it has told others who we are.
    limits = Limits(announce_seconds=patience / 4)
    settings |= {"timeout": patience, "reconnect": False, "subscribe": Subscribe.NONE, "limits": limits}
    async with entered(loop, target, settings) as room:
        if visitor.scene is not None:
            room.enter_scene(*visitor.scene)
            await _await_scene(loop, room, patience)
        addressees = await _await_peers(loop, room, to, wait) if to else EVERYONE
        there = in_rooms(room) if addressees is EVERYONE else [peer.id for peer in addressees]
        act(room, addressees)
        flushed = False
        async with loop.limit(patience):
            await room.flush()
            flushed = True
        if not flushed or room.stats.send_failed:
            raise Failed(Exit.NETWORK, "the transport did not take the message")
        return [who.text for who in there]


async def _await_scene(loop: Loop, room: WaitingConnection, seconds: float) -> None:
    """Wait for the scene's room.  Failed: it is not open within that time, or will not be."""
    async with loop.limit(seconds):
        async for event in room:
            if event.room != "scene":
                continue
            if isinstance(event, RoomOpened):
                return
            if isinstance(event, RoomClosed):
                detail = f": {clean(event.detail, limit=300)}" if event.detail else ""
                raise Failed(CLOSE_EXITS[event.reason], f"nothing was sent: the scene: {event.reason.value}{detail}")
    raise Failed(Exit.NETWORK, f"nothing was sent: the scene's room was not open within {seconds:g} s")


async def _await_peers(loop: Loop, room: WaitingConnection, identities: Sequence[str], seconds: float) -> list[Peer]:
    """These peers as the room knows them: packets need an identity's exact text, people write it in any case."""
    wanted = [PeerId(identity) for identity in identities]
    async with loop.limit(seconds):
        while any(who not in in_rooms(room) for who in wanted):
            await anext(room)
    missing = [who.text for who in wanted if who not in in_rooms(room)]
    if missing:
        raise AddresseeMissing(missing, seconds)
    return [room.peers[who] for who in wanted]


def in_rooms(room: BaseConnection) -> list[PeerId]:
    """Whom words of ours reach: of a realm, not those of whom Pulse alone tells, who are in none of our rooms."""
    return [who for who in room.peers if room.driver.realm is None or room.rooms_of(who)]
