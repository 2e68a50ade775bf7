"""Packets of ours through the two data channels of a LiveKit room, the reliable ones with a number.

``_reliable`` is ordered, ``_lossy`` neither ordered nor sent again.  Reliable packets are numbered from 1 in every
session, because the server keeps numbered ones for who is still joining, and drops those that it has.  A packet counts
as acknowledged when the server has all of it, which is when the channel's buffer no longer holds it.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_core.codec import encode
from dcl_comms_core.livekit.envelope import envelope
from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dcl_comms_core.commands import SendData
    from dcl_comms_core.livekit.transport import Transport

__all__ = ["MESSAGE_BYTES", "Channels"]

MESSAGE_BYTES: Final = 64_000
"""The longest message that LiveKit's own clients send: what the server adds must still fit for who receives it."""


_ONE_BY_ONE: Final = 1
"""So many may be on their way where packets go one by one: the server acknowledges every second one at once."""
_SENDS: Final = 64
"""As many messages go to the peer at once."""


class _Message(NamedTuple):
    token: int
    sequence: int
    """0: it has none."""
    data: bytes


class _Outgoing:
    """One channel's packets: those that wait for room, and those that the server has not acknowledged."""

    __slots__ = ("number", "sent", "unacknowledged", "waiting", "written")

    def __init__(self, number: int) -> None:
        self.number = number
        """The channel's, of the peer."""
        self.waiting: deque[_Message] = deque()
        self.unacknowledged: deque[tuple[int, _Message]] = deque()
        """With where each ends, in bytes of all that went through this channel."""
        self.written = 0
        """Bytes."""

    def head(self, most: int) -> Iterator[bytes]:
        """The messages that wait, so many at most."""
        return (message.data for message in islice(self.waiting, most))

    def wrote(self, count: int) -> int:
        """The buffer took the first so many that wait; gives their bytes."""
        before = written = self.written
        for _ in range(count):
            message = self.waiting.popleft()
            written += len(message.data)
            self.unacknowledged.append((written, message))
        self.written = written
        return written - before

    def acknowledged(self, buffered: int) -> Iterator[int]:
        """So many bytes are not acknowledged: gives the tokens of those that are."""
        done, these = self.written - buffered, self.unacknowledged
        while these and these[0][0] <= done:
            yield these.popleft()[1].token

    def again(self, last: int) -> Iterator[int]:
        """The buffer lost what it held, and the server has all up to number ``last``: gives the tokens of these."""
        lost = deque(message for _, message in self.unacknowledged)
        self.unacknowledged.clear()
        self.written = 0
        while lost and lost[0].sequence <= last:
            yield lost.popleft().token
        self.waiting.extendleft(reversed(lost))


class Channels:
    """The packets of one session.

    ``reliable``, ``lossy``: the numbers of its channels; ``most``: how many bytes may wait for room.
    """

    __slots__ = ("_most", "_sequence", "_waiting", "lossy", "reliable")

    def __init__(self, reliable: int, lossy: int, most: int) -> None:
        self.reliable = _Outgoing(reliable)
        self.lossy = _Outgoing(lossy)
        self._most = most
        self._waiting = 0
        """Bytes."""
        self._sequence = 0

    @property
    def busy(self) -> bool:
        """Whether the server has not acknowledged more of them than go one by one."""
        return len(self.reliable.unacknowledged) + len(self.lossy.unacknowledged) > _ONE_BY_ONE

    @property
    def waiting(self) -> bool:
        """Whether any of them waits to be handed on."""
        return bool(self.reliable.waiting or self.lossy.waiting)

    @property
    def drained(self) -> bool:
        """Whether no reliable packet waits for anything."""
        return not (self.reliable.waiting or self.reliable.unacknowledged)

    @property
    def used(self) -> bool:
        """Whether there ever was a reliable packet."""
        return self._sequence > 0

    def put(self, command: SendData) -> str:
        """Have a packet sent.  Gives why it can't be, or nothing."""
        sequence = self._sequence + 1 if command.reliable else 0
        if command.to is None and not command.topic and command.data:
            data = envelope(command.data, sequence)
        else:
            message = livekit.DataPacket(
                kind=livekit.DataKind.RELIABLE if command.reliable else livekit.DataKind.LOSSY,
                user=livekit.UserPacket(payload=command.data, topic=command.topic or None),
                destination_identities=list(command.to or ()),
                sequence=sequence,
            )
            data = encode(message)
        if len(data) > MESSAGE_BYTES:
            return f"{len(data)} bytes with its envelope: LiveKit takes {MESSAGE_BYTES}"
        if self._waiting and self._waiting + len(data) > self._most:
            return f"{self._waiting} bytes wait already"
        if command.reliable:
            self._sequence = sequence
        self._waiting += len(data)
        outgoing = self.reliable if command.reliable else self.lossy
        outgoing.waiting.append(_Message(command.token, sequence, data))
        return ""

    def flush(self, transport: Transport, now: float) -> None:
        """Hand on what waits, as far as there is room."""
        for outgoing in (self.reliable, self.lossy):
            while outgoing.waiting and outgoing.number in transport.working:
                some = [(outgoing.number, message) for message in outgoing.head(_SENDS)]
                sent = transport.send(some, now)
                self._waiting -= outgoing.wrote(sent)
                if sent < len(some):
                    break

    def hasten(self, transport: Transport, identity: str, now: float) -> bool:
        """Have the server acknowledge what is on its way, once all is; whether that was done.

        It waits 200 ms for a second packet before it acknowledges a first one.  This second one is for ourselves
        (``identity``), whom it sends nothing of ours.
        """
        under_way = self.reliable.unacknowledged or self.lossy.unacknowledged
        if self.reliable.waiting or not under_way or self.lossy.number not in transport.working:
            return False
        nothing = livekit.DataPacket(
            kind=livekit.DataKind.LOSSY, user=livekit.UserPacket(), destination_identities=[identity]
        )
        message = encode(nothing)
        self.lossy.written += len(message) * transport.send([(self.lossy.number, message)], now)
        return True

    def acknowledged(self, transport: Transport) -> tuple[int, ...]:
        """The tokens of packets that the server has since the last call."""
        done: list[int] = []
        for outgoing in (self.reliable, self.lossy):
            if outgoing.unacknowledged and outgoing.number in transport.working:
                buffered = transport.buffered(outgoing.number)
                if not transport.failed:
                    done += outgoing.acknowledged(buffered)
        return tuple(done)

    def again(self, last: int) -> tuple[int, ...]:
        """The channels began anew, and what they held is lost; ``last``: the newest number that the server has.

        Reliable packets after it go out again; gives the tokens of all others, of which nothing more will be known.
        """
        done = (*self.reliable.again(last), *(message.token for _, message in self.lossy.unacknowledged))
        self.lossy.unacknowledged.clear()
        self.lossy.written = 0
        self._waiting = sum(len(message.data) for one in (self.reliable, self.lossy) for message in one.waiting)
        return done
