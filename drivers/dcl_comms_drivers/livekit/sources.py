"""LiveKit's numbers of the sources that a track may have."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dcl_comms_core.inputs import TrackSource

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NUMBERS", "source_of"]

NUMBERS: Final[Mapping[TrackSource, int]] = MappingProxyType(
    {
        TrackSource.UNKNOWN: 0,
        TrackSource.CAMERA: 1,
        TrackSource.MICROPHONE: 2,
        TrackSource.SCREEN_SHARE: 3,
        TrackSource.SCREEN_SHARE_AUDIO: 4,
    }
)
"""The same for the engine and for the SDK: those of LiveKit's protocol."""

_BY_NUMBER: Final = {number: source for source, number in NUMBERS.items()}


def source_of(number: int) -> TrackSource:
    """The source; UNKNOWN where LiveKit has one that we don't."""
    return _BY_NUMBER.get(number, TrackSource.UNKNOWN)
