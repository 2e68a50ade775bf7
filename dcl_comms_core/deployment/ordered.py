"""Messages in order over datagrams that are lost, doubled and late: pieces with numbers, until they are acknowledged.

It stands for SCTP: what it does is the same, how often it sends what is not.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Ordered", "Said"]

PIECE_BYTES: Final = 1_100
_WINDOW: Final = 64
"""Pieces on their way, and so many ahead of the next one are kept."""
_FIRST: Final = 0.3
_SLOWEST: Final = 2.0
"""Seconds until pieces go out again: twice as long each time."""
_AGAIN: Final = 8
"""As many go out again at once."""
_HEAD: Final = 8
"""Bytes before a piece: its number (4), what it is (1), its channel (2), whether it is the last of a message (1)."""
_NUMBER: Final = 4


class Said(NamedTuple):
    """A whole message."""

    what: int
    channel: int
    data: bytes


class _Piece(NamedTuple):
    number: int
    said: Said
    """The message that it is of."""
    last: bool
    data: bytes

    @property
    def wire(self) -> bytes:
        return (
            self.number.to_bytes(_NUMBER)
            + bytes([self.said.what])
            + self.said.channel.to_bytes(2)
            + bytes([self.last])
            + self.data
        )


class Ordered:
    """Both directions of one side.  ``out`` and ``acks`` are what goes to the other side: pieces, and a number."""

    __slots__ = (
        "_ahead", "_due", "_expected", "_gathered", "_next", "_pause", "_unacknowledged", "_waiting", "acks",
        "buffered", "out",
    )  # fmt: skip

    def __init__(self) -> None:
        self._next = 0
        self._waiting: deque[_Piece] = deque()
        self._unacknowledged: deque[_Piece] = deque()
        self._due: float | None = None
        self._pause = _FIRST
        self._expected = 0
        self._ahead: dict[int, bytes] = {}
        self._gathered: list[bytes] = []
        self.out: list[bytes] = []
        self.acks = False
        """Whether the other side is to be told how far it came."""
        self.buffered: dict[int, int] = {}
        """Bytes of messages that are not acknowledged, by channel."""

    @property
    def expected(self) -> bytes:
        """What the other side is told: the number of the piece that we wait for."""
        return self._expected.to_bytes(_NUMBER)

    def say(self, said: Said, now: float) -> None:
        """Have a message go out."""
        pieces = range(0, max(len(said.data), 1), PIECE_BYTES)
        for at in pieces:
            piece = _Piece(self._next, said, at == pieces[-1], said.data[at : at + PIECE_BYTES])
            self._waiting.append(piece)
            self._next += 1
        self.buffered[said.channel] = self.buffered.get(said.channel, 0) + len(said.data)
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        while self._waiting and len(self._unacknowledged) < _WINDOW:
            piece = self._waiting.popleft()
            self._unacknowledged.append(piece)
            self.out.append(piece.wire)
        if self._unacknowledged and self._due is None:
            self._due = now + self._pause

    def acknowledged(self, expected: bytes, now: float) -> list[Said]:
        """The other side came so far; gives the messages that it has since."""
        number = int.from_bytes(expected)
        done: list[Said] = []
        before = len(self._unacknowledged)
        while self._unacknowledged and self._unacknowledged[0].number < number:
            piece = self._unacknowledged.popleft()
            if piece.last:
                self.buffered[piece.said.channel] -= len(piece.said.data)
                done.append(piece.said)
        if len(self._unacknowledged) < before:
            self._due, self._pause = None, _FIRST
            self._go_on(now)
        return done

    def receive(self, wire: bytes) -> Iterator[Said]:
        """A piece came; gives the messages that are whole now, in order."""
        if len(wire) < _HEAD:
            return
        number = int.from_bytes(wire[:_NUMBER])
        self.acks = True
        if self._expected <= number < self._expected + _WINDOW:
            self._ahead[number] = wire
        while (piece := self._ahead.pop(self._expected, None)) is not None:
            self._expected += 1
            self._gathered.append(piece[_HEAD:])
            if piece[_HEAD - 1]:
                data, self._gathered = b"".join(self._gathered), []
                yield Said(piece[_NUMBER], int.from_bytes(piece[_NUMBER + 1 : _NUMBER + 3]), data)

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is needed."""
        return self._due

    def handle_timeout(self, now: float) -> None:
        """Send again what nobody acknowledged."""
        if self._due is not None and now >= self._due:
            self._pause = min(2.0 * self._pause, _SLOWEST)
            self._due = now + self._pause
            self.out += [piece.wire for piece, _ in zip(self._unacknowledged, range(_AGAIN), strict=False)]
