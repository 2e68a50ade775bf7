"""The steps of compressed movements: float32 arithmetic as the clients do it, and which number has which step.

Every function that ends in ``step`` gives the number that a client writes; the tables give, for each number, a float32
that has this step: what the clients read, or a float32 next to it where theirs would be written as another number.
"""

from __future__ import annotations

from functools import cache
from math import degrees, radians, ulp
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "HEIGHT", "HEIGHT_BITS", "INDEX_BITS", "JUMPS", "NUDGE", "PARCEL", "TICK", "TICKS", "TIERS", "TIMESTAMP_WINDOW",
    "TURN", "YAW_STEPS", "Rules", "four", "inside_step", "one", "rules", "settle", "share_step", "single", "turn_step",
]  # fmt: skip

TICK: Final = 0.019999999552965164  # 0.02 as a float32
TICKS: Final = 1 << 15
TIMESTAMP_WINDOW: Final = TICK * TICKS
"""Seconds after which a compressed timestamp starts again: 655.36, as a float32."""

INDEX_BITS: Final = 17
PARCEL: Final = 16.0
HEIGHT, HEIGHT_BITS = 200.0, 13
TIERS: Final = ((10, 3, 4.0), (10, 3, 4.0), (8, 5, 12.0), (8, 5, 50.0))
"""Bits of x and of z; bits of a speed; the fastest speed."""
JUMPS: Final = 20  # the bit that the layouts differ from
TURN: Final = 360.0
YAW_STEPS: Final = 63
NUDGE: Final = 2.0**-21  # at least this far to a float32 next to another
_TURN_RADIANS: Final = 6.2831854820251465  # as a float32
_TOP_YAW: Final = 359.99996948242188  # the last float32 before 360

one: Final = Struct("<f")
four: Final = Struct("<4f")


def single(form: Struct, *values: float) -> Any:
    """Each value as the nearest float32: one rounding, as the clients' arithmetic does it after every operation."""
    return form.unpack(form.pack(*values))


def settle(value: float, wanted: int, step: Callable[[float], int]) -> float:
    """The float32 nearest to ``value`` that has this step; the one below it where none has."""
    while step(value) < wanted:
        value = single(one, value + max(ulp(value) * (1 << 29), NUDGE))[0]
    while step(value) > wanted:
        value = single(one, value - max(ulp(value) * (1 << 29), NUDGE))[0]
    return value


def turn_step(turn: float, rounded: Callable[[float], int], angle: float) -> int:
    """0..63 for an angle in the client's unit, of which ``turn`` is a full one."""
    (angle,) = single(one, single(one, angle)[0] % turn)
    (share,) = single(one, angle / turn)
    return rounded(single(one, share * YAW_STEPS)[0])


def share_step(top: float, steps: int, rounded: Callable[[float], int], value: float) -> int:
    """0..steps for a value of 0..top, which is not exceeded."""
    (share,) = single(one, value / top)
    return rounded(single(one, min(share, 1.0) * steps)[0])


def inside_step(steps: int, rounded: Callable[[float], int], metres: float) -> int:
    """A step within a parcel, counted on across the parcels: ``steps + 1`` for each."""
    parcel = int(metres // PARCEL)
    (share,) = single(one, metres - parcel * PARCEL)
    return parcel * (steps + 1) + rounded(single(one, share / PARCEL * steps)[0])


class Rules(NamedTuple):
    """The rounding rules of a layout's clients.  ``yaws`` and ``speeds`` (for each tier) are tables."""

    rounded: Callable[[float], int]
    truncates: bool
    yaws: tuple[float, ...]
    speeds: tuple[tuple[float, ...], ...]

    def yaw_step(self, yaw: float) -> int:
        """0..63 for degrees."""
        if self.truncates:
            return turn_step(_TURN_RADIANS, int, radians(yaw))
        return turn_step(TURN, round, yaw)


@cache
def rules(*, truncates: bool) -> Rules:
    """The rules of the clients that truncate, or of those that round half to even."""
    rounded: Callable[[float], int] = int if truncates else round
    found = Rules(rounded, truncates, (), ())
    turn, back = (_TURN_RADIANS, degrees) if truncates else (TURN, float)
    yaws = [
        settle(single(one, back(_read(turn, YAW_STEPS, step)))[0], step, found.yaw_step) for step in range(YAW_STEPS)
    ]
    speeds = [_speeds(top, (1 << bits) - 1, rounded) for _, bits, top in TIERS]
    return found._replace(yaws=(*yaws, _TOP_YAW), speeds=tuple(speeds))


def _speeds(top: float, steps: int, rounded: Callable[[float], int]) -> tuple[float, ...]:
    def step(speed: float) -> int:
        return share_step(top, steps, rounded, speed)

    return tuple(settle(_read(top, steps, number), number, step) for number in range(steps + 1))


def _read(top: float, steps: int, step: int) -> float:
    value: float = single(one, single(one, step / steps)[0] * top)[0]
    return value
