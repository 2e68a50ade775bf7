"""Datagrams out of a UDP socket, those of one length to one address with one call where the system can.

Linux cuts datagrams out of one piece (UDP_SEGMENT, since 4.18): a call for each wakes whoever gets them as often.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Pieces", "length_of_piece"]

_SEGMENT: Final = 103
"""UDP_SEGMENT: what is sent is cut into datagrams of this length; the last may be shorter."""
_SEGMENTS: Final = 64
"""So many datagrams the system cuts out of one piece at most."""
_PIECE: Final = 65_000
"""So many bytes one piece has at most."""
_ANY: Final = 2
_UNCUT: Final = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT})
"""What a way says on which pieces can't be cut: a network card's fault, or datagrams longer than it carries."""


class Pieces:
    """Of one socket, which does not block."""

    def __init__(self, port: socket.socket) -> None:
        self._port = port
        self._cuts = _can_cut(port)

    def send(self, datagrams: Sequence[bytes], begin: int, to: tuple[str, int]) -> tuple[int, OSError | None]:
        """Send the one at ``begin``, and those after it that go with it; gives how many, and why they did not go."""
        count = length_of_piece(datagrams, begin) if self._cuts else 1
        try:
            if count == 1:
                self._port.sendto(datagrams[begin], to)
            else:
                cut = (socket.IPPROTO_UDP, _SEGMENT, struct.pack("=H", len(datagrams[begin])))
                self._port.sendmsg((b"".join(datagrams[begin : begin + count]),), (cut,), 0, to)
        except OSError as error:
            if count > 1 and error.errno in _UNCUT:
                self._cuts = False
                return 0, None
            return count, error
        return count, None


def length_of_piece(datagrams: Sequence[bytes], begin: int) -> int:
    """How many of them, from one on, can be cut out of one piece: of one length, but for the last, which is shorter."""
    size = total = len(datagrams[begin])
    end, most = begin + 1, min(len(datagrams), begin + _SEGMENTS)
    while end < most and 0 < len(datagrams[end]) <= size and total + len(datagrams[end]) <= _PIECE:
        total += len(datagrams[end])
        end += 1
        if len(datagrams[end - 1]) < size:
            break
    return end - begin


def _can_cut(port: socket.socket) -> bool:
    if sys.platform != "linux":
        return False
    try:
        # An older system takes anything for no option; another kind of one forgets what it was told.
        port.setsockopt(socket.IPPROTO_UDP, _SEGMENT, _ANY)
        known = port.getsockopt(socket.IPPROTO_UDP, _SEGMENT) == _ANY
        port.setsockopt(socket.IPPROTO_UDP, _SEGMENT, 0)
    except OSError:
        return False
    return known
