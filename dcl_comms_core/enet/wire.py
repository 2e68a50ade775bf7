"""ENet's datagrams: a header, and commands one after the other, in network byte order.

=====================  =====  ========================================================================
command                bytes  after kind and flags, channel, number
=====================  =====  ========================================================================
ACKNOWLEDGE                8  number, sent time: those of what is acknowledged
CONNECT                   48  peer id, two sessions, terms (below), connect id, data
VERIFY_CONNECT            44  the same without data
DISCONNECT                 8  data
PING                       4
SEND_RELIABLE              6  length; payload
SEND_UNRELIABLE            8  number among the unreliable ones, length; payload
SEND_FRAGMENT             24  first number, length, count, which, total, offset; payload
SEND_UNSEQUENCED           8  group, length; payload
BANDWIDTH_LIMIT           12  incoming, outgoing: bytes a second
THROTTLE_CONFIGURE        16  interval, acceleration, deceleration
UNRELIABLE_FRAGMENT       24  as SEND_FRAGMENT
=====================  =====  ========================================================================

Source: the layouts of stock ENet 1.3 and of the fork that Pulse links, which differ in the header's flag only; both
were spoken with.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final, NamedTuple

__all__ = [
    "ACKNOWLEDGE",
    "BANDWIDTH_LIMIT",
    "CONNECT",
    "CONTROL",
    "DISCONNECT",
    "NOBODY",
    "PING",
    "SEND_FRAGMENT",
    "SEND_RELIABLE",
    "SEND_UNRELIABLE",
    "SEND_UNSEQUENCED",
    "THROTTLE_CONFIGURE",
    "UNRELIABLE_FRAGMENT",
    "UNSEQUENCED",
    "VERIFY_CONNECT",
    "WANTS_ACK",
    "Command",
    "Datagram",
    "Fragment",
    "Terms",
    "acknowledge",
    "bandwidth",
    "connect",
    "disconnect",
    "fragment",
    "header",
    "ping",
    "read",
    "reliable",
    "unreliable",
    "unsequenced",
    "verify",
]

ACKNOWLEDGE: Final = 1
CONNECT: Final = 2
VERIFY_CONNECT: Final = 3
DISCONNECT: Final = 4
PING: Final = 5
SEND_RELIABLE: Final = 6
SEND_UNRELIABLE: Final = 7
SEND_FRAGMENT: Final = 8
SEND_UNSEQUENCED: Final = 9
BANDWIDTH_LIMIT: Final = 10
THROTTLE_CONFIGURE: Final = 11
UNRELIABLE_FRAGMENT: Final = 12

WANTS_ACK: Final = 0x80
UNSEQUENCED: Final = 0x40
CONTROL: Final = 0xFF
"""The channel of all that is no data."""
NOBODY: Final = 0xFFF
"""The peer id of who has none yet."""

_HEADER: Final = Struct(">H")
_TIME: Final = Struct(">H")
_COMMAND: Final = Struct(">BBH")


class Terms(NamedTuple):
    """What two sides tell each other of themselves when they meet."""

    peer_id: int
    """What the other is to put into the headers of what it sends."""
    incoming_session: int
    outgoing_session: int
    """0 to 3, or 255 for none yet; named from the side that connects."""
    mtu: int
    """Bytes of a datagram, at most."""
    window: int
    """Bytes of reliable data on their way, at most."""
    channels: int
    incoming_bandwidth: int
    outgoing_bandwidth: int
    """Bytes a second; 0: without limit."""
    throttle_interval: int
    throttle_acceleration: int
    throttle_deceleration: int
    connect_id: bytes
    """4 bytes of the side that connects, which the other repeats."""


class Fragment(NamedTuple):
    """Which piece of which whole a fragment is."""

    start: int
    """The number of the first piece; of unreliable ones that of all pieces."""
    pieces: int
    which: int
    total: int
    """Bytes of the whole."""
    offset: int


class Command(NamedTuple):
    """One command of a datagram."""

    kind: int
    acknowledged: bool
    """Whether its sender wants it acknowledged."""
    channel: int
    number: int
    """Its place among the reliable commands of its channel, or the last of them before it."""
    fields: tuple[Any, ...] = ()
    """What stands behind the head, as the module's table tells."""
    payload: bytes = b""


class Datagram(NamedTuple):
    """What one datagram holds."""

    peer_id: int
    session: int
    sent_time: int | None
    """The low 16 bits of its sender's clock in ms; None: nothing in it is to be acknowledged."""
    commands: list[Command]
    whole: bool
    """Whether all of it could be read; what came before a command that is wrong counts."""


_BODIES: Final[dict[int, Struct]] = {
    ACKNOWLEDGE: Struct(">HH"),
    CONNECT: Struct(">HBB8I4sI"),
    VERIFY_CONNECT: Struct(">HBB8I4s"),
    DISCONNECT: Struct(">I"),
    PING: Struct(""),
    SEND_RELIABLE: Struct(">H"),
    SEND_UNRELIABLE: Struct(">HH"),
    SEND_FRAGMENT: Struct(">HHIIII"),
    SEND_UNSEQUENCED: Struct(">HH"),
    BANDWIDTH_LIMIT: Struct(">II"),
    THROTTLE_CONFIGURE: Struct(">III"),
    UNRELIABLE_FRAGMENT: Struct(">HHIIII"),
}
_LENGTH_AT: Final[dict[int, int]] = {
    SEND_RELIABLE: 0,
    SEND_UNRELIABLE: 1,
    SEND_FRAGMENT: 1,
    SEND_UNSEQUENCED: 1,
    UNRELIABLE_FRAGMENT: 1,
}
"""Which of the fields tells the length of the payload."""


def read(data: bytes, sent_time_flag: int) -> Datagram | None:
    """Read a datagram; None: not even its header.  ``sent_time_flag``: 0x8000 of stock ENet, 0x4000 of the fork."""
    size = len(data)
    if size < 2:  # noqa: PLR2004  # the header
        return None
    (head,) = _HEADER.unpack_from(data)
    sent_time: int | None = None
    place = 2
    if head & sent_time_flag:
        if size < 4:  # noqa: PLR2004  # header and time
            return None
        (sent_time,) = _TIME.unpack_from(data, 2)
        place = 4
    # The other flag is that of a compressed datagram in stock ENet, which we never agreed to, and unknown in the fork.
    if head & 0xC000 & ~sent_time_flag:
        return None
    commands, place = _read_commands(data, place, timed=sent_time is not None)
    return Datagram(head & 0xFFF, head >> 12 & 3, sent_time, commands, place == size)


def _read_commands(data: bytes, place: int, *, timed: bool) -> tuple[list[Command], int]:
    """Read command after command; return where the first one begins that can't be read."""
    size = len(data)
    commands: list[Command] = []
    while place + 4 <= size:
        flags, channel, number = _COMMAND.unpack_from(data, place)
        kind = flags & 0x0F
        body = _BODIES.get(kind)
        # Whatever is to be acknowledged comes with the time at which it was sent.
        if body is None or place + 4 + body.size > size or (flags >= WANTS_ACK and not timed):
            break
        fields = body.unpack_from(data, place + 4)
        start = end = place + 4 + body.size
        if kind in _LENGTH_AT:
            end += fields[_LENGTH_AT[kind]]
            if end > size:
                break
        commands.append(Command(kind, flags >= WANTS_ACK, channel, number, fields, data[start:end]))
        place = end
    return commands, place


def header(to: int, sent_time: int | None, sent_time_flag: int) -> bytes:
    """The first bytes of a datagram; ``to``: session and peer id, ``sent_time``: see :class:`Datagram`."""
    if sent_time is None:
        return _HEADER.pack(to)
    return _HEADER.pack(sent_time_flag | to) + _TIME.pack(sent_time)


def acknowledge(channel: int, number: int, sent_time: int) -> bytes:
    """That a command came, and when it was sent."""
    return _ACKNOWLEDGE.pack(ACKNOWLEDGE, channel, number, number, sent_time)


def connect(number: int, terms: Terms, data: int) -> bytes:
    """The first command of all."""
    head = _COMMAND.pack(CONNECT | WANTS_ACK, CONTROL, number)
    return head + _BODIES[CONNECT].pack(*terms, data)


def verify(number: int, terms: Terms) -> bytes:
    """The answer to :func:`connect`."""
    return _COMMAND.pack(VERIFY_CONNECT | WANTS_ACK, CONTROL, number) + _BODIES[VERIFY_CONNECT].pack(*terms)


def disconnect(number: int, data: int, *, wants_ack: bool) -> bytes:
    """The end; without an acknowledgement it is said once, and nobody waits."""
    flag = WANTS_ACK if wants_ack else UNSEQUENCED
    return _COMMAND.pack(DISCONNECT | flag, CONTROL, number) + _BODIES[DISCONNECT].pack(data)


def ping(number: int) -> bytes:
    """Nothing but a wish to be acknowledged."""
    return _COMMAND.pack(PING | WANTS_ACK, CONTROL, number)


def bandwidth(number: int, incoming: int, outgoing: int) -> bytes:
    """What we can take and send, in bytes a second."""
    return _COMMAND.pack(BANDWIDTH_LIMIT | WANTS_ACK, CONTROL, number) + _BODIES[BANDWIDTH_LIMIT].pack(
        incoming, outgoing
    )


def reliable(channel: int, number: int, payload: bytes) -> bytes:
    """A message that arrives, in order."""
    return _RELIABLE.pack(SEND_RELIABLE | WANTS_ACK, channel, number, len(payload)) + payload


def unreliable(channel: int, number: int, place: int, payload: bytes) -> bytes:
    """A message that may be lost: the ``place``-th since reliable ``number``."""
    return _UNRELIABLE.pack(SEND_UNRELIABLE, channel, number, place, len(payload)) + payload


def unsequenced(channel: int, group: int, payload: bytes) -> bytes:
    """A message that may be lost or overtaken."""
    return _UNRELIABLE.pack(SEND_UNSEQUENCED | UNSEQUENCED, channel, 0, group, len(payload)) + payload


def fragment(channel: int, number: int, which: Fragment, payload: bytes, *, wants_ack: bool) -> bytes:
    """A piece of a message that is too large for one datagram."""
    kind = SEND_FRAGMENT | WANTS_ACK if wants_ack else UNRELIABLE_FRAGMENT
    start, count, place, total, offset = which
    body = _BODIES[SEND_FRAGMENT].pack(start, len(payload), count, place, total, offset)
    return _COMMAND.pack(kind, channel, number) + body + payload


_ACKNOWLEDGE: Final = Struct(">BBHHH")
_RELIABLE: Final = Struct(">BBHH")
_UNRELIABLE: Final = Struct(">BBHHH")
