"""A part on trio: tasks read and listen; the block itself walks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_drivers.extras import needs

with needs("trio"):
    import trio
from dcl_comms_drivers.trio import Connection, connect

from dcl_comms_core import TrackKind, TrackSubscribed
from dcl_comms_station.demo.part import STEP_SECONDS, Part
from dcl_comms_station.residents.tone import Ear

if TYPE_CHECKING:
    from threading import Event

    from dcl_comms_core import Track
    from dcl_comms_station.demo.venue import Ticket

__all__ = ["play"]


def play(ticket: Ticket, part: Part, curtain: Event) -> None:
    """Play until the part is done or the curtain falls."""
    trio.run(_play, ticket, part, curtain)


async def _play(ticket: Ticket, part: Part, curtain: Event) -> None:
    async with connect(ticket.target, **ticket.settings) as room, trio.open_nursery() as tasks:
        tasks.start_soon(_read, room, part, tasks)
        while not (part.done or curtain.is_set()):
            part.step(room)
            await trio.sleep(STEP_SECONDS)
        tasks.cancel_scope.cancel()


async def _read(room: Connection, part: Part, tasks: trio.Nursery) -> None:
    async for event in room:
        part.take(event, room)
        if isinstance(event, TrackSubscribed) and event.track.kind is TrackKind.AUDIO:
            tasks.start_soon(_listen, room, event.track, part)


async def _listen(room: Connection, track: Track, part: Part) -> None:
    ear, sound = Ear(), room.audio(track)
    async for frame in sound:
        pitch = ear.listen(frame.data, frame.sample_rate)
        if pitch is not None:
            part.hear(pitch)
            break
    sound.close()
