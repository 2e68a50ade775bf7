"""Packets that wait for a room to be back: what is said while a world returns into its rooms.

One rule for all of Reconnecting, whichever machine does it: a RoomSession queues while it repairs or joins anew, and a
world while it searches.  A room that was never open is not waited for.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.errors import CommsError, SendQueueFull
from dcl_comms_core.events import WarningCode
from dcl_comms_core.merged.roles import RoomRole, roles_of
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.states import RoomState

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.fan_out import Played
    from dcl_comms_core.merged.session import MergedRooms
    from dcl_comms_core.room.outgoing.outbox import Message, Messages
    from dcl_comms_core.room.output import Output
    from dcl_comms_core.tools.clock import Clock
    from dcl_comms_core.world.lifecycle import Lifecycle
    from dcl_comms_core.world.membership import Stay

__all__ = ["Held"]


class _Packet(NamedTuple):
    message: Message
    reliable: bool
    roles: frozenset[RoomRole]
    played: Played | None


class Held:
    """As many as one room would hold: Limits.send_queue and Limits.send_queue_bytes."""

    __slots__ = ("_clock", "_lifecycle", "_limits", "_merged", "_output", "_packets", "_scene", "waiting_bytes")

    def __init__(
        self, merged: MergedRooms, scene: Stay, *, lifecycle: Lifecycle, output: Output, clock: Clock, limits: Limits
    ) -> None:
        self._merged = merged
        self._scene = scene
        self._lifecycle = lifecycle
        self._output = output
        self._clock = clock
        self._limits = limits
        self._packets: deque[_Packet] = deque()
        self.waiting_bytes = 0
        """What they hold."""

    @property
    def waiting(self) -> int:
        """How many there are."""
        return len(self._packets)

    def take(self, messages: Messages, *, reliable: bool, played: Played | None = None) -> bool:
        """Keep packets for later.  False: there is no need to, or nothing to wait for.

        ``played``: the emote that they are.  SendQueueFull: they are more than the limits; nothing was kept.
        """
        if self._lifecycle.state is not RoomState.WAITING and not self._scene.returning:
            return False
        roles = roles_of(messages)
        if self._is_open(roles) or not self._returns(roles):
            return False
        size, limits = sum(len(data) for data, _, _ in messages), self._limits
        if self.waiting + len(messages) > limits.send_queue or self.waiting_bytes + size > limits.send_queue_bytes:
            msg = f"{self.waiting} packets wait for a room to be back (Limits.send_queue, Limits.send_queue_bytes)"
            raise SendQueueFull(msg)
        self._packets += [_Packet(message, reliable, roles, played) for message in messages]
        self.waiting_bytes += size
        return True

    def settle(self) -> bool:
        """Send what has a room now, and drop what none will come for.  True: something was sent."""
        if not self._packets:
            return False
        packets, self._packets = self._packets, deque()
        sent = dropped = 0
        for packet in packets:
            if self._is_open(packet.roles):
                sent += 1
                self._send(packet)
            elif self._returns(packet.roles):
                self._packets.append(packet)
            else:
                self._output.counters["dropped"] += 1
                dropped += packet.reliable
        self.waiting_bytes = sum(len(packet.message[0]) for packet in self._packets)
        if dropped:
            self._output.warn(WarningCode.SENDS_DROPPED, f"{dropped} packets were accepted, and never sent")
        return sent > 0

    def _send(self, packet: _Packet) -> None:
        data, named, topic = packet.message
        to = EVERYONE if named is None else [PeerId(text) for text in named]
        try:
            if packet.played is not None:
                self._merged.play(*packet.played, to=to, now=self._clock.now)
                return
            self._merged.send_bytes(data, to=to, reliable=packet.reliable, topic=topic, now=self._clock.now)
        except CommsError as error:
            self._output.warn(WarningCode.SEND_FAILED, str(error))

    def _is_open(self, roles: frozenset[RoomRole]) -> bool:
        return self._merged.reaches(roles)

    def _returns(self, roles: frozenset[RoomRole]) -> bool:
        """Whether a room for them was open, and is looked for again."""
        island = RoomRole.ISLAND in roles and self._lifecycle.state is RoomState.WAITING
        return island or (RoomRole.SCENE in roles and self._scene.returning)
