"""What the explorers expect of every packet: its version, and whether its kind may be lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.codec import kind_of

if TYPE_CHECKING:
    from dcl_comms_core.proto import rfc4

__all__ = ["EMOJIS", "LARGEST_FLOAT", "LOSSY_KINDS", "PROTOCOL_VERSION", "is_reliable"]

PROTOCOL_VERSION: Final = 100
"""What every packet carries; Unity drops packets that carry anything else."""
LOSSY_KINDS: Final = frozenset(
    {"position", "movement", "movement_compressed", "look_at_position", "profile_request", "voice"}
)
"""Packet kinds that the explorers send unreliably."""

EMOJIS: Final = 4_096
"""An emoji is a number below this."""

LARGEST_FLOAT: Final = 3.4028234663852886e38
"""The largest number of single precision: beyond it, a coordinate is infinite on the wire."""


def is_reliable(packet: rfc4.Packet) -> bool:
    """Whether the explorers send packets of this kind reliably."""
    return kind_of(packet) not in LOSSY_KINDS
