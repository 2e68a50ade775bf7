"""Where our codec and protobuf's runtime differ on purpose.  Each is a predicate on the input bytes alone.

An excused difference is counted under its name; together they stay under 1% of the executions, or the run fails.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_core.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ACCEPTANCE", "ENCODING", "Difference"]

# A fixed32 value after a byte that can end its tag: exponent all ones, quiet bit clear, some other bit set.
_SIGNALLING = re.compile(rb"(?=[\x00-\x7f](?:..[\x80-\xbf][\x7f\xff]))", re.DOTALL)


class Difference(NamedTuple):
    """``applies(data)`` says that the bytes can show the difference; ``why`` is for people."""

    name: str
    applies: Callable[[bytes], bool]
    why: str


def _has_signalling_nan(data: bytes) -> bool:
    return any(data[m.start() + 1 : m.start() + 4] != b"\x00\x00\x80" for m in _SIGNALLING.finditer(data))


ENCODING = (
    Difference(
        "signalling NaN",
        _has_signalling_nan,
        "reading a float makes it a Python float, and a signalling NaN quiet; its other bits stay",
    ),
)
"""Bytes accepted by both, but written again differently."""

ACCEPTANCE = (
    Difference(
        "over packet_bytes",
        lambda data: len(data) > DEFAULT_LIMITS.packet_bytes,
        "no transport of ours carries such a packet",
    ),
    Difference(
        "over unknown_bytes",
        lambda data: len(data) > DEFAULT_LIMITS.unknown_bytes,
        "unknown fields are kept and sent on, so their size is bounded",
    ),
)
"""Bytes that protobuf accepts and we refuse.  There is nothing in the other direction."""
