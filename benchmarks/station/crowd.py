"""A crowd as a tap is told of it: who comes, and how everybody walks in a circle of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dcl_comms_core import (
    Arrival,
    Movement,
    MovementKind,
    Packet,
    PeerId,
    PeerJoined,
    PeerMoved,
    RoomOpened,
    Vector3,
    encode,
)
from dcl_comms_core.tools.labels import Label

if TYPE_CHECKING:
    from collections.abc import Iterator

HOW: dict[str, Any] = {"reliable": False, "topic": "", "private": False, "verdict": "told"}
SIDE = 32
STEP = 0.15
"""Metres between two of a row, and radians between two movements."""


class Crowd:
    """So many peers on a grid of 8 m."""

    def __init__(self, count: int) -> None:
        self.room = Label.of("island", 0.0)
        self.people = [PeerId(f"0x{number + 1:040x}") for number in range(count)]
        self._turn = 0.0
        self._next = 0

    def opening(self, at: float) -> list[Any]:
        """The room opens, and everybody is there."""
        opened = RoomOpened(at=at, room=self.room, identity=PeerId("0x" + "e" * 40), name="crowd", sid="")
        joined = [PeerJoined(at=at, room=self.room, sender=who, arrival=Arrival.NEW) for who in self.people]
        return [opened, *joined]

    def moves(self, count: int, at: float) -> Iterator[tuple[PeerId, bytes, PeerMoved]]:
        """The next ones who move: who, the packet, the event."""
        for _ in range(count):
            number = self._next
            self._next = (number + 1) % len(self.people)
            if self._next == 0:
                self._turn += STEP
            row, column = divmod(number, SIDE)
            x = 8.0 * column + 3.0 * math.cos(self._turn + number)
            z = 8.0 * row + 3.0 * math.sin(self._turn + number)
            yaw = math.degrees(-self._turn - number) % 360.0
            message = Movement(timestamp=at, position_x=x, position_z=z, rotation_y=yaw, is_grounded=True)
            data = encode(Packet(movement=message, protocol_version=100))
            yield (
                self.people[number],
                data,
                PeerMoved(
                    at=at,
                    room=self.room,
                    sender=self.people[number],
                    private=False,
                    size=len(data),
                    position=Vector3(x, 0.0, z),
                    velocity=Vector3(0.0, 0.0, 0.0),
                    yaw=yaw,
                    kind=MovementKind.MOVEMENT,
                    message=message,
                ),
            )
