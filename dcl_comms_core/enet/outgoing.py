"""What goes out: numbers, queues, what is on its way, and datagrams made of all that.

A reliable command stays here until it is acknowledged, and goes out again when that takes too long.  As much reliable
data is on its way as the other side's window allows, and no channel's numbers are further than :data:`AHEAD` from the
oldest that is missing.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Final

from dcl_comms_core.enet import wire
from dcl_comms_core.enet.fragments import OVERHEAD
from dcl_comms_core.enet.incoming import AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dcl_comms_core.enet.options import EnetOptions
    from dcl_comms_core.enet.round_trip import RoundTrip
    from dcl_comms_core.limits import Limits

__all__ = ["Outgoing", "Sent"]

_ROOM_FOR_CHECKSUM: Final = 8
_PIECE_HEAD: Final = 4 + 24 + _ROOM_FOR_CHECKSUM
"""Bytes of a datagram that a piece of a message can't have."""
_PASSING: Final = 8 + OVERHEAD
"""What a command of an unreliable message takes beside it."""
_MOST_PLACE: Final = 0xFFFF
_MOST_COMMANDS: Final = 32
"""Commands of one datagram: what stock ENet has room for."""
_HEAD: Final = 4
"""Bytes of a datagram's header, with the time."""


class Sent:
    """A reliable command, until it is acknowledged."""

    __slots__ = ("attempts", "channel", "command", "done", "due", "first", "number", "payload", "stamps")

    def __init__(self, channel: int, number: int, command: bytes, payload: int) -> None:
        self.channel = channel
        self.number = number
        self.command = command
        self.payload = payload
        """Bytes of its message, or of the piece of one."""
        self.attempts = 0
        self.first = 0.0
        """When it went out first."""
        self.due = inf
        """When it goes out again."""
        self.done = False
        self.stamps: list[int] | None = None
        """The times that went out with it, of a command whose acknowledgement has to prove that it was read."""


class _Numbers:
    """One channel's numbers, and what of it is on its way, in order."""

    __slots__ = ("in_flight", "place", "reliable")

    def __init__(self) -> None:
        self.reliable = 0
        self.place = 0
        """Of unreliable messages since then."""
        self.in_flight: dict[int, Sent] = {}


class Outgoing:
    """One peer's way out."""

    def __init__(self, options: EnetOptions, round_trip: RoundTrip) -> None:
        self.mtu = options.mtu
        self.window = 0xFFFF
        """Bytes of reliable data on their way, at most."""
        self.queued = 0
        """Bytes of memory of messages that wait to go out, or to be acknowledged."""
        self.resend_at = inf
        """Nothing is to go out again before."""
        self.in_flight = 0
        """Reliable commands on their way."""
        self.waiting = 0
        """Reliable commands that wait to go out."""
        self._flag = options.sent_time_flag
        self._round_trip = round_trip
        self._channels: dict[int, _Numbers] = {}
        self._group = 0
        self._acknowledgements: list[bytes] = []
        self._again: list[Sent] = []
        self._fresh: deque[Sent | bytes] = deque()
        """What was queued since the last datagrams; commands that nobody acknowledges are bytes."""
        self._reliable: deque[Sent] = deque()
        """What the window had no room for."""
        self._in_transit = 0

    # --- into the queues

    def acknowledge(self, channel: int, number: int, sent_time: int) -> None:
        """Say that a command came."""
        self._acknowledgements.append(wire.acknowledge(channel, number, sent_time))

    def control(self, write: Callable[[int], bytes]) -> Sent:
        """Queue a command that is no message; ``write`` makes it with its number."""
        number = self.next_control()
        sent = Sent(wire.CONTROL, number, write(number), 0)
        self._queue(sent)
        return sent

    def next_control(self) -> int:
        """The number of a command that is no message."""
        numbers = self._numbers(wire.CONTROL)
        numbers.reliable = numbers.reliable + 1 & 0xFFFF
        return numbers.reliable

    def once(self, command: bytes) -> None:
        """Queue a command that nobody acknowledges."""
        self._fresh.append(command)
        self.queued += len(command) + OVERHEAD

    def memory(self, size: int) -> int:
        """Bytes of memory that a message of ``size`` bytes takes while it waits, at most."""
        pieces = 1 if size <= self.mtu - _PIECE_HEAD else -(-size // (self.mtu - _PIECE_HEAD))
        return size + pieces * (OVERHEAD + _PIECE_HEAD)

    def reliable(self, channel: int, payload: bytes) -> None:
        """Queue a message that arrives."""
        numbers = self._numbers(channel)
        numbers.place = 0
        if len(payload) <= self.mtu - _PIECE_HEAD:
            number = numbers.reliable = numbers.reliable + 1 & 0xFFFF
            self._queue(Sent(channel, number, wire.reliable(channel, number, payload), len(payload)))
            return
        start = numbers.reliable + 1 & 0xFFFF
        for which, piece in self._pieces(start, payload):
            number = numbers.reliable = numbers.reliable + 1 & 0xFFFF
            command = wire.fragment(channel, number, which, piece, wants_ack=True)
            self._queue(Sent(channel, number, command, len(piece)))

    def unreliable(self, channel: int, payload: bytes) -> None:
        """Queue a message that may be lost."""
        numbers = self._numbers(channel)
        if numbers.place == _MOST_PLACE:
            # The numbers are used up: they begin anew after a reliable one.
            self.reliable(channel, payload)
            return
        numbers.place += 1
        if len(payload) <= self.mtu - _PIECE_HEAD:
            self.once(wire.unreliable(channel, numbers.reliable, numbers.place, payload))
            return
        for which, piece in self._pieces(numbers.place, payload):
            self.once(wire.fragment(channel, numbers.reliable, which, piece, wants_ack=False))

    def pass_on(self, channel: int, messages: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
        """Queue messages that may be lost, up to the first that is an exception in any way; return the rest."""
        numbers, fresh = self._numbers(channel), self._fresh
        longest = min(self.mtu - _PIECE_HEAD, limits.enet_packet_bytes)
        room = limits.enet_send_bytes - self.queued - OVERHEAD - _PIECE_HEAD
        reliable, place, used = numbers.reliable, numbers.place, 0
        rest, command = iter(messages), wire.unreliable
        for payload in rest:
            size = len(payload)
            if place == _MOST_PLACE or size > longest or size > room - used:
                rest = chain((payload,), rest)
                break
            place += 1
            fresh.append(command(channel, reliable, place, payload))
            used += size + _PASSING
        numbers.place = place
        self.queued += used
        return rest

    def unsequenced(self, channel: int, payload: bytes) -> None:
        """Queue a message that may be lost or overtaken; one that needs pieces goes as an unreliable one does."""
        if len(payload) > self.mtu - _PIECE_HEAD:
            self.unreliable(channel, payload)
            return
        self._group = self._group + 1 & 0xFFFF
        self.once(wire.unsequenced(channel, self._group, payload))

    def _pieces(self, start: int, payload: bytes) -> Iterator[tuple[wire.Fragment, bytes]]:
        size = self.mtu - _PIECE_HEAD
        total = len(payload)
        count = -(-total // size)
        for which in range(count):
            offset = which * size
            yield wire.Fragment(start, count, which, total, offset), payload[offset : offset + size]

    def _queue(self, sent: Sent) -> None:
        self._fresh.append(sent)
        self.waiting += 1
        self.queued += sent.payload + OVERHEAD

    def _numbers(self, channel: int) -> _Numbers:
        numbers = self._channels.get(channel)
        if numbers is None:
            numbers = self._channels[channel] = _Numbers()
        return numbers

    def clear(self) -> None:
        """Let go of everything but acknowledgements; what is on its way is not sent again."""
        for numbers in self._channels.values():
            numbers.in_flight.clear()
        self._again.clear()
        self._fresh.clear()
        self._reliable.clear()
        self.queued = self.in_flight = self.waiting = self._in_transit = 0
        self.resend_at = inf

    @property
    def idle(self) -> bool:
        """Whether nothing reliable waits, neither to go out nor to be acknowledged."""
        return not (self.in_flight or self.waiting)

    # --- acknowledged, or not

    def acknowledged(self, channel: int, number: int) -> Sent | None:
        """Take a command off the list; None: nothing on its way is called so."""
        numbers = self._channels.get(channel)
        sent = None if numbers is None else numbers.in_flight.pop(number, None)
        if sent is None:
            return None
        sent.done = True
        self._in_transit -= sent.payload
        self.queued -= sent.payload + OVERHEAD
        self.in_flight -= 1
        if not self.in_flight:
            self.resend_at = inf
        return sent

    def overdue(self, now: float) -> Sent | None:
        """Mark what has to go out again; return the one of it that went out first."""
        if now < self.resend_at:
            return None
        self.resend_at = inf
        oldest: Sent | None = None
        for numbers in self._channels.values():
            for sent in numbers.in_flight.values():
                if sent.due <= now:
                    sent.due = inf
                    self._again.append(sent)
                    if oldest is None or sent.first < oldest.first:
                        oldest = sent
                elif sent.due < self.resend_at:
                    self.resend_at = sent.due
        return oldest

    # --- out

    def write(self, peer_id: int, session: int, now: float, stamp: int) -> list[bytes]:
        """Make datagrams of what may go out now; ``stamp``: the low 16 bits of our clock in ms."""
        commands = self._acknowledgements
        self._acknowledgements = []
        for sent in self._again:
            if not sent.done:
                self._send(sent, commands, now, stamp)
        self._again.clear()
        backlog = self._reliable
        while backlog and self._has_room(backlog[0]):
            self._send(backlog.popleft(), commands, now, stamp)
        # In the order in which they were queued: an unreliable one that comes after a later reliable one is late.
        for fresh in self._fresh:
            if isinstance(fresh, bytes):
                self.queued -= len(fresh) + OVERHEAD
                commands.append(fresh)
            elif backlog or not self._has_room(fresh):
                backlog.append(fresh)
            else:
                self._send(fresh, commands, now, stamp)
        self._fresh.clear()
        return self._pack(commands, session << 12 | peer_id, stamp) if commands else []

    def _has_room(self, sent: Sent) -> bool:
        """Whether it may be on its way with what is."""
        if self._in_transit and self._in_transit + sent.payload > max(self.window, self.mtu):
            return False
        flying = self._channels[sent.channel].in_flight
        return not flying or (sent.number - next(iter(flying)) & 0xFFFF) < AHEAD

    def _send(self, sent: Sent, commands: list[bytes], now: float, stamp: int) -> None:
        sent.attempts += 1
        if sent.attempts == 1:
            sent.first = now
            self._channels[sent.channel].in_flight[sent.number] = sent
            self._in_transit += sent.payload
            self.in_flight += 1
            self.waiting -= 1
        sent.due = now + self._round_trip.patience(sent.attempts)
        self.resend_at = min(self.resend_at, sent.due)
        if sent.stamps is not None:
            sent.stamps.append(stamp)
        commands.append(sent.command)

    def _pack(self, commands: list[bytes], header: int, stamp: int) -> list[bytes]:
        bare = wire.header(header, None, self._flag)
        timed = wire.header(header, stamp, self._flag)
        datagrams: list[bytes] = []
        first, size, wants = 0, _HEAD, False
        for place, command in enumerate(commands):
            if size + len(command) > self.mtu or place - first == _MOST_COMMANDS:
                datagrams.append((timed if wants else bare) + b"".join(commands[first:place]))
                first, size, wants = place, _HEAD, False
            size += len(command)
            wants = wants or command[0] >= wire.WANTS_ACK
        datagrams.append((timed if wants else bare) + b"".join(commands[first:]))
        return datagrams
