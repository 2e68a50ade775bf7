"""What is known of a wheel of livekit by its version."""

from __future__ import annotations

from typing import Final

__all__ = ["keeps_tracks", "numbers"]

_MENDED: Final = [1, 2]


def numbers(version: str) -> list[int]:
    """A version's numbers, to be compared; what stands beside them counts for nothing."""
    return [int("".join(filter(str.isdecimal, part)) or 0) for part in version.split(".")[:3]]


def keeps_tracks(version: str) -> bool:
    """Whether its engine keeps what we publish, threads and all, when the server ends the room (rust-sdks#1443)."""
    return numbers(version) < _MENDED
