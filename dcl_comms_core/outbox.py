"""Packets on their way out: credits, the queue behind them, and its bounds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dcl_comms_core.errors import SendQueueFull

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits

__all__ = ["Outbox", "Outgoing"]


class Outgoing:
    """One packet that waits or is in flight."""

    __slots__ = ("data", "reliable", "to", "token", "topic")

    def __init__(self, token: int, data: bytes, to: tuple[str, ...] | None, topic: str, *, reliable: bool) -> None:
        self.token = token
        self.data = data
        self.to = to
        self.topic = topic
        self.reliable = reliable


class Outbox:
    """Holds packets back until the transport has credit for them."""

    __slots__ = ("_bytes", "_given", "_in_flight", "_limits", "_next_token", "_queue", "_queued_reliable")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: deque[Outgoing] = deque()
        self._bytes = 0
        self._in_flight: set[int] = set()
        self._next_token = 1
        self._given = 0
        self._queued_reliable = 0

    def put(self, messages: list[tuple[bytes, tuple[str, ...] | None, str]], *, reliable: bool, flowing: bool) -> None:
        """Queue packets (data, addressees, topic): all of them, or none and SendQueueFull.

        ``flowing``: the link takes packets now, so those that have credit do not count as waiting.
        """
        waiting = messages[self._limits.in_flight - len(self._in_flight) if flowing else 0 :]
        if len(self._queue) + len(waiting) > self._limits.send_queue:
            msg = f"{len(self._queue)} packets wait already (Limits.send_queue): await send(), or send less"
            raise SendQueueFull(msg)
        if self._bytes + sum(len(data) for data, _, _ in waiting) > self._limits.send_queue_bytes:
            msg = f"{self._bytes} bytes wait already (Limits.send_queue_bytes): await send(), or send less"
            raise SendQueueFull(msg)
        for data, to, topic in messages:
            self._queue.append(Outgoing(self._next_token, data, to, topic, reliable=reliable))
            self._next_token += 1
            self._bytes += len(data)
        if reliable:
            self._queued_reliable += len(messages)

    def take(self) -> list[Outgoing]:
        """Packets that have credit now; they count as in flight from here on."""
        free = self._limits.in_flight - len(self._in_flight)
        taken: list[Outgoing] = []
        while free > 0 and self._queue:
            message = self._queue.popleft()
            self._bytes -= len(message.data)
            self._in_flight.add(message.token)
            if message.reliable:
                self._given += 1
                self._queued_reliable -= 1
            taken.append(message)
            free -= 1
        return taken

    def acknowledge(self, token: int) -> bool:
        """Give a credit back.  False: no such packet is in flight."""
        if token not in self._in_flight:
            return False
        self._in_flight.discard(token)
        return True

    def forget_in_flight(self) -> int:
        """The link is gone: what was in flight will never be acknowledged.  Returns how many packets that were."""
        lost = len(self._in_flight)
        self._in_flight.clear()
        self._given = 0
        return lost

    def clear(self) -> int:
        """Let go of everything that still waits.  Returns how many packets that were."""
        dropped = len(self._queue)
        self._queue.clear()
        self._bytes = 0
        self._queued_reliable = 0
        return dropped

    @property
    def next_sequence(self) -> int:
        """The number that the next reliable packet gets on this link: the transport counts them in its envelope."""
        return self._given + self._queued_reliable + 1

    @property
    def waiting(self) -> int:
        """Packets in the queue."""
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        """Packets that the transport has and did not acknowledge yet."""
        return len(self._in_flight)

    @property
    def has_credit(self) -> bool:
        """Whether a packet sent now goes straight to the transport."""
        return not self._queue and len(self._in_flight) < self._limits.in_flight
