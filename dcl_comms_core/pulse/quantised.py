"""Numbers of a few bits that stand for real ones: Pulse's own, as the ``quantized`` options of its fields say.

Computed as the service computes them: every intermediate result is a float32, and a code is rounded half to even.  What
``value`` gives is a float32 that has this very code again.
"""

from __future__ import annotations

from struct import Struct, pack, unpack
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BLEND",
    "HEAD",
    "POINT_XZ",
    "POINT_Y",
    "POSITION_XZ",
    "POSITION_Y",
    "ROTATION",
    "SLIDE",
    "VELOCITY",
    "Linear",
    "Power",
    "single",
    "singles",
]

_one: Final = Struct("<f")
_LARGEST_TABLE: Final = 13
"""Bits.  One of more is made in pieces, as they are asked for: all of 17 bits would take four megabytes."""
_PIECE_BITS: Final = 8
# Nearer than this to a half, doubles may round to another code than float32s do: these are off by 0.016 at most.
_BELOW, _ABOVE = 0.45, 0.55


def single(value: float) -> float:
    """The nearest float32.  OverflowError: there is none."""
    found: float = _one.unpack(_one.pack(value))[0]
    return found


def singles(values: Sequence[float]) -> tuple[float, ...]:
    """The nearest float32 of each."""
    form = f"<{len(values)}f"
    return unpack(form, pack(form, *values))


class Linear:
    """Equal steps from ``low`` to ``high``, both of which are float32 numbers: 0 is the one, all bits set the other."""

    __slots__ = ("_scale", "_span", "high", "low", "pieces", "steps", "values")

    def __init__(self, low: float, high: float, bits: int) -> None:
        self.low = low
        self.high = high
        self.steps = (1 << bits) - 1
        self._span = high - low
        self._scale = self.steps / self._span
        self.values: tuple[float, ...] = ()
        """What each code stands for; empty where there are too many codes for one table."""
        self.pieces: list[tuple[float, ...]] = []
        """Of one with too many codes: by all but the last 8 bits, 256 values, or none before they are asked for."""
        if bits <= _LARGEST_TABLE:
            self.values = self._table(0, self.steps + 1)
        else:
            self.pieces = [()] * (1 << bits - _PIECE_BITS)

    def _table(self, first: int, beyond: int) -> tuple[float, ...]:
        shares = singles([code / self.steps for code in range(first, beyond)])
        return singles([self.low + offset for offset in singles([share * self._span for share in shares])])

    def code(self, value: float) -> int:
        """The code of a number, or of the end that is nearer to it.  ValueError: it is not a number."""
        place = (value - self.low) * self._scale
        if place <= 0.0:
            return 0
        if place >= self.steps:
            return self.steps
        below = int(place)
        part = place - below
        if _BELOW < part < _ABOVE:
            share = single(single(single(value) - self.low) / self._span)
            return round(single(share * self.steps))
        return below + (part > _ABOVE)

    def value(self, code: int) -> float:
        """What a code that is not negative stands for.  IndexError: it has more bits."""
        if self.values:
            return self.values[code]
        place = code >> _PIECE_BITS
        piece = self.pieces[place]
        if not piece:
            first = place << _PIECE_BITS
            piece = self.pieces[place] = self._table(first, first + (1 << _PIECE_BITS))
        return piece[code - (place << _PIECE_BITS)]


class Power:
    """Steps that grow with the size, from ``-most`` to ``most``; the lowest bit is the sign.  0 is exact."""

    __slots__ = ("_root", "most", "steps", "values")

    def __init__(self, most: float, exponent: float, bits: int) -> None:
        self.most = most
        self.steps = (1 << bits - 1) - 1
        self._root = 1.0 / exponent
        shares = singles([size / self.steps for size in range(self.steps + 1)])
        sizes = singles([power * most for power in singles([share**exponent for share in shares])])
        # Of a zero nobody writes the sign; who does means zero.
        self.values: tuple[float, ...] = tuple(value for size in sizes for value in (size, -size or 0.0))
        """What each code stands for."""

    def code(self, value: float) -> int:
        """The code of a number, or of the end that is nearer to it.  ValueError: it is not a number."""
        share = abs(value) / self.most
        if share >= 1.0:
            size = self.steps
        else:
            place = share**self._root * self.steps
            size = int(place)
            part = place - size
            if _BELOW < part < _ABOVE:
                size = round(single(single(single(single(abs(value)) / self.most) ** self._root) * self.steps))
            elif part >= _ABOVE:
                size += 1
        return size << 1 | (size > 0 and value < 0.0)

    def value(self, code: int) -> float:
        """What a code that is not negative stands for.  IndexError: it has more bits."""
        return self.values[code]


POSITION_XZ: Final = Linear(0.0, 16.0, 8)
"""Metres within a parcel, east or north: steps of 6.3 cm."""
POSITION_Y: Final = Linear(0.0, 200.0, 13)
"""Metres up: steps of 2.4 cm."""
VELOCITY: Final = Power(50.0, 2.0, 8)
"""Metres per second."""
ROTATION: Final = Linear(0.0, 360.0, 7)
"""Degrees clockwise from north: steps of 2.8."""
BLEND: Final = Linear(0.0, 3.0, 5)
"""The blend of idle, walk, jog and run."""
SLIDE: Final = Linear(0.0, 1.0, 4)
HEAD: Final = Linear(0.0, 360.0, 7)
"""Degrees."""
POINT_XZ: Final = Linear(-3000.0, 3000.0, 17)
"""Metres in the world, east or north: steps of 4.6 cm."""
POINT_Y: Final = Linear(0.0, 200.0, 7)
"""Metres up: steps of 1.6 m."""
