"""How fast avatars go.

What explorers' own avatars do where no scene says otherwise: Godot's explorer has 1.5, 8 and 11 m/s as its defaults,
Unity's 1.5, 8 and 10.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.tools.arguments import require_number

__all__ = ["Pace", "metres_a_second"]

_FASTEST: Final = 50.0
"""m/s: what Pulse can tell of a velocity."""


class Pace(Enum):
    """How fast to go; the values are m/s."""

    WALK = 1.5
    JOG = 8.0
    RUN = 10.0


def metres_a_second(pace: Pace | str | float) -> float:
    """The speed of a pace, of its name, or of a number of m/s above 0 and up to 50.  LocalProtocolError: another."""
    if isinstance(pace, Pace):
        return pace.value
    if isinstance(pace, str):
        try:
            return Pace[pace.upper()].value
        except KeyError:
            msg = f"{pace!r} is no pace: there are {', '.join(repr(one.name.lower()) for one in Pace)}"
            raise LocalProtocolError(msg) from None
    what = f"a pace is a Pace, its name, or m/s above 0 and up to {_FASTEST:.0f}"
    require_number(pace, what)
    if not 0.0 < pace <= _FASTEST:
        msg = f"{what}, not {pace!r}"
        raise LocalProtocolError(msg)
    return float(pace)
