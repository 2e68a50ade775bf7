"""Times in a recording: one offset, taken once, makes of the host's clock the wall clock's, so that no time jumps."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

__all__ = ["Times"]

_NANO = 1_000_000_000
_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Times:
    """``unix_ns``: nanoseconds of the wall clock when the host's clock was 0."""

    unix_ns: int

    @classmethod
    def of(cls, at: float, unix: float) -> Times:
        """Of one moment by both clocks, in seconds."""
        return cls(round(unix * _NANO) - round(at * _NANO))

    @property
    def unix_offset(self) -> float:
        """The same in seconds, as of ClockSet."""
        return self.unix_ns / _NANO

    def log_time(self, at: float) -> int:
        """Nanoseconds of the wall clock, from 0 on: of a time that has none there, the nearest."""
        if not isfinite(at):
            return _LAST if at > 0 else 0
        return min(max(self.unix_ns + round(at * _NANO), 0), _LAST)

    def at(self, log_time: int) -> float:
        """Seconds of the host's clock."""
        return (log_time - self.unix_ns) / _NANO

    def unix(self, log_time: int) -> float:
        """Seconds of the wall clock."""
        return log_time / _NANO
