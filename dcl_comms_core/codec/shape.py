"""The shape of a packet: what is constant in it, and what takes the values out."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.proto._gen.rfc4 import Packet

    _Reader = Callable[[bytes, int, int, int], tuple[str, Packet] | None]

__all__ = ["Shape", "shape"]

# (mask, expected, read, parts): read(data, parts) is the kind and the Packet of bytes that agree under the mask.
# A plain tuple: CPython takes that apart faster than a NamedTuple.
Shape = tuple[int, int, "Callable[[bytes, tuple[Any, ...]], tuple[str, Packet]]", tuple[Any, ...]]


def shape(data: bytes, mask: bytearray, read: Callable[..., tuple[str, Packet]], parts: tuple[Any, ...]) -> Shape:
    """The shape of which these bytes are one, by the mask of what is constant in them."""
    bits = int.from_bytes(mask, "little")
    return bits, int.from_bytes(data, "little") & bits, read, parts
